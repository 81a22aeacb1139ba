"""A market's past as intervals: what a simulated market does when it starts anew is no hedging error."""

import pytest

from models.history import read_history
from mpc_party.market.heston import HestonMarket
from mpc_party.market.simulated import SPOT

RESTART = 1_768_435_200  # 2026-01-15
HOURS = 3600


def test_no_interval_leads_over_a_simulated_markets_new_start():
    market = HestonMarket(1)
    assert market.spot(RESTART) == pytest.approx(SPOT)
    jump = market.spot(RESTART) / market.spot(RESTART - 1) - 1.0
    assert abs(jump) > 0.05
    history = read_history("heston:1", "mark", RESTART - 24 * HOURS, RESTART + 24 * HOURS, 7, lambda _: None)
    assert len(history.rows) == 7  # of eight
    assert not any(rows.start < RESTART <= rows.end for rows in history.rows)
    assert max(abs(rows.move).max() for rows in history.rows) < abs(jump) / 2


def test_the_new_starts_of_a_simulated_market():
    market = HestonMarket(1)
    found = market.restarts(RESTART - 1, RESTART + 28 * 24 * HOURS)
    assert found == [RESTART, RESTART + 28 * 24 * HOURS]
    assert market.restarts(RESTART, RESTART + HOURS) == []
    assert market.restarts(RESTART - HOURS, RESTART - 1) == []
    assert all(market.spot(moment) == pytest.approx(SPOT) for moment in found)
