"""One round of three parties in threads, over a real mesh on loopback: what they get, and what is left if they fail."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from mpc_party.audit.opening import open_opening
from mpc_party.daemon import round_job
from mpc_party.daemon.round_job import (
    compare_transcripts,
    prepare,
    run_round,
    session_identifier,
)
from mpc_party.hedging.outputs import Column, Opened
from mpc_party.hedging.public import public_inputs
from mpc_party.journal import JournalError, RoundState
from mpc_party.market.black76 import greeks
from mpc_party.mesh import FrameKind
from mpc_party.protocol.consortium import Program
from mpc_party.protocol.eip712 import report_digest, verify_signature
from mpc_party.protocol.errors import ConsortiumError, Reason, RoundError
from mpc_party.protocol.merkle import merkle_root
from mpc_party.protocol.messages import encode_message, message_hash
from mpc_party.protocol.report import decode_report
from mpc_party.protocol.words import book_hash, unpack_params
from tests.support.local_mesh import local_mesh, party_outcomes

ALL = (0, 1, 2)
YEAR = 365 * 86_400


def commitments(ready):
    return tuple(ready[member].commitment for member in sorted(ready))


def run(parties, ready, given=None):
    """Run the round of all that are ready; `given` maps a member to other commitments."""
    agreed = commitments(ready)
    return parties.together(
        tuple(ready),
        lambda member: run_round(parties.contexts[member], ready[member], (given or {}).get(member, agreed)),
    )


def journal(parties, member):
    (record,) = parties.contexts[member].journal.rounds()
    return record


def check_nothing_signed(parties, members=ALL):
    for member in members:
        assert not journal(parties, member).nonce_spent


@pytest.mark.parametrize("committee", [(0, 1, 2), (0, 2, 3)])
def test_all_get_the_same_signed_report(parties, numbered, committee):
    proposal = numbered(7, committee=committee)
    ready = parties.prepare(proposal)
    results = run(parties, ready)
    consortium = parties.world.consortium
    settlement = consortium.settlement
    first = results[committee[0]]
    for member in committee:
        result = results[member]
        assert (result.round, result.digest, result.report, result.signature) == (
            proposal.round,
            first.digest,
            first.report,
            first.signature,
        )
        encode_message(result)  # fits in a message
        assert result.times.mesh_bytes > 10_000
        assert result.times.mesh_rounds > 20
        record = journal(parties, member)
        assert (record.digest, record.nonce_spent, record.state) == (first.digest, True, RoundState.PROMISED)
    assert len({result.times.mesh_rounds for result in results.values()}) == 1
    report = decode_report(first.report)
    assert first.digest == report_digest(report, settlement.chain_id, settlement.contract)
    verify_signature(first.digest, first.signature, consortium.group_address)
    assert report.inputs == merkle_root(commitments(ready))
    assert report.model.hex() == consortium.model
    assert report.book == book_hash(proposal.underlying, proposal.expiries, proposal.instruments)
    assert (report.round, report.epoch, report.observed_at) == (proposal.round, 1, proposal.observed_at)
    check_deltas(proposal, unpack_params(report.params))


def check_deltas(proposal, params):
    slot = [proposal.expiries[i.expiry] for i in proposal.instruments]
    moneyness = np.array([i.strike / s.forward for i, s in zip(proposal.instruments, slot, strict=True)])
    time_left = np.array([(s.expiry - proposal.observed_at) / YEAR for s in slot])
    call = np.array([i.call for i in proposal.instruments])
    vol = np.array(params["iv"]) * 1e-6
    exact = greeks(moneyness, vol, time_left, call)
    assert np.abs(np.array(params["bs_delta"]) * 1e-6 - exact.delta).max() < 1e-3
    assert 0.3 < np.median(vol) < 0.8


def test_rounds_follow_each_other_on_the_same_links(parties, numbered):
    for nth in (1, 2):
        results = run(parties, parties.prepare(numbered(nth)))
        assert {result.round for result in results.values()} == {4 * nth}
    assert [record.round for record in parties.contexts[0].journal.rounds()] == [8, 4]


def test_the_promise_is_in_the_journal_before_there_is_a_commitment(parties, numbered, monkeypatch):
    party = parties.contexts[0]
    proposal = numbered(3)
    ready = prepare(party, proposal, message_hash(proposal), 0)
    assert party.journal.last_round() == proposal.round
    record = journal(parties, 0)
    assert (record.proposal, record.state) == (message_hash(proposal), RoundState.PROMISED)
    assert party.journal.snapshot(proposal.round).commitment == ready.commitment
    kept = open_opening(party.journal.opening(proposal.round).opening, parties.world.identities[0].decrypt)
    assert kept.commitment() == ready.commitment
    assert (kept.market_words() == ready.snapshot.market).all()

    def full(*_, **__):
        raise JournalError("the disk is full")

    for method in ("promise_round", "record_snapshot"):
        with monkeypatch.context() as patch:
            patch.setattr(type(party.journal), method, full)
            later = numbered(4 if method == "promise_round" else 5)
            with pytest.raises(JournalError):
                prepare(party, later, message_hash(later), 0)


def test_a_round_is_promised_once(parties, numbered):
    party, proposal = parties.contexts[0], numbered(3)
    prepare(party, proposal, message_hash(proposal), 0)
    for nth in (3, 2):
        again = numbered(nth)
        with pytest.raises(RoundError) as caught:
            prepare(party, again, message_hash(again), 0)
        assert caught.value.reason is Reason.ROUND_ALREADY_PROMISED


@pytest.mark.parametrize(
    ("changes", "last_observed", "reason"),
    [
        ({"epoch": 2}, 0, Reason.PROPOSAL_REFUSED),
        ({"committee": (0, 1, 6)}, 0, Reason.PROPOSAL_REFUSED),
        ({"underlying": "BTC"}, 0, Reason.PROPOSAL_REFUSED),
        ({}, 2**40, Reason.PROPOSAL_REFUSED),
    ],
)
def test_what_is_refused_is_not_promised(parties, numbered, changes, last_observed, reason):
    party, proposal = parties.contexts[0], numbered(3, **changes)
    with pytest.raises(RoundError) as caught:
        prepare(party, proposal, message_hash(proposal), last_observed)
    assert caught.value.reason is reason
    assert party.journal.last_round() == 0


def test_the_rounds_time_runs_from_the_proposal_and_the_mesh_gets_less_than_all_of_it(parties, numbered):
    """Whoever waits longest must hear from the mesh, which knows who is silent, and not from the state machine."""
    proposal = numbered(3)
    before = time.monotonic()
    ready = prepare(parties.contexts[0], proposal, message_hash(proposal), 0)
    after = time.monotonic()
    seconds = proposal.deadline_ms / 1e3
    assert before + 0.5 * seconds < ready.deadline < after + seconds
    # Whenever the round is begun after that, it ends at the same moment.
    with parties.contexts[0].mesh as mesh, pytest.MonkeyPatch.context() as patch:
        deadlines = []

        def session(identifier, members, deadline):
            deadlines.append(deadline)
            raise RoundError("enough")

        patch.setattr(mesh, "session", session)
        with pytest.raises(RoundError, match="enough"):
            run_round(parties.contexts[0], ready, ())
    assert deadlines == [ready.deadline]


def test_a_member_that_does_not_come_is_named(parties, numbered):
    ready = parties.prepare(numbered(3, deadline_ms=1000))
    agreed = commitments(ready)
    outcomes = parties.together((0, 1), lambda m: run_round(parties.contexts[m], ready[m], agreed))
    for error in outcomes.values():
        assert isinstance(error, ConsortiumError)
        assert error.reason in {Reason.PEER_TIMEOUT, Reason.PEER_UNREACHABLE, Reason.PEER_CLOSED}
    assert "carol" in {error.culprit for error in outcomes.values()}
    check_nothing_signed(parties)


# Transcripts


def test_other_public_inputs_are_named_and_nothing_secret_is_shared(parties, numbered, monkeypatch):
    """As of another version of the program: bob derives other integers from the same proposal."""
    proposal = numbered(3)
    ready = parties.prepare(proposal)
    other = public_inputs(proposal, msgspec.structs.replace(parties.world.consortium.program, degree=8))
    ready[1] = replace(ready[1], public=other)
    reached = []
    monkeypatch.setattr(round_job, "run_presign", lambda *_: reached.append(1))
    outcomes = run(parties, ready)
    check_mismatch(parties, outcomes, "public inputs", blamer="bob")
    assert not reached


def test_other_commitments_are_named(parties, numbered):
    """A coordinator or broker that showed bob another commitment of carol's."""
    ready = parties.prepare(numbered(3))
    agreed = commitments(ready)
    outcomes = run(parties, ready, given={1: (*agreed[:2], bytes(32))})
    check_mismatch(parties, outcomes, "commitments", blamer="bob")


