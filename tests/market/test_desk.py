"""A desk's view: its own, partial, noisy, and the same whenever it is asked again."""

import copy
import pickle  # noqa: TID251 - to show that it refuses
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from mpc_party.market import DeskView, MarketDataError, SimulatedMarket
from mpc_party.market.black76 import greeks, years
from mpc_party.market.desk import MEAN_AGE

MOMENT = int(datetime(2026, 3, 4, 13, 37, 11, tzinfo=UTC).timestamp())
COLUMNS = ("seen_at", "expiry", "strike", "call", "forward", "bid", "ask")
MARKET = SimulatedMarket(7)


def keys(quotes):
    return set(zip(quotes.expiry.tolist(), quotes.strike.tolist(), quotes.call.tolist(), strict=True))


def test_a_seed_determines_a_view():
    one, other = DeskView(MARKET, "alice"), DeskView(SimulatedMarket(7), "alice")
    other.at(MOMENT - 60)
    for column in COLUMNS:
        assert np.array_equal(
            getattr(one.at(MOMENT), column),
            getattr(other.at(MOMENT), column),
            equal_nan=column in ("bid", "ask"),
        )


def test_desks_see_different_parts_of_the_chain_at_different_prices_and_moments():
    alice, bob = DeskView(MARKET, "alice").at(MOMENT), DeskView(MARKET, "bob").at(MOMENT)
    chain = MARKET.at(MOMENT)
    assert keys(alice) <= keys(chain)
    assert keys(alice) != keys(bob)
    both = keys(alice) & keys(bob)
    assert 0.3 * len(chain) < len(both) < 0.7 * len(chain)

    def ask(quotes):
        rows = zip(quotes.expiry.tolist(), quotes.strike.tolist(), quotes.call.tolist(), strict=True)
        return dict(zip(rows, quotes.ask.tolist(), strict=True))

    differing = sum(ask(alice)[key] != ask(bob)[key] for key in both)
    assert differing > 0.95 * len(both)


def test_the_same_desk_sees_another_part_at_another_moment():
    view = DeskView(MARKET, "alice")
    assert keys(view.at(MOMENT)) != keys(view.at(MOMENT + 1))


@pytest.mark.parametrize("coverage", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_coverage_is_the_share_of_the_chain(coverage):
    chain = MARKET.at(MOMENT)
    seen = len(DeskView(MARKET, "alice", coverage=coverage).at(MOMENT)) / len(chain)
    assert abs(seen - coverage) <= 4 * np.sqrt(coverage * (1 - coverage) / len(chain))


def test_noise_is_relative_to_vol_and_moves_bid_and_ask_together():
    chain = MARKET.at(MOMENT)
    exact = DeskView(MARKET, "alice", coverage=1.0, noise=0.0).at(MOMENT)
    noisy = DeskView(MARKET, "alice", coverage=1.0, noise=0.05).at(MOMENT)
    assert np.array_equal(exact.bid, chain.bid, equal_nan=True)
    assert np.array_equal(exact.ask, chain.ask)
    shift = noisy.ask - exact.ask
    quoted = np.isfinite(exact.bid)
    assert np.allclose((noisy.bid - exact.bid)[quoted], shift[quoted], rtol=0, atol=1e-15)
    time = years(chain.expiry, MOMENT)
    vega = greeks(chain.strike / chain.forward, chain.mark_vol, time, chain.call).vega
    near = vega > 0.01 * np.sqrt(time)
    relative = (shift / (vega * chain.mark_vol))[near]
    assert abs(relative.std() - 0.05) < 0.005
    assert abs(relative.mean()) < 0.01


def test_quotes_were_seen_a_little_earlier():
    quotes = DeskView(MARKET, "alice", coverage=1.0).at(MOMENT)
    age = MOMENT - quotes.seen_at
    assert quotes.seen_at.dtype == np.int64
    assert age.min() >= 0
    assert abs(age.mean() - (MEAN_AGE - 0.5)) < 10


def test_a_chain_without_mark_vols_still_gives_noise():
    class Unmarked:
        underlying = "SIM"
        replays = False

        def next_time(self, after, now):
            return max(after, now)

        def at(self, observed_at):
            chain = MARKET.at(observed_at)
            chain.mark_vol[::2] = np.nan
            return chain

    quotes = DeskView(Unmarked(), "alice", coverage=1.0).at(MOMENT)
    assert np.isfinite(quotes.ask).all()


def test_the_quotes_of_a_live_source_are_taken_as_they_are():
    class Live:
        underlying = "SIM"
        replays = False

        def next_time(self, after, now):
            return max(after, now)

        def at(self, observed_at):
            chain = MARKET.at(observed_at)
            return replace(chain, seen_at=observed_at - np.arange(len(chain)))

    chain, quotes = MARKET.at(MOMENT), DeskView(Live(), "alice", coverage=0.1, noise=0.5).at(MOMENT)
    assert quotes.seen_at.tolist() == list(range(MOMENT, MOMENT - len(chain), -1))
    for column in ("expiry", "strike", "call", "forward", "bid", "ask"):
        assert np.array_equal(
            getattr(quotes, column), getattr(chain, column), equal_nan=column in {"bid", "ask"}
        )


def test_a_view_has_what_its_source_has():
    with pytest.raises(MarketDataError):
        DeskView(MARKET, "alice").at(0)


def test_neither_a_view_nor_quotes_show_or_ship_what_they_hold():
    view = DeskView(MARKET, "very-secret-seed")
    quotes = view.at(MOMENT)
    for secret in (view, quotes):
        text = f"{secret!r} {secret!s} {secret}"
        assert "very-secret-seed" not in text
        assert "array" not in text
        for ship in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError, match="secret"):
                ship(secret)
