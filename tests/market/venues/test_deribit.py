"""Deribit's protocol by hand: which requests it sends, and what it makes of every kind of answer."""

import pytest

from mpc_party.market import MarketDataError
from mpc_party.market.venues import deribit as module
from mpc_party.market.venues.connection import Disconnect, Emit
from mpc_party.market.venues.deribit import (
    ANSWER_DEADLINE,
    BATCH,
    BOOK_PATIENCE,
    REFRESH,
    SILENCE,
    DeribitProtocol,
)
from mpc_party.protocol.errors import Reason
from tests.support.venues.deribit_exchange import listing, option_names, ticker
from tests.support.venues.deribit_talk import CHANNEL, NAMES, PERPETUAL, Talk, change, push, snapshot


@pytest.fixture
def talk():
    return Talk(DeribitProtocol("BTC", books=(PERPETUAL,), trades=(PERPETUAL,)))


@pytest.fixture
def subscribed(talk):
    talk.connect()
    talk.answer("public/set_heartbeat", "ok")
    (request,) = talk.answer("public/get_instruments", [listing(name) for name in NAMES])
    assert talk.answer("public/subscribe", request["params"]["channels"]) == []
    return talk


def test_a_new_connection_asks_for_heartbeats_and_the_list(talk):
    first, second = talk.connect()
    assert (first["jsonrpc"], first["method"], first["params"]) == (
        "2.0",
        "public/set_heartbeat",
        {"interval": 10},
    )
    assert second["method"] == "public/get_instruments"
    assert second["params"] == {"currency": "BTC", "kind": "option", "expired": False}
    assert first["id"] != second["id"]


def test_the_list_is_subscribed_to(talk):
    talk.connect()
    (request,) = talk.answer("public/get_instruments", [listing(name) for name in NAMES])
    assert request["method"] == "public/subscribe"
    channels = request["params"]["channels"]
    assert channels[:4] == [
        "deribit_price_index.btc_usd",
        "trades.option.BTC.100ms",
        f"trades.{PERPETUAL}.100ms",
        CHANNEL,
    ]
    assert set(channels[4:]) == {f"ticker.{name}.100ms" for name in NAMES}
    assert talk.protocol.instruments == frozenset(NAMES)


def test_batches_go_one_at_a_time(talk, monkeypatch):
    monkeypatch.setattr(module, "BATCH", 5)
    talk.connect()
    asked = []
    actions = talk.answer("public/get_instruments", [listing(name) for name in NAMES])
    while actions:
        (request,) = actions  # never two under way
        assert len(request["params"]["channels"]) <= 5
        asked += request["params"]["channels"]
        actions = talk.answer("public/subscribe", request["params"]["channels"])
    assert len(asked) == len(set(asked)) == len(NAMES) + 4
    assert BATCH <= 500


def test_a_list_with_others_in_it(talk):
    good = listing(NAMES[0])
    others = [
        good | {"instrument_name": "BTC-PERPETUAL", "kind": "future"},
        good | {"instrument_name": NAMES[1], "is_active": False},
        good | {"instrument_name": NAMES[1], "strike": 1.0},
        good | {"instrument_name": NAMES[1], "option_type": "put" if NAMES[1].endswith("C") else "call"},
        good | {"instrument_name": NAMES[1], "expiration_timestamp": 0},
        good | {"instrument_name": "BTC_USDC-29JAN27-90000-C"},
        listing(NAMES[2].replace("BTC", "ETH")),
        good | {"instrument_name": "BTC-FS-29JAN27_PERP", "kind": "future_combo"},
    ]
    talk.connect()
    talk.answer("public/get_instruments", [good, *others])
    assert talk.protocol.instruments == {NAMES[0]}


@pytest.mark.parametrize(
    "result", [[], {}, "x", [1], [{"instrument_name": 5}], [{"kind": "option"}]], ids=str
)
def test_a_list_that_is_none_ends_the_connection(talk, result):
    talk.connect()
    (action,) = talk.answer("public/get_instruments", result)
    assert isinstance(action, Disconnect)
    assert "option" in action.cause


def test_what_is_not_granted_is_counted_and_asked_for_again_with_the_next_list(talk):
    talk.connect()
    talk.answer("public/set_heartbeat", "ok")
    (request,) = talk.answer("public/get_instruments", [listing(name) for name in NAMES])
    refused, *granted = request["params"]["channels"]
    assert talk.answer("public/subscribe", granted) == []
    assert talk.protocol.dropped == {"not-subscribed": 1}
    talk.protocol._heard = talk.now + REFRESH
    (again,) = talk.wait(REFRESH + 1)
    assert again["method"] == "public/get_instruments"
    (request,) = talk.answer("public/get_instruments", [listing(name) for name in NAMES])
    assert request["params"]["channels"] == [refused]


