"""Deribit's side of the conversation on a free port of this machine, and whatever it might do to a client.

Every connection has a thread of its own; tests push notifications from theirs. Numbers are made up.
"""

from __future__ import annotations

import json
import math
import threading
import time
from contextlib import suppress
from typing import Any, Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

from mpc_party.market.chain import ChainSnapshot
from mpc_party.market.recorded import parse_instrument_name
from mpc_party.market.recorder import instrument_name

DEADLINE = 10.0
FORWARD = 90_000.0


def option_names(currency: str = "BTC", *, days: tuple[int, ...] = (3, 30), strikes: int = 5) -> list[str]:
    """Names of calls and puts around the money, expiring so many days from now."""
    today = int(time.time()) // 86_400
    return [
        instrument_name(
            currency, (today + day) * 86_400 + 8 * 3600, FORWARD + 1000.0 * (k - strikes // 2), call=call
        )
        for day in days
        for k in range(strikes)
        for call in (True, False)
    ]


def listing(name: str) -> dict[str, Any]:
    """One item of `public/get_instruments`, with fields that a client has no use for."""
    option = parse_instrument_name(name)
    return {
        "instrument_name": name,
        "kind": "option",
        "strike": option.strike,
        "expiration_timestamp": option.expiry * 1000,
        "option_type": "call" if option.call else "put",
        "is_active": True,
        "contract_size": 1.0,
        "tick_size_steps": [{"above_price": 0.005, "tick_size": 0.0005}],
        "base_currency": option.underlying,
    }


def ticker(name: str, **changes: object) -> dict[str, Any]:
    """A ticker's data, verbatim in shape."""
    return {
        "underlying_price": FORWARD,
        "underlying_index": name.rsplit("-", 2)[0],
        "timestamp": int(time.time() * 1000),
        "stats": {"volume": None, "price_change": None, "low": None, "high": None},
        "state": "open",
        "settlement_price": 0.0,
        "open_interest": 12.5,
        "min_price": 0.0001,
        "max_price": 0.0345,
        "mark_price": 0.0207,
        "mark_iv": 52.25,
        "last_price": None,
        "interest_rate": 0.0,
        "instrument_name": name,
        "index_price": 89_950.5,
        "greeks": {"vega": 20.1, "theta": -50.3, "rho": 1.2, "gamma": 0.0001, "delta": 0.51},
        "estimated_delivery_price": 89_950.5,
        "bid_iv": 51.0,
        "best_bid_price": 0.02,
        "best_bid_amount": 4.2,
        "best_ask_price": 0.0215,
        "best_ask_amount": 3.0,
        "ask_iv": 53.5,
    } | changes


class DeribitExchange:
    """The server. All `push` and `send` methods may be called from any thread.

    Attributes:
        requests: (method, params) as they came in.
        connections: how many clients have connected so far.
        refuse: method -> (code, message), answered with an error.
        mute: methods that get no answer.
        heartbeat: seconds between test requests, once a client has asked for heartbeats; None sends none.
        unanswered: connections closed because a test request was not answered.
    """

    def __init__(
        self, names: list[str], *, perpetual: str = "BTC-PERPETUAL", heartbeat: float | None = None
    ) -> None:
        self.names = list(names)
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.connections = 0
        self.unanswered = 0
        self.refuse: dict[str, tuple[int, str]] = {}
        self.mute: set[str] = set()
        self.heartbeat = heartbeat
        self.perpetual = perpetual
        self.levels = {"bids": {FORWARD - 0.5: 1000.0, FORWARD - 1.0: 5000.0}, "asks": {FORWARD: 2000.0}}
        self.change_id = 1000
        self._shown: dict[str, dict[str, Any]] = {}
        self._open: dict[ServerConnection, set[str]] = {}
        self._tested: dict[ServerConnection, float] = {}
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._server: Server = serve(self._serve, "127.0.0.1", 0, compression=None, max_size=2**20)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        host, port = self._server.socket.getsockname()[:2]
        return f"ws://{host}:{port}/ws/api/v2"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._server.shutdown()
        self.disconnect()
        self._thread.join(DEADLINE)
        self.until(lambda: not self._open)

    def until(self, condition: Any, timeout: float = DEADLINE) -> None:
        """Wait until the condition, looked at whenever something has happened here."""
        with self._changed:
            assert self._changed.wait_for(condition, timeout), f"in vain; requests {self.requests[-5:]}"

    def subscribed(self, channel: str) -> bool:
        with self._changed:
            return any(channel in channels for channels in self._open.values())

    def methods(self) -> list[str]:
        with self._changed:
            return [method for method, _ in self.requests]

    def disconnect(self) -> None:
        """Cut everybody off, as a failing network does: without a closing handshake."""
        with self._changed:
            sockets = list(self._open)
        for socket in sockets:
            with suppress(OSError):
                socket.socket.shutdown(2)

    def send(self, text: str | bytes) -> None:
        """Send this to everybody, whatever it is; text as a text frame."""
        with self._changed:
            sockets = list(self._open)
        for socket in sockets:
            with suppress(ConnectionClosed, OSError):
                socket.send(text)

    def push(self, channel: str, data: object) -> None:
        """A notification to whoever has subscribed to the channel."""
        with self._changed:
            sockets = [socket for socket, channels in self._open.items() if channel in channels]
        for socket in sockets:
            with suppress(ConnectionClosed, OSError):
                socket.send(_notification(channel, data))

    def tick(self, name: str, **changes: object) -> None:
        self.push(f"ticker.{name}.100ms", ticker(name, **changes))

    def show(self, chain: ChainSnapshot, currency: str = "BTC") -> None:
        """List and quote this chain, from now on and to everybody, as options on `currency`."""
        columns = (
            chain.expiry,
            chain.strike,
            chain.call,
            chain.forward,
            chain.bid,
            chain.ask,
            chain.mark_vol,
        )
        shown = {
            instrument_name(currency, expiry, strike, call=call): {
                "underlying_price": forward,
                "best_bid_price": None if math.isnan(bid) else bid,
                "best_ask_price": ask,
                "mark_iv": 100.0 * vol,
            }
            for expiry, strike, call, forward, bid, ask, vol in zip(
                *(c.tolist() for c in columns), strict=True
            )
        }
        with self._changed:
            self.names, self._shown = list(shown), shown
        for name, numbers in shown.items():
            self.tick(name, **numbers)

    def trade(
        self, sequence: int, *, price: float = FORWARD, amount: float = 900.0, direction: str = "buy"
    ) -> None:
        self.push(
            f"trades.{self.perpetual}.100ms",
            [
                {
                    "trade_seq": sequence,
                    "trade_id": f"{sequence}",
                    "timestamp": int(time.time() * 1000),
                    "tick_direction": 0,
                    "price": price,
                    "mark_price": price,
                    "instrument_name": self.perpetual,
                    "index_price": price,
                    "direction": direction,
                    "amount": amount,
                    "contracts": amount / 10,
                }
            ],
        )

    def change_book(self, *, lose: bool = False, **sides: list[list[Any]]) -> None:
        """Change the perpetual's book; with `lose`, the notification is lost on the way."""
        with self._changed:
            for side, levels in sides.items():
                for action, price, amount in levels:
                    if action == "delete":
                        self.levels[side].pop(price, None)
                    else:
                        self.levels[side][price] = amount
            previous, self.change_id = self.change_id, self.change_id + 7
        data = {
            "type": "change",
            "timestamp": int(time.time() * 1000),
            "prev_change_id": previous,
            "instrument_name": self.perpetual,
            "change_id": self.change_id,
            "bids": sides.get("bids", []),
            "asks": sides.get("asks", []),
        }
        if not lose:
            self.push(f"book.{self.perpetual}.100ms", data)

    def _serve(self, socket: ServerConnection) -> None:
        with self._changed:
            self._open[socket] = set()
            self.connections += 1
            self._changed.notify_all()
        try:
            for message in socket:
                self._answer(socket, json.loads(message))
        except (ConnectionClosed, OSError):
            pass
        finally:
            with self._changed:
                del self._open[socket]
                self._tested.pop(socket, None)
                self._changed.notify_all()

    def _answer(self, socket: ServerConnection, request: dict[str, Any]) -> None:
        assert request["jsonrpc"] == "2.0"
        method, parameters = request["method"], request["params"]
        refused = self.refuse.get(method)
        result: Any = "ok"
        pushes: list[str] = []
        with self._changed:
            if method == "public/get_instruments":
                result = [listing(name) for name in self.names]
            elif method == "public/subscribe":
                result = [c for c in parameters["channels"] if self._exists(c)]
                if refused is None:
                    self._open[socket].update(result)
                    pushes = [
                        _notification(c, first) for c in result if (first := self._first(c)) is not None
                    ]
            elif method == "public/unsubscribe":
                result = parameters["channels"]
                self._open[socket].difference_update(result)
            elif method == "public/set_heartbeat":
                assert parameters["interval"] >= 10
                if self.heartbeat is not None:
                    threading.Thread(target=self._test, args=(socket, self.heartbeat), daemon=True).start()
            elif method == "public/test":
                self._tested[socket] = time.monotonic()
                result = {"version": "1.2.26"}
            self.requests.append((method, parameters))
            self._changed.notify_all()
        if method in self.mute:
            return
        body: dict[str, Any] = {
            "jsonrpc": "2.0",
            "id": request["id"],
            "usIn": 1,
            "usOut": 2,
            "testnet": False,
        }
        if refused is None:
            body["result"] = result
        else:
            body["error"] = {"code": refused[0], "message": refused[1], "data": {"reason": "made up"}}
        socket.send(json.dumps(body))
        for push in pushes:
            socket.send(push)

    def _exists(self, channel: str) -> bool:
        name = channel.partition(".")[2].rpartition(".")[0]
        return name in self.names or not channel.startswith("ticker.")

    def _first(self, channel: str) -> object | None:
        """What is sent at once to a new subscriber."""
        kind, _, rest = channel.partition(".")
        if kind == "ticker":
            name = rest.rpartition(".")[0]
            return ticker(name, **self._shown.get(name, {}))
        if kind == "book":
            return {
                "type": "snapshot",
                "timestamp": int(time.time() * 1000),
                "instrument_name": self.perpetual,
                "change_id": self.change_id,
                **{
                    side: [["new", price, amount] for price, amount in levels.items()]
                    for side, levels in self.levels.items()
                },
            }
        return None

    def _test(self, socket: ServerConnection, interval: float) -> None:
        """Send test requests, and close the connection of a client that leaves one unanswered."""
        text = json.dumps({"jsonrpc": "2.0", "method": "heartbeat", "params": {"type": "test_request"}})
        while not self._stopping.is_set():
            asked = time.monotonic()
            try:
                socket.send(text)
            except (ConnectionClosed, OSError):
                return
            if self._stopping.wait(interval):
                return
            with self._changed:
                if socket not in self._open:
                    return
                if self._tested.get(socket, 0.0) < asked:
                    self.unanswered += 1
                    socket.close(4000, "no heartbeat")
                    return


def _notification(channel: str, data: object) -> str:
    return json.dumps(
        {"jsonrpc": "2.0", "method": "subscription", "params": {"channel": channel, "data": data}}
    )
