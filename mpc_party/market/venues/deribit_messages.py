"""Deribit's messages: JSON-RPC 2.0 with typed parameters. Decoding is all that happens here; meaning is the feed's.

What does not have these types does not decode: a bool, a text or a NaN is no number, an unknown action no action.
Fields not named here are skipped, however deep. Source: Deribit's API documentation (v2.1.1), "JSON-RPC" and the
subscription channels `ticker`, `trades`, `book` and `deribit_price_index`.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Raw, Struct

from mpc_party.market.venues.decoding import decode

Name = Annotated[str, Meta(max_length=64)]
Identifier = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Action = Literal["new", "change", "delete"]
MAX_LEVELS = 20_000
MAX_TRADES = 10_000  # in one message
MAX_INSTRUMENTS = 20_000


class DeribitError(Struct, frozen=True):
    """An error answer."""

    code: int
    message: str


class Parameters(Struct, frozen=True):
    """Parameters of a notification: (channel, data) of a subscription, (type) of a heartbeat."""

    channel: Annotated[str, Meta(max_length=128)] = ""
    data: Raw = Raw()
    type: str = ""


class Message(Struct, frozen=True):
    """Anything that Deribit sends: an answer has an id, a notification a method."""

    id: int | None = None
    method: str | None = None
    params: Parameters | None = None
    result: Raw = Raw()
    error: DeribitError | None = None


class Instrument(Struct, frozen=True):
    """One item of `public/get_instruments`."""

    instrument_name: Name
    kind: str
    strike: float = 0.0
    expiration_timestamp: int = 0
    option_type: str = ""
    is_active: bool = True


class Ticker(Struct, frozen=True):
    """`ticker.X.100ms`. Prices of a side that is empty are null or 0."""

    instrument_name: Name
    timestamp: int
    state: str
    index_price: float
    underlying_price: float | None = None
    best_bid_price: float | None = None
    best_bid_amount: float | None = None
    best_ask_price: float | None = None
    best_ask_amount: float | None = None
    mark_iv: float | None = None


class Traded(Struct, frozen=True):
    """One item of `trades.X.100ms` or `trades.option.CURRENCY.100ms`; `direction` is the aggressor's."""

    instrument_name: Name
    timestamp: int
    trade_id: Name
    trade_seq: Identifier
    price: float
    amount: float
    direction: Literal["buy", "sell"]


class Index(Struct, frozen=True):
    """`deribit_price_index.X`."""

    index_name: Name
    timestamp: int
    price: float


class Book(Struct, frozen=True):
    """`book.X.100ms`: levels of (action, price, amount)."""

    instrument_name: Name
    timestamp: int
    type: Literal["snapshot", "change"]
    change_id: Identifier
    bids: Annotated[list[tuple[Action, float, float]], Meta(max_length=MAX_LEVELS)]
    asks: Annotated[list[tuple[Action, float, float]], Meta(max_length=MAX_LEVELS)]
    prev_change_id: Identifier | None = None


_MESSAGE = msgspec.json.Decoder(Message)
TICKER = msgspec.json.Decoder(Ticker)
TRADES = msgspec.json.Decoder(Annotated[list[Traded], Meta(max_length=MAX_TRADES)])
INDEX = msgspec.json.Decoder(Index)
BOOK = msgspec.json.Decoder(Book)
INSTRUMENTS = msgspec.json.Decoder(Annotated[list[Instrument], Meta(max_length=MAX_INSTRUMENTS)])
CHANNELS = msgspec.json.Decoder(list[Annotated[str, Meta(max_length=128)]])


def decode_message(data: bytes) -> Message:
    """Decode one message from the wire.

    Raises:
        ValueError: not a JSON-RPC message.
    """
    return decode(_MESSAGE, data)
