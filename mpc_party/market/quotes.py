"""One desk's own quotes: what it saw, when; and the rules by which a quote is dropped and counted."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mpc_party.market.black76 import implied_vol, years
from mpc_party.protocol.secret import Secret

Floats = NDArray[np.float64]


@dataclass(frozen=True, repr=False)
class Quotes(Secret):
    """Columns of one length, one row a quote: private to the desk, so the repr shows only how many there are.

    `seen_at` and `expiry` in Unix seconds, `strike` and `forward` in the quote currency, `bid` and `ask` in coin.
    """

    seen_at: NDArray[np.int64]
    expiry: NDArray[np.int64]
    strike: Floats
    call: NDArray[np.bool_]
    forward: Floats
    bid: Floats
    ask: Floats

    def __len__(self) -> int:
        return len(self.expiry)

    def __repr__(self) -> str:
        return f"Quotes({len(self)} rows)"


@dataclass(frozen=True, repr=False)
class VolQuotes(Secret):
    """The quotes that passed, as implied vols: `vol` at the mid, `width` = (ask vol - bid vol) proxy, both annual."""

    expiry: NDArray[np.int64]
    strike: Floats
    vol: Floats
    width: Floats

    def __len__(self) -> int:
        return len(self.expiry)

    def __repr__(self) -> str:
        return f"VolQuotes({len(self)} rows)"


def clean(
    quotes: Quotes, forwards: dict[int, float], observed_at: int, max_age: int
) -> tuple[VolQuotes, Counter[str]]:
    """Drop what cannot be used, and turn the rest into implied vols on the book's forwards.

    Returns the usable quotes and how many were dropped, by cause: `not-in-book` (no such expiry), `missing` (a side
    is absent, NaN or infinite), `negative` (or zero), `crossed`, `stale` (older than `max_age` seconds, or from the
    future), `no-vol` (no vol gives the mid or the ask: below intrinsic, worthless or absurd). A quote that is wrong in
    several ways counts once, for the first of these.
    """
    dropped: Counter[str] = Counter()
    keep = np.ones(len(quotes), dtype=np.bool_)

    def drop(cause: str, bad: NDArray[np.bool_]) -> None:
        nonlocal keep
        count = int(np.count_nonzero(keep & bad))
        if count:
            dropped[cause] += count
        keep &= ~bad

    with np.errstate(invalid="ignore"):
        drop("not-in-book", ~np.isin(quotes.expiry, np.fromiter(forwards, dtype=np.int64)))
        numbers = (quotes.bid, quotes.ask, quotes.strike, quotes.forward)
        drop("missing", ~np.logical_and.reduce([np.isfinite(column) for column in numbers]))
        drop("negative", (quotes.bid <= 0) | (quotes.ask <= 0) | (quotes.strike <= 0) | (quotes.forward <= 0))
        drop("crossed", quotes.bid > quotes.ask)
        drop("stale", (quotes.seen_at < observed_at - max_age) | (quotes.seen_at > observed_at))
    chosen = {name: getattr(quotes, name)[keep] for name in ("expiry", "strike", "call", "bid", "ask")}
    forward = np.array([forwards[int(e)] for e in chosen["expiry"]], dtype=np.float64)
    moneyness, time = chosen["strike"] / forward, years(chosen["expiry"], observed_at)
    mid = implied_vol(0.5 * (chosen["bid"] + chosen["ask"]), moneyness, time, chosen["call"])
    high = implied_vol(chosen["ask"], moneyness, time, chosen["call"])
    usable = np.isfinite(mid) & np.isfinite(high)
    if unusable := int(np.count_nonzero(~usable)):
        dropped["no-vol"] += unusable
    width = np.maximum(2.0 * (high[usable] - mid[usable]), 1e-4)
    return VolQuotes(chosen["expiry"][usable], chosen["strike"][usable], mid[usable], width), dropped
