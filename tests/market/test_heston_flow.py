"""Order flow of the simulated market: what it says of the next five minutes, and what it does not say."""

from datetime import UTC, datetime

import numpy as np
import pytest

from mpc_party.market.flow import WINDOW
from mpc_party.market.heston import HestonMarket
from mpc_party.market.heston_flow import FORESIGHT, HORIZON, events, pressures
from mpc_party.market.heston_path import STEP_SECONDS, STEPS_A_RUN, HestonPath
from mpc_party.market.heston_venues import VENUES
from mpc_party.market.venues.events import TopOfBook, Trade

MOMENT = int(datetime(2026, 3, 4, 13, 37, 11, tzinfo=UTC).timestamp())
RUN = 735 * STEPS_A_RUN


def test_pressure_knows_the_next_five_minutes_and_nothing_later():
    known, later, pressed = [], [], []
    for seed in range(4):
        path = HestonPath(seed)
        steps = range(RUN + 100, RUN + 20_000, HORIZON)
        pressed.append(pressures(path, seed, steps[0], steps[-1])[::HORIZON])
        for ahead, into in ((known, 0), (later, HORIZON)):
            ahead.append([path.shocks(s + into + 1, s + into + HORIZON).sum() / HORIZON**0.5 for s in steps])
    pressed, known, later = (np.concatenate(column) for column in (pressed, known, later))
    count = len(pressed)
    assert pressed.std() == pytest.approx(1.0, abs=4 / count**0.5)
    assert np.corrcoef(pressed, known)[0, 1] == pytest.approx(FORESIGHT, abs=4 / count**0.5)
    assert abs(np.corrcoef(pressed, later)[0, 1]) < 4 / count**0.5


def test_imbalance_foretells_the_next_five_minutes_by_the_documented_amount():
    rows = []
    for seed in range(2):
        market, path = HestonMarket(seed, "a"), HestonPath(seed)
        for moment in range((RUN + 100) * STEP_SECONDS, (RUN + 100) * STEP_SECONDS + 300 * WINDOW, WINDOW):
            step = moment // STEP_SECONDS
            ahead = path.shocks(step + 1, step + HORIZON).sum()
            after = path.shocks(step + HORIZON + 1, step + 2 * HORIZON).sum()
            rows.append((market.flow(moment).imbalance, ahead, after))
    correlation = np.corrcoef(np.array(rows).T)[0]
    noise = len(rows) ** -0.5
    assert correlation[1] == pytest.approx(0.22, abs=3.5 * noise)
    assert correlation[1] > 2 * noise
    assert abs(correlation[2]) < 3.5 * noise


def test_features_are_those_of_the_market():
    market = HestonMarket(7)
    vols, bases = [], []
    for moment in range(MOMENT, MOMENT + 20 * 300, 300):
        features = market.flow(moment)
        assert -0.95 < features.imbalance < 0.95
        vols.append(features.realised_vol / market.variance(moment) ** 0.5)
        bases.append(features.forward / market.spot(moment) - 1)
    assert np.median(vols) == pytest.approx(1.0, abs=0.1)
    assert np.abs(bases).max() < 0.01
    assert np.abs(np.median(bases)) < 1e-3


def test_one_venue_sees_its_own_trades():
    features = [HestonMarket(7, name).flow(MOMENT) for name in ("a", "b", "c", None)]
    assert len({f.imbalance for f in features}) == 4


@pytest.mark.parametrize("venue", VENUES, ids=lambda v: v.name)
def test_events_come_in_order_within_their_time_and_say_no_more_than_the_venue_knows(venue):
    path = HestonPath(7)
    found = list(events(path, 7, venue, MOMENT - 100, MOMENT))
    received = [event.received_ns for event in found]
    assert received == sorted(received)
    assert (MOMENT - 100) * 10**9 <= received[0] <= received[-1] < MOMENT * 10**9
    quotes, trades = ([e for e in found if isinstance(e, kind)] for kind in (TopOfBook, Trade))
    assert 19 <= len(quotes) <= 21
    assert 38 <= len(trades) <= 42
    assert len({t.trade_id for t in trades}) == len(trades)
    for quote in quotes:
        assert 0 < quote.bid < quote.ask
        moment = quote.received_ns // 10**9
        spot = path.spot((moment - venue.lag) // STEP_SECONDS) * np.exp(venue.log_basis(7, moment))
        assert 0.5 * (quote.bid + quote.ask) == pytest.approx(spot, rel=1e-6)
    assert all(t.amount > 0 for t in trades)


def test_trades_are_at_the_quotes():
    last = None
    for event in events(HestonPath(7), 7, VENUES[0], MOMENT - 300, MOMENT):
        if isinstance(event, TopOfBook):
            last = event
        elif last is not None:
            assert event.price == (last.ask if event.buyer_initiated else last.bid)


def test_a_window_over_the_start_of_a_run_has_only_the_new_run():
    start = (RUN + STEPS_A_RUN) * STEP_SECONDS
    market = HestonMarket(5)
    assert market.flow(start).forward == pytest.approx(market.spot(start - 1), rel=5e-3)
    assert market.spot(start) == pytest.approx(90_000.0)
    assert abs(market.spot(start - 1) - 90_000.0) > 1_000
    features = market.flow(start + 30)
    assert features.forward == pytest.approx(90_000.0, rel=2e-3)
    assert features.realised_vol is None
    assert market.flow(start + WINDOW + 60).realised_vol < 2
