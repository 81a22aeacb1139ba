"""The promises that a journal keeps: what is written once is not written otherwise."""

from __future__ import annotations

import pytest

from mpc_party.journal import JournalError, RoundState, SnapshotCommitment
from mpc_party.protocol.errors import Reason
from tests.support.journals import ALLOWED_OUTCOMES, hash_of, open_journal, refused


def test_rounds_are_promised_once_and_upwards(journal):
    assert journal.last_round() == 0
    journal.promise_round(4, hash_of(1))
    journal.promise_round(9, hash_of(2))
    for number in (1, 4, 8, 9):
        message = refused(Reason.ROUND_ALREADY_PROMISED, journal.promise_round, number, hash_of(2))
        assert "not above round 9" in message
    assert journal.last_round() == 9


@pytest.mark.parametrize("number", [0, -1])
def test_round_numbers_begin_at_1(journal, number):
    refused(Reason.ROUND_ALREADY_PROMISED, journal.promise_round, number, hash_of(1))


def test_one_digest_is_approved_per_round(journal):
    journal.promise_round(1, hash_of(1))
    journal.approve_digest(1, hash_of(10))
    journal.approve_digest(1, hash_of(10))
    refused(Reason.APPROVAL_MISMATCH, journal.approve_digest, 1, hash_of(11))
    refused(Reason.PROPOSAL_REFUSED, journal.approve_digest, 2, hash_of(10))
    assert journal.rounds()[0].digest == hash_of(10)


def test_one_nonce_is_spent_per_round_and_each_once(journal):
    journal.promise_round(1, hash_of(1))
    refused(Reason.PROPOSAL_REFUSED, journal.spend_nonce, 1, hash_of(20))  # nothing approved
    journal.approve_digest(1, hash_of(10))
    journal.spend_nonce(1, hash_of(20))
    refused(Reason.NONCE_SPENT, journal.spend_nonce, 1, hash_of(20))
    refused(Reason.NONCE_SPENT, journal.spend_nonce, 1, hash_of(21))
    journal.promise_round(2, hash_of(1))
    journal.approve_digest(2, hash_of(10))
    assert "round 1" in refused(Reason.NONCE_SPENT, journal.spend_nonce, 2, hash_of(20))
    journal.spend_nonce(2, hash_of(21))
    refused(Reason.PROPOSAL_REFUSED, journal.spend_nonce, 3, hash_of(22))


def test_approving_and_spending_in_one_write_does_both_or_neither(journal):
    journal.promise_round(1, hash_of(1))
    journal.approve_and_spend(1, hash_of(10), hash_of(20))
    assert (journal.rounds()[0].digest, journal.rounds()[0].nonce_spent) == (hash_of(10), True)
    refused(Reason.APPROVAL_MISMATCH, journal.approve_and_spend, 1, hash_of(11), hash_of(21))
    refused(Reason.NONCE_SPENT, journal.approve_and_spend, 1, hash_of(10), hash_of(21))
    journal.promise_round(2, hash_of(1))
    refused(Reason.NONCE_SPENT, journal.approve_and_spend, 2, hash_of(10), hash_of(20))
    assert (journal.rounds()[0].digest, journal.rounds()[0].nonce_spent) == (None, False)
    refused(Reason.PROPOSAL_REFUSED, journal.approve_and_spend, 3, hash_of(10), hash_of(22))


def test_after_an_abort_nothing_is_approved_or_spent(journal):
    journal.promise_round(1, hash_of(1))
    journal.approve_digest(1, hash_of(10))
    journal.record_outcome(1, RoundState.ABORTED, reason=Reason.PEER_CLOSED)
    refused(Reason.PROPOSAL_REFUSED, journal.approve_digest, 1, hash_of(10))
    refused(Reason.PROPOSAL_REFUSED, journal.spend_nonce, 1, hash_of(20))
    refused(Reason.PROPOSAL_REFUSED, lambda: journal.record_snapshot(1, hash_of(30), opening=b"sealed"))
    assert not journal.rounds()[0].nonce_spent


def test_a_snapshot_is_committed_to_once(journal):
    journal.promise_round(1, hash_of(1))
    assert journal.snapshot(1) is None
    journal.record_snapshot(1, hash_of(30), opening=b"sealed")
    journal.record_snapshot(1, hash_of(30), opening=b"sealed")
    assert "another commitment" in refused(
        Reason.PROPOSAL_REFUSED, lambda: journal.record_snapshot(1, hash_of(31), opening=b"sealed")
    )
    assert journal.snapshot(1) == SnapshotCommitment(hash_of(30))
    assert journal.snapshot(2) is None


PATHS = {"promised": [], "signed": ["signed"], "settled": ["settled"], "aborted": ["aborted"]}


@pytest.mark.parametrize("before", PATHS)
@pytest.mark.parametrize("after", PATHS)
def test_outcomes_follow_each_other_in_one_direction(journal, before, after):
    journal.promise_round(1, hash_of(1))
    for state in PATHS[before]:
        journal.record_outcome(1, RoundState(state))
    if before == after or (before, after) in ALLOWED_OUTCOMES:
        journal.record_outcome(1, RoundState(after))
        assert journal.rounds()[0].state is RoundState(after)
    else:
        assert "cannot become" in refused(
            Reason.PROPOSAL_REFUSED, journal.record_outcome, 1, RoundState(after)
        )
        assert journal.rounds()[0].state is RoundState(before)


def test_outcomes_keep_what_is_said_about_them(journal):
    journal.promise_round(3, hash_of(1))
    journal.record_outcome(
        3, RoundState.ABORTED, reason=Reason.ECHO_MISMATCH, culprit="desk-2", details={"ms": {"total": 1.5}}
    )
    (record,) = journal.rounds()
    assert (record.round, record.epoch, record.state) == (3, 1, RoundState.ABORTED)
    assert (record.reason, record.culprit, record.details) == (
        Reason.ECHO_MISMATCH,
        "desk-2",
        {"ms": {"total": 1.5}},
    )
    assert record.ended_at is not None
    assert record.ended_at >= record.promised_at
    assert "not been promised" in refused(
        Reason.PROPOSAL_REFUSED, journal.record_outcome, 4, RoundState.ABORTED
    )


@pytest.mark.parametrize("length", [0, 31, 33])
def test_hashes_have_32_bytes(journal, length):
    journal.promise_round(1, hash_of(1))
    for call in (journal.promise_round, journal.approve_digest, journal.spend_nonce):
        with pytest.raises(ValueError, match="32 bytes"):
            call(2, bytes(length))


def test_epochs_count_their_rounds_apart_and_never_go_back(path):
    with open_journal(path, epoch=1) as journal:
        journal.promise_round(50, hash_of(1))
        journal.approve_digest(50, hash_of(10))
        journal.spend_nonce(50, hash_of(20))
    with open_journal(path, epoch=2) as journal:
        assert journal.epoch == 2
        assert journal.last_round() == 0
        journal.promise_round(1, hash_of(2))
        journal.approve_digest(1, hash_of(10))
        refused(Reason.NONCE_SPENT, journal.spend_nonce, 1, hash_of(20))  # a nonce is spent in every epoch
        assert [(r.epoch, r.round) for r in journal.rounds()] == [(2, 1), (1, 50)]
    with pytest.raises(JournalError, match="has seen epoch 2") as raised:
        open_journal(path, epoch=1)
    assert raised.value.reason is Reason.CONSORTIUM_MISMATCH
