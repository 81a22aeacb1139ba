"""Every cheat on every message of a resharing: it is found out, the cheat is named and nobody else, and nobody gets a share."""

from __future__ import annotations

import pytest

from mpc_party.signing.reshare import drive_reshare
from mpc_party.signing.verdict import Fault, Proof
from tests.support.reshare_cheats import (
    REPLAYED,
    UNSIGNED,
    Cheat,
    assert_named,
    cheats_on,
    matrix,
    run_with,
    verdict_of,
)
from tests.support.reshare_runs import move, public_identity, shaped
from tests.support.signing_parties import key_shares

STEPS = ("reshare-commit", "reshare-open", "reshare-deal", "reshare-confirm")
REFRESH = "3/1 -> 3/1, refresh"
CHEAT = 1  # a dealer of three, with 0
KEYS = {member: public_identity(member) for member in range(8)}


@pytest.fixture(autouse=True)
def _no_long_waits(monkeypatch):
    monkeypatch.setattr("mpc_party.signing.dispute.SECONDS", 2.0)


def attack(moved, step, how, victim, *, own=CHEAT, silent=False):
    cheat = Cheat(own, moved.context.session, moved.keys(own), step, how, victim, silent)
    return run_with(moved.mesh(), cheat, lambda e: drive_reshare(e, moved.party(e.own), moved.keys(e.own)))


LIE = "a false echo of the first"  # about what 0, who is honest, has said
MATRIX = [(step, how) for step in STEPS for how in cheats_on(step)]


@pytest.mark.parametrize(
    "silent",
    [pytest.param(False, id="answers"), pytest.param(True, id="says nothing", marks=pytest.mark.slow)],
)
@pytest.mark.parametrize(("step", "how"), matrix(*STEPS))
def test_who_cheats_towards_all_is_named_by_all(step, how, silent):
    outcomes = attack(shaped(REFRESH), step, how, None, silent=silent)
    assert_named(outcomes, CHEAT, KEYS)


@pytest.mark.slow
@pytest.mark.parametrize(("step", "how"), MATRIX)
def test_who_cheats_towards_one_is_named_by_all_that_can_know(step, how):
    outcomes = attack(shaped(REFRESH), step, how, 2)
    assert isinstance(outcomes[2], BaseException)
    unsigned = how in {UNSIGNED, REPLAYED}
    assert_named(outcomes, CHEAT, KEYS, victim=2 if unsigned else None)


# Disputes in which honest members have good shares from honest dealers.
SHOWING = [(STEPS[2], "off the polynomial"), (STEPS[2], "cut"), (STEPS[3], LIE), (STEPS[3], "another result")]
OTHERS = [
    ("5/2 -> 3/1, two leave", 1),  # a dealer that leaves
    ("5/2 -> 3/1, two leave", 4),  # one that deals nothing, and stays
    ("3/1 -> 5/2, two join", 4),  # one that joins
    ("3/1 -> 3/1, nobody stays", 0),
    ("3/1 -> 3/1, nobody stays", 5),
]


@pytest.mark.slow
@pytest.mark.parametrize(("shape", "own"), OTHERS)
@pytest.mark.parametrize("step", STEPS)
def test_cheats_in_other_places_are_named_too(shape, own, step):
    moved = shaped(shape)
    if own not in moved.context.dealers and step != STEPS[-1]:
        return  # it has nothing to say there
    for how in ("cut", "another session", UNSIGNED):
        assert_named(attack(moved, step, how, None, own=own), own, KEYS)


