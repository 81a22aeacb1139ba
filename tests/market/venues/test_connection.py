"""The connection, with a protocol and a server that do as the test says."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import serve

from mpc_party.market import MarketDataError
from mpc_party.market.venues import fetching
from mpc_party.market.venues.connection import (
    Disconnect,
    Emit,
    Fetch,
    Send,
    Timing,
    VenueConnection,
    require_venue_url,
)
from mpc_party.market.venues.events import IndexPrice
from mpc_party.market.venues.fetching import fetch
from mpc_party.protocol.errors import Reason

QUICK = Timing(first_pause=0.02, longest_pause=0.05, timer=0.02, open_timeout=3.0)
DEADLINE = 10.0
EVENT = IndexPrice(venue="v", instrument="i", venue_ms=1, received_ns=2, price=3.0)


@pytest.mark.parametrize(
    "url",
    [
        "wss://www.deribit.com/ws/api/v2",
        "wss://h:8443/",
        "ws://127.0.0.1:80/x",
        "ws://localhost:1",
        "ws://[::1]:5/x",
    ],
)
def test_urls_to_connect_to(url):
    require_venue_url(url)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "no WebSocket URL"),
        ("https://www.deribit.com/", "no WebSocket URL"),
        ("wss://", "no WebSocket URL"),
        ("wss://h:99999/", "no WebSocket URL"),
        ("wss://[::1/", "no WebSocket URL"),
        ("wss://h/\n", "no WebSocket URL"),
        ("wss://h\u0430.com/", "no WebSocket URL"),
        ("wss://" + "x" * 500 + " ", "no WebSocket URL"),
        ("ws://www.deribit.com/ws", "not encrypted"),
        ("ws://127.0.0.1.example.com/", "not encrypted"),
        ("ws://localhost@example.com/", "not encrypted"),
    ],
    ids=lambda text: text[:30],
)
def test_urls_that_are_refused(url, message):
    with pytest.raises(MarketDataError, match=message) as caught:
        require_venue_url(url)
    assert caught.value.reason is Reason.CONFIG_INVALID
    assert len(str(caught.value)) < 300
    with pytest.raises(MarketDataError):
        VenueConnection(Script(url), lambda _: None)


class Script:
    """A protocol whose answers are the test's: functions by what happens; what happened is noted down."""

    # ruff: noqa: ARG002 - the names are the protocol's

    def __init__(self, url, **answers):
        self.url = url
        self.dropped = Counter()
        self.gaps = 0
        self.noted = []
        self.changed = threading.Condition()
        self._answers = answers

    def connected(self, now):
        return self._note("connected")

    def message(self, data, received_ns, now):
        return self._note("message", data)

    def fetched(self, tag, body, received_ns, now):
        return self._note("fetched", tag, body)

    def timer(self, now):
        return self._note("timer")

    def _note(self, what, *arguments):
        with self.changed:
            self.noted.append((what, *arguments))
            self.changed.notify_all()
        answer = self._answers.get(what)
        return answer(*arguments) if answer is not None else ()

    def until(self, what, count=1):
        with self.changed:
            got = lambda: sum(note[: len(what)] == what for note in self.noted) >= count  # noqa: E731 - asked twice
            assert self.changed.wait_for(got, DEADLINE), (what, self.noted[:5])


