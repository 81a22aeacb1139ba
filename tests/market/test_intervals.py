import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_party.market.black76 import greeks, years
from mpc_party.market.chain import ChainSnapshot
from mpc_party.market.desk import DeskView
from mpc_party.market.errors import MarketDataError
from mpc_party.market.intervals import (
    LEGENDRE,
    MONOMIAL,
    hedging_rows,
    intervals,
    moments,
    normal_equations,
    solve,
    value_chain,
    value_quotes,
)
from mpc_party.market.simulated import SimulatedMarket
from mpc_party.market.streams import uniform
from mpc_party.protocol.errors import Reason
from tests.support.intervals import DAY, HOURS, START, made, series


def chain(
    observed_at=START, forward=90_000.0, vol=0.5, days=(10, 40), strikes=(80_000, 90_000, 100_000), **changes
):
    """A flat surface, quoted half a percent of vega around it; `changes` replace columns."""
    rows = [(START + day * DAY, strike, call) for day in days for strike in strikes for call in (True, False)]
    expiry, strike, call = (np.array(column) for column in zip(*rows, strict=True))
    strike, forwards = strike.astype(np.float64), np.full(len(rows), forward)
    at = greeks(strike / forwards, np.full(len(rows), vol), years(expiry, observed_at), call)
    columns = {
        "expiry": expiry, "strike": strike, "call": call, "forward": forwards,
        "bid": at.premium - 0.005 * at.vega, "ask": at.premium + 0.005 * at.vega,
        "mark_vol": np.full(len(rows), vol),
    }  # fmt: skip
    return ChainSnapshot(observed_at, "BTC", **(columns | changes))


def between(first, second, price="mark"):
    return hedging_rows(value_chain(first, price), value_chain(second, price))


def columns(rows):
    return {
        name: getattr(rows, name)
        for name in ("expiry", "strike", "call", "time", "vol", "delta", "density", "move", "error", "noise")
    }


def test_one_option_by_hand():
    rows = between(
        chain(days=(10,), strikes=(90_000,)),
        chain(START + HOURS, 91_000.0, 0.52, days=(10,), strikes=(90_000,)),
    )
    assert (rows.start, rows.end, len(rows)) == (START, START + HOURS, 2)
    root = math.sqrt(10 / 365)
    d1 = 0.25 * root
    assert rows.delta == pytest.approx(0.5 * (1 + math.erf(d1 / math.sqrt(2))), abs=1e-12)
    assert rows.density == pytest.approx(math.exp(-d1 * d1 / 2) / math.sqrt(2 * math.pi), abs=1e-12)
    assert rows.move == pytest.approx(1 / 90, abs=1e-15)
    assert rows.vol == pytest.approx(0.5)
    assert rows.time == pytest.approx(10 / 365)

    def value(forward, vol, days, call):
        root = vol * math.sqrt(days / 365)
        d1 = math.log(forward / 90_000) / root + root / 2
        normal = lambda x: 0.5 * (1 + math.erf(x / math.sqrt(2)))  # noqa: E731
        price = forward * normal(d1) - 90_000 * normal(d1 - root)
        return price if call else price - forward + 90_000

    for i, call in enumerate(rows.call):
        change = value(91_000, 0.52, 9.75, call) - value(90_000, 0.5, 10, call)
        delta = rows.delta[i] - (0 if call else 1)
        assert rows.error[i] == pytest.approx((change - delta * 1000) / 90_000, abs=1e-12)


def test_put_and_call_of_a_strike_miss_the_same():
    """Their values differ by a forward contract, which a delta of one hedges exactly."""
    rows = between(chain(), chain(START + HOURS, 85_000.0, 0.6))
    calls, puts = rows.call, ~rows.call
    for name in ("strike", "delta", "density", "move", "error"):
        np.testing.assert_allclose(columns(rows)[name][calls], columns(rows)[name][puts], atol=1e-12)


def test_middle_and_mark_agree_where_the_mark_is_in_the_middle():
    first, second = chain(), chain(START + HOURS, 92_000.0, 0.45)
    mark, mid = between(first, second), between(first, second, "mid")
    assert len(mark) == len(mid) == 12
    for name in ("delta", "density", "error"):
        np.testing.assert_allclose(columns(mark)[name], columns(mid)[name], atol=1e-9)
    assert (mark.noise == 0).all()
    assert (mark.weight == 1).all()
    half = 0.5 * (first.ask - first.bid), 0.5 * (second.ask - second.bid) * 92 / 90
    np.testing.assert_allclose(mid.noise, np.hypot(*half), rtol=1e-9)
    assert (mid.weight < 1).all()


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("bid", np.nan), ("bid", 0.0), ("bid", -0.1), ("bid", 1.0), ("ask", np.nan), ("ask", np.inf),
        ("ask", 0.0), ("mark_vol", np.nan),
    ],
)  # fmt: skip
@pytest.mark.parametrize("end", [False, True])
def test_an_option_that_is_not_quoted_at_both_ends_is_left_out(change, value, end):
    good = chain(START + end * HOURS)
    column = getattr(good, change).copy()
    column[3] = value
    spoilt = chain(START + end * HOURS, **{change: column})
    rows = between(chain(), spoilt) if end else between(spoilt, chain(START + HOURS))
    kept = list(zip(rows.expiry, rows.strike, rows.call, strict=True))
    assert len(kept) == 11
    assert (good.expiry[3], good.strike[3], good.call[3]) not in kept


