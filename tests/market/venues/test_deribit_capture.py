"""The real capture, where it is at hand: every message is read, every book stays in step, every number is plausible."""

import os
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from mpc_party.market.black76 import implied_vol, years
from mpc_party.market.board import TickerBoard
from mpc_party.market.venues import deribit_messages as wire
from mpc_party.market.venues.decoding import decode
from mpc_party.market.venues.deribit_feed import DeribitFeed
from mpc_party.market.venues.events import OptionTicker

REPOSITORY = Path(__file__).parents[3]
DATA = Path(os.environ.get("HEDGE_DATA", REPOSITORY.parent / "shared/data"))
CAPTURE = DATA / "deribit_ws_capture.txt"
LINE = re.compile(rb"(\d+)\.(\d{1,9}): (\{.*\})\s*")

pytestmark = pytest.mark.skipif(
    not CAPTURE.is_file(),
    reason=f"the capture is not ours to redistribute: no file {CAPTURE} (set HEDGE_DATA)",
)


@pytest.fixture(scope="module")
def messages():
    """(receipt in ns, message) of everything the venue sent."""
    with CAPTURE.open("rb") as file:
        matches = [match for line in file if (match := LINE.fullmatch(line))]
    return [(int(m[1]) * 10**9 + int(m[2].ljust(9, b"0")), wire.decode_message(m[3])) for m in matches]


@pytest.fixture
def replayed(messages):
    feed, events = DeribitFeed(), []
    for received_ns, message in messages:
        if message.method == "subscription":
            events += feed.notification(message.params.channel, message.params.data, received_ns)
    return feed, events


def test_every_message_is_used(messages, replayed):
    feed, events = replayed
    notifications = [message for _, message in messages if message.method == "subscription"]
    assert len(notifications) == 135
    kinds = Counter(message.params.channel.partition(".")[0] for message in notifications)
    assert kinds == {"ticker": 89, "book": 46}
    assert Counter(type(event).__name__ for event in events)["OptionTicker"] == 89
    assert not feed.dropped
    assert feed.books.gaps == 0


def test_the_answer_to_the_subscription_names_every_channel(messages):
    (answer,) = [message for _, message in messages if message.id is not None]
    channels = decode(wire.CHANNELS, answer.result)
    assert len(set(channels)) == 30


def test_books_and_tickers_agree_in_the_end(replayed):
    feed, events = replayed
    tickers = {event.instrument: event for event in events if isinstance(event, OptionTicker)}
    books = feed.books.books
    assert len(books) == 10
    for name, book in books.items():
        assert book.usable
        best_bid = book.bids(1)[0][0] if book.bids() else np.nan
        best_ask = book.asks(1)[0][0] if book.asks() else np.nan
        assert np.array_equal([best_bid, best_ask], [tickers[name].bid, tickers[name].ask], equal_nan=True), (
            name
        )


@pytest.mark.parametrize("lost", [0, 1, 14, 28])
def test_a_lost_change_is_noticed_with_the_next_one(messages, lost):
    feed = DeribitFeed()
    channel = "book.BTC-24SEP21-8000-P.raw"  # has 30 changes
    numbered = [
        (r, m.params.data) for r, m in messages if m.params is not None and m.params.channel == channel
    ]
    assert len(numbered) == 31
    del numbered[1 + lost]
    for received_ns, data in numbered:
        feed.notification(channel, data, received_ns)
    assert feed.books.gaps == 1
    assert feed.dropped["book-gap"] == 1
    assert feed.books.broken == {channel}
    assert not feed.books.books["BTC-24SEP21-8000-P"].usable


def test_vols_of_the_quotes_are_the_venues_own(messages, replayed):
    _, events = replayed
    board = TickerBoard("BTC")
    for event in events:
        if isinstance(event, OptionTicker):
            board.take(event)
    end = messages[-1][0] // 10**9 + 1
    chain = board.at(end, 60)
    assert len(chain) == 7  # three of the ten are options on ETH
    assert set(board.dropped) == {"unknown-instrument"}
    quoted = np.isfinite(chain.bid) & np.isfinite(chain.ask)
    vol = implied_vol(
        0.5 * (chain.bid + chain.ask)[quoted],
        (chain.strike / chain.forward)[quoted],
        years(chain.expiry, end)[quoted],
        chain.call[quoted],
    )
    error = np.abs(np.log(vol / chain.mark_vol[quoted]))
    assert np.nanmedian(error) < 0.01
    assert np.isfinite(error).sum() >= 6
