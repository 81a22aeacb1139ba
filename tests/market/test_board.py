"""The board of tickers: what was shown at a moment, exactly."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc_party.market import board as module
from mpc_party.market.board import HISTORY, TickerBoard
from mpc_party.market.venues.events import OptionTicker

EXPIRY = 1_800_000_000 // 86_400 * 86_400 + 86_400 * 3 + 8 * 3600
NOW = EXPIRY - 2 * 86_400
CALL, PUT = "BTC-18JAN27-90000-C", "BTC-18JAN27-80000-P"


def ticker(seen_ms, name=CALL, bid=0.02, *, received_ms=None, **changes) -> OptionTicker:
    numbers = {"underlying_price": 90_000.0, "index_price": 89_000.0, "ask": 0.03, "mark_vol": 0.5}
    return OptionTicker(
        venue="deribit",
        instrument=name,
        venue_ms=seen_ms,
        received_ns=(seen_ms if received_ms is None else received_ms) * 1_000_000,
        bid=bid,
        bid_amount=1.0,
        ask_amount=1.0,
        **(numbers | changes),
    )


@pytest.fixture
def board() -> TickerBoard:
    return TickerBoard("BTC")


def test_a_chain_in_order_with_the_age_of_each_quote(board):
    assert board.at(NOW, 60) is None
    board.take(ticker(NOW * 1000 - 2500, CALL, math.nan, mark_vol=math.nan))
    board.take(ticker(NOW * 1000, PUT, underlying_price=90_100.0))
    chain = board.at(NOW, 60)
    assert (chain.observed_at, chain.underlying, len(chain)) == (NOW, "BTC", 2)
    assert chain.expiry.tolist() == [EXPIRY, EXPIRY]
    assert chain.strike.tolist() == [80_000.0, 90_000.0]
    assert chain.call.tolist() == [False, True]
    assert chain.seen_at.tolist() == [NOW, NOW - 3]
    assert chain.forward.tolist() == [90_100.0, 90_000.0]
    assert chain.forwards() == {EXPIRY: 90_050.0}
    assert np.isnan(chain.bid).tolist() == np.isnan(chain.mark_vol).tolist() == [False, True]
    for column, kind in (
        ("expiry", np.int64),
        ("seen_at", np.int64),
        ("call", np.bool_),
        ("bid", np.float64),
    ):
        assert getattr(chain, column).dtype == kind


def test_a_moment_just_past_shows_what_was_there_then(board):
    for index in range(40):
        board.take(ticker(NOW * 1000 + 250 * index, bid=0.01 + index / 1e4))
    for back in range(10):
        chain = board.at(NOW + back, 60)
        assert chain.bid[0] == pytest.approx(0.01 + 4 * back / 1e4)
        assert chain.seen_at[0] == NOW + back
    assert board.at(NOW - 1, 60) is None


@given(st.lists(st.integers(0, 20_000), min_size=1, max_size=60).map(sorted), st.integers(0, 21))
def test_the_last_ticker_at_or_before_the_moment(times, second):
    board = TickerBoard("BTC")
    for index, milliseconds in enumerate(times):
        board.take(ticker(NOW * 1000 + milliseconds, bid=(1 + index) / 1e4))
    past = [index for index, milliseconds in enumerate(times) if milliseconds <= second * 1000]
    chain = board.at(NOW + second, 60)
    if not past:
        assert chain is None
        return
    assert chain.bid[0] == pytest.approx((1 + past[-1]) / 1e4)
    assert chain.seen_at[0] == NOW + times[past[-1]] // 1000


def test_a_venue_whose_clock_is_ahead_is_believed_no_further_than_ours(board):
    board.take(ticker(NOW * 1000 + 3000, received_ms=NOW * 1000))
    assert board.at(NOW, 60).seen_at[0] == NOW


def test_old_quotes_and_expired_options_are_not_shown(board):
    board.take(ticker(NOW * 1000))
    assert board.at(NOW + 60, 60) is not None
    assert board.at(NOW + 61, 60) is None
    assert board.dropped == {"aged": 1}
    board.take(ticker((EXPIRY - 1) * 1000))
    assert board.at(EXPIRY - 1, 60) is not None
    assert board.at(EXPIRY, 60) is None
    assert len(board) == 1
    board.at(EXPIRY + 3601, 60)
    assert len(board) == 0


def test_only_options_of_the_underlying(board):
    for name in ("ETH-18JAN27-9000-C", "BTC-PERPETUAL", "BTC-31FEB27-9000-C", "", "x" * 50):
        board.take(ticker(NOW * 1000, name))
    assert (len(board), board.dropped) == (0, {"unknown-instrument": 5})


def test_memory_is_bounded(board, monkeypatch):
    monkeypatch.setattr(module, "MAX_OPTIONS", 2)
    for strike in (1, 2, 3):
        board.take(ticker(NOW * 1000, f"BTC-18JAN27-{strike}-C"))
    assert (len(board), board.dropped) == (2, {"unknown-instrument": 1})
    for second in range(10 * HISTORY):
        board.take(ticker((NOW + second) * 1000, "BTC-18JAN27-1-C"))
    assert len(board._options["BTC-18JAN27-1-C"].history) == HISTORY


def test_time_does_not_run_back(board):
    board.take(ticker(NOW * 1000, bid=0.02))
    board.take(ticker(NOW * 1000 - 1, bid=0.01))
    assert board.at(NOW, 60).bid[0] == 0.02
    assert board.dropped == {"out-of-order": 1}
