"""Binance's messages as they come in, with made-up numbers: verbatim in shape, per market."""

from __future__ import annotations

import json
from typing import Any

MS = 1_723_161_600_000
NS = MS * 1_000_000
SYMBOLS = {"spot": "BTCUSDT", "usdm": "BTCUSDT", "coinm": "BTCUSD_PERP"}


def combined(stream: str, data: dict[str, Any]) -> bytes:
    return json.dumps({"stream": stream, "data": data}, separators=(",", ":")).encode()


def best_quote(
    market: str = "spot",
    *,
    update: int = 100,
    bid: str = "60000.10",
    bid_quantity: str = "2.00000",
    ask: str = "60000.20",
    ask_quantity: str = "3.00000",
    ms: int = MS,
    **changes: object,
) -> bytes:
    symbol = SYMBOLS[market]
    data: dict[str, Any] = {"u": update, "s": symbol}
    data |= {"b": bid, "B": bid_quantity, "a": ask, "A": ask_quantity}
    if market != "spot":
        data |= {"e": "bookTicker", "T": ms - 3, "E": ms}
    if market == "coinm":
        data["ps"] = "BTCUSD"
    return combined(f"{symbol.lower()}@bookTicker", data | changes)


def trade(
    market: str = "spot",
    *,
    number: int = 500,
    price: str = "60000.20",
    quantity: str = "0.50000",
    buyer_is_maker: bool = False,
    ms: int = MS,
    **changes: object,
) -> bytes:
    symbol = SYMBOLS[market]
    data: dict[str, Any] = {"e": "trade", "E": ms, "T": ms - 1, "s": symbol, "t": number}
    data |= {"p": price, "q": quantity, "m": buyer_is_maker}
    data |= {"M": True} if market == "spot" else {"X": "MARKET"}
    return combined(f"{symbol.lower()}@trade", data | changes)


def depth(
    market: str = "spot",
    *,
    first: int,
    last: int,
    previous: int | None = None,
    bids: list[list[str]] | None = None,
    asks: list[list[str]] | None = None,
    ms: int = MS,
    **changes: object,
) -> bytes:
    symbol = SYMBOLS[market]
    data: dict[str, Any] = {"e": "depthUpdate", "E": ms, "s": symbol, "U": first, "u": last}
    data |= {"b": bids or [], "a": asks or []}
    if market != "spot":
        data |= {"T": ms - 5, "pu": first - 1 if previous is None else previous}
    if market == "coinm":
        data["ps"] = "BTCUSD"
    return combined(f"{symbol.lower()}@depth@100ms", data | changes)


def page(
    market: str = "spot",
    *,
    last: int,
    bids: list[list[str]] | None = None,
    asks: list[list[str]] | None = None,
) -> bytes:
    data: dict[str, Any] = {"lastUpdateId": last}
    if market != "spot":
        data |= {"E": MS, "T": MS - 5}
    data["bids"] = [["60000.10", "2.0"], ["60000.00", "5.0"]] if bids is None else bids
    data["asks"] = [["60000.20", "3.0"], ["60000.30", "1.0"]] if asks is None else asks
    return json.dumps(data, separators=(",", ":")).encode()
