"""The joint program against the clear, and its cost."""

import itertools
import os
from pathlib import Path

import numpy as np
import pytest

from mpc_party.hedging.chebyshev import output_values
from mpc_party.hedging.exposure import check_exposure
from mpc_party.hedging.model import MINIMUM_VARIANCE, POLICY, policy_bounds
from mpc_party.hedging.outputs import Column, check_inputs, check_range
from mpc_party.hedging.replay import allowance, replay
from mpc_party.market import RecordedChain
from mpc_party.mesh.exchange import FrameKind
from mpc_party.protocol.consortium import SCENARIOS, Program
from mpc_party.protocol.errors import Reason, RoundError
from tests.support.joint import WEIGHTS, Joint, make_joint, network_weights

REPOSITORY = Path(__file__).parents[2]
CHAIN = Path(
    os.environ.get("MPC_CHAIN_FILE", REPOSITORY.parent / "shared/data/deribit_btc_options_2026-01_02.csv.gz")
)
ULP = 2.0**-16


@pytest.fixture(scope="module")
def joint() -> Joint:
    return make_joint()


@pytest.fixture(scope="module")
def opened(joint):
    return joint.run()


def in_the_clear(joint: Joint) -> np.ndarray:
    weights = np.rint(np.array(joint.weights) / ULP) * ULP
    return replay(joint.public, [s.market for s in joint.snapshots], joint.kind, weights)


@pytest.mark.parametrize("kind", [MINIMUM_VARIANCE, POLICY])
def test_the_opened_table_is_that_of_the_replay_in_the_clear(kind):
    joint = make_joint(most=200, kind=kind)
    opened = joint.run()[0]
    error = np.abs(opened.table * ULP - in_the_clear(joint))
    assert (error.max(axis=1) <= allowance(joint.public, kind, np.array(joint.weights))).all()
    assert np.median(error / ULP) < 1.0
    assert (error.max(axis=1) > 0).all()  # the two are computed differently, in every column


def test_the_opened_greeks_are_those_of_black_76_at_the_opened_vol(joint, opened):
    public = joint.public
    ratio = opened[0].decoded(Column.VOL_RATIO)
    exact = output_values(public.moneyness, public.reference_vol * ratio, public.time, public.call, ratio)
    for column, bound in (
        (Column.DELTA, 2e-4),
        (Column.DENSITY, 4e-4),
        (Column.GAMMA_SHAPE, 6e-4),
        (Column.TIME_VALUE, 1e-4),
    ):
        assert np.abs(opened[0].decoded(column) - exact[column]).max() < bound, column
    check_range(public, opened[0])


def test_the_hedge_delta_is_that_of_the_dealt_weights(joint, opened):
    delta, density = opened[0].decoded(Column.DELTA), opened[0].decoded(Column.DENSITY)
    a, b, c = WEIGHTS
    call_delta = np.where(joint.public.call, delta, delta + 1)
    expected = delta + density * (a + b * call_delta + c * call_delta**2)
    assert np.abs(opened[0].decoded(Column.HEDGE_DELTA) - expected).max() < 8 * ULP


def test_a_put_and_a_call_of_one_strike_hedge_alike():
    joint = make_joint(most=680)
    public, table = joint.public, joint.run()[0]
    keys = list(zip(public.expiry_index.tolist(), public.strike.tolist(), strict=True))
    calls = {key: i for i, key in enumerate(keys) if public.call[i]}
    pairs = [(calls[key], i) for i, key in enumerate(keys) if not public.call[i] and key in calls]
    assert len(pairs) > 100
    hedge = table.decoded(Column.HEDGE_DELTA)
    for call, put in pairs:
        assert abs(hedge[call] - hedge[put] - 1) < 5e-4


def test_rounds_and_bytes_are_what_the_program_says(joint, opened):
    assert opened
    count, expiries = joint.public.count, len(joint.public.grid.expiry)
    for traffic in joint.traffic:  # the first 1 is the session's seeds
        assert traffic.rounds == 1 + 1 + 3 + 0 + 4 + 0 + 3 + 6 + 1
        # Comparisons work on 64 elements at a time; the portfolios' sums are one such block.
        assert traffic.bytes_sent < 8 * (100 * (count + 2 * 64) + 40 * expiries)


def test_the_network_takes_three_rounds_more():
    joint = make_joint(most=40, kind=POLICY)
    joint.run()
    assert {traffic.rounds for traffic in joint.traffic} == {1 + 1 + 3 + 0 + 4 + 0 + 6 + 6 + 1}


