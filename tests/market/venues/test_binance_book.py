"""A Binance book: joined to its page by the venue's rule, dropped at a gap, partial where there is no page."""

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mpc_party.market.venues.binance_book import MAX_KEPT, BookState, DepthBook
from mpc_party.market.venues.book import BookCrossedError, BookError, BookGapError
from mpc_party.market.venues.events import BookChange, BookSnapshot

COMMON = {"venue": "binance-spot", "instrument": "BTCUSDT", "venue_ms": 0, "received_ns": 0}


def change(previous, last, bids=(), asks=()):
    return BookChange(**COMMON, change_id=last, previous_id=previous, bids=bids, asks=asks)


def page(last, bids=((100.0, 1.0),), asks=((101.0, 1.0),)):
    return BookSnapshot(**COMMON, change_id=last, bids=bids, asks=asks)


class TestJoining:
    def test_the_venues_example(self):
        """Changes kept while the page is fetched: those it has are dropped, the one that spans it joins."""
        book = DepthBook()
        for previous, last, amount in ((149, 157, 9.0), (157, 160, 8.0), (160, 167, 7.0), (167, 170, 6.0)):
            assert book.change(change(previous, last, bids=((99.0, amount), (float(last % 50), 1.0))))
        assert book.state is BookState.WAITING
        assert book.page(page(162))
        assert book.state is BookState.COMPLETE
        assert book.book.bids() == ((100.0, 1.0), (99.0, 6.0), (20.0, 1.0), (17.0, 1.0))
        assert not book.pending

    def test_a_page_newer_than_all_changes_waits_for_the_one_that_joins(self):
        book = DepthBook()
        book.change(change(10, 20, bids=((99.0, 1.0),)))
        assert book.page(page(40))
        assert book.change(change(20, 30, bids=((99.0, 2.0),)))  # in the page already
        assert book.change(change(30, 40, bids=((99.0, 3.0),)))
        assert book.book.bids() == ((100.0, 1.0),)
        assert book.change(change(40, 50, bids=((99.0, 4.0),)))
        assert book.book.bids() == ((100.0, 1.0), (99.0, 4.0))

    def test_a_page_in_a_hole_of_the_numbers(self):
        """Futures' ids also count other things: the page's can be between two changes."""
        book = DepthBook()
        book.change(change(10, 20))
        assert book.page(page(25))
        assert book.change(change(20, 30, bids=((99.0, 1.0),)))
        assert book.book.change_id == 30

    def test_a_page_older_than_the_changes_is_of_no_use(self):
        book = DepthBook()
        book.change(change(10, 20, bids=((99.0, 1.0),)))
        assert not book.page(page(9))
        assert book.state is BookState.WAITING
        assert book.page(page(10))
        assert book.book.change_id == 20

    def test_a_page_that_ends_before_the_next_change(self):
        book = DepthBook()
        assert book.page(page(40))
        with pytest.raises(BookGapError):
            book.change(change(41, 50))
        assert book.state is BookState.WAITING
        assert book.pending

    def test_a_second_page_changes_nothing(self):
        book = DepthBook()
        book.page(page(40))
        assert book.page(page(50, bids=((1.0, 1.0),)))
        assert book.book.bids() == ((100.0, 1.0),)

    def test_a_page_that_is_none(self):
        book = DepthBook()
        book.change(change(10, 20))
        with pytest.raises(BookCrossedError):
            book.page(page(15, bids=((101.0, 1.0),)))
        assert book.state is BookState.WAITING


class TestFollowing:
    @pytest.fixture
    def book(self):
        book = DepthBook()
        book.change(change(10, 20))
        book.page(page(20))
        book.change(change(20, 30))
        return book

    def test_a_gap_empties_the_book_until_a_new_page(self, book):
        with pytest.raises(BookGapError):
            book.change(change(31, 40, bids=((99.0, 1.0),)))
        assert book.state is BookState.WAITING
        assert book.book.bids() == ()
        assert book.change(change(40, 50))
        assert not book.page(page(30))  # older than the gap
        assert book.page(page(33))
        assert book.book.bids() == ((100.0, 1.0), (99.0, 1.0))
        assert book.book.change_id == 50

    def test_a_repeated_change_is_not_taken_again(self, book):
        assert not book.change(change(20, 30, bids=((99.0, 1.0),)))
        assert not book.change(change(10, 20))
        assert book.state is BookState.COMPLETE
        assert book.book.bids() == ((100.0, 1.0),)
        assert book.change(change(30, 31))

    def test_a_change_that_overlaps_is_a_gap(self, book):
        with pytest.raises(BookGapError):
            book.change(change(29, 40))

    def test_a_crossed_book_is_dropped(self, book):
        with pytest.raises(BookCrossedError):
            book.change(change(30, 40, bids=((101.0, 1.0),)))
        assert book.state is BookState.WAITING

    @pytest.mark.parametrize("ids", [(None, 40), (41, 40)])
    def test_ids_that_are_none(self, book, ids):
        with pytest.raises(BookError):
            book.change(change(*ids))
        assert book.state is BookState.WAITING
        assert not book.pending

    def test_dropping(self, book):
        book.drop()
        assert book.state is BookState.WAITING
        assert not book.pending
        assert book.book.bids() == ()


