"""Market sources and order flow by name, as programs are told of them; the forms are in `SOURCES` and `FLOWS`."""

from collections.abc import Callable, Mapping
from typing import Generic, NamedTuple, TypeVar

from mpc_party.market.chain import FlowSource, MarketSource
from mpc_party.market.errors import MarketDataError
from mpc_party.market.heston import HestonMarket
from mpc_party.market.recorded import RecordedChain, file_named
from mpc_party.market.simulated import SimulatedMarket
from mpc_party.protocol.errors import Reason

T = TypeVar("T")


class Kind(NamedTuple, Generic[T]):
    """One kind of source: how its name is written, and what opens it from the part behind the colon.

    The opener returns None where that part is not of the form; it raises MarketDataError where the form is right
    and the thing named is not.
    """

    form: str
    open: Callable[[str], T | None]


def _recorded(detail: str) -> MarketSource | None:
    return RecordedChain(file_named(detail)) if detail else None


def _simulated(detail: str) -> MarketSource | None:
    return SimulatedMarket(int(detail)) if is_seed(detail) else None


def _deribit(detail: str) -> MarketSource | None:
    from mpc_party.market.live import LiveChain  # noqa: PLC0415 - only live sources need websockets and a thread

    currency, at, url = detail.partition("@")
    if not currency or (at and not url):
        return None
    return (LiveChain(currency, url=url) if at else LiveChain(currency)).start()


def _heston(detail: str) -> HestonMarket | None:
    seed, at, venue = detail.partition("@")
    if not is_seed(seed) or (at and not venue):
        return None
    return HestonMarket(int(seed), venue or None)


def _captured_chain(detail: str) -> MarketSource | None:
    from mpc_party.market.captured import open_captured_chain  # noqa: PLC0415 - reads venues' messages

    return open_captured_chain(detail)


def _captured_flow(detail: str) -> FlowSource | None:
    from mpc_party.market.captured import open_captured_flow  # noqa: PLC0415 - as above

    return open_captured_flow(detail)


def _binance(detail: str) -> FlowSource | None:
    from mpc_party.market.venues.binance_live import BinanceFlow, parse_endpoints  # noqa: PLC0415 - as `_deribit`

    endpoints = parse_endpoints(detail)
    return None if endpoints is None else BinanceFlow(endpoints)


def is_seed(text: str) -> bool:
    """Whether this is a seed as programs take it: up to 18 decimal digits."""
    return text.isascii() and text.isdecimal() and len(text) <= 18


SOURCES: dict[str, Kind[MarketSource]] = {
    "recorded": Kind("recorded:FILE", _recorded),
    "simulated": Kind("simulated:SEED", _simulated),
    "heston": Kind("heston:SEED[@VENUE]", _heston),
    "deribit": Kind("deribit:CURRENCY[@URL]", _deribit),
    "capture": Kind("capture:FILE[@UNDERLYING]", _captured_chain),
}
FLOWS: dict[str, Kind[FlowSource]] = {
    "heston": Kind("heston:SEED[@VENUE]", _heston),
    "binance": Kind("binance:[MARKET/]SYMBOL[@URL][,...]", _binance),
    "capture": Kind("capture:FILE[,FILE...]", _captured_flow),
}


def open_source(spec: str) -> MarketSource:
    """Open a source by its name, one of the forms in `SOURCES`.

    A source that has a `close` is running: whoever opened it closes it.

    Raises:
        MarketDataError: no such kind of source, or the file breaks its format.
    """
    return _open(SOURCES, spec, "market source")


def open_flow(spec: str) -> FlowSource:
    """Open a feed of order flow by its name, one of the forms in `FLOWS`; as `open_source`."""
    return _open(FLOWS, spec, "order flow")


def _open(kinds: Mapping[str, Kind[T]], spec: str, what: str) -> T:
    name, _, detail = spec.partition(":")
    kind = kinds.get(name)
    source = None if kind is None else kind.open(detail)
    if source is None:
        raise MarketDataError(
            f"no {what} {spec[:80]!r}",
            reason=Reason.CONFIG_INVALID,
            remedy=f"give {', '.join(each.form for each in kinds.values())}",
        )
    return source
