"""A venue's WebSocket, kept open by a thread of its own, and the pure protocol that says what to do with it.

The protocol of a venue is a state machine without sockets or clocks: it is told what happened (connected, a message,
a timer, a fetched page) and answers with actions (send, emit an event, fetch, disconnect). The connection carries
them out: TLS, reconnecting with jittered exponential backoff, pings, deadlines, limits on what is held in memory.
"""

import asyncio
import secrets
import socket as sockets
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from mpc_party.market.errors import MarketDataError
from mpc_party.market.venues.events import Event
from mpc_party.market.venues.fetching import fetch
from mpc_party.market.venues.lookup import LookupLoop
from mpc_party.protocol.errors import Reason
from mpc_party.protocol.files import one_line

_log = structlog.get_logger(__name__)


class Send(NamedTuple):
    """Send one text message."""

    text: str


class Emit(NamedTuple):
    """Hand an event on."""

    event: Event


class Fetch(NamedTuple):
    """Get a page over HTTP; `fetched` is called with its tag."""

    tag: str
    url: str


class Disconnect(NamedTuple):
    """Give this connection up and connect anew after a pause; the cause is for the log and for whoever waits."""

    cause: str


Action = Send | Emit | Fetch | Disconnect
_Page = tuple[str, bytes | None]  # tag and body


def require_venue_url(url: str) -> None:
    """Refuse what is no WebSocket URL, or one without TLS to another machine: anybody on the way could make prices.

    Raises:
        MarketDataError: CONFIG_INVALID.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        parts, host = urlsplit(""), None
    if (
        parts.scheme not in {"ws", "wss"}
        or not host
        or not url.isascii()
        or not url.isprintable()
        or " " in url
    ):
        raise MarketDataError(
            f"no WebSocket URL: {one_line(url, 80)!a}",
            reason=Reason.CONFIG_INVALID,
            remedy="give wss://HOST[:PORT]/PATH",
        )
    if parts.scheme == "ws" and host not in {"127.0.0.1", "::1", "localhost"}:
        raise MarketDataError(
            f"{one_line(url, 80)} is not encrypted",
            reason=Reason.CONFIG_INVALID,
            remedy="give a wss:// URL; ws:// is for a server on this machine",
        )


class VenueProtocol(Protocol):
    """One venue's side of the conversation. All times `now` are monotonic, in seconds. Called from one thread."""

    @property
    def url(self) -> str:
        """Where to connect: `wss://`, or `ws://` on this machine."""

    @property
    def dropped(self) -> Counter[str]:
        """Messages and quotes that were not used, by cause. Only ever counted up."""

    @property
    def gaps(self) -> int:
        """Breaks in the numbering of the venue's messages."""

    def connected(self, now: float) -> Iterable[Action]:
        """A new connection: everything known of the last one is void."""

    def message(self, data: bytes, received_ns: int, now: float) -> Iterable[Action]:
        """A message came in at `received_ns` (Unix nanoseconds). Never raises, whatever it is."""

    def fetched(self, tag: str, body: bytes | None, received_ns: int, now: float) -> Iterable[Action]:
        """The answer to a `Fetch` of this connection; None when it failed."""

    def timer(self, now: float) -> Iterable[Action]:
        """Called every second while connected: deadlines are checked here."""


@dataclass(frozen=True)
class Timing:
    """How patient a connection is; all in seconds."""

    open_timeout: float = 10.0
    send_timeout: float = 10.0
    ping_interval: float = 15.0
    ping_timeout: float = 15.0
    first_pause: float = 0.5  # before the first new attempt; doubles with every failure
    longest_pause: float = 60.0
    steady: float = 30.0  # a connection that lasted this long makes the next pause short again
    timer: float = 1.0


@dataclass(frozen=True)
class Health:
    """What a connection has seen so far."""

    connected: bool
    messages: int
    bytes: int
    reconnects: int
    gaps: int
    dropped: dict[str, int] = field(default_factory=dict)
    last_error: str | None = None


MAX_MESSAGE = 4 * 1024 * 1024  # bytes; the largest is a venue's list of all options, about 1 MiB
MAX_QUEUE = 64  # messages read ahead; then the socket is left to fill, and the venue to disconnect us
_WORST = (OSError, WebSocketException, TimeoutError, EOFError)


