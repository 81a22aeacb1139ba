"""Deribit's protocol against whatever may happen, in any order."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_party.market.venues.deribit import DeribitProtocol
from tests.support.venues.deribit_exchange import listing
from tests.support.venues.deribit_talk import CHANNEL, NAMES, NS, PERPETUAL, Talk, change, push, snapshot

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)
LISTED = st.lists(st.sampled_from(NAMES), unique=True).map(lambda names: [listing(name) for name in names])
RESULTS = JSON | LISTED | st.lists(st.sampled_from([CHANNEL, f"ticker.{NAMES[0]}.100ms"]))
ERRORS = st.fixed_dictionaries({"code": st.integers() | st.text(max_size=3), "message": st.text(max_size=9)})
BOOKS = st.builds(change, st.integers(9, 14), st.integers(9, 14)) | st.builds(snapshot, st.integers(9, 14))
HAPPENINGS = st.one_of(
    st.tuples(st.just("answer"), st.integers(-1, 3), st.fixed_dictionaries({"result": RESULTS})),
    st.tuples(st.just("answer"), st.integers(-1, 3), st.fixed_dictionaries({"error": ERRORS})),
    st.tuples(st.just("push"), st.sampled_from([CHANNEL, "ticker.x.100ms", "x"]), BOOKS | JSON),
    st.tuples(st.just("raw"), st.binary(max_size=30) | JSON.map(lambda value: json.dumps(value).encode())),
    st.tuples(st.just("wait"), st.floats(0, 30)),
    st.tuples(st.just("connect")),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(HAPPENINGS, max_size=25))
def test_whatever_happens_the_protocol_stays_in_order(happenings):
    talk = Talk(DeribitProtocol("BTC", books=(PERPETUAL,)))
    talk.connect()
    for what, *arguments in happenings:
        sent = len(talk.sent)
        if what == "answer":
            back, body = arguments
            talk.tell({"id": talk.sent[max(0, sent - 1 - back)]["id"] if back >= 0 else 10**6, **body}, 1)
        elif what == "push":
            push(talk, *arguments, received_ns=1_800_000_000_000 * NS)
        elif what == "raw":
            talk.tell(arguments[0], 1)
        elif what == "wait":
            talk.wait(*arguments)
        else:
            talk.connect()
        under_way = [p for p in talk.protocol._pending.values() if p.channels]
        assert len(under_way) <= 1
        assert len(talk.sent) - sent <= 3
        assert talk.protocol.instruments <= frozenset(NAMES)
        broken = talk.protocol.feed.books.broken
        assert broken <= {CHANNEL}
        assert not any(
            channel.startswith("book.") and channel != CHANNEL for channel in talk.protocol._mending
        )
    ids = [request["id"] for request in talk.sent]
    assert len(set(ids)) == len(ids)
