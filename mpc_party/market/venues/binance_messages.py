"""Binance's messages: combined streams with typed payloads, and the REST page of a book. Decoding only.

What does not have these types does not decode: a number for a decimal text, a bool or a text for an id. Fields not
named here are skipped, however deep. Source: Binance's API documentation, "WebSocket Streams" (spot) and "Websocket
Market Streams" (USDT- and coin-margined futures). The letters of the wire are given names: `E` is `event_ms`.
"""

from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct, field

MAX_LEVELS = 20_000  # a side, of one message
MAX_TEXT = 64  # characters of a name

Name = Annotated[str, Meta(max_length=MAX_TEXT)]
Identifier = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Decimal = Annotated[str, Meta(max_length=40)]
Levels = Annotated[list[tuple[Decimal, Decimal]], Meta(max_length=MAX_LEVELS)]


class Combined(Struct, frozen=True, gc=False):
    """Anything that comes in: a stream's message; or, in captures, a bare page of a book, which has no stream."""

    stream: Annotated[str, Meta(max_length=128)] = ""
    data: Raw = Raw()


class BestQuote(Struct, frozen=True, gc=False):
    """`<symbol>@bookTicker`. Spot's has no time."""

    update_id: Identifier = field(name="u")
    symbol: Name = field(name="s")
    bid: Decimal = field(name="b")
    bid_quantity: Decimal = field(name="B")
    ask: Decimal = field(name="a")
    ask_quantity: Decimal = field(name="A")
    event_ms: Annotated[int, Meta(ge=0)] = field(name="E", default=0)


class Traded(Struct, frozen=True, gc=False):
    """`<symbol>@trade`. `execution` is futures' only: `MARKET` is a trade in the market, the rest are transfers."""

    trade_id: Identifier = field(name="t")
    symbol: Name = field(name="s")
    price: Decimal = field(name="p")
    quantity: Decimal = field(name="q")
    buyer_is_maker: bool = field(name="m")
    event_ms: Annotated[int, Meta(ge=0)] = field(name="E")
    execution: Name = field(name="X", default="MARKET")


class DepthUpdate(Struct, frozen=True, gc=False):
    """`<symbol>@depth@100ms`: ids first to last, and, in futures' streams, the last of the message before."""

    first_id: Identifier = field(name="U")
    last_id: Identifier = field(name="u")
    symbol: Name = field(name="s")
    bids: Levels = field(name="b")
    asks: Levels = field(name="a")
    event_ms: Annotated[int, Meta(ge=0)] = field(name="E")
    previous_id: Identifier | None = field(name="pu", default=None)


class DepthPage(Struct, frozen=True, gc=False):
    """The REST page of a book. Spot's has no time."""

    last_id: Identifier = field(name="lastUpdateId")
    bids: Levels
    asks: Levels
    event_ms: Annotated[int, Meta(ge=0)] = field(name="E", default=0)


COMBINED = msgspec.json.Decoder(Combined)
BEST_QUOTE = msgspec.json.Decoder(BestQuote)
TRADED = msgspec.json.Decoder(Traded)
DEPTH_UPDATE = msgspec.json.Decoder(DepthUpdate)
DEPTH_PAGE = msgspec.json.Decoder(DepthPage)