def check_mismatch(parties, outcomes, what, blamer):
    """Somebody names what differs and from whom; nobody is called guilty for it; nothing is signed."""
    mismatches = [e for e in outcomes.values() if getattr(e, "reason", None) is Reason.PROGRAM_MISMATCH]
    assert mismatches
    for error in outcomes.values():
        assert isinstance(error, ConsortiumError)
    for error in mismatches:
        assert error.culprit is None
        assert f"other {what} for round 12" in error.message
    assert any(blamer in error.message for member, error in outcomes.items() if member != 1)
    assert {e.reason for e in outcomes.values()} <= {Reason.PROGRAM_MISMATCH, Reason.PEER_CLOSED}
    check_nothing_signed(parties)


def transcripts(parties, ready, changed):
    """All three compare over a local mesh; member 1 holds something else."""
    consortium, agreed = parties.world.consortium, commitments(ready)

    def compare(exchange):
        own = changed if exchange.own == 1 else (consortium, ready[exchange.own])
        compare_transcripts(exchange, *own, agreed)

    return party_outcomes(local_mesh(ALL), compare)


def test_each_part_of_the_transcript_counts(parties, numbered):
    ready = parties.prepare(numbered(3))
    consortium = parties.world.consortium
    assert transcripts(parties, ready, (consortium, ready[1])) == {0: None, 1: None, 2: None}
    for what, reason, changed in (
        ("proposal", Reason.PROGRAM_MISMATCH, (consortium, replace(ready[1], digest=bytes(32)))),
        (
            "model",
            Reason.MODEL_MISMATCH,
            (msgspec.structs.replace(consortium, model="22" * 32), ready[1]),
        ),
    ):
        outcomes = transcripts(parties, ready, changed)
        for member in (0, 2):
            assert (outcomes[member].reason, outcomes[member].culprit) == (reason, None)
            assert f"bob has other {what} for" in outcomes[member].message
        assert f"alice has other {what} for" in outcomes[1].message