@contextmanager
def serving(handler):
    def handle(socket):
        with suppress(ConnectionClosed, OSError):
            handler(socket)

    with serve(handle, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/"
        finally:
            server.shutdown()
            thread.join(DEADLINE)


@contextmanager
def connecting(script, sink=lambda _: None, **options):
    connection = VenueConnection(script, sink, timing=QUICK, **options)
    connection.start()
    try:
        yield connection
    finally:
        connection.close()
        assert not connection._thread.is_alive()
        assert not connection.health.connected


def echo(socket):
    for text in socket:
        socket.send(text)


@pytest.mark.integration
def test_sends_messages_events_and_timers():
    events = []
    with serving(echo) as url:
        script = Script(url, connected=lambda: [Send("a"), Send("b")], message=lambda _: [Emit(EVENT)])
        with connecting(script, events.append) as connection:
            script.until(("message", b"a"))
            script.until(("message", b"b"))
            script.until(("timer",), 3)
            health = connection.health
    assert script.noted[:2] == [("connected",), ("message", b"a")]
    assert events == [EVENT, EVENT]
    assert (health.connected, health.messages, health.bytes, health.reconnects) == (True, 2, 2, 0)
    assert health.last_error is None


@pytest.mark.integration
def test_the_protocols_wish_to_disconnect():
    with serving(echo) as url:
        script = Script(url, connected=lambda: [Disconnect("had enough")])
        with connecting(script) as connection:
            script.until(("connected",), 3)
            assert connection.health.last_error == "had enough"
            assert connection.health.reconnects >= 2


@pytest.mark.integration
@pytest.mark.parametrize("where", ["connected", "message", "timer"])
def test_a_bug_in_a_protocol_does_not_end_the_thread(where):
    def fail(*_):
        raise ZeroDivisionError("a secret")

    with serving(echo) as url:
        answers = {"connected": lambda: [Send("a")], where: fail}
        script = Script(url, **answers)
        with connecting(script) as connection:
            script.until((where,), 2)
            assert connection.health.last_error == "internal: ZeroDivisionError"
    assert script.dropped["internal"] >= 1


@pytest.mark.integration
def test_a_sink_that_fails():
    def sink(_):
        raise RuntimeError

    with serving(echo) as url:
        script = Script(url, connected=lambda: [Emit(EVENT)])
        with connecting(script, sink):
            script.until(("connected",), 2)


@pytest.mark.integration
def test_messages_beyond_the_limit_end_the_connection():
    def big(socket):
        socket.send("x" * 1001)
        echo(socket)

    with serving(big) as url:
        script = Script(url)
        with connecting(script, max_message=1000) as connection:
            script.until(("connected",), 2)
            assert "1009" in connection.health.last_error
    assert not any(note[0] == "message" for note in script.noted)


@pytest.mark.integration
def test_a_server_that_hangs_up_at_once_and_one_that_speaks_no_websocket():
    with serving(lambda socket: socket.close(1001, "going")) as url:
        script = Script(url)
        with connecting(script) as connection:
            script.until(("connected",), 3)
            assert "going" in connection.health.last_error
    with pages(b"no socket here") as address:
        script = Script(address.replace("http://", "ws://"))
        failing = threading.Event()
        with connecting(script) as connection:
            while connection.health.last_error is None:
                assert not failing.wait(0.01)
            assert "HTTP 200" in connection.health.last_error
    assert script.noted == []


@contextmanager
def pages(body, status=200):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(OSError):
                self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join(DEADLINE)


@pytest.mark.integration
def test_pages():
    with pages(b"1234") as address:
        assert fetch(address, 4) == b"1234"
        assert fetch(address, 3) is None
    assert fetch(address, 4) is None  # nobody there any more
    with pages(b"no", status=500) as address:
        assert fetch(address, 4) is None


@pytest.mark.parametrize(
    "url", ["", "file:///etc/passwd", "ftp://h/x", "data:,x", "https://", "http://\n", "https://h:x/"]
)
def test_addresses_that_are_no_page(url):
    assert fetch(url, 100) is None


@pytest.mark.integration
def test_a_fetched_page_comes_back_with_its_tag():
    with pages(b"{}") as address, serving(echo) as url:
        script = Script(
            url,
            connected=lambda: [Fetch("book", address), Fetch("bad", "ftp://x")],
            fetched=lambda tag, _: [Send(tag)],
        )
        with connecting(script):
            script.until(("fetched", "book", b"{}"))
            script.until(("fetched", "bad", None))
            script.until(("message", b"book"))


@pytest.mark.integration
@pytest.mark.parametrize("answer", [[Disconnect("bad page")], "bug"])
def test_a_page_that_ends_the_connection(answer):
    def fetched(*_):
        if answer == "bug":
            raise ZeroDivisionError
        return answer

    with serving(echo) as url:
        script = Script(url, connected=lambda: [Fetch("x", "ftp://x")], fetched=fetched)
        with connecting(script) as connection:
            script.until(("connected",), 2)
            assert connection.health.last_error in {"bad page", "internal: ZeroDivisionError"}


@pytest.mark.integration
def test_a_page_for_a_connection_that_is_gone_is_dropped(monkeypatch):
    asked, given = threading.Event(), threading.Event()

    def slow(*_):
        asked.set()
        given.wait(DEADLINE)
        return b"late"

    monkeypatch.setattr("mpc_party.market.venues.connection.fetch", slow)
    with serving(echo) as url:
        script = Script(url, connected=lambda: [Fetch("x", "http://x")] if not asked.is_set() else [])
        with connecting(script):
            assert asked.wait(DEADLINE)
            script._answers["timer"] = lambda: [Disconnect("next")] if len(script.noted) < 4 else []
            script.until(("connected",), 2)
            given.set()
            script.until(("timer",), 8)
    assert not any(note[0] == "fetched" for note in script.noted)


@pytest.mark.integration
def test_pages_that_never_come_do_not_pile_up_threads(monkeypatch):
    over = threading.Event()
    monkeypatch.setattr("mpc_party.market.venues.connection.fetch", lambda *_: over.wait(DEADLINE))
    with serving(echo) as url:
        script = Script(url, timer=lambda: [Fetch("stuck", "http://x")])
        with connecting(script):
            script.until(("fetched", "stuck", None), 5)
            assert sum(thread.name == "fetch stuck" for thread in threading.enumerate()) == 1
            over.set()


def test_the_limit_of_a_page_is_a_limit_of_memory(monkeypatch):
    read = []

    class Page:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def open(self, *_, **__):
            return self

        def read1(self, size):
            read.append(size)
            return b"x" * size

    monkeypatch.setattr(fetching.urllib.request, "build_opener", lambda *_: Page())
    assert fetch("https://h/", 10) is None
    assert read == [11]


@pytest.mark.integration
def test_closed_at_any_moment():
    with serving(echo) as url:
        for turn in range(40):
            script = Script(url, connected=lambda: [Send("a")])
            with connecting(script):
                threading.Event().wait(turn / 2000)  # in the handshake, right after it, ...


def test_closed_while_a_name_is_looked_up(monkeypatch):
    asked, answered = threading.Event(), threading.Event()

    def slow(*_, **__):
        asked.set()
        answered.wait(DEADLINE)
        raise socket.gaierror(socket.EAI_AGAIN, "no answer")

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    connection = VenueConnection(Script("wss://venue.example/"), lambda _: None, timing=QUICK)
    connection.start()
    try:
        assert asked.wait(DEADLINE)
        connection.close()
        assert not connection._thread.is_alive()
    finally:
        answered.set()


def test_a_name_that_is_not_found_is_told(monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    failed = threading.Event()
    monkeypatch.setattr("mpc_party.market.venues.connection._log.warning", lambda *_, **__: failed.set())
    with connecting(Script("wss://venue.example/")) as connection:
        assert failed.wait(DEADLINE)
        assert connection.health.last_error == "gaierror: [Errno -2] Name or service not known"
