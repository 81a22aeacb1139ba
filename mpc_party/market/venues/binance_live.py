"""Binance as a live source of order flow: one connection to each market, one window over all of them."""

import re
import threading
import time
from collections import Counter
from contextlib import ExitStack
from typing import Final, NamedTuple

from mpc_party.market.errors import MarketDataError
from mpc_party.market.flow import WINDOW, FlowFeatures, FlowWindow
from mpc_party.market.venues.binance import BinanceProtocol
from mpc_party.market.venues.binance_markets import MARKETS, Market, coin_of, is_symbol
from mpc_party.market.venues.connection import Health, Timing, VenueConnection, require_venue_url
from mpc_party.market.venues.events import Event, TopOfBook, Trade
from mpc_party.protocol.errors import Reason
from mpc_party.protocol.files import one_line

FIRST_WAIT: Final = 3.0  # seconds for the first event after the start: a round may be waiting
OLDEST: Final = 30  # seconds without an event, beyond which the feed is dead
AHEAD: Final = 5  # seconds by which a moment asked about may be ahead of our clock
_PART = re.compile(r"(?:(spot|usdm|coinm)/)?([A-Z0-9_]{2,32})(?:@(wss?://[!-~]{1,200}))?", re.ASCII)
_USDT = "USDT"


class Endpoint(NamedTuple):
    """One symbol of one market, and where: None is the market's own address."""

    market: Market
    symbol: str
    base: str | None


def parse_endpoints(text: str) -> tuple[Endpoint, ...] | None:
    """Read `BTCUSDT`, `usdm/BTCUSDT`, `spot/BTCUSDT@wss://mirror.example`, or several with commas between.

    A symbol in USDT without a market stands for the coin's three: spot, the USDT-margined perpetual and the
    coin-margined one. With an address it stands for spot alone, as the markets have different addresses.

    Returns:
        None where the text is not of the form.

    Raises:
        MarketDataError: symbols of several coins, the same one twice, or an address that is none, or without TLS
            and not this machine's.
    """
    endpoints: list[Endpoint] = []
    for part in text.split(","):
        match = _PART.fullmatch(part)
        if match is None or not is_symbol(match[2]):
            return None
        market, symbol, base = match[1], match[2], match[3]
        if market is not None:
            endpoints.append(Endpoint(MARKETS[market], symbol, base))
        elif "_" in symbol:
            endpoints.append(Endpoint(MARKETS["coinm"], symbol, base))
        else:
            endpoints.append(Endpoint(MARKETS["spot"], symbol, base))
            if base is None and symbol.endswith(_USDT) and symbol != _USDT:
                coin = f"{symbol.removesuffix(_USDT)}USD_PERP"
                endpoints += [
                    Endpoint(MARKETS["usdm"], symbol, None),
                    Endpoint(MARKETS["coinm"], coin, None),
                ]
    symbols = {(endpoint.market.name, endpoint.symbol) for endpoint in endpoints}
    if len({coin_of(symbol) for _, symbol in symbols}) > 1 or len(symbols) < len(endpoints):
        raise MarketDataError(
            f"order flow of several coins, or twice of one symbol: {text[:80]!r}",
            reason=Reason.CONFIG_INVALID,
            remedy="name every symbol once, all of one coin",
        )
    for endpoint in endpoints:
        if endpoint.base is not None:
            require_venue_url(endpoint.base)
    return tuple(endpoints)


class BinanceFlow:
    """A `FlowSource` over live connections, from construction to `close`."""

    def __init__(
        self,
        endpoints: tuple[Endpoint, ...],
        *,
        window: int = WINDOW,
        timing: Timing | None = None,
        first_wait: float = FIRST_WAIT,
    ) -> None:
        """Begin connecting; returns at once."""
        self._lock = threading.Lock()
        self._window = FlowWindow(window)
        self._last_second = 0
        self._heard = threading.Event()
        self._patience_ends = time.monotonic() + first_wait
        self.protocols = tuple(BinanceProtocol(e.market, (e.symbol,), base=e.base) for e in endpoints)
        self._connections = tuple(VenueConnection(p, self._take, timing=timing) for p in self.protocols)
        for connection in self._connections:
            connection.start()

    def flow(self, observed_at: int) -> FlowFeatures:
        """The features of the window that ends at this moment. In the first seconds, waits for the first event.

        The window begins empty: until it has filled, it is shorter.

        Raises:
            MarketDataError: no venue is reachable, or none has said anything of late; the moment is not about now.
        """
        self._heard.wait(max(0.0, self._patience_ends - time.monotonic()))
        now = int(time.time())
        if observed_at > now + AHEAD:
            raise MarketDataError(
                f"the order flow at {observed_at} is asked for at {now}",
                reason=Reason.MARKET_DATA_STALE,
                remedy="set the clock right: a live feed knows only the present",
            )
        with self._lock:
            if self._last_second < observed_at - OLDEST:
                raise self._unheard()
            return self._window.features(observed_at)

    @property
    def health(self) -> dict[str, Health]:
        """Of each connection, by its address."""
        return {p.url: c.health for p, c in zip(self.protocols, self._connections, strict=True)}

    def close(self) -> None:
        """Disconnect and end the threads. Idempotent."""
        with ExitStack() as stack:  # one that does not end must not keep the others
            for connection in self._connections:
                stack.callback(connection.close)

    def _take(self, event: Event) -> None:
        if isinstance(event, TopOfBook | Trade):
            with self._lock:
                self._window.take(event)
                self._last_second = event.received_ns // 1_000_000_000
            self._heard.set()

    def _unheard(self) -> MarketDataError:
        causes = [health.last_error for health in self.health.values() if health.last_error is not None]
        dropped = sum((Counter(protocol.dropped) for protocol in self.protocols), Counter[str]())
        hosts = ", ".join(sorted({p.url.partition("/stream?")[0] for p in self.protocols}))
        detail = causes[0] if causes else "nothing heard"
        remedy = (
            "check that this machine may reach it (DNS, firewall, proxy); or give another address, "
            "binance:spot/BTCUSDT@wss://HOST, or capture:FILE, or go without a trade feed"
        )
        if any("HTTP 451" in cause or "HTTP 403" in cause for cause in causes):
            remedy = (
                "Binance refuses to serve this address: give one that may be used from here, "
                "such as binance:spot/BTCUSDT@wss://HOST, or go without a trade feed"
            )
        elif dropped["future"] + dropped["stale"] > 0:
            detail = f"{dropped['future']} messages from the future and {dropped['stale']} of long ago"
            remedy = "set this machine's clock right"
        return MarketDataError(
            f"no order flow from {one_line(hosts)} ({one_line(detail, 120)})",
            reason=Reason.MARKET_DATA_STALE,
            remedy=remedy,
        )
