"""The joint program against float64, its cost, what it opens, and what liars and wild truncations come to."""

import ast
from collections import Counter
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch

from mpc_party import refit
from mpc_party.mesh.exchange import FrameKind
from mpc_party.protocol.errors import Reason
from mpc_party.refit import solve as program
from mpc_party.refit.equations import Equations, equations, pooled_weights
from mpc_party.refit.solve import (
    FRACTION_BITS,
    HIGHEST_RIDGE,
    LOWEST_RIDGE,
    REACH,
    Scheme,
    require_inputs_in_range,
    solve,
)
from mpc_party.secure import PrivateInput, SecureError, share_many
from tests.support.refits import desk_equations
from tests.support.secure_parties import generator_of, run_secure

NAMES = ("alice", "bob", "carol")
ERROR = 1e-4  # of each of a, b, c at a ridge of 1/32 and more


def run_solve(inputs, ridge=0.05, *, seed=0, bits=16, keep=None, tamper=None):
    """The program at three parties with these inputs ((3, 4) arrays); what it returned, as shares, and the traffic."""

    def party(session):
        shares = share_many(
            [
                PrivateInput(p, (3, 4), torch.from_numpy(words) if p == session.position else None)
                for p, words in enumerate(inputs)
            ]
        )
        require_inputs_in_range(shares, NAMES)
        result = solve(shares, ridge, bits)
        if keep is not None:
            keep[session.position] = session.traffic.rounds
        return result.words.numpy()

    return run_secure(party, seed=seed, fraction_bits=FRACTION_BITS, tamper=tamper)


def value(outcome, bits=16):
    first, second, _ = outcome.results
    return (first[0] + first[1] + second[1]) / 2.0**bits


def random_inputs(generator):
    """Systems from well to badly conditioned: deltas that are spread, or crowded somewhere."""
    result = []
    for _ in range(3):
        spread, centre = generator.choice([0.05, 0.1, 0.3]), generator.uniform(0.2, 0.8)
        delta = np.clip(generator.normal(centre, spread, 100), 0, 1)
        basis = np.stack([np.ones(100), 2 * delta - 1, 6 * delta**2 - 6 * delta + 1], axis=1)
        rows = basis * generator.normal(size=100)[:, None]
        error = rows @ (generator.normal(size=3) * 0.2) + 0.2 * generator.normal(size=100)
        result.append(equations(rows.T @ rows, rows.T @ error))
    return result


@pytest.mark.parametrize("ridge", [1 / 32, 0.05, 0.3, HIGHEST_RIDGE])
def test_the_weights_are_those_of_the_pooled_solution(ridge):
    generator, worst = generator_of(7), 0.0
    for seed in range(12):
        desks = random_inputs(generator)
        expected = pooled_weights(desks, ridge)
        if np.abs(expected).sum() > 0.99 * REACH:
            continue
        found = value(run_solve([desk.root for desk in desks], ridge, seed=seed))
        worst = max(worst, float(np.abs(found - expected).max()))
    assert 0 < worst < ERROR


def test_the_lowest_ridge_is_still_accurate():
    desks = [desk_equations(seed) for seed in range(3)]
    found = value(run_solve([desk.root for desk in desks], LOWEST_RIDGE))
    assert np.abs(found - pooled_weights(desks, LOWEST_RIDGE)).max() < 2 * ERROR


@pytest.mark.parametrize("bits", [12, 16, 20])
def test_weights_come_with_the_programs_fraction_bits(bits):
    desks = [desk_equations(seed) for seed in range(3)]
    found = value(run_solve([desk.root for desk in desks], bits=bits), bits)
    assert np.abs(found - pooled_weights(desks, 0.05)).max() < ERROR + 2.0**-bits