@pytest.mark.parametrize("length", [0, 1, 127, 129, 100_000])
def test_a_transcript_of_another_length_is_refused(parties, numbered, length):
    ready = parties.prepare(numbered(3))

    def compare(exchange):
        if exchange.own == 1:
            exchange.exchange(FrameKind.CHECK, dict.fromkeys(exchange.peers, bytes(length)), exchange.peers)
        else:
            compare_transcripts(exchange, parties.world.consortium, ready[exchange.own], commitments(ready))

    outcomes = party_outcomes(local_mesh(ALL), compare)
    for member in (0, 2):
        assert outcomes[member].reason in {Reason.PROGRAM_MISMATCH, Reason.MODEL_MISMATCH}
        assert "bob" in outcomes[member].message


def test_a_session_is_named_by_consortium_round_and_proposal(parties, numbered):
    consortium = parties.world.consortium
    other = msgspec.structs.replace(consortium, program=Program(degree=8))
    names = {
        session_identifier(c, numbered(n), message_hash(p))
        for c in (consortium, other)
        for n in (1, 2)
        for p in (numbered(1), numbered(2), numbered(1, deadline_ms=9000))
    }
    assert len(names) == 12
    assert {len(name) for name in names} == {32}


# Failures: whatever ends a round, no nonce share is left


@pytest.fixture
def nonces(monkeypatch):
    """All presignatures that the parties make."""
    made = []
    real = round_job.run_presign

    def presign(*given):
        made.append(real(*given))
        return made[-1]

    monkeypatch.setattr(round_job, "run_presign", presign)
    return made


