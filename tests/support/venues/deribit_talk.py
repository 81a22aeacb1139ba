"""A conversation with Deribit's protocol by hand, at a time of our own."""

import json

from mpc_party.market.venues.connection import Send
from tests.support.venues.deribit_exchange import option_names

PERPETUAL = "BTC-PERPETUAL"
NAMES = option_names(strikes=3)
NS = 1_000_000


class Talk:
    """A conversation with a protocol, at a time of our own."""

    def __init__(self, protocol):
        self.protocol = protocol
        self.now = 100.0
        self.sent = []

    def connect(self):
        return self._sort(self.protocol.connected(self.now))

    def tell(self, body, received_ns=None):
        data = body if isinstance(body, bytes) else json.dumps({"jsonrpc": "2.0", **body}).encode()
        when = body["received_ns"] if received_ns is None and "received_ns" in body else received_ns
        return self._sort(self.protocol.message(data, when or 0, self.now))

    def answer(self, method, result):
        return self.tell({"id": self.last(method)["id"], "result": result})

    def refuse(self, method, code, message):
        return self.tell(
            {"id": self.last(method)["id"], "error": {"code": code, "message": message, "data": [1]}}
        )

    def wait(self, seconds):
        self.now += seconds
        return self._sort(self.protocol.timer(self.now))

    def last(self, method):
        return next(request for request in reversed(self.sent) if request["method"] == method)

    def _sort(self, actions):
        done = list(actions)
        new = [json.loads(action.text) for action in done if isinstance(action, Send)]
        self.sent += new
        return new + [action for action in done if not isinstance(action, Send)]


def push(talk, channel, data, received_ns=None):
    body = {"method": "subscription", "params": {"channel": channel, "data": data}}
    return talk.tell(body, received_ns if received_ns is not None else data["timestamp"] * NS)


def snapshot(change_id):
    return {
        "type": "snapshot",
        "timestamp": 1_800_000_000_000,
        "instrument_name": PERPETUAL,
        "change_id": change_id,
        "bids": [["new", 99.0, 10.0]],
        "asks": [["new", 100.0, 10.0]],
    }


def change(change_id, previous):
    return snapshot(change_id) | {"type": "change", "prev_change_id": previous}


CHANNEL = f"book.{PERPETUAL}.100ms"
