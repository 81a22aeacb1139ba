"""What a round is proposed for: instruments, forwards and reference vols, all of them public.

The market source shows the coordinator what anyone sees; the members compare forwards and references with what they
see themselves, and refuse what does not fit.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from mpc_party.market import MarketSource
from mpc_party.protocol.consortium import Program
from mpc_party.protocol.errors import Reason, RoundError
from mpc_party.protocol.messages import Expiry, Instrument, Proposal, encode_message

SECONDS_PER_YEAR = 365 * 86_400
SHORTEST_TIME = 3600  # seconds: closer to expiry, deltas jump between two reports
MAX_EXPIRIES = 64
MAX_PROPOSAL_BYTES = 60_000  # a message is at most 64 KiB, envelope included
FIRST_REFERENCE_VOL = 0.55
LOWEST_REFERENCE_VOL, HIGHEST_REFERENCE_VOL = 10_000, 5_000_000  # 1e-6, as in the message
LARGEST_PRICE = 2**63 / 1e8 / 2
MONEYNESS_LIMIT = 19.0  # strike to forward, either way: parties refuse 20


@dataclass(frozen=True)
class PublicMarket:
    """What the coordinator sees of the market.

    `observed_at` and expiries in Unix seconds, forwards and strikes in the quote currency. `expiries`: (expiry,
    forward). `instruments`: (expiry, strike, call).
    """

    observed_at: int
    underlying: str
    expiries: tuple[tuple[int, float], ...]
    instruments: tuple[tuple[int, float, bool], ...]


@dataclass(frozen=True)
class Book:
    """A proposal's public part, in the units of the messages: expiries ascending, instruments by expiry and strike."""

    observed_at: int
    valid_until: int
    underlying: str
    expiries: tuple[Expiry, ...]
    instruments: tuple[Instrument, ...]

    def proposal(self, number: int, epoch: int, committee: tuple[int, ...], deadline_ms: int) -> Proposal:
        """The proposal of a round over this book.

        Raises:
            RoundError: it would not fit in a message.
        """
        proposal = Proposal(
            round=number,
            epoch=epoch,
            committee=committee,
            observed_at=self.observed_at,
            valid_until=self.valid_until,
            underlying=self.underlying,
            expiries=self.expiries,
            instruments=self.instruments,
            deadline_ms=deadline_ms,
        )
        if (size := len(encode_message(proposal))) > MAX_PROPOSAL_BYTES:
            raise RoundError(
                f"the proposal has {size} bytes, above {MAX_PROPOSAL_BYTES}",
                remedy="lower program.max_instruments in the consortium file",
            )
        return proposal


class BookSource(Protocol):
    """Where books come from."""

    @property
    def replays(self) -> bool:
        """Whether market time is a recording's, so that the chain's clock has to follow it."""

    def continue_after(self, observed_at: int) -> None:
        """Observe nothing at or before this market time: it has been published."""

    def observe(self, now: int, *, retry: bool) -> PublicMarket:
        """The market as of now (wall clock, Unix seconds); for a retry of the same round, of the same moment at least.

        Raises:
            ConsortiumError: the market cannot be seen, or the recording is at its end.
        """


class MarketBook:
    """Books from a market source."""

    def __init__(self, source: MarketSource) -> None:
        self._source = source
        self._after = 0
        self._last: PublicMarket | None = None

    @property
    def replays(self) -> bool:
        """Whether market time is a recording's."""
        return self._source.replays

    def continue_after(self, observed_at: int) -> None:
        """Observe nothing at or before this market time."""
        self._after = max(self._after, observed_at)

    def observe(self, now: int, *, retry: bool) -> PublicMarket:
        """The next moment of the market; a recording's moment is not skipped because a round over it was aborted."""
        if retry and self._last is not None and self._source.replays:
            return self._last
        observed_at = self._source.next_time(self._after, now)
        chain = self._source.at(observed_at)
        self._after = observed_at
        self._last = PublicMarket(
            observed_at,
            chain.underlying,
            tuple(chain.forwards().items()),
            tuple(
                (int(expiry), float(strike), bool(call))
                for expiry, strike, call in zip(chain.expiry, chain.strike, chain.call, strict=True)
            ),
        )
        return self._last


def make_book(market: PublicMarket, last_vols: Mapping[int, float], program: Program) -> Book:
    """Choose the instruments and the reference vols of a round. Pure.

    Instruments within an hour of expiry are left out, and, where there are more than the program allows, those
    farthest from the money, by |log(strike / forward)| / sqrt(T). The reference vol of an expiry is the vol that was
    last published at its money, else 0.55.

    Args:
        market: what is seen.
        last_vols: per expiry (Unix seconds), the at-the-money vol of the last report (`check.at_the_money_vols`).
        program: the consortium's limits.

    Raises:
        RoundError: nothing is left to propose.
    """
    forwards = {expiry: forward for expiry, forward in market.expiries if _is_price(forward)}
    usable = {
        (expiry, round(strike * 1e8), call)
        for expiry, strike, call in market.instruments
        if expiry in forwards
        and expiry - market.observed_at >= SHORTEST_TIME
        and _is_price(strike)
        and 1 / MONEYNESS_LIMIT <= strike / forwards[expiry] <= MONEYNESS_LIMIT
    }
    nearest = sorted({expiry for expiry, _, _ in usable})[:MAX_EXPIRIES]

    def distance(item: tuple[int, int, bool]) -> tuple[float, int, int, bool]:
        expiry, strike, call = item
        time = (expiry - market.observed_at) / SECONDS_PER_YEAR
        return (abs(math.log(strike / 1e8 / forwards[expiry])) / math.sqrt(time), expiry, strike, call)

    kept = sorted((item for item in usable if item[0] in set(nearest)), key=distance)[
        : program.max_instruments
    ]
    if not kept:
        raise RoundError(
            f"the market shows no option with an hour or more to go at {market.observed_at}",
            reason=Reason.MARKET_DATA_STALE,
            remedy="see that the market source is live",
        )
    expiries = sorted({expiry for expiry, _, _ in kept})
    position = {expiry: index for index, expiry in enumerate(expiries)}
    return Book(
        observed_at=market.observed_at,
        valid_until=min(market.observed_at + program.report_validity, expiries[0]),
        underlying=market.underlying,
        expiries=tuple(
            Expiry(expiry, round(forwards[expiry] * 1e8), _reference(last_vols.get(expiry)))
            for expiry in expiries
        ),
        instruments=tuple(
            Instrument(position[expiry], strike, call) for expiry, strike, call in sorted(kept)
        ),
    )


def _is_price(value: float) -> bool:
    return math.isfinite(value) and 1e-8 <= value < LARGEST_PRICE


def _reference(vol: float | None) -> int:
    chosen = FIRST_REFERENCE_VOL if vol is None else vol
    return min(max(round(chosen * 1e6), LOWEST_REFERENCE_VOL), HIGHEST_REFERENCE_VOL)