@pytest.mark.parametrize(
    ("step", "how", "fault"),
    [
        ("reshare-commit", "another hash", Fault.WRONG_OPENING),
        ("reshare-open", "a longer vector", Fault.WRONG_LENGTH),
        ("reshare-open", "another coefficient", Fault.WRONG_OPENING),
        ("reshare-deal", "off the polynomial", Fault.WRONG_DEAL),
        ("reshare-deal", "cut", Fault.MALFORMED),
        ("reshare-deal", "another step", Fault.REPLAYS),
        ("reshare-confirm", "another session", Fault.REPLAYS),
        ("reshare-confirm", "another result", Fault.WRONG_RESULT),
        ("reshare-confirm", "a false echo of the last", Fault.WRONG_ECHO),
        ("reshare-confirm", "an echo less", Fault.MALFORMED),
    ],
)
def test_the_fault_is_proven_by_the_cheats_own_signature(step, how, fault):
    for error in attack(shaped(REFRESH), step, how, None, silent=True).values():
        verdict = verdict_of(error, KEYS)
        assert (CHEAT, fault, Proof.SIGNED) in {f[:3] for f in verdict.findings}
        assert verdict.proven == (CHEAT,)


@pytest.mark.parametrize("step", ["reshare-commit", "reshare-open"])
def test_telling_one_member_something_else_is_equivocation(step):
    moved = shaped(REFRESH)
    how = "another hash" if step == "reshare-commit" else "another coefficient"
    for error in attack(moved, step, how, 2).values():
        faults = {f.fault for f in verdict_of(error, KEYS).findings if f.proof is Proof.SIGNED}
        assert Fault.EQUIVOCATES in faults


@pytest.mark.parametrize("victim", [None, 2])
@pytest.mark.parametrize("silent", [False, True])
def test_a_lie_about_what_another_dealer_said_is_the_liars(victim, silent):
    # 2 cannot tell by itself whether 0 told 1 something else; nobody leaves before it is settled.
    outcomes = attack(shaped(REFRESH), STEPS[-1], LIE, victim, silent=silent)
    assert_named(outcomes, CHEAT, KEYS)


@pytest.mark.parametrize("cheats", [pytest.param(MATRIX, marks=pytest.mark.slow, id="all"), SHOWING])
def test_no_good_share_of_an_honest_dealer_is_shown_in_any_dispute(cheats):
    moved = shaped(REFRESH)
    for step, how in cheats:
        parties = {}

        def program(exchange, parties=parties):
            party = parties[exchange.own] = moved.party(exchange.own)
            return drive_reshare(exchange, party, moved.keys(exchange.own))

        cheat = Cheat(CHEAT, moved.context.session, moved.keys(CHEAT), step, how, 2)
        meshes = moved.mesh()
        outcomes = run_with(meshes, cheat, program)
        dealt = [
            data[64:]
            for mesh in meshes
            for peer, _, data in mesh.received
            if peer == 0 and b"reshare-deal" in data
        ]
        for error in outcomes.values():
            if isinstance(error, BaseException):
                shown = b"".join(statement.body for statement in error.evidence.statements)
                assert not any(body in shown for body in dealt), (step, how)


@pytest.mark.parametrize(
    ("shape", "most"),
    [
        (REFRESH, 1),
        ("3/1 -> 5/2, two join", 2),
        ("5/2 -> 3/1, two leave", 2),
        ("4/1 -> 4/1, one replaced", 2),
        ("3/1 -> 3/1, nobody stays", 2),
        ("7/3 -> 7/3, refresh", 3),
    ],
)
def test_more_than_all_that_can_be_corrupt_must_attest(shape, most):
    assert shaped(shape).context.most_corrupt == most


def test_most_corrupt_is_the_most_over_all_choices():
    import itertools  # noqa: PLC0415

    for new, threshold in [((0, 1, 2, 3), 1), ((0, 1, 4, 5, 6), 2), ((4, 5, 6), 1), ((3, 4, 5, 6, 7), 2)]:
        context = move(key_shares(4, 1), new, threshold).context
        cast = range(len(context.names))
        best = 0
        for size in range(5):
            for chosen in itertools.combinations(cast, size):
                old = sum(context.old_seats[index] is not None for index in chosen)
                joined = sum(context.new_seats[index] is not None for index in chosen)
                if old <= 1 and joined <= threshold:
                    best = max(best, size)
        assert context.most_corrupt == best
