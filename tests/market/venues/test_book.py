"""The price-level book: against a plain dict, and what it refuses."""

import math

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mpc_party.market.venues import book as module
from mpc_party.market.venues.book import BookCrossedError, BookError, BookGapError, PriceBook
from mpc_party.market.venues.events import BookChange, BookSnapshot


def snapshot(bids=(), asks=(), change_id=10) -> BookSnapshot:
    return BookSnapshot(
        venue="v", instrument="i", venue_ms=1, received_ns=2, change_id=change_id, bids=bids, asks=asks
    )


def change(bids=(), asks=(), change_id=11, previous_id=10) -> BookChange:
    return BookChange(
        venue="v",
        instrument="i",
        venue_ms=1,
        received_ns=2,
        change_id=change_id,
        previous_id=previous_id,
        bids=bids,
        asks=asks,
    )


@pytest.fixture
def book() -> PriceBook:
    made = PriceBook()
    made.load(snapshot(((99.0, 1.0), (98.0, 5.0), (99.5, 2.0)), ((101.0, 3.0), (100.5, 4.0))))
    return made


def test_best_levels_in_order(book):
    assert book.usable
    assert book.change_id == 10
    assert book.bids() == ((99.5, 2.0), (99.0, 1.0), (98.0, 5.0))
    assert book.asks() == ((100.5, 4.0), (101.0, 3.0))
    assert book.bids(1) == ((99.5, 2.0),)
    assert book.asks(5) == book.asks()


def test_imbalance_of_the_best_levels(book):
    assert book.imbalance(1) == pytest.approx((2 - 4) / 6)
    assert book.imbalance(2) == pytest.approx((3 - 7) / 10)
    assert book.imbalance(9) == pytest.approx((8 - 7) / 15)
    assert PriceBook().imbalance(3) is None
    one_sided = PriceBook()
    one_sided.load(snapshot(((99.0, 1.0),)))
    assert one_sided.imbalance(3) == 1.0


def test_changes_give_levels_their_new_amounts(book):
    book.apply(change(((99.5, 0.0), (99.25, 7.0), (98.0, 6.0)), ((100.5, 1.0), (250.0, 0.0)), change_id=17))
    assert book.bids() == ((99.25, 7.0), (99.0, 1.0), (98.0, 6.0))
    assert book.asks() == ((100.5, 1.0), (101.0, 3.0))
    assert book.change_id == 17
    book.apply(change(((99.25, 0.0),), change_id=18, previous_id=17))
    book.apply(change(((99.3, 1.0),), change_id=30, previous_id=None))  # a stream without numbering
    assert book.bids(1) == ((99.3, 1.0),)


@pytest.mark.parametrize("previous", [9, 11, 0, -1])
def test_a_gap_empties_the_book_until_a_snapshot(book, previous):
    with pytest.raises(BookGapError, match=f"v i: a change follows on {previous}, the last one taken is 10"):
        book.apply(change(((99.6, 1.0),), previous_id=previous))
    assert not book.usable
    assert book.bids() == book.asks() == ()
    with pytest.raises(BookGapError, match="without a snapshot"):
        book.apply(change(previous_id=10))
    with pytest.raises(BookGapError, match="without a snapshot"):
        book.apply(change(previous_id=None))
    book.load(snapshot(((1.0, 1.0),), ((2.0, 1.0),)))
    assert book.usable


@pytest.mark.parametrize("bid", [100.5, 100.75, 200.0])
def test_a_crossed_or_locked_result_empties_the_book(book, bid):
    with pytest.raises(BookCrossedError, match=r"is not below the best ask 100\.5"):
        book.apply(change(((bid, 1.0),)))
    assert not book.usable
    assert book.bids() == ()


def test_a_crossed_snapshot(book):
    with pytest.raises(BookCrossedError):
        book.load(snapshot(((5.0, 1.0),), ((5.0, 1.0),)))
    assert not book.usable


