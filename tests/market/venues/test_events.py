"""Events: frozen, by name only, comparable."""

import pytest

from mpc_party.market.venues.events import BookChange, IndexPrice, TopOfBook, Trade

COMMON = {"venue": "deribit", "instrument": "btc_usd", "venue_ms": 1, "received_ns": 2}


def test_events_are_values():
    event = IndexPrice(**COMMON, price=90_000.0)
    assert event == IndexPrice(**COMMON, price=90_000.0)
    assert event != IndexPrice(**COMMON, price=90_001.0)
    assert hash(event) == hash(IndexPrice(**COMMON, price=90_000.0))
    with pytest.raises(AttributeError):
        event.price = 1.0
    with pytest.raises(TypeError):
        IndexPrice("deribit", "btc_usd", 1, 2, 90_000.0)


def test_every_event_says_from_where_and_when():
    for kind in (IndexPrice, TopOfBook, Trade, BookChange):
        assert kind.__struct_fields__[:4] == ("venue", "instrument", "venue_ms", "received_ns")