def check_discarded(nonces, count=3):
    assert len(nonces) == count
    for presignature in nonces:
        with pytest.raises(ConsortiumError) as caught:
            presignature.approve()
        assert caught.value.reason is Reason.NONCE_SPENT


@pytest.mark.parametrize("column", list(Column))
@pytest.mark.parametrize("wild", [1 << 48, -(1 << 62)])
def test_a_wild_truncation_is_caught_before_anything_is_approved(
    parties, numbered, monkeypatch, nonces, column, wild
):
    real = round_job.compute

    def compute(*given):
        opened = real(*given)
        table = opened.table.copy()
        table[column, 3] += wild
        return Opened(table, opened.fraction_bits)

    monkeypatch.setattr(round_job, "compute", compute)
    outcomes = run(parties, parties.prepare(numbered(3)))
    assert Reason.COMPUTATION_OUT_OF_RANGE in {error.reason for error in outcomes.values()}
    # Who was slower sees the links close first; who finds it says which column and instrument.
    assert {e.reason for e in outcomes.values()} <= {Reason.COMPUTATION_OUT_OF_RANGE, Reason.PEER_CLOSED}
    check_discarded(nonces)
    for member in ALL:
        record = journal(parties, member)
        assert (record.digest, record.nonce_spent) == (None, False)


@pytest.mark.parametrize(
    "stage", ["compute", "check_range", "build_report", "check_laws", "run_approval", "run_signature"]
)
def test_whatever_fails_no_nonce_share_is_left(parties, numbered, monkeypatch, nonces, stage):
    """One party fails at each stage, by a bug even; the others end as well, with a reason."""
    real = getattr(round_job, stage)

    def fail(*given):
        if threading.current_thread().name == "party 2":
            raise ZeroDivisionError
        return real(*given)

    monkeypatch.setattr(round_job, stage, fail)
    outcomes = run(parties, parties.prepare(numbered(3)))
    assert isinstance(outcomes[2], ZeroDivisionError)
    for member in (0, 1):
        assert isinstance(outcomes[member], ConsortiumError), outcomes[member]
    check_discarded(nonces)
    monkeypatch.setattr(round_job, stage, real)
    assert len({r.digest for r in run(parties, parties.prepare(numbered(4))).values()}) == 1


def test_different_digests_are_never_signed(parties, numbered, monkeypatch, nonces):
    real = round_job.build_report

    def build(party, *given):
        report = real(party, *given)
        return (
            msgspec.structs.replace(report, valid_until=report.valid_until + 1) if party.own == 1 else report
        )

    monkeypatch.setattr(round_job, "build_report", build)
    outcomes = run(parties, parties.prepare(numbered(3)))
    assert Reason.APPROVAL_MISMATCH in {error.reason for error in outcomes.values()}
    assert {e.reason for e in outcomes.values()} <= {Reason.APPROVAL_MISMATCH, Reason.PEER_CLOSED}
    check_discarded(nonces)


def test_a_cancelled_round_ends_at_once_with_the_cause(parties, numbered):
    """Nobody else comes, so it would wait until its deadline; `abort` names session and cause."""
    ready = parties.prepare(numbered(3, deadline_ms=600_000))
    party, mine = parties.contexts[0], ready[0]
    identifier = session_identifier(party.consortium, mine.proposal, mine.digest)
    party.mesh.abort(identifier, reason=Reason.ROUND_DEADLINE, message="superseded")
    with pytest.raises(ConsortiumError, match="superseded") as caught:
        run_round(party, mine, commitments(ready))
    assert caught.value.reason is Reason.ROUND_DEADLINE


def test_no_secret_in_a_repr(parties, numbered):
    ready = prepare(parties.contexts[0], numbered(3), message_hash(numbered(3)), 0)
    shown = repr(parties.contexts[0]) + repr(ready)
    assert "desk 0" not in shown
    for salt in (ready.snapshot.market_salt, ready.snapshot.positions_salt):
        assert salt.hex() not in shown
        assert repr(salt) not in shown