@pytest.mark.parametrize(
    "bids", [((5.0, 0.0),), ((5.0, -1.0),), ((5.0, math.nan),), ((5.0, 1.0), (5.0, 2.0))], ids=str
)
def test_a_snapshot_with_a_level_that_is_none(book, bids):
    with pytest.raises(BookError, match="empty or there twice"):
        book.load(snapshot(bids))
    assert not book.usable


def test_a_snapshot_refused_for_its_asks_leaves_no_bids(book):
    with pytest.raises(BookError, match="empty or there twice"):
        book.load(snapshot(((5.0, 1.0),), ((6.0, 0.0),)))
    assert not book.usable
    assert book.bids() == book.asks() == ()
    assert book.imbalance(1) is None


def test_books_of_too_many_levels(monkeypatch):
    monkeypatch.setattr(module, "MAX_LEVELS", 3)
    levels = tuple((float(price), 1.0) for price in range(1, 5))
    book = PriceBook()
    with pytest.raises(BookError, match="more than 3 levels"):
        book.load(snapshot(levels))
    book.load(snapshot(levels[:3]))
    with pytest.raises(BookError, match="more than 3 levels"):
        book.apply(change(levels[3:]))
    assert not book.usable


PRICES = st.integers(1, 30).map(float)
CHANGES = st.lists(st.tuples(PRICES, st.sampled_from([0.0, 0.0, 1.0, 2.5])), max_size=6).map(tuple)
SNAPSHOTS = st.dictionaries(PRICES, st.sampled_from([1.0, 3.0]), max_size=8).map(lambda d: tuple(d.items()))


class BookMachine(RuleBasedStateMachine):
    """The book does what a pair of dicts does, and is empty from the first thing refused to the next snapshot."""

    def __init__(self):
        super().__init__()
        self.book = PriceBook()
        self.model = None  # (bids, asks) while usable
        self.last = 0

    @initialize()
    def start(self):
        assert not self.book.usable

    @rule(bids=SNAPSHOTS, asks=SNAPSHOTS, change_id=st.integers(1, 1000))
    def load(self, bids, asks, change_id):
        model = dict(bids), dict(asks)
        self.model = None
        if self._crossed(model):
            with pytest.raises(BookCrossedError):
                self.book.load(snapshot(bids, asks, change_id))
            return
        self.book.load(snapshot(bids, asks, change_id))
        self.model, self.last = model, change_id

    @rule(bids=CHANGES, asks=CHANGES, step=st.integers(1, 5), lost=st.sampled_from([0, 0, 0, 0, 1]))
    def apply(self, bids, asks, step, lost):
        event = change(bids, asks, change_id=self.last + step, previous_id=self.last + lost)
        if self.model is None or lost:
            with pytest.raises(BookGapError):
                self.book.apply(event)
            self.model = None
            return
        model = tuple(dict(side) for side in self.model)
        for side, levels in zip(model, (bids, asks), strict=True):
            for price, amount in levels:
                side[price] = amount
                if amount == 0:
                    del side[price]
        if self._crossed(model):
            with pytest.raises(BookCrossedError):
                self.book.apply(event)
            self.model = None
            return
        self.book.apply(event)
        self.model, self.last = model, self.last + step

    @rule()
    def drop(self):
        self.book.drop()
        self.model = None

    @invariant()
    def agrees(self):
        bids, asks = self.model or ({}, {})
        assert self.book.usable == (self.model is not None)
        assert self.book.bids() == tuple(sorted(bids.items(), reverse=True))
        assert self.book.asks() == tuple(sorted(asks.items()))
        assert self.book.bids(2) == self.book.bids()[:2]
        if self.model is not None:
            assert self.book.change_id == self.last

    @staticmethod
    def _crossed(model):
        return bool(model[0] and model[1] and max(model[0]) >= min(model[1]))


TestBookMachine = BookMachine.TestCase
TestBookMachine.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
