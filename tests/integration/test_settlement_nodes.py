"""Nodes that are dead, mad or asleep: one clear error each, within its deadline."""

import json
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from coordinator.artifact import load_artifact
from coordinator.settlement import Patience, Settlement, SettlementError
from mpc_party.protocol.errors import ConfigError, Reason
from tests.support.signed_group import EXAMPLE, SignedGroup

pytestmark = pytest.mark.integration

QUICK = Patience(call=1.0, receipt=1.0)


@pytest.fixture(scope="module")
def group():
    made = SignedGroup()
    made.at(EXAMPLE)
    return made


@contextmanager
def node(answer, status=200, kind="application/json"):
    """An HTTP server that gives `answer(request)` to every call; a function that returns None never answers."""
    release = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            request = json.loads(self.rfile.read(int(self.headers["content-length"])))
            body = answer(request)
            if body is None:
                release.wait(30)
                return
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        release.set()
        server.shutdown()
        server.server_close()
        thread.join(10)


def fails(url, group, match=None):
    with pytest.raises(SettlementError, match=match) as caught:
        Settlement(url, group.consortium, group.coordinator.evm_account(), QUICK).check()
    assert "\n" not in str(caught.value)
    return caught.value


def test_a_dead_node(group):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    error = fails(f"http://127.0.0.1:{port}", group, "cannot be reached")
    assert error.reason is Reason.CHAIN_UNREACHABLE
    assert "mpc-coordinator chain" in error.remedy


def test_a_node_that_hangs_is_given_up_at_the_deadline(group):
    with node(lambda _: None) as url:
        assert fails(url, group, "does not answer in time").reason is Reason.CHAIN_UNREACHABLE


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>It works!</html>",
        b"\xff\xfe\x00",
        b"[" * 200_000,
        b"7",
        b"null",
        b"[]",
        b"{}",
        b'{"jsonrpc": "2.0", "id": 1}',
        b'{"jsonrpc": "2.0", "id": 1, "result": null}',
        b'{"jsonrpc": "2.0", "id": 1, "result": {}}',
        b'{"jsonrpc": "2.0", "id": 1, "result": "many"}',
        b'{"jsonrpc": "2.0", "id": 1, "result": "0x"}',
        b'{"jsonrpc": "2.0", "id": 1, "error": "no"}',
        b'{"jsonrpc": "2.0", "id": 1, "error": {"code": "x"}}',
        b'{"jsonrpc": "2.0", "id": 1, "error": {"code": -32000, "message": "one\\nline\\u0007"}}',
    ],
    ids=lambda body: body[:60].decode("latin-1"),
)
def test_a_node_that_answers_nonsense(group, body):
    with node(lambda _: body) as url:
        fails(url, group)


@pytest.mark.parametrize("status", [301, 401, 403, 404, 429, 500, 503])
def test_a_server_that_is_no_node(group, status):
    with node(lambda _: b"no", status, "text/plain") as url:
        assert fails(url, group).reason is Reason.CHAIN_UNREACHABLE


@pytest.mark.parametrize("code", ["0x", "0xzz", None, 5, "0x" + "00" * 30_000])
def test_a_node_that_turns_mad_after_the_chain_id(group, code):
    def answer(request):
        result = hex(EXAMPLE.chain_id) if request["method"] == "eth_chainId" else code
        return json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}).encode()

    with node(answer) as url:
        fails(url, group)


def test_a_refusal_with_unknown_revert_data_is_shown_as_far_as_it_goes(group):
    results = {"eth_chainId": hex(EXAMPLE.chain_id), "eth_getCode": "0x" + load_artifact().deployed.hex()}
    error = {"code": 3, "message": "execution reverted", "data": "0xdeadbeef" + "11" * 64}

    def answer(request):
        found = results.get(request["method"])
        outcome = {"error": error} if found is None else {"result": found}
        return json.dumps({"jsonrpc": "2.0", "id": request["id"], **outcome}).encode()

    with node(answer) as url:
        fails(url, group, "unknown error 0xdeadbeef")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "ftp://127.0.0.1:1",
        "http://",
        "http://127.0.0.1:99999",
        "http://[::1",
        "ws://127.0.0.1:1",
    ],
)
def test_what_is_no_rpc_url(group, url):
    with pytest.raises(ConfigError, match="RPC URL"):
        Settlement(url, group.consortium)


def test_keys_in_the_url_do_not_show(group):
    with node(lambda _: b"") as url:
        secret = url.replace("http://", "http://user:hunter2@") + "/v3/0123456789abcdef?key=hunter2"
        error = fails(secret, group)
    assert "hunter2" not in str(error)
    assert "0123456789abcdef" not in str(error)
    with pytest.raises(ConfigError) as caught:
        Settlement(secret.replace("http://", "ftp://"), group.consortium)
    assert "hunter2" not in str(caught.value)