@pytest.mark.parametrize("ridge", [LOWEST_RIDGE, 1 / 32, 0.05, HIGHEST_RIDGE])
def test_rounds_and_bytes_are_what_the_program_says(ridge):
    rounds: dict[int, int] = {}
    outcome = run_solve([desk_equations(seed).root for seed in range(3)], ridge, keep=rounds)
    setup = 1
    assert set(rounds.values()) == {setup + 1 + 6 + 19 + Scheme(3, ridge).squarings}
    for session in outcome.sessions:
        assert session.traffic.bytes_sent < 17_000
    if ridge == 1 / 32:
        assert set(rounds.values()) == {setup + 34}


@pytest.mark.parametrize("desks", [3, 4, 7])
@pytest.mark.parametrize("ridge", [LOWEST_RIDGE, 0.05, HIGHEST_RIDGE])
def test_the_iterations_bring_the_inverse_within_a_128th(desks, ridge):
    scheme = Scheme(desks, ridge)
    c = 2.0**-scheme.scale_bits
    assert c * (desks + scheme.shift) <= 1.75 < 2 * c * (desks + scheme.shift)
    for eigenvalue in np.linspace(scheme.shift, desks + scheme.shift, 50):
        assert abs(1 - c * eigenvalue) ** (2 ** (scheme.squarings + 1)) <= 1 / 128


@pytest.mark.parametrize("ridge", [0.0, LOWEST_RIDGE / 2, 1.5, float("nan"), float("inf"), -1.0])
def test_a_ridge_that_bounds_nothing_is_refused(ridge):
    with pytest.raises(ValueError, match="ridge"):
        Scheme(3, ridge)


# Liars


def changed(position, value):
    def change(root):
        root = root.copy()
        root[position] = value
        return root

    return change


LIES = {
    "an entry of R": changed((0, 0), 1.5),
    "a negative entry of R": changed((2, 1), -1.5),
    "an entry of q": changed((1, 3), 0.6),
    "q in all directions": lambda root: np.column_stack([root[:, :3], np.full(3, 0.45)]),
    "a greater trace": lambda root: np.column_stack([1.01 * root[:, :3], root[:, 3]]),
    "a smaller trace": lambda root: np.column_stack([0.5 * root[:, :3], root[:, 3]]),
    "nothing": np.zeros_like,
    # Squares that wrap to a trace of 1 in the ring: 2^44 squared is 2^88, which is 0 there.
    "an entry whose square wraps": lambda root: changed((0, 0), 2.0**24)(
        np.column_stack([np.vstack([[0, 0, 0], [1, 0, 0], [0, 0, 0]]), root[:, 3]])
    ),
    "the least word": changed((1, 2), 1 - 2.0**43),
}


@pytest.mark.parametrize("liar", [0, 1, 2])
@pytest.mark.parametrize("lie", LIES)
def test_an_input_out_of_range_is_refused_and_its_desk_named(lie, liar):
    inputs = [desk_equations(seed).root for seed in range(3)]
    inputs[liar] = LIES[lie](inputs[liar])
    with pytest.raises(SecureError) as caught:
        run_solve(inputs)
    assert caught.value.reason is Reason.COMPUTATION_OUT_OF_RANGE
    assert caught.value.culprit == NAMES[liar]


def test_an_input_at_its_bounds_passes():
    edge = np.zeros((3, 4))
    edge[0, 0], edge[1, 3] = 1.0, -0.5
    honest = desk_equations(1)
    found = value(run_solve([edge, honest.root, honest.root]))
    assert np.abs(found - pooled_weights([Equations(edge), honest, honest], 0.05)).max() < ERROR


def test_weights_beyond_the_reach_of_a_model_are_refused():
    """All desks see a steep third power in a corner that hardly any data reach."""
    direction = np.array([1.0, 0.9, 0.75]) / np.linalg.norm([1.0, 0.9, 0.75])
    across = np.array([0.9, -1.0, 0.0]) / np.linalg.norm([0.9, -1.0, 0.0])
    root = np.stack([0.995 * direction, np.sqrt(1 - 0.995**2) * across, np.zeros(3)])
    steep = np.column_stack([root, [0.0, 0.5, 0.0]])
    assert np.abs(pooled_weights([Equations(steep)] * 3, LOWEST_RIDGE)).sum() > REACH
    with pytest.raises(SecureError, match="exceed") as caught:
        run_solve([steep] * 3, LOWEST_RIDGE)
    assert caught.value.reason is Reason.COMPUTATION_OUT_OF_RANGE
    assert caught.value.culprit is None


