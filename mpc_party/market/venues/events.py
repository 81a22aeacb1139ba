"""What venues say, in one vocabulary: typed events that the parsers make and everything else reads.

Every event carries the venue, the instrument by the venue's own name, the venue's time (Unix milliseconds; 0 where the
message has none) and the time of receipt (Unix nanoseconds). Prices of options are fractions of the forward's
underlying (coin per coin), all other prices are in the quote currency; vols are annual fractions; NaN stands for what
the venue says is not there. Amounts of trades and of best quotes are in coin. Amounts in books stay in the venue's own
unit (coin or contracts): they are compared only within one book. Parsers have range-checked every number
(`conventions.py` has the ranges and the conversions).
"""

import msgspec

Level = tuple[float, float]  # price, amount; in a change, the new amount, where 0 removes the level


class _Event(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    venue: str
    instrument: str
    venue_ms: int
    received_ns: int


class OptionTicker(_Event, frozen=True, gc=False, kw_only=True):
    """The state of one option: the venue's forward of its expiry and its index, best quotes, and the mark vol."""

    underlying_price: float
    index_price: float
    bid: float
    ask: float
    bid_amount: float
    ask_amount: float
    mark_vol: float


class TopOfBook(_Event, frozen=True, gc=False, kw_only=True):
    """Best bid and ask. `update_id` is the venue's number of the update (0 where it has none)."""

    bid: float
    ask: float
    bid_amount: float
    ask_amount: float
    update_id: int = 0


class Trade(_Event, frozen=True, gc=False, kw_only=True):
    """One trade; `buyer_initiated` when the buyer was the aggressor. `trade_id` is unique within the instrument."""

    trade_id: str
    price: float
    amount: float
    buyer_initiated: bool


class IndexPrice(_Event, frozen=True, gc=False, kw_only=True):
    """A venue's index of spot prices; `instrument` is the index's name."""

    price: float


class BookSnapshot(_Event, frozen=True, gc=False, kw_only=True):
    """A whole book as of `change_id`. Levels in any order."""

    change_id: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


class BookChange(_Event, frozen=True, gc=False, kw_only=True):
    """Levels that have changed since `previous_id`; None where the venue's stream gives no way to tell."""

    change_id: int
    previous_id: int | None
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


Event = OptionTicker | TopOfBook | Trade | IndexPrice | BookSnapshot | BookChange
