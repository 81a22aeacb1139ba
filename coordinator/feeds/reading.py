"""Readings of a feed in words and units, for a person and for programs."""

from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from coordinator.challenges.registry import Registry
from coordinator.feeds.instrument_name import instrument_name, parse_instrument
from coordinator.feeds.reader import Feed, FeedReading, FeedState
from coordinator.onchain import Onchain
from mpc_party.protocol.errors import ConfigError, ReportError
from mpc_party.protocol.words import InstrumentFields


@dataclass(frozen=True)
class Shown:
    """One instrument's reading, with what it is of and whether it may be relied on."""

    instrument: InstrumentFields
    reading: FeedReading
    state: FeedState
    unfit: str | None

    def summary(self) -> dict[str, object]:
        """For JSON: the words' own integer units, beside which stands what they are in units of money and fractions."""
        fields = msgspec.structs.asdict(self.reading.param)
        return {
            "instrument": instrument_name(self.instrument),
            "id": self.reading.instrument_id,
            "fit": self.unfit is None,
            "unfit": self.unfit,
            **self.amounts(),
            "age": self.state.timestamp - self.reading.observed_at,
            "final": True,
            "live": self.state.live,
            "sequence": self.reading.sequence,
            "round": self.reading.round,
            "observed_at": self.reading.observed_at,
            "valid_until": self.reading.valid_until,
            "accepted_at": self.reading.accepted_at,
            "block": self.state.block,
            "words": {**fields, "forward": self.reading.forward},
        }

    def amounts(self) -> dict[str, float | None]:
        """Vol and greeks as fractions; forward, price and margins of one option in the quote currency."""
        param, forward = self.reading.param, self.reading.forward * 1e-8
        return {
            "forward": forward,
            "iv": param.iv * 1e-6,
            "delta": param.bs_delta * 1e-6,
            "hedge_delta": param.hedge_delta * 1e-6,
            "gamma": param.gamma * 1e-6 / forward,
            "vega": param.vega * 1e-8 * forward,
            "price": param.premium * 1e-8 * forward,
            "maintenance_margin": _margin(param.maintenance_margin, forward),
            "initial_margin": _margin(param.initial_margin, forward),
        }

    def lines(self) -> list[str]:
        """For a person."""
        it, at = self.amounts(), self.reading
        margin = (
            "margins not computed"
            if it["maintenance_margin"] is None
            else f"maintenance margin {it['maintenance_margin']:,.2f}, initial {it['initial_margin']:,.2f}"
        )
        return [
            f"{instrument_name(self.instrument)} (instrument {at.instrument_id})",
            f"  forward {it['forward']:,.2f}, vol {it['iv']:.2%}, price {it['price']:,.2f} in the quote currency",
            f"  delta {it['delta']:+.6f}, hedge delta {it['hedge_delta']:+.6f} of the forward",
            f"  gamma {it['gamma']:.3e} of delta per unit of the forward, vega {(it['vega'] or 0) / 100:,.2f} per point of vol",
            f"  {margin}, of one short option",
            f"  round {at.round}, stored report {at.sequence}, final; valid until {_time(at.valid_until)}",
            f"  observed {_time(at.observed_at)}, {self.state.timestamp - at.observed_at} s ago",
            f"  {'fit for use' if self.unfit is None else f'NOT FIT: {self.unfit}'}",
        ]


def read(feed: Feed, which: str, max_age: int | None) -> Shown:
    """The latest final reading of an instrument.

    Args:
        feed: where.
        which: a name such as BTC-28MAR27-90000-C, or a number.
        max_age: seconds that its market data may be old; None for as long as it is valid.

    Raises:
        ConfigError: no name, or an instrument that the feed does not know.
        SettlementError: the feed has no reading of it; CHAIN_UNREACHABLE.
        ReportError: it gives a word that no report holds.
    """
    if which.isascii() and which.isdigit():
        number = int(which)
        if not 0 < number < 1 << 256:
            raise ConfigError(f"no instrument has the number {which[:20]}")
    else:
        known = feed.id_of(parse_instrument(which))
        if known is None:
            raise ConfigError(f"{which} is not registered at {feed.address}")
        number = known
    state = feed.state()
    return _shown(feed, number, state, max_age)


def read_book(feed: Feed, chain: Onchain, max_age: int | None) -> list[Shown]:
    """The latest final readings of all instruments of the latest stored report, in its book's order, at one block.

    Raises:
        SettlementError: there is none, or the feed is another contract than our ledger; CHAIN_UNREACHABLE.
        ReportError: it gives a word that no report holds.
    """
    ledger = chain.contract("HedgeSettlement", feed.address, "contract")
    state = feed.state()
    if not state.latest_sequence:
        raise ReportError("the feed has no final stored report yet")
    number = int(chain.ask(ledger, "snapshot", state.latest_sequence, 0, 0, block=state.block).bookId)
    return [_shown(feed, one, state, max_age) for one in Registry(chain, ledger).listed(number)]


def _shown(feed: Feed, number: int, state: FeedState, max_age: int | None) -> Shown:
    reading = feed.reading(number, block=state.block)
    limit = reading.valid_until - reading.observed_at if max_age is None else max_age
    return Shown(feed.instrument(number), reading, state, reading.unfit(state, limit))


def _margin(value: int | None, forward: float) -> float | None:
    return None if value is None else value * 1e-6 * forward


def _time(seconds: int) -> str:
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return f"{seconds} (Unix seconds)"