# Deviation and wild truncations


def add_once(at):
    """Adds 2^40 to the words of one message."""
    seen = [0]

    def tamper(_peer, kind, data):
        if kind is FrameKind.WORDS:
            seen[0] += 1
            if seen[0] == at:
                return (np.frombuffer(data, dtype="<i8") + (1 << 40)).tobytes()
        return data

    return tamper


@pytest.mark.parametrize("party", [0, 1, 2])
@pytest.mark.parametrize("at", [3, 8, 15, 20, 26, 30])
def test_a_spoiled_word_does_not_become_a_wrong_model(party, at):
    """Either the verdict refuses the result, or the parties hold inconsistent shares, or it has corrected itself."""
    desks = [desk_equations(seed) for seed in range(3)]
    outcome = None
    with suppress(SecureError):  # refused
        outcome = run_solve([desk.root for desk in desks], tamper={party: add_once(at)})
    if outcome is None:
        return
    a, b, c = outcome.results
    consistent = (a[1] == b[0]).all() and (b[1] == c[0]).all() and (c[1] == a[0]).all()
    if consistent:
        assert np.abs(value(outcome) - pooled_weights(desks, 0.05)).max() < ERROR


def test_a_truncation_gone_wild_is_found_out(monkeypatch):
    """Move one value of the last refinement at all parties alike: the solution, and not how it is checked."""
    desks = [desk_equations(seed) for seed in range(3)]
    real, calls = program._residual, Counter()

    def wild(root, *others):
        calls[root.session.position] += 1
        residual = real(root, *others)
        shift = 0.5 if calls[root.session.position] == 2 else 0.0
        return residual + shift * torch.eye(3, 1, dtype=torch.float64)

    monkeypatch.setattr(program, "_residual", wild)
    with pytest.raises(SecureError, match="gone wild") as caught:
        run_solve([desk.root for desk in desks])
    assert caught.value.remedy == "run the refit again with fresh randomness"
    assert set(calls.values()) == {3}


def test_a_bad_inverse_is_corrected_by_the_refinements(monkeypatch):
    desks = [desk_equations(seed) for seed in range(3)]
    real = program._inverse

    def rough(root, scheme):
        return real(root, scheme) + 2.0**-7 * torch.eye(3, dtype=torch.float64)

    monkeypatch.setattr(program, "_inverse", rough)
    found = value(run_solve([desk.root for desk in desks]))
    assert np.abs(found - pooled_weights(desks, 0.05)).max() < ERROR


# What is opened


def test_only_the_counts_and_the_verdict_are_opened():
    outcome = run_solve([desk_equations(seed).root for seed in range(3)])
    for session in outcome.sessions:
        opened = session.traffic.by_operation["open"]
        assert (opened.rounds, opened.bytes_sent) == (2, 8 * (3 + 1))


def test_no_other_file_of_the_package_opens_anything():
    openings = []
    for path in sorted(Path(refit.__file__).parent.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            name = getattr(node, "attr", None) or getattr(node, "id", None)
            if isinstance(node, ast.Attribute | ast.Name) and str(name).startswith(
                ("open_", "get_plain", "reveal")
            ):
                openings.append((path.name, name))
    assert openings == [("solve.py", "open_words_many")] * 2


def test_the_counts_are_zero_and_the_verdict_is_zero_for_honest_desks(monkeypatch):
    seen = []
    real = program.open_words_many

    def watched(shares):
        opened = real(shares)
        seen.append([words.tolist() for words in opened])
        return opened

    monkeypatch.setattr(program, "open_words_many", watched)
    run_solve([desk_equations(seed).root for seed in range(3)])
    assert sorted(map(str, seen)) == sorted(map(str, [[[0, 0, 0]], [0]] * 3))