@pytest.mark.parametrize("degree", [4, 5, 7, 8, 9, 16])
def test_any_degree_evaluates_its_polynomials(degree):
    joint = make_joint(most=12, program=Program(degree=degree, band=1.0))
    error = np.abs(joint.run()[0].table * ULP - in_the_clear(joint))
    assert (error.max(axis=1) <= allowance(joint.public)).all()


@pytest.mark.parametrize("level", [-1.4, -1.3, 1.3, 1.4])
def test_the_allowance_holds_at_the_ends_of_the_band(level):
    joint = make_joint(most=120)
    for snapshot in joint.snapshots:
        snapshot.market[:-1] = [round(level / ULP), 0, 0]
    table = joint.run()[0].table * ULP
    assert (np.abs(table - in_the_clear(joint)).max(axis=1) <= allowance(joint.public)).all()


@pytest.mark.parametrize("scenarios", [SCENARIOS[:1], SCENARIOS[:3], SCENARIOS * 2])
def test_any_number_of_scenarios(scenarios):
    joint = make_joint(most=30, program=Program(scenarios=scenarios))
    opened = joint.run()
    check_range(joint.public, opened[0])
    for party, snapshot in zip(opened, joint.snapshots, strict=True):
        check_exposure(joint.public, party.table * ULP, snapshot.positions * ULP, party.exposure)


def passes(joint: Joint, opened) -> bool:
    """Whether every party's checks of what was opened to it pass."""
    try:
        for party, snapshot in zip(opened, joint.snapshots, strict=True):
            check_inputs(party, ("a", "b", "c"))
            check_range(joint.public, party)
            check_exposure(joint.public, party.table * ULP, snapshot.positions * ULP, party.exposure)
    except RoundError as error:
        return error.reason not in {Reason.COMPUTATION_OUT_OF_RANGE, Reason.INPUT_OUT_OF_RANGE}
    return True


@pytest.mark.parametrize("party", [0, 1, 2])
@pytest.mark.parametrize("position", [0, 2, 5, 8])
def test_a_spoiled_message_is_not_signed(party, position):
    """Its word is far off: a range check fails, or the tables differ and the parties' approvals with them."""
    joint = make_joint(most=20)
    spoiled = []

    def spoil(exchange):
        seen = itertools.count()

        def tamper(_peer, kind, data):
            if kind is FrameKind.WORDS and next(seen) == position:
                words = np.frombuffer(data, dtype="<i8") + (1 << 50)
                spoiled.append(position)
                return words.tobytes()
            return data

        if exchange.own == party:
            exchange.tamper = tamper

    tables = joint.run(number=2, attack=spoil)
    assert spoiled
    agree = all((tables[0].table == table.table).all() for table in tables)
    assert not (agree and passes(joint, tables))


@pytest.mark.skipif(
    not CHAIN.exists(), reason=f"needs the recorded chain: set MPC_CHAIN_FILE (looked for {CHAIN.name})"
)
def test_a_whole_real_chain():
    source = RecordedChain(CHAIN)
    joint = make_joint(source, source.times[20], most=680)
    table = joint.run()[0]
    check_range(joint.public, table)
    assert joint.public.count >= 500
    ratio = table.decoded(Column.VOL_RATIO)
    public = joint.public
    exact = output_values(public.moneyness, public.reference_vol * ratio, public.time, public.call, ratio)
    assert np.abs(table.decoded(Column.DELTA) - exact[Column.DELTA]).max() < 2e-4
    assert max(t.bytes_sent for t in joint.traffic) < 640 * 1024


def test_the_allowance_follows_a_network_that_makes_much_of_a_rounding():
    """Small activations and a large last layer: its honest error is several times that of a trained network."""
    weights = np.array(network_weights())
    first, second, last, final = slice(0, 112), slice(112, 384), slice(384, 400), slice(384, 401)
    weights[first] *= 0.3 / policy_bounds(weights)[0]
    for part, at, reach in ((second, 1, 0.3), (last, 2, 7.9), (second, 1, 0.3), (final, 2, 7.9)):
        weights[part] *= reach / policy_bounds(weights)[at]
    joint = make_joint(most=200, kind=POLICY)
    joint.weights = tuple(weights)
    error = np.abs(joint.run()[0].table * ULP - in_the_clear(joint))[Column.HEDGE_DELTA].max()
    allowed = allowance(joint.public, POLICY, weights)[Column.HEDGE_DELTA]
    assert allowance(joint.public)[Column.HEDGE_DELTA] < error <= allowed