def test_new_options_are_subscribed_to_and_expired_ones_forgotten(subscribed):
    subscribed.protocol._heard = subscribed.now + REFRESH
    (request,) = subscribed.wait(REFRESH + 1)
    new = option_names(days=(60,), strikes=1)
    listed = [*NAMES[1:], *new]
    (request,) = subscribed.answer("public/get_instruments", [listing(name) for name in listed])
    assert sorted(request["params"]["channels"]) == sorted(f"ticker.{name}.100ms" for name in new)
    assert subscribed.protocol.instruments == frozenset(listed)
    data = ticker(NAMES[0])
    assert push(subscribed, f"ticker.{NAMES[0]}.100ms", data) == []
    assert subscribed.protocol.dropped == {"unknown-instrument": 1}


def test_a_test_request_is_answered_and_a_heartbeat_is_not(subscribed):
    (request,) = subscribed.tell({"method": "heartbeat", "params": {"type": "test_request"}})
    assert (request["method"], request["params"]) == ("public/test", {})
    assert subscribed.answer("public/test", {"version": "1.2.26"}) == []
    assert subscribed.tell({"method": "heartbeat", "params": {"type": "heartbeat"}}) == []
    assert not subscribed.protocol.dropped


def test_an_event_is_handed_on(subscribed):
    (action,) = push(subscribed, f"ticker.{NAMES[0]}.100ms", ticker(NAMES[0]))
    assert isinstance(action, Emit)
    assert (action.event.instrument, action.event.mark_vol) == (NAMES[0], 0.5225)


@pytest.mark.parametrize("method", ["public/set_heartbeat", "public/get_instruments"])
def test_error_answers_are_named(talk, method):
    talk.connect()
    (action,) = talk.refuse(method, 10028, "too_many_requests\x1b[31m" + "x" * 500)
    assert action.cause.startswith(f"{method} refused: too many requests (10028, too_many_requests?[31mxxx")
    assert len(action.cause) < 200


def test_an_error_nobody_has_a_name_for(talk):
    talk.connect()
    (action,) = talk.refuse("public/set_heartbeat", 4711, "what")
    assert "refused: error (4711, what)" in action.cause


@pytest.mark.parametrize("result", [None, {}, [1], "ok", ["x" * 200]], ids=str)
def test_an_answer_to_a_subscription_that_is_none(talk, result):
    talk.connect()
    talk.answer("public/get_instruments", [listing(name) for name in NAMES])
    (action,) = talk.answer("public/subscribe", result)
    assert isinstance(action, Disconnect)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b'{"jsonrpc":"2.0","method":"subscription"}',
        b'{"jsonrpc":"2.0","method":"subscription","params":[]}',
        b'{"jsonrpc":"2.0","method":"reconnect","params":{}}',
        b'{"jsonrpc":"2.0","id":true,"result":1}',
        b'{"jsonrpc":"2.0","id":999,"result":1}',
        b'{"jsonrpc":"2.0","id":-1,"error":{"code":1,"message":"x"}}',
        b'{"jsonrpc":"2.0","id":1,"error":{"code":"1"}}',
    ],
    ids=lambda body: body[:50].decode("latin-1"),
)
def test_messages_that_change_nothing(subscribed, body):
    assert subscribed.tell(body, 0) == []
    assert sum(subscribed.protocol.dropped.values()) == 1
    assert subscribed.wait(1.0) == []


def test_an_answer_is_taken_once(talk):
    talk.connect()
    request = talk.last("public/get_instruments")
    talk.answer("public/get_instruments", [listing(name) for name in NAMES])
    assert talk.tell({"id": request["id"], "result": []}) == []
    assert talk.protocol.dropped == {"unknown-answer": 1}


def test_an_answer_of_the_last_connection_is_not_taken_for_this_ones(talk):
    talk.connect()
    old = {request["id"] for request in talk.sent}
    talk.connect()
    assert old.isdisjoint(request["id"] for request in talk.sent[2:])
    assert talk.tell({"id": min(old), "result": "ok"}) == []
    assert talk.protocol.dropped == {"unknown-answer": 1}


def test_an_answer_that_does_not_come(talk):
    talk.connect()
    assert talk.wait(ANSWER_DEADLINE) == []
    (action,) = talk.wait(0.1)
    assert action == Disconnect("no answer to public/set_heartbeat within 15 s")