class VenueConnection:
    """Keeps one protocol connected, in a daemon thread, from `start` to `close`.

    `sink` gets every event, in the connection's thread: it must be quick and must not block.

    Raises:
        MarketDataError: the protocol's URL is not one to connect to.
    """

    def __init__(
        self,
        protocol: VenueProtocol,
        sink: Callable[[Event], None],
        *,
        timing: Timing | None = None,
        max_message: int = MAX_MESSAGE,
    ) -> None:
        require_venue_url(protocol.url)
        self._protocol = protocol
        self._sink = sink
        self._timing = timing or Timing()
        self._max_message = max_message
        self._thread = threading.Thread(target=self._run, name=f"venue {protocol.url}", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self._pages: asyncio.Queue[_Page] = asyncio.Queue()
        self._fetching: dict[str, threading.Thread] = {}  # by tag
        self._closing = threading.Event()
        self._connected = False
        self._messages = self._bytes = self._connections = 0
        self._last_error: str | None = None

    def start(self) -> None:
        """Begin connecting; returns at once."""
        self._thread.start()

    def close(self, timeout: float = 5.0) -> None:
        """Disconnect and end the thread. Idempotent.

        Raises:
            MarketDataError: the thread does not end in time.
        """
        self._closing.set()
        loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):  # the loop has just ended by itself
                loop.call_soon_threadsafe(self._stop.set)
        if self._thread.is_alive():
            self._thread.join(timeout)
            if self._thread.is_alive():
                raise MarketDataError(
                    f"the connection to {self._protocol.url} does not end",
                    reason=Reason.INTERNAL,
                    remedy="end the program",
                )

    @property
    def health(self) -> Health:
        """Counters and state, from any thread."""
        return Health(
            self._connected,
            self._messages,
            self._bytes,
            max(0, self._connections - 1),
            self._protocol.gaps,
            dict(self._protocol.dropped),
            self._last_error,
        )

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=LookupLoop) as runner:
            runner.run(self._keep_connected())

    async def _keep_connected(self) -> None:
        self._loop = asyncio.get_running_loop()
        if self._closing.is_set():  # before there was a loop to tell
            return
        pause = self._timing.first_pause
        stopping = asyncio.create_task(self._stop.wait())
        while not self._stop.is_set():
            begun = time.monotonic()
            session = asyncio.create_task(self._session())
            await asyncio.wait({session, stopping}, return_when=asyncio.FIRST_COMPLETED)
            session.cancel()
            await asyncio.gather(session, return_exceptions=True)
            self._connected = False
            if self._stop.is_set():
                break
            if time.monotonic() - begun >= self._timing.steady:
                pause = self._timing.first_pause
            # Half of the pause is drawn, so that desks cut off at the same moment do not all return at the same one.
            wait = pause * (0.5 + secrets.randbelow(1000) / 2000)
            _log.warning(
                "venue disconnected",
                url=self._protocol.url,
                cause=self._last_error,
                retry_in=round(wait, 2),
            )
            pause = min(2 * pause, self._timing.longest_pause)
            await asyncio.wait({stopping}, timeout=wait)
        # A connection given up in the middle of its handshake closes its socket in the loop's next turns.
        await asyncio.sleep(0.01)

    async def _session(self) -> None:
        """One connection from beginning to end; whatever ends it stands in `_last_error` afterwards."""
        timing = self._timing
        try:
            async with connect(
                self._protocol.url,
                max_size=self._max_message,
                max_queue=MAX_QUEUE,
                open_timeout=timing.open_timeout,
                ping_interval=timing.ping_interval,
                ping_timeout=timing.ping_timeout,
                close_timeout=1.0,
                compression=None,
                user_agent_header=None,
                proxy=True
                if self._protocol.url.startswith("wss:")
                else None,  # the machine's own proxy, if it has one
            ) as socket:
                _send_at_once(socket)
                self._connected, self._connections = True, self._connections + 1
                await self._converse(socket)
        except _WORST as error:
            self._last_error = one_line(f"{type(error).__name__}: {error}", 200)
        except _Ended as ended:
            self._last_error = ended.cause
        except Exception as error:  # noqa: BLE001 - a bug in a parser must not end the thread in silence
            self._protocol.dropped["internal"] += 1
            self._last_error = f"internal: {type(error).__name__}"
            # Where, but not with what: a traceback may show more than a log should.
            where = traceback.extract_tb(error.__traceback__)[-1]
            _log.error(
                "venue protocol failed",
                url=self._protocol.url,
                error=type(error).__name__,
                where=f"{where.filename}:{where.lineno}",
            )

    async def _converse(self, socket: ClientConnection) -> None:
        pages: asyncio.Queue[_Page] = asyncio.Queue()
        self._pages = pages
        await self._perform(socket, self._protocol.connected(time.monotonic()))
        tasks = [
            asyncio.create_task(work)
            for work in (self._tick(socket), self._read(socket), self._hand_in(socket, pages))
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()  # they end by an exception only
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self, socket: ClientConnection) -> None:
        while True:
            data = await socket.recv(decode=False)
            self._messages += 1
            self._bytes += len(data)
            await self._perform(socket, self._protocol.message(data, time.time_ns(), time.monotonic()))

    async def _tick(self, socket: ClientConnection) -> None:
        while True:
            await asyncio.sleep(self._timing.timer)
            await self._perform(socket, self._protocol.timer(time.monotonic()))

    async def _hand_in(self, socket: ClientConnection, pages: asyncio.Queue[_Page]) -> None:
        while True:
            tag, body = await pages.get()
            await self._perform(socket, self._protocol.fetched(tag, body, time.time_ns(), time.monotonic()))

    async def _perform(self, socket: ClientConnection, actions: Iterable[Action]) -> None:
        for action in actions:
            if isinstance(action, Emit):
                self._sink(action.event)
            elif isinstance(action, Send):
                async with asyncio.timeout(self._timing.send_timeout):
                    await socket.send(action.text)
            elif isinstance(action, Fetch):
                self._fetch(action)
            else:
                raise _Ended(action.cause)

    def _fetch(self, action: Fetch) -> None:
        """Get the page in a thread of its own. The queue is this connection's: a page for an earlier one gets lost.

        One thread a tag: while an earlier one still waits for a server that takes its time, the page cannot be had.
        """
        loop, pages = asyncio.get_running_loop(), self._pages
        under_way = self._fetching.get(action.tag)
        if under_way is not None and under_way.is_alive():
            pages.put_nowait((action.tag, None))
            return

        def work() -> None:
            body = fetch(action.url, self._max_message)
            with suppress(RuntimeError):  # closed meanwhile
                loop.call_soon_threadsafe(pages.put_nowait, (action.tag, body))

        thread = threading.Thread(target=work, name=f"fetch {action.tag}", daemon=True)
        self._fetching[action.tag] = thread
        thread.start()


class _Ended(Exception):  # noqa: N818 - the protocol's wish, not an error
    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


def _send_at_once(socket: ClientConnection) -> None:
    """Without this, an answer to a heartbeat waits for the acknowledgement of what was sent before it."""
    raw = socket.transport.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(sockets.IPPROTO_TCP, sockets.TCP_NODELAY, 1)
