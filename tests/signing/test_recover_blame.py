"""Every cheat on every message of a recovery: it is found out, the cheat is named and nobody else, and nobody gets a share."""

from __future__ import annotations

import pytest

from mpc_party.signing.recover import drive_recover
from mpc_party.signing.verdict import Fault, Proof
from tests.support.recover_runs import loss
from tests.support.reshare_cheats import (
    GENERIC,
    REPLAYED,
    UNSIGNED,
    Cheat,
    assert_named,
    cheats_on,
    matrix,
    run_with,
    verdict_of,
)
from tests.support.reshare_runs import public_identity

HELPER_STEPS = ("recover-split", "recover-piece", "recover-echo", "recover-sum")
DONE = "recover-done"
R, HELPER, CHEAT = 0, 1, 2
KEYS = {member: public_identity(member) for member in range(7)}
LIE = "a false echo of the first"
# Disputes in which honest members have good pieces and sums from honest helpers.
SHOWING = [("recover-piece", "cut"), ("recover-echo", LIE), ("recover-sum", "off"), ("recover-sum", "zero")]
MATRIX = [(step, how) for step in HELPER_STEPS for how in cheats_on(step)]


@pytest.fixture(autouse=True)
def _no_long_waits(monkeypatch):
    monkeypatch.setattr("mpc_party.signing.dispute.SECONDS", 2.0)


def attack(step, how, victim, *, own=CHEAT, silent=False, lost=None):
    lost = loss(3, 1, R, (HELPER, CHEAT)) if lost is None else lost
    cheat = Cheat(own, lost.context.session, lost.keys(own), step, how, victim, silent)
    return run_with(lost.mesh(), cheat, lambda e: drive_recover(e, lost.party(e.own), lost.keys(e.own)))


@pytest.mark.parametrize(
    "silent",
    [pytest.param(False, id="answers"), pytest.param(True, id="says nothing", marks=pytest.mark.slow)],
)
@pytest.mark.parametrize(("step", "how"), matrix(*HELPER_STEPS))
def test_a_helper_that_cheats_towards_all_is_named_by_all(step, how, silent):
    outcomes = attack(step, how, None, silent=silent)
    private = step in {
        "recover-piece",
        "recover-sum",
    }  # to one member anyway: only it knows of a missing signature
    victim = {"recover-piece": HELPER, "recover-sum": R}.get(step)
    doubtful = private and how in {UNSIGNED, REPLAYED} and not silent
    assert_named(outcomes, CHEAT, KEYS, victim=victim if doubtful else None)


@pytest.mark.slow
@pytest.mark.parametrize("victim", [R, HELPER])
@pytest.mark.parametrize(
    ("step", "how"), [(step, how) for step, how in MATRIX if step in {"recover-split", "recover-echo"}]
)
def test_a_helper_that_cheats_towards_one_is_named(step, how, victim):
    outcomes = attack(step, how, victim)
    assert isinstance(outcomes[victim], BaseException)
    assert_named(outcomes, CHEAT, KEYS, victim=victim if how in {UNSIGNED, REPLAYED} else None)


@pytest.mark.parametrize(("step", "how"), matrix(DONE))
def test_a_recovering_member_that_confirms_something_else_is_named(step, how):
    assert_named(attack(step, how, None, own=R), R, KEYS)


@pytest.mark.slow
@pytest.mark.parametrize("how", cheats_on("recover-echo"))
def test_a_recovering_member_that_echoes_something_else_is_named(how):
    assert_named(attack("recover-echo", how, None, own=R), R, KEYS)


@pytest.mark.slow
@pytest.mark.parametrize("step", ["recover-split", "recover-echo"])
def test_a_witness_that_cheats_is_named(step):
    lost = loss(5, 2, 0, (1, 2, 3), (4,))
    for how in cheats_on(step):
        if step == "recover-echo" or how in {*GENERIC, UNSIGNED, REPLAYED}:
            assert_named(attack(step, how, None, own=4, lost=lost), 4, KEYS)


@pytest.mark.parametrize(
    ("step", "how", "fault"),
    [
        ("recover-split", "a commitment more", Fault.WRONG_LENGTH),
        ("recover-split", "a commitment off", Fault.WRONG_CONSTANT),
        ("recover-split", "no point", Fault.MALFORMED),
        ("recover-piece", "off its commitment", Fault.WRONG_DEAL),
        ("recover-piece", "another session", Fault.REPLAYS),
        ("recover-echo", "a false echo of the last", Fault.WRONG_ECHO),
        ("recover-echo", "an echo more", Fault.MALFORMED),
        ("recover-sum", "off", Fault.WRONG_SUM),
        ("recover-sum", "another step", Fault.REPLAYS),
    ],
)
def test_the_fault_is_proven_by_the_cheats_own_signature(step, how, fault):
    errors = attack(step, how, None, silent=True)
    assert len(errors) == 2
    for error in errors.values():
        verdict = verdict_of(error, KEYS)
        assert verdict.proven == (CHEAT,), verdict
        assert fault in {f.fault for f in verdict.findings if f.proof is Proof.SIGNED}


@pytest.mark.parametrize("cheats", [pytest.param(MATRIX, marks=pytest.mark.slow, id="all"), SHOWING])
def test_an_honest_helpers_sum_and_pieces_never_leave_in_a_dispute(cheats):
    for step, how in cheats:
        for victim in (None, R):
            if victim == R and step == "recover-piece":
                continue
            lost = loss(3, 1, R, (HELPER, CHEAT))
            meshes = lost.mesh()
            cheat = Cheat(CHEAT, lost.context.session, lost.keys(CHEAT), step, how, victim)
            outcomes = run_with(
                meshes, cheat, lambda e, lost=lost: drive_recover(e, lost.party(e.own), lost.keys(e.own))
            )
            private = [
                data[64:]
                for mesh in meshes
                for peer, _, data in mesh.received
                if peer == HELPER and (b"recover-sum" in data or b"recover-piece" in data)
            ]
            for error in outcomes.values():
                shown = b"".join(statement.body for statement in error.evidence.statements)
                assert not any(body in shown for body in private), (step, how)


def test_a_helper_that_shows_two_members_different_splits_gets_no_sum_out_of_the_other():
    # Both splits add up; r's and the helper's views differ. Without an echo before the sums, the honest sum would not fit.
    outcomes = attack("recover-split", "another last round", R)
    for error in outcomes.values():
        faults = {f.fault for f in verdict_of(error, KEYS).findings if f.proof is Proof.SIGNED}
        assert Fault.EQUIVOCATES in faults
        assert error.culprit == "desk-2"
    assert b"recover-sum" not in b"".join(
        statement.body for error in outcomes.values() for statement in error.evidence.statements
    )