def test_options_are_paired_by_name_whatever_their_order():
    first, second = chain(days=(10, 20, 40)), chain(START + HOURS, 91_000.0, 0.6, days=(20, 40, 60))
    order = np.argsort(uniform("test/order", len(second)))
    names = ("expiry", "strike", "call", "forward", "bid", "ask", "mark_vol")
    shuffled = ChainSnapshot(
        second.observed_at, second.underlying, *(getattr(second, name)[order] for name in names)
    )
    rows, again = between(first, second), between(first, shuffled)
    assert set(rows.expiry) == {START + 20 * DAY, START + 40 * DAY}
    assert len(rows) == 12
    for name, column in columns(rows).items():
        np.testing.assert_array_equal(column, columns(again)[name])


def test_the_own_forward_of_a_row_is_its_underlying():
    first, second = chain(), chain(START + HOURS)
    forward = second.forward.copy()
    forward[0] *= 1.01
    assert (between(first, second).move == 0).all()
    rows = hedging_rows(value_chain(first), value_chain(ChainSnapshot(
        second.observed_at, "BTC", second.expiry, second.strike, second.call, forward, second.bid, second.ask,
        second.mark_vol,
    )))  # fmt: skip
    assert np.count_nonzero(rows.move) == 1
    assert rows.move.max() == pytest.approx(0.01)


def test_the_last_day_and_far_strikes_do_not_count():
    soon = between(chain(days=(1, 2)), chain(START + HOURS, days=(1, 2)))
    assert set(soon.expiry) == {START + 2 * DAY}
    far = between(
        chain(strikes=(20_000, 90_000, 400_000)), chain(START + HOURS, strikes=(20_000, 90_000, 400_000))
    )
    assert set(far.strike) == {90_000}


def test_long_intervals_are_empty_and_backward_ones_refused():
    assert len(between(chain(), chain(START + DAY))) == 12
    assert len(between(chain(), chain(START + DAY + 1))) == 0
    for end in (START, START - 1):
        with pytest.raises(ValueError, match="after it starts"):
            between(chain(), chain(end))


class Recording:
    """A source that replays the moments of a simulated market."""

    underlying, replays = "SIM", True

    def __init__(self, times, seed=3):
        self.times, self._market = times, SimulatedMarket(seed)

    def next_time(self, after, now):  # noqa: ARG002 - the interface's
        later = [time for time in self.times if time > after]
        if not later:
            raise MarketDataError("the end", reason=Reason.MARKET_DATA_STALE)
        return later[0]

    def at(self, observed_at):
        return self._market.at(observed_at)


def test_moments_of_a_recording_and_of_a_running_market():
    times = [START + i * HOURS for i in range(5)]
    assert moments(Recording(times), 0, 2**40) == times
    assert moments(Recording(times), times[1], times[3]) == times[1:4]
    assert moments(Recording(times), times[1] + 1, times[3] - 1) == times[2:3]
    assert moments(SimulatedMarket(3), START, START + 3600, 1800) == [START, START + 1800, START + 3600]


def test_moments_of_a_dense_recording_are_an_hour_apart():
    every_minute = Recording([START + 60 * i for i in range(200)])
    assert moments(every_minute, 0, 2**40) == [START + 3600 * i for i in range(4)]
    uneven = Recording([START, START + 3599, START + 3601, START + 7200, START + 7201])
    assert moments(uneven, 0, 2**40) == [START, START + 3601, START + 7201]


def test_a_broken_recording_is_not_the_end_of_one():
    class Broken(Recording):
        def next_time(self, after, now):  # noqa: ARG002 - the interface's
            raise MarketDataError("spoilt")

    with pytest.raises(MarketDataError, match="spoilt"):
        moments(Broken([START]), 0, 2**40)


def test_a_desk_values_its_own_view_and_each_moment_once():
    source = Recording([START + i * HOURS for i in range(4)])
    view, asked = DeskView(source, "a desk", coverage=0.8), []

    def value(moment):
        asked.append(moment)
        return value_quotes(view.at(moment), moment)

    found = list(intervals(source.times, value))
    assert asked == source.times
    assert [(rows.start, rows.end) for rows in found] == list(
        zip(source.times, source.times[1:], strict=False)
    )
    whole = len(between(source.at(START), source.at(START + HOURS), "mid"))
    assert 0.4 * whole < len(found[0]) < 0.9 * whole  # 0.8 seen at either end


def test_stale_and_future_quotes_are_left_out():
    source = Recording([START])
    quotes = DeskView(source, "a desk").at(START)
    age = START - quotes.seen_at
    assert age.max() > 60
    assert len(value_quotes(quotes, START)) > len(value_quotes(quotes, START, max_age=60))
    assert len(value_quotes(quotes, int(quotes.seen_at.min()) - 1)) == 0