def test_silence(subscribed):
    assert subscribed.wait(SILENCE) == []
    (action,) = subscribed.wait(0.1)
    assert action == Disconnect("nothing heard for 25 s")


def test_a_gap_subscribes_to_that_book_again(subscribed):
    push(subscribed, CHANNEL, snapshot(10))
    (off,) = push(subscribed, CHANNEL, change(12, 11))
    assert (off["method"], off["params"]) == ("public/unsubscribe", {"channels": [CHANNEL]})
    assert push(subscribed, CHANNEL, change(13, 12)) == []  # still of the old subscription
    (on,) = subscribed.answer("public/unsubscribe", [CHANNEL])
    assert (on["method"], on["params"]) == ("public/subscribe", {"channels": [CHANNEL]})
    assert subscribed.answer("public/subscribe", [CHANNEL]) == []
    (emitted,) = push(subscribed, CHANNEL, snapshot(20))
    assert emitted.event.update_id == 20
    assert subscribed.protocol.gaps == 1
    assert subscribed.protocol.dropped == {"book-gap": 1, "book-waiting": 1}


def test_a_gap_while_a_subscription_is_under_way_waits_for_its_answer(talk):
    talk.connect()
    (first,) = talk.answer("public/get_instruments", [listing(name) for name in NAMES])
    push(talk, CHANNEL, snapshot(10))
    assert push(talk, CHANNEL, change(12, 11)) == []
    (off,) = talk.answer("public/subscribe", first["params"]["channels"])
    assert (off["method"], off["params"]) == ("public/unsubscribe", {"channels": [CHANNEL]})


def test_an_option_that_is_listed_anew_is_subscribed_to_anew(subscribed):
    for listed, expected in ((NAMES[1:], 0), (NAMES, 1)):
        subscribed.protocol._heard = subscribed.now + REFRESH
        subscribed.wait(REFRESH + 1)
        requests = subscribed.answer("public/get_instruments", [listing(name) for name in listed])
        assert len(requests) == expected
    assert requests[0]["params"]["channels"] == [f"ticker.{NAMES[0]}.100ms"]


def test_a_book_that_keeps_breaking_is_asked_for_in_measure(subscribed):
    push(subscribed, CHANNEL, snapshot(10))
    assert len(push(subscribed, CHANNEL, change(12, 11))) == 1
    subscribed.answer("public/unsubscribe", [CHANNEL])
    subscribed.answer("public/subscribe", [CHANNEL])
    push(subscribed, CHANNEL, snapshot(20))
    assert push(subscribed, CHANNEL, change(22, 21)) == []  # a second break, right after the first
    assert subscribed.wait(1.0) == []
    (off,) = subscribed.wait(BOOK_PATIENCE)
    assert off["method"] == "public/unsubscribe"


def test_books_of_channels_that_nobody_asked_for_are_not_mended(subscribed):
    for number in range(50):
        assert push(subscribed, f"book.{PERPETUAL}.{number}", change(2, 1)) == []
    assert subscribed.wait(BOOK_PATIENCE + 1.0) == []
    assert subscribed.protocol.dropped == {"unknown-channel": 50}
    assert len(push(subscribed, CHANNEL, change(2, 1))) == 1  # the one asked for still is


def test_a_snapshot_that_does_not_come_is_asked_for_again(subscribed):
    push(subscribed, CHANNEL, snapshot(10))
    push(subscribed, CHANNEL, change(12, 11))
    subscribed.answer("public/unsubscribe", [CHANNEL])
    subscribed.answer("public/subscribe", [CHANNEL])
    assert subscribed.wait(BOOK_PATIENCE) == []
    (off,) = subscribed.wait(0.5)
    assert off["method"] == "public/unsubscribe"


def test_a_new_connection_starts_over(subscribed):
    push(subscribed, CHANNEL, snapshot(10))
    assert [request["method"] for request in subscribed.connect()] == [
        "public/set_heartbeat",
        "public/get_instruments",
    ]
    (request,) = subscribed.answer("public/get_instruments", [listing(name) for name in NAMES])
    assert len(request["params"]["channels"]) == len(NAMES) + 4
    assert subscribed.protocol.feed.books.books == {}


@pytest.mark.parametrize("currency", ["", "b", "btc", "BTC ", "BTC\n", "BTC-X", "B" * 12, "٣٣٣", 'BTC"'])
def test_what_is_no_currency(currency):
    with pytest.raises(MarketDataError, match="no currency") as caught:
        DeribitProtocol(currency)
    assert caught.value.reason is Reason.CONFIG_INVALID
