"""Deribit's books from its notifications: gaps, crossings, and what a book lacks a message after."""

from collections import Counter

import pytest

from mpc_party.market.venues.deribit_feed import OLDEST_MS, DeribitFeed
from mpc_party.market.venues.events import TopOfBook
from tests.support.venues.deribit_notifications import BOOK, NOW_MS, PERPETUAL, TRADES, changed, take

CHANNEL = f"book.{PERPETUAL}.100ms"


def book_change(change_id, previous, bids=(), asks=(), **changes):
    return {
        "type": "change",
        "timestamp": NOW_MS,
        "prev_change_id": previous,
        "instrument_name": PERPETUAL,
        "change_id": change_id,
        "bids": list(bids),
        "asks": list(asks),
    } | changes


@pytest.fixture
def with_book():
    feed = DeribitFeed()
    (top,) = take(feed, CHANNEL, BOOK)
    assert top == TopOfBook(
        venue="deribit",
        instrument=PERPETUAL,
        venue_ms=NOW_MS,
        received_ns=NOW_MS * 1_000_000,
        bid=89999.5,
        ask=90000.0,
        bid_amount=pytest.approx(9000 / 89999.5),
        ask_amount=0.02,
        update_id=2000,
    )
    return feed


def test_a_book_from_snapshot_and_changes(with_book):
    book = with_book.books.books[PERPETUAL]
    assert (
        take(with_book, CHANNEL, book_change(2003, 2000, bids=[["change", 89999.0, 500.0]])) == []
    )  # not the best
    (top,) = take(
        with_book,
        CHANNEL,
        book_change(2009, 2003, bids=[["delete", 89999.5, 0.0]], asks=[["new", 89999.75, 10.0]]),
    )
    assert (top.bid, top.ask) == (89999.0, 89999.75)
    assert book.change_id == 2009
    assert not with_book.dropped


def test_a_quiet_books_snapshot_may_be_old():
    feed = DeribitFeed()
    assert take(feed, CHANNEL, changed(BOOK, timestamp=NOW_MS - 10 * OLDEST_MS))
    assert feed.books.books[PERPETUAL].usable


def test_a_gap_empties_the_book_once_until_its_new_snapshot(with_book):
    books = with_book.books
    assert take(with_book, CHANNEL, book_change(2010, 2009, bids=[["new", 89999.75, 1.0]])) == []
    assert (books.gaps, books.broken, books.books[PERPETUAL].usable) == (1, {CHANNEL}, False)
    books.broken.clear()  # a new subscription is on its way, and so are changes of the old one
    for change_id in (2011, 2012):
        assert take(with_book, CHANNEL, book_change(change_id, change_id - 1)) == []
    assert (books.gaps, books.broken) == (1, set())
    assert with_book.dropped == Counter({"book-gap": 1, "book-waiting": 2})
    assert take(with_book, CHANNEL, changed(BOOK, change_id=2012))
    assert take(with_book, CHANNEL, book_change(2013, 2012, bids=[["new", 89999.75, 1.0]]))
    assert books.books[PERPETUAL].usable


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (book_change(2001, None), "book-gap"),
        (book_change(2001, 2000, bids=[["new", 90000.0, 1.0]]), "book-crossed"),
        (book_change(2001, 2000, bids=[["new", -1.0, 1.0]]), "book-refused"),
        (book_change(2001, 2000, bids=[["new", 1.0, 0.0]]), "book-refused"),
        (book_change(2001, 2000, bids=[["new", 1.0, True]]), "book-refused"),
        (book_change(2001, 2000, bids=[["new", "1.0", 1.0]]), "book-refused"),
        (book_change(2001, 2000, bids=[["add", 1.0, 1.0]]), "book-refused"),
        (book_change(2001, 2000, bids=[["new", 1.0]]), "book-refused"),
        (book_change(2001, 2000, type="update"), "book-refused"),
        (book_change(2**70, 2000), "book-refused"),
        (book_change(2001, 2000, timestamp=5), "book-refused"),
        (book_change(2001, 2000, instrument_name="ETH-PERPETUAL"), "book-refused"),
        ("[]", "book-refused"),
    ],
    ids=str,
)
def test_a_book_that_lacks_a_message_is_not_used(with_book, data, cause):
    assert take(with_book, CHANNEL, data) == []
    assert with_book.dropped == Counter({cause: 1})
    assert not with_book.books.books[PERPETUAL].usable
    assert with_book.books.broken == {CHANNEL}


def test_a_new_connection_forgets_books_and_not_trades(with_book):
    assert take(with_book, f"trades.{PERPETUAL}.100ms", TRADES)
    with_book.restart()
    assert with_book.books.books == {}
    assert take(with_book, CHANNEL, book_change(2001, 2000)) == []
    assert take(with_book, f"trades.{PERPETUAL}.100ms", TRADES) == []
    assert with_book.dropped == Counter({"book-gap": 1, "duplicate": 1})