def test_nothing_of_a_desk_is_shown():
    rows = between(chain(), chain(START + HOURS))
    for secret in (rows, value_chain(chain()), normal_equations([rows], 7.0, as_of=rows.end)):
        assert repr(secret) == f"<{type(secret).__name__}>"


# --- the fit


@pytest.mark.parametrize("basis", [LEGENDRE, MONOMIAL])
def test_weights_are_recovered(basis):
    weights = [-0.3, 0.5, -0.2]
    rows = series(weights, 3)
    equations = normal_equations(rows, 7.0, as_of=rows[-1].end, basis=basis)
    np.testing.assert_allclose(solve(equations, basis=basis), weights, atol=1e-10)
    assert equations.count == 600
    shrunk = solve(equations, ridge=1e9, basis=basis)
    assert np.abs(shrunk).max() < 1e-6


def test_a_basis_is_a_change_of_coordinates():
    rows = made([0.1, 0.2, 0.3])
    d = rows.delta
    expected = (rows.density * rows.move)[:, None] * np.stack(
        [np.ones_like(d), 2 * d - 1, 6 * d * d - 6 * d + 1], 1
    )
    np.testing.assert_allclose(rows.regressors(LEGENDRE), expected, atol=1e-15)
    # The shifted Legendre polynomials, orthogonal on [0, 1]: integrals of their products are diag(1, 1/3, 1/5).
    hilbert = 1.0 / (np.arange(3)[:, None] + np.arange(3) + 1)
    np.testing.assert_allclose(LEGENDRE @ hilbert @ LEGENDRE.T, np.diag([1, 1 / 3, 1 / 5]), atol=1e-12)


def test_the_sums_by_brute_force():
    rows = [between(chain(START + i * HOURS, 90_000 + 500 * i), chain(START + (i + 1) * HOURS, 90_500 + 300 * i), "mid")
            for i in range(3)]  # fmt: skip
    as_of = rows[-1].end + DAY
    equations = normal_equations(rows, 2.0, as_of=as_of, basis=MONOMIAL)
    matrix, vector, square = np.zeros((3, 3)), np.zeros(3), 0.0
    for interval in rows:
        for i in range(len(interval)):
            x = interval.density[i] * interval.move[i] * interval.delta[i] ** np.arange(3)
            age = (as_of - interval.end) / DAY
            w = 0.5 ** (age / 2.0) / (1 + (interval.noise[i] / 1e-3) ** 2)
            matrix += w * np.outer(x, x)
            vector += w * x * interval.error[i]
            square += w * interval.error[i] ** 2
    np.testing.assert_allclose(equations.matrix, matrix, rtol=1e-12)
    np.testing.assert_allclose(equations.vector, vector, rtol=1e-10, atol=1e-18)
    assert equations.square == pytest.approx(square)


@settings(max_examples=30)
@given(
    st.permutations(range(5)),
    st.lists(st.integers(0, 2), min_size=5, max_size=5),
    st.floats(0.5, 100.0),
)
def test_the_sums_are_additive_over_parties_and_free_of_order(order, owners, half_life):
    rows = series([-0.2, 0.1, 0.1], 5, count=20, noise=1e-3)
    as_of = rows[-1].end
    whole = normal_equations(rows, half_life, as_of=as_of)
    parts = [
        normal_equations([rows[i] for i in order if owners[i] == party], half_life, as_of=as_of)
        for party in range(3)
    ]
    total = parts[0] + parts[1] + parts[2]
    np.testing.assert_allclose(total.matrix, whole.matrix, rtol=1e-9, atol=1e-20)
    np.testing.assert_allclose(total.vector, whole.vector, rtol=1e-9, atol=1e-20)
    assert total.square == pytest.approx(whole.square)
    assert total.count == whole.count
    np.testing.assert_allclose(solve(total), solve(whole), rtol=1e-7)


def test_older_intervals_count_less_by_the_half_life():
    rows = made([0.1, 0.2, 0.3], noise=1e-3)
    now, later = (normal_equations([rows], 3.0, as_of=rows.end + age) for age in (0, 3 * DAY))
    np.testing.assert_allclose(later.matrix, 0.5 * now.matrix)
    np.testing.assert_allclose(later.vector, now.scaled(0.5).vector)
    assert later.square == pytest.approx(0.5 * now.square)


def test_a_fit_does_not_look_ahead():
    rows = made([0.1, 0.2, 0.3])
    with pytest.raises(ValueError, match="after the moment"):
        normal_equations([rows], 7.0, as_of=rows.end - 1)
    for half_life in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match="half-life"):
            normal_equations([rows], half_life, as_of=rows.end)


@pytest.mark.parametrize(
    "rows", [[], [made([0.1, 0.2, 0.3], count=2)], [made([0.1, 0.2, 0.3], move=0.0, count=2)]]
)
def test_too_little_determines_no_model(rows):
    with pytest.raises(ValueError, match="do not determine"):
        solve(normal_equations(rows, 7.0, as_of=START))