class TestWaiting:
    def test_a_gap_between_changes_kept_keeps_the_later_ones(self):
        book = DepthBook()
        book.change(change(10, 20))
        with pytest.raises(BookGapError):
            book.change(change(21, 30))
        assert not book.page(page(15))
        assert book.page(page(22))

    def test_what_is_kept_is_bounded(self):
        book = DepthBook()
        for i in range(MAX_KEPT + 10):
            book.change(change(i, i + 1))
        assert len(book._kept) == MAX_KEPT
        many = tuple((float(i), 1.0) for i in range(1, 15_001))
        for i in range(MAX_KEPT + 10, MAX_KEPT + 40):
            book.change(change(i, i + 1, bids=many))
        assert book._kept_levels == sum(len(kept.bids) for kept in book._kept) <= 200_000
        assert not book.page(page(5))  # what was forgotten would be missing
        assert book.page(page(MAX_KEPT + 35, asks=((20_000.0, 1.0),)))


class TestPartial:
    def test_shows_what_changes_tell_and_says_so(self):
        book = DepthBook(partial=True)
        book.change(change(10, 20, bids=((99.0, 1.0),), asks=((101.0, 2.0), (105.0, 0.0))))
        assert book.state is BookState.PARTIAL
        book.change(change(20, 30, bids=((99.0, 0.0), (98.0, 5.0))))
        assert book.book.bids() == ((98.0, 5.0),)
        assert book.book.asks() == ((101.0, 2.0),)

    def test_becomes_complete_with_a_page(self):
        book = DepthBook(partial=True)
        book.change(change(10, 20, bids=((99.0, 1.0),)))
        book.change(change(20, 30, bids=((98.0, 5.0),)))
        assert book.page(page(25, bids=((99.0, 1.0), (97.0, 1.0))))
        assert book.state is BookState.COMPLETE
        assert book.book.bids() == ((99.0, 1.0), (98.0, 5.0), (97.0, 1.0))

    def test_begins_anew_after_a_gap(self):
        book = DepthBook(partial=True)
        book.change(change(10, 20, bids=((99.0, 1.0),)))
        with pytest.raises(BookGapError):
            book.change(change(21, 30, bids=((98.0, 1.0),)))
        assert book.state is BookState.PARTIAL
        assert book.book.bids() == ((98.0, 1.0),)

    def test_crossed_is_dropped(self):
        book = DepthBook(partial=True)
        book.change(change(10, 20, bids=((99.0, 1.0),)))
        with pytest.raises(BookCrossedError):
            book.change(change(20, 30, asks=((99.0, 1.0),)))
        assert book.state is BookState.WAITING


class Venue(RuleBasedStateMachine):
    """A venue that changes its book, loses, repeats and delays messages; a client that must never be wrong."""

    @initialize(partial=st.booleans())
    def begin(self, partial):
        self.levels = {90.0: 1.0, 110.0: 1.0}
        self.id = 100
        self.book = DepthBook(partial=partial)
        self.sent: list[BookChange] = []
        self.pages = [self._page()]

    def _page(self):
        bids = tuple((p, a) for p, a in self.levels.items() if p < 100)
        asks = tuple((p, a) for p, a in self.levels.items() if p > 100)
        return page(self.id, bids, asks)

    @rule(
        moves=st.lists(
            st.tuples(st.integers(80, 120).filter(lambda p: p != 100), st.sampled_from([0.0, 1.0, 2.0])),
            max_size=4,
        ),
        skipped=st.integers(0, 2),
        arrives=st.sampled_from([True, True, True, False]),
    )
    def venue_changes(self, moves, skipped, arrives):
        previous = self.id
        self.id += 1 + skipped
        moved = {float(price): amount for price, amount in moves}
        for price, amount in moved.items():
            self.levels[price] = amount
            if amount == 0:
                del self.levels[price]
        sides = [tuple((p, a) for p, a in moved.items() if (p < 100) == low) for low in (True, False)]
        self.sent.append(change(previous, self.id, *sides))
        if arrives:
            self._deliver(self.sent[-1])

    @rule()
    def a_page_is_made(self):
        self.pages.append(self._page())

    @rule(back=st.integers(0, 3))
    def a_page_comes(self, back):
        self.book.page(self.pages[max(0, len(self.pages) - 1 - back)])

    @precondition(lambda self: self.sent)
    @rule(back=st.integers(0, 3))
    def a_message_comes_again(self, back):
        self._deliver(self.sent[max(0, len(self.sent) - 1 - back)])

    def _deliver(self, sent):
        try:
            self.book.change(msgspec.structs.replace(sent))
        except BookGapError:
            assert self.book.state is not BookState.COMPLETE

    @invariant()
    def what_is_shown_is_the_venues(self):
        if not hasattr(self, "book"):
            return
        shown = dict(self.book.book.bids() + self.book.book.asks())
        if self.book.state is BookState.WAITING:
            assert shown == {}
        elif self.book.book.change_id == self.id:
            if self.book.state is BookState.COMPLETE:
                assert shown == self.levels
            else:
                assert shown.items() <= self.levels.items()


Venue.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestVenue = Venue.TestCase
