"""The real captures, where they are at hand: every message is used, every book stays in step with the best quotes."""

import bisect
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from mpc_party.market.captured import CapturedFlow
from mpc_party.market.venues.binance_book import BookState
from mpc_party.market.venues.binance_capture import BinanceCapture
from mpc_party.market.venues.capture import Capture
from mpc_party.market.venues.events import TopOfBook, Trade

REPOSITORY = Path(__file__).parents[3]
DATA = Path(os.environ.get("HEDGE_DATA", REPOSITORY.parent / "shared/data"))
NAMES = {
    "spot": "binance_spot_btcusdt_20240808.jsonl.gz",
    "usdm": "binance_usdm_btcusdt_20240808.jsonl.gz",
    "coinm": "binance_coinm_btcusd_perp_20240808.jsonl.gz",
}
MISSING = [name for name in NAMES.values() if not (DATA / name).is_file()]
MESSAGES = {"spot": 41_249, "usdm": 93_954, "coinm": 48_270}
TRADES = {"spot": 9_757, "usdm": 21_313, "coinm": 2_286}
QUOTES = {"spot": 28_040, "usdm": 66_089, "coinm": 19_136}

pytestmark = pytest.mark.skipif(
    bool(MISSING),
    reason=f"the captures are not ours to redistribute: no {MISSING} in {DATA} (set HEDGE_DATA)",
)


class Reading(NamedTuple):
    capture: Capture
    reading: BinanceCapture
    trades: list[Trade]
    quotes: list[TopOfBook]
    books: list[tuple[int, BookState, float, float]]  # as often as they were seen to change


@pytest.fixture(scope="module", params=list(NAMES))
def read(request):
    capture = Capture(DATA / NAMES[request.param])
    reading = BinanceCapture(capture)
    [book] = reading.feed.books.values()
    trades, quotes, books = [], [], []
    for event in reading.events():
        (trades if isinstance(event, Trade) else quotes).append(event)
        if book.state is not BookState.WAITING and (not books or books[-1][0] != book.book.change_id):
            bids, asks = book.book.bids(1), book.book.asks(1)
            if bids and asks:
                books.append((book.book.change_id, book.state, bids[0][0], asks[0][0]))
    return request.param, Reading(capture, reading, trades, quotes, books)


def test_every_message_is_used(read):
    market, (capture, reading, trades, quotes, _) = read
    assert reading.feed.market.name == market
    assert reading.messages == MESSAGES[market]
    assert (len(trades), len(quotes)) == (TRADES[market], QUOTES[market])
    assert not capture.counts
    assert not reading.feed.dropped
    assert not reading.malformed
    assert (reading.feed.gaps, reading.feed.trades_missed, reading.feed.backwards) == (0, 0, 0)


def test_the_book_is_complete_after_its_page_and_partial_before(read):
    _, (_, reading, _, _, books) = read
    [book] = reading.feed.books.values()
    assert book.state is BookState.COMPLETE
    assert len(book.book.bids()) > 500
    states = [state for _, state, _, _ in books]
    first = states.index(BookState.COMPLETE)
    assert set(states[:first]) <= {BookState.PARTIAL}
    assert set(states[first:]) == {BookState.COMPLETE}


def test_the_book_agrees_with_the_stream_of_best_quotes(read):
    """Both carry the ids of one sequence: the last quote up to a book's id has the book's best prices."""
    _, (_, _, _, quotes, books) = read
    ids = [quote.update_id for quote in quotes]
    complete = [entry for entry in books if entry[1] is BookState.COMPLETE]
    compared = agreed = 0
    for change_id, _, bid, ask in complete:
        place = bisect.bisect_right(ids, change_id) - 1
        if place >= 0:
            compared += 1
            agreed += (quotes[place].bid, quotes[place].ask) == (bid, ask)
    assert compared > 1_000
    assert agreed == compared


def test_amounts_are_in_coin(read):
    market, (_, _, trades, quotes, _) = read
    amounts = np.array([trade.amount for trade in trades])
    assert 1e-5 < np.median(amounts) < 1.0
    assert 10 < amounts.sum() < 10_000
    assert 0.1 < np.median([quote.bid_amount for quote in quotes]) < 100
    if market == "coinm":
        contracts = amounts * [trade.price for trade in trades] / 100
        assert np.abs(contracts - contracts.round()).max() < 1e-6


def test_features_of_all_venues_together():
    """The third of the captures, and back: reading it all takes seconds."""
    source = CapturedFlow(tuple(DATA / name for name in NAMES.values()))
    begin = source.flow(1_723_161_260)
    assert begin.realised_vol is None
    later = source.flow(1_723_161_350)
    assert later.imbalance == pytest.approx(-0.0935, abs=0.001)
    assert later.realised_vol == pytest.approx(0.484, abs=0.005)
    assert later.forward == pytest.approx(61_811, abs=1)
    assert source.flow(1_723_161_260) == begin
    source.close()
