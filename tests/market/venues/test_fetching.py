"""Pages over HTTP from servers that lead astray or take their time."""

import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mpc_party.market.venues import fetching
from mpc_party.market.venues.fetching import fetch

pytestmark = pytest.mark.integration
DEADLINE = 10.0


@contextmanager
def answering(answer):
    """A server on this machine that answers as the test says."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            with suppress(OSError):
                answer(self)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join(DEADLINE)


def redirect(target):
    def answer(handler):
        if handler.path == "/end":
            handler.send_response(200)
            handler.end_headers()
            handler.wfile.write(b"there")
            return
        handler.send_response(302)
        handler.send_header("Location", target)
        handler.end_headers()

    return answer


def test_a_redirect_is_followed_where_it_stays_as_safe():
    with answering(redirect("/end")) as address:
        assert fetch(address, 10) == b"there"


@pytest.mark.parametrize("target", ["ftp://127.0.0.1:1/x", "file:///etc/hostname"])
def test_a_redirect_to_another_kind_of_address_is_not(target, monkeypatch):
    opened = []
    monkeypatch.setattr(
        fetching.urllib.request.FTPHandler, "ftp_open", lambda _, request: opened.append(request)
    )
    with answering(redirect(target)) as address:
        assert fetch(address, 10) is None
    assert opened == []


def test_a_redirect_away_from_tls_is_not():
    refuse = fetching.SameSchemeRedirects().redirect_request
    asked = fetching.urllib.request.Request("https://api.venue.example/depth")
    with pytest.raises(fetching.urllib.error.HTTPError):
        refuse(asked, None, 302, "Found", {}, "http://api.venue.example/depth")
    assert refuse(asked, None, 302, "Found", {}, "https://other.example/depth") is not None


def test_a_page_that_trickles_in_is_given_up(monkeypatch):
    monkeypatch.setattr(fetching, "FETCH_DEADLINE", 0.2)
    over = threading.Event()

    def trickle(handler):
        handler.send_response(200)
        handler.end_headers()
        while not over.wait(0.02):
            handler.wfile.write(b"x")

    result = []
    with answering(trickle) as address:
        getting = threading.Thread(target=lambda: result.append(fetch(address, 1_000_000)), daemon=True)
        getting.start()
        getting.join(DEADLINE)
        over.set()
    assert result == [None]
