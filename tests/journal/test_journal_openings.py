"""What a journal keeps to open a round later, and what it forgets."""

from __future__ import annotations

import pytest

from mpc_party.journal import Journal, JournalError, RoundState, SnapshotCommitment, read_opening
from mpc_party.protocol.errors import Reason
from tests.journal.golden.regenerate import CONSORTIUM
from tests.support.journals import hash_of, open_journal, refused


def commit(journal, number, opening=None):
    journal.promise_round(number, hash_of(1))
    journal.record_snapshot(number, hash_of(number), opening=opening or b"opening of %d" % number)


def kept(journal):
    return [number for number in range(1, journal.last_round() + 1) if journal.opening(number) is not None]


def test_an_opening_is_kept_with_its_commitment(journal, path):
    commit(journal, 3)
    record = journal.opening(3)
    assert (record.epoch, record.round, record.state) == (1, 3, RoundState.PROMISED)
    assert (record.commitment, record.opening) == (hash_of(3), b"opening of 3")
    assert (record.commitments, record.exposure) == ((), None)
    assert journal.snapshot(3) == SnapshotCommitment(hash_of(3))
    assert read_opening(path, 1, 3) == record
    assert journal.opening(4) is None
    assert read_opening(path, 2, 3) is None


def test_a_commitment_and_its_opening_are_written_once(journal):
    commit(journal, 1)
    journal.record_snapshot(1, hash_of(1), opening=b"later")
    assert journal.opening(1).opening == b"opening of 1"
    assert "another commitment" in refused(
        Reason.PROPOSAL_REFUSED, lambda: journal.record_snapshot(1, hash_of(2), opening=b"other")
    )
    assert journal.opening(1).commitment == hash_of(1)


def test_nothing_is_kept_of_a_round_that_was_not_promised(journal, path):
    refused(Reason.PROPOSAL_REFUSED, lambda: journal.record_snapshot(1, hash_of(1), opening=b"x"))
    refused(Reason.PROPOSAL_REFUSED, journal.record_exposure, 1, b"x")
    assert read_opening(path) is None


def test_an_exposure_comes_later_and_with_the_commitments(journal, path):
    commit(journal, 1)
    listed = [hash_of(1), hash_of(8), hash_of(9)]
    journal.record_exposure(1, b"exposure", listed)
    assert journal.opening(1).exposure == b"exposure"
    assert journal.opening(1).commitments == tuple(listed)
    commit(journal, 2)
    journal.record_exposure(2, None, listed)
    assert (journal.opening(2).exposure, journal.opening(2).commitments) == (None, tuple(listed))
    assert read_opening(path).round == 2
    assert read_opening(path, exposed=True).round == 1
    with pytest.raises(ValueError, match="32 bytes"):
        journal.record_exposure(2, b"x", [b"short"])


def test_what_is_secret_is_not_shown(journal):
    commit(journal, 1, b"very private")
    journal.record_exposure(1, b"most private")
    assert "private" not in repr(journal.opening(1))


@pytest.mark.parametrize("keep", [0, 1, 5])
def test_the_newest_openings_are_kept_besides_the_round_in_hand(path, keep):
    with Journal.open(path, consortium=CONSORTIUM, epoch=1, keep_rounds=keep) as journal:
        for number in range(1, 13):
            commit(journal, number)
            assert kept(journal) == list(range(max(1, number - keep), number + 1))
        assert journal.opening(12).opening == b"opening of 12"


def test_promises_and_spent_nonces_are_never_forgotten(path):
    with Journal.open(path, consortium=CONSORTIUM, epoch=1, keep_rounds=2) as journal:
        for number in range(1, 9):
            commit(journal, number)
            journal.approve_and_spend(number, hash_of(50 + number), hash_of(100 + number))
        assert kept(journal) == [6, 7, 8]
        assert [r.round for r in journal.rounds()] == list(range(8, 0, -1))
        assert all(r.nonce_spent for r in journal.rounds())
        journal.promise_round(9, hash_of(1))
        journal.approve_digest(9, hash_of(1))
        refused(Reason.NONCE_SPENT, journal.spend_nonce, 9, hash_of(101))
        assert journal.snapshot(1) == SnapshotCommitment(hash_of(1))


def test_rounds_without_an_opening_push_none_out(path):
    with Journal.open(path, consortium=CONSORTIUM, epoch=1, keep_rounds=3) as journal:
        commit(journal, 1)
        for number in range(2, 9):
            journal.promise_round(number, hash_of(1))
        assert kept(journal) == [1]


def test_a_later_epoch_pushes_out_the_openings_of_the_earlier_one(path):
    with Journal.open(path, consortium=CONSORTIUM, epoch=1, keep_rounds=2) as journal:
        for number in (50, 51, 52):
            commit(journal, number)
    with Journal.open(path, consortium=CONSORTIUM, epoch=2, keep_rounds=2) as journal:
        commit(journal, 1)
        assert read_opening(path).epoch == 2
        assert read_opening(path, 1).round == 52
        assert read_opening(path, 1, 50) is None
        assert read_opening(path, 1, 51) is not None
        commit(journal, 2)
        commit(journal, 3)
        assert read_opening(path, 1) is None


def test_a_promise_that_fails_forgets_nothing(path):
    with Journal.open(path, consortium=CONSORTIUM, epoch=1, keep_rounds=1) as journal:
        commit(journal, 1)
        commit(journal, 2)
        refused(Reason.ROUND_ALREADY_PROMISED, journal.promise_round, 2, hash_of(1))
        assert kept(journal) == [1, 2]


def test_openings_survive_a_restart_and_do_not_stop_at_it(path):
    for number in range(1, 7):
        with Journal.open(path, consortium=CONSORTIUM, epoch=1, keep_rounds=2) as journal:
            commit(journal, number)
    with open_journal(path) as journal:
        assert kept(journal) == [4, 5, 6]


def test_a_negative_number_of_rounds_is_refused(path):
    with pytest.raises(ValueError, match="negative"):
        Journal.open(path, consortium=CONSORTIUM, epoch=1, keep_rounds=-1)


def test_a_full_disk_keeps_neither_commitment_nor_opening(journal):
    commit(journal, 1)
    journal.promise_round(2, hash_of(1))
    pages = journal._connection.execute("PRAGMA page_count").fetchone()[0]
    journal._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(JournalError, match="full"):
        journal.record_snapshot(2, hash_of(2), opening=bytes(100_000))
    assert (journal.snapshot(2), journal.opening(2)) == (None, None)
