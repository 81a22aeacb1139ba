"""The joint program against the clear, its cost, and what a party can see of the others' inputs."""

import ast
import itertools
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from mpc_party import hedging
from mpc_party.hedging.aggregate import mean_in_the_clear
from mpc_party.hedging.chebyshev import output_values
from mpc_party.hedging.outputs import Column, check_range
from mpc_party.market import RecordedChain
from mpc_party.mesh.exchange import FrameKind
from mpc_party.protocol.consortium import Program
from mpc_party.protocol.errors import Reason, RoundError
from tests.support.joint import WEIGHTS, Joint, make_joint

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


def deviations_in_the_clear(joint: Joint) -> np.ndarray:
    words = torch.tensor(np.stack([s.words for s in joint.snapshots]) * ULP)
    mean = mean_in_the_clear(words).numpy()
    basis = joint.public.grid.basis(joint.public.expiry_index, joint.public.strike)
    return (basis * mean[joint.public.expiry_index]).sum(axis=1)


def test_all_parties_open_the_same_table(opened):
    assert (opened[0].table == opened[1].table).all()
    assert (opened[0].table == opened[2].table).all()


def test_the_opened_vols_are_the_weighted_mean_of_the_private_fits(joint, opened):
    """Each aggregated coefficient is off by a few units in the last place, which the basis carries to the vols."""
    found = np.log(opened[0].decoded(Column.VOL_RATIO))
    basis = joint.public.grid.basis(joint.public.expiry_index, joint.public.strike)
    bound = (8 * np.abs(basis).sum(axis=1) + 16 * np.exp(np.abs(found))) * ULP
    error = np.abs(found - deviations_in_the_clear(joint))
    assert (error < bound).all()
    assert np.median(error) < 2e-4


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
    for traffic in joint.traffic:
        assert traffic.rounds == 1 + 1 + 12 + 1 + 8 + 1 + 6 + 1
        assert traffic.bytes_sent < 8 * (35 * count + 40 * expiries) + 1024


@pytest.mark.parametrize("degree", [4, 5, 7, 8, 9, 16])
def test_any_degree_evaluates_its_polynomials(degree):
    joint = make_joint(most=12, program=Program(degree=degree, band=1.0))
    table = joint.run()[0]
    ratio = table.decoded(Column.VOL_RATIO)
    u = deviations_in_the_clear(joint) / joint.public.program.band
    polynomials = np.cos(np.arange(degree + 1)[:, None] * np.arccos(np.clip(u, -1, 1)))
    expected = (joint.public.coefficients * ULP * polynomials).sum(axis=1)
    assert np.abs(expected[0] / ratio - 1.0).max() < 2e-3
    assert np.abs(expected[1] - table.decoded(Column.DELTA)).max() < 2e-3


def passes(joint: Joint, table) -> bool:
    try:
        check_range(joint.public, table)
    except RoundError as error:
        return error.reason is not Reason.COMPUTATION_OUT_OF_RANGE
    return True


@pytest.mark.parametrize("party", [0, 1, 2])
@pytest.mark.parametrize("position", [0, 4, 9, 11])
def test_a_spoiled_message_is_not_signed(party, position):
    """Its word is far off: a range check fails, or the tables differ and the parties' approvals with them."""
    joint = make_joint(most=20)

    def spoil(exchange):
        seen = itertools.count()

        def tamper(_peer, kind, data):
            if kind is FrameKind.WORDS and next(seen) == position:
                words = np.frombuffer(data, dtype="<i8") + (1 << 50)
                return words.tobytes()
            return data

        if exchange.own == party:
            exchange.tamper = tamper

    tables = joint.run(number=2, attack=spoil)
    agree = all((tables[0].table == table.table).all() for table in tables)
    assert not (agree and passes(joint, tables[0]))


def received_words(joint: Joint, party: int) -> list[np.ndarray]:
    """All words that a party received, but those of the opening, which everybody may know."""
    messages = [data for _, kind, data in joint.exchanges[party].received if kind is FrameKind.WORDS]
    return [np.frombuffer(data, dtype="<i8") for data in messages[:-1]]


SMALL = 2**24  # inputs are below 2^22; a uniform word is this small once in 2^39


def test_no_two_messages_that_a_party_receives_rebuild_an_input(joint, opened):
    assert opened
    for party in range(3):
        messages = received_words(joint, party)
        # Party 0 is sent nothing by a multiplication that is joined with its truncation.
        assert sum(len(m) for m in messages) > (1000 if party else 40)
        for message in messages:
            assert not (np.abs(message.astype(np.float64)) < SMALL).any()
        for first, second in itertools.combinations(messages, 2):
            size = min(len(first), len(second))
            for combined in (first[:size] + second[:size], first[:size] - second[:size]):
                assert not (np.abs(combined.astype(np.float64)) < SMALL).any()


def test_what_a_party_receives_is_uniform_whatever_the_inputs():
    """The components that a party lacks mask all it gets: low 48 bits are uniform (a truncated word has 48)."""
    joint = make_joint(most=40)
    joint.snapshots = [joint.snapshots[0]] * 3
    for party in range(3):
        words = []
        for number in range(3, 6):
            joint.run(number=number)
            words += received_words(joint, party)
        bytes_ = np.frombuffer(np.concatenate(words).astype("<i8").tobytes(), dtype=np.uint8).reshape(-1, 8)[
            :, :6
        ]
        counts = np.bincount(bytes_.ravel(), minlength=256)
        expected = bytes_.size / 256
        chi_square = ((counts - expected) ** 2 / expected).sum()
        # 255 degrees of freedom: mean 255, deviation 22.6; 400 is passed by chance once in 10^8.
        assert chi_square < 400, f"party {party}"


def test_equal_inputs_give_unequal_messages_in_every_round():
    joint = make_joint(most=20)
    seen: set[bytes] = set()
    for number in (1, 1, 2):  # the same number twice: randomness is fresh, not only a function of the round
        joint.run(number=number)
        for party in range(3):
            for message in received_words(joint, party):
                content = message.tobytes()
                assert content not in seen
                seen.add(content)


def test_only_the_listed_table_is_opened():
    """Every call in this package that could open shares is the one in the program."""
    openings = []
    for path in sorted(Path(hedging.__file__).parent.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            name = getattr(node, "attr", None) or getattr(node, "id", None)
            if isinstance(node, ast.Attribute | ast.Name) and str(name).startswith(
                ("open_", "get_plain", "reveal")
            ):
                openings.append((path.name, name))
    assert openings == [("program.py", "open_words_many")]


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
    assert max(t.bytes_sent for t in joint.traffic) < 256 * 1024
