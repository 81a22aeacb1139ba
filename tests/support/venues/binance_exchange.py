"""Binance's side of the conversation on a free port of this machine: combined stream and book pages on one address.

One market, one symbol, one book that changes when a test says so; numbers are made up.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Self
from urllib.parse import parse_qs, urlsplit

from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve

from mpc_party.market.venues.binance_markets import MARKETS
from tests.support.venues import binance_messages as messages

DEADLINE = 10.0


class BinanceExchange:
    """The server. All methods may be called from any thread.

    Attributes:
        streams: the streams asked for, by connection.
        pages: how many book pages have been asked for.
        broken_pages: how many of the next pages fail.
        page_lag: how many changes a page is behind.
        status: answered to a new connection instead of a stream, where it is not None.
        bids, asks: the book as it is, amount by price, both as text.
    """

    def __init__(self, market: str = "spot") -> None:
        self.market = market
        self.symbol = messages.SYMBOLS[market]
        self.streams: list[list[str]] = []
        self.pages = 0
        self.broken_pages = 0
        self.page_lag = 0
        self.status: HTTPStatus | None = None
        self.bids = {"60000.10": "2.0", "60000.00": "5.0"}
        self.asks = {"60000.20": "3.0", "60000.30": "1.0"}
        self._last = 1000
        self._history: list[tuple[int, dict[str, str], dict[str, str]]] = []
        self._trade = 0
        self._open: set[ServerConnection] = set()
        self._changed = threading.Condition()
        self._server: Server = serve(
            self._serve, "127.0.0.1", 0, compression=None, process_request=self._http
        )
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        host, port = self._server.socket.getsockname()[:2]
        return f"ws://{host}:{port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self.disconnect()
        self._thread.join(DEADLINE)
        self.until(lambda: not self._open)

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition, looked at whenever something has happened here."""
        with self._changed:
            assert self._changed.wait_for(condition, DEADLINE), f"in vain; {self.streams}, {self.pages} pages"

    @property
    def connected(self) -> bool:
        return bool(self._open)

    def disconnect(self) -> None:
        """Cut everybody off, as a failing network does: without a closing handshake."""
        with self._changed:
            sockets = list(self._open)
        for socket in sockets:
            with suppress(OSError):
                socket.socket.shutdown(2)

    def send(self, *texts: bytes) -> None:
        """Send these to everybody, as text frames, whatever they are."""
        with self._changed:
            sockets = list(self._open)
        for socket in sockets:
            with suppress(ConnectionClosed, OSError):
                for text in texts:
                    socket.send(text, text=True)

    def quote(self, **changes: str) -> None:
        self.send(messages.best_quote(self.market, update=self._last, ms=_now(), **changes))

    def trade(self, **changes: object) -> None:
        self._trade += 1
        self.send(messages.trade(self.market, number=self._trade, ms=_now(), **changes))

    def change(
        self, *, bids: dict[str, str] | None = None, asks: dict[str, str] | None = None, lost: bool = False
    ) -> bytes:
        """Change the book, and tell; with `lost`, the message is lost on the way. Returns the message."""
        with self._changed:
            self._history.append((self._last, dict(self.bids), dict(self.asks)))
            for side, moves in ((self.bids, bids or {}), (self.asks, asks or {})):
                for price, amount in moves.items():
                    side[price] = amount
                    if float(amount) == 0:
                        del side[price]
            previous, self._last = self._last, self._last + 5
            message = messages.depth(
                self.market,
                first=previous + 1,
                last=self._last,
                previous=previous,
                bids=[list(level) for level in (bids or {}).items()],
                asks=[list(level) for level in (asks or {}).items()],
                ms=_now(),
            )
        if not lost:
            self.send(message)
        return message

    def book(self) -> tuple[dict[float, float], dict[float, float]]:
        """The book as numbers."""
        with self._changed:
            bids, asks = ({float(p): float(a) for p, a in side.items()} for side in (self.bids, self.asks))
        return bids, asks

    def _http(self, _: ServerConnection, request: Request) -> Response | None:
        """A book's page over plain HTTP; None lets the handshake of a stream go on."""
        url = urlsplit(request.path)
        if url.path == "/stream":
            return None if self.status is None else _response(self.status, b"no")
        query = parse_qs(url.query)
        known = url.path == MARKETS[self.market].page_path and query == {
            "symbol": [self.symbol],
            "limit": ["1000"],
        }
        with self._changed:
            self.pages += 1
            broken = self.broken_pages > 0
            self.broken_pages -= broken
            last, bids, asks = [*self._history, (self._last, self.bids, self.asks)][-1 - self.page_lag]
            levels = [[list(level) for level in side.items()] for side in (bids, asks)]
            self._changed.notify_all()
        if broken or not known:
            return _response(HTTPStatus.TOO_MANY_REQUESTS, b"{}")
        return _response(HTTPStatus.OK, messages.page(self.market, last=last, bids=levels[0], asks=levels[1]))

    def _serve(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        with self._changed:
            self._open.add(socket)
            self.streams.append(parse_qs(urlsplit(socket.request.path).query)["streams"][0].split("/"))
            self._changed.notify_all()
        try:
            for message in socket:
                raise AssertionError(f"Binance was sent {json.dumps(str(message))}")
        except (ConnectionClosed, OSError):
            pass
        finally:
            with self._changed:
                self._open.discard(socket)
                self._changed.notify_all()


def _response(status: HTTPStatus, body: bytes) -> Response:
    headers = Headers(
        {"Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close"}
    )
    return Response(status.value, status.phrase, headers, body)


def _now() -> int:
    return time.time_ns() // 1_000_000
