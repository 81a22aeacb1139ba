"""A market's past as hedging intervals, as training and evaluation take it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mpc_party.market.chain import ChainSnapshot, MarketSource
from mpc_party.market.errors import MarketDataError
from mpc_party.market.intervals import HedgingRows, Price, intervals, moments, restarts, value_chain
from mpc_party.market.source import open_source
from mpc_party.protocol.errors import ConfigError, Reason
from mpc_party.protocol.secret import Secret

Say = Callable[[str], None]
BEGINNING, END = 0, 2**40  # Unix seconds that no recording reaches


@dataclass(frozen=True, repr=False)
class History(Secret):
    """What was read: intervals in the order of time, the market's moments, and the chain at the last of them."""

    underlying: str
    price: Price
    times: tuple[int, ...]
    rows: tuple[HedgingRows, ...]
    last: ChainSnapshot


def read_history(
    spec: str, price: Price, start: int | None, end: int | None, least: int, say: Say
) -> History:
    """Read a market from `start` to `end` (Unix seconds; None: all that there is).

    Raises:
        MarketDataError: no such market, or fewer than `least` intervals in it.
        ConfigError: a market without an end, and none given; a market that has no past.
    """
    say(f"Reading {spec} ...")
    with _opened(spec) as source:
        if not source.replays and (start is None or end is None or end > time.time()):
            raise ConfigError(
                f"market {spec[:80]!a} runs on the wall clock, and only a past has hedging errors",
                remedy="give --from and --to, both in the past, or a recorded market",
            )
        times = moments(source, BEGINNING if start is None else start, END if end is None else end)
        rows: list[HedgingRows] = []
        chains: dict[int, ChainSnapshot] = {}

        def value(moment: int) -> ChainSnapshot:
            chains.clear()
            chains[moment] = source.at(moment)
            return chains[moment]

        breaks = restarts(source, times)
        for interval in intervals(times, lambda moment: value_chain(value(moment), price), breaks):
            rows.append(interval)
            say(f"Reading {spec}: {len(rows)} of at most {len(times) - 1} intervals ...")
        if len(rows) < least:
            raise MarketDataError(
                f"market {spec[:80]!a}: {len(rows)} intervals with options quoted at both ends, {least} are needed",
                reason=Reason.MARKET_DATA_STALE,
                remedy="give a longer recording, or a wider --from and --to",
            )
        return History(source.underlying, price, tuple(times), tuple(rows), chains[times[-1]])


@contextmanager
def _opened(spec: str) -> Iterator[MarketSource]:
    source = open_source(spec)
    try:
        yield source
    finally:
        close = getattr(source, "close", None)
        if close is not None:
            close()
