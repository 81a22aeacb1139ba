"""Where an epoch's rounds begin: floors, and journals that were made anew because the one before is lost."""

from __future__ import annotations

import pytest

from mpc_party.journal import Floor, Journal, JournalError, read_standing
from mpc_party.protocol.errors import Reason
from tests.journal.golden.regenerate import CONSORTIUM
from tests.support.journals import hash_of, open_journal, refused


def test_rounds_up_to_the_floor_are_closed(path):
    with open_journal(path) as journal:
        journal.promise_round(3, hash_of(1))
        journal.raise_floor(1_500_000, "the handover")
        assert journal.last_round() == 1_500_000
        for number in (3, 4, 1_500_000):
            assert "closed" in refused(
                Reason.ROUND_ALREADY_PROMISED, journal.promise_round, number, hash_of(1)
            )
        refused(Reason.PROPOSAL_REFUSED, journal.approve_digest, 3, hash_of(1))  # promised, and closed since
    with open_journal(path) as journal:
        assert journal.floor() == Floor(1_500_000, "the handover")
        journal.promise_round(1_500_001, hash_of(1))
        assert journal.last_round() == 1_500_001
        assert "promised" in refused(
            Reason.ROUND_ALREADY_PROMISED, journal.promise_round, 1_500_001, hash_of(1)
        )


def test_a_floor_is_never_lowered(journal):
    journal.raise_floor(9, "first")
    journal.raise_floor(4, "second")
    journal.distrust(2, "third")
    assert journal.last_round() == 9
    assert journal.floor().round == 9


def test_a_floor_is_of_one_epoch(path):
    with open_journal(path, epoch=1) as journal:
        journal.raise_floor(9, "of epoch 1")
    with open_journal(path, epoch=2) as journal:
        assert (journal.last_round(), journal.floor()) == (0, Floor())


@pytest.mark.parametrize("number", [-1, 2**63])
def test_no_floor_outside_of_the_round_numbers(journal, number):
    with pytest.raises(ValueError, match="floor"):
        journal.raise_floor(number, "")
    with pytest.raises(ValueError, match="characters"):
        journal.raise_floor(1, "x" * 201)
    assert journal.last_round() == 0


def test_a_journal_that_does_not_know_its_past_promises_nothing(path, journal):
    journal.promise_round(3, hash_of(1))
    journal.approve_digest(3, hash_of(10))
    journal.distrust(7, "restored")
    refused(Reason.RESTORED_UNSAFE, journal.promise_round, 8, hash_of(1))
    refused(Reason.RESTORED_UNSAFE, journal.approve_digest, 3, hash_of(10))
    refused(Reason.RESTORED_UNSAFE, journal.spend_nonce, 3, hash_of(20))
    refused(Reason.RESTORED_UNSAFE, journal.approve_and_spend, 3, hash_of(10), hash_of(20))
    with pytest.raises(JournalError, match="round 7 may have been promised") as raised:
        journal.require_ready()
    assert raised.value.reason is Reason.RESTORED_UNSAFE
    assert "--after-round" in raised.value.remedy
    assert read_standing(path).obstacle.reason is Reason.RESTORED_UNSAFE
    journal.raise_floor(20, "said by the member")
    journal.require_ready()
    assert read_standing(path).obstacle is None
    refused(Reason.ROUND_ALREADY_PROMISED, journal.promise_round, 20, hash_of(1))
    journal.promise_round(21, hash_of(1))


def begun(path, epoch, floor):
    return Journal.open(path, consortium=CONSORTIUM, epoch=epoch, beginning=floor)


def test_a_new_journal_begins_where_it_is_told(path):
    with begun(path, 1, Floor(50, "restored", known=False)) as journal:
        assert journal.last_round() == 50
        refused(Reason.RESTORED_UNSAFE, journal.promise_round, 51, hash_of(1))
    with begun(path, 1, Floor(99, "not used")) as journal:  # it is no new journal now
        assert journal.floor() == Floor(50, "restored", known=False)
    with begun(path, 2, Floor(60, "another epoch")) as journal:
        journal.promise_round(61, hash_of(1))


def test_a_file_that_was_being_made_is_a_new_one(path):
    path.touch()
    with begun(path, 1, Floor(50)) as journal:
        assert journal.last_round() == 50
