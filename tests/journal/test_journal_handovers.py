"""A change of epoch in the journal: at every moment one epoch can sign, or none, and never both."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mpc_party.journal import Handover, HandoverState, JournalError, read_standing
from mpc_party.protocol.errors import ConsortiumError, Reason
from tests.support.journals import hash_of, open_journal, refused, unusable

A, B, PLAN = hash_of(100), hash_of(101), hash_of(200)


def not_done(reason, call, *arguments, **named):
    with pytest.raises(JournalError) as raised:
        call(*arguments, **named)
    assert raised.value.reason is reason
    assert raised.value.remedy
    return raised.value.message


def with_an_open_round(journal):
    journal.promise_round(4, hash_of(1))
    journal.approve_digest(4, hash_of(10))


def test_who_has_attested_signs_nothing_in_the_old_epoch(path, journal):
    with_an_open_round(journal)
    journal.attest_handover(A, PLAN, 2)
    for call in (
        lambda: journal.promise_round(5, hash_of(1)),
        lambda: journal.approve_digest(4, hash_of(10)),
        lambda: journal.spend_nonce(4, hash_of(20)),
        lambda: journal.approve_and_spend(4, hash_of(10), hash_of(20)),
        lambda: journal.record_snapshot(4, hash_of(30), opening=b"sealed"),
    ):
        assert "undecided" in refused(Reason.HANDOVER_UNDECIDED, call)
    assert journal.undecided() == Handover(A, HandoverState.ATTESTED, 1, 2, PLAN)
    assert "epoch 1 to epoch 2" in not_done(Reason.HANDOVER_UNDECIDED, journal.require_ready)
    assert read_standing(path).obstacle.reason is Reason.HANDOVER_UNDECIDED


def test_undecided_it_opens_in_the_old_epoch_only(path):
    with open_journal(path) as journal:
        with_an_open_round(journal)
        journal.attest_handover(A, PLAN, 2)
    for epoch in (2, 3):
        assert unusable(path, epoch=epoch).reason is Reason.HANDOVER_UNDECIDED
    with open_journal(path) as journal:
        assert journal.last_round() == 4
        refused(Reason.HANDOVER_UNDECIDED, journal.promise_round, 5, hash_of(1))


def test_after_a_commit_the_old_epoch_is_over_for_ever(path):
    with open_journal(path) as journal:
        with_an_open_round(journal)
        journal.attest_handover(A, PLAN, 2)
        journal.commit_handover(A, floor=1_500_000)
        journal.commit_handover(A, floor=7)  # again changes nothing
        refused(Reason.HANDOVER_ENDED, journal.promise_round, 5, hash_of(1))
        refused(Reason.HANDOVER_ENDED, journal.approve_digest, 4, hash_of(10))
        refused(Reason.HANDOVER_ENDED, journal.spend_nonce, 4, hash_of(20))
        not_done(Reason.HANDOVER_ENDED, journal.attest_handover, B, PLAN, 2)
    assert unusable(path, epoch=1).reason is Reason.CONSORTIUM_MISMATCH
    with open_journal(path, epoch=2) as journal:
        journal.require_ready()
        assert journal.last_round() == 1_500_000
        not_done(Reason.HANDOVER_ENDED, journal.abort_handover, A)
        not_done(Reason.HANDOVER_ENDED, journal.attest_handover, A, PLAN, 3)
        journal.promise_round(1_500_001, hash_of(1))
    assert read_standing(path).undecided is None


def test_the_floor_of_a_new_epoch_is_never_below_what_was_promised(path):
    with open_journal(path) as journal:
        with_an_open_round(journal)
        journal.attest_handover(A, PLAN, 2)
        with pytest.raises(ValueError, match="floor"):
            journal.commit_handover(A, floor=-1)
        journal.commit_handover(A, floor=0)
    with open_journal(path, epoch=2) as journal:
        assert journal.last_round() == 4


def test_after_an_abort_the_old_epoch_goes_on_and_the_ceremony_never_comes_back(path):
    with open_journal(path) as journal:
        with_an_open_round(journal)
        journal.attest_handover(A, PLAN, 2)
        journal.abort_handover(A)
        journal.abort_handover(A)
    with open_journal(path) as journal:
        journal.require_ready()
        not_done(Reason.HANDOVER_ENDED, journal.attest_handover, A, PLAN, 2)
        not_done(Reason.HANDOVER_ENDED, journal.commit_handover, A, floor=9)
        journal.spend_nonce(4, hash_of(20))
        journal.promise_round(5, hash_of(1))
        journal.attest_handover(B, PLAN, 2)
        journal.commit_handover(B, floor=5)


def test_who_says_that_it_never_signed_never_will(journal):
    journal.abort_handover(A)
    assert journal.handover(A) == Handover(A, HandoverState.ABORTED, 1, None, None)
    not_done(Reason.HANDOVER_ENDED, journal.attest_handover, A, PLAN, 2)
    not_done(Reason.HANDOVER_ENDED, journal.commit_handover, A, floor=0)
    journal.promise_round(1, hash_of(1))


def test_one_handover_at_a_time_and_one_plan_each(journal):
    journal.attest_handover(A, PLAN, 2)
    journal.attest_handover(A, PLAN, 2)
    not_done(Reason.HANDOVER_UNDECIDED, journal.attest_handover, A, hash_of(201), 2)
    not_done(Reason.HANDOVER_UNDECIDED, journal.attest_handover, A, PLAN, 3)
    not_done(Reason.HANDOVER_UNDECIDED, journal.attest_handover, B, PLAN, 2)
    not_done(Reason.HANDOVER_ENDED, journal.commit_handover, B, floor=0)
    journal.abort_handover(B)
    assert journal.undecided().ceremony == A
    assert journal.handover(hash_of(5)) is None


@pytest.mark.parametrize(
    ("ceremony", "plan", "to_epoch"), [(A[1:], PLAN, 2), (A, PLAN + b"x", 2), (A, PLAN, 1), (A, PLAN, 0)]
)
def test_what_is_no_handover(journal, ceremony, plan, to_epoch):
    with pytest.raises(ValueError, match=r"bytes are needed|later epoch"):
        journal.attest_handover(ceremony, plan, to_epoch)
    assert journal.undecided() is None


def test_a_restored_journal_gets_its_floor_from_a_handover(path):
    with open_journal(path) as journal:
        journal.distrust(7, "restored")
        journal.attest_handover(A, PLAN, 2)
        journal.abort_handover(A)
        refused(Reason.RESTORED_UNSAFE, journal.promise_round, 100, hash_of(1))
        journal.attest_handover(B, PLAN, 2)
        journal.commit_handover(B, floor=20)
    with open_journal(path, epoch=2) as journal:
        journal.require_ready()
        journal.promise_round(21, hash_of(1))


class HandoverMachine(RuleBasedStateMachine):
    """Handovers and promises beside a model of them, with restarts in between."""

    ceremonies = st.integers(100, 103).map(hash_of)

    def __init__(self):
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.path = Path(self.directory.name) / "journal.db"
        self.opened = self.epoch = 1
        self.fate: dict[bytes, str] = {}
        self.last: dict[int, int] = {1: 0}
        self.promised = 0
        self.journal = open_journal(self.path)

    def teardown(self):
        self.journal.close()
        self.directory.cleanup()

    def allowed(self, call, *arguments, **named):
        try:
            call(*arguments, **named)
        except ConsortiumError as refusal:
            return refusal.reason in {Reason.INTERNAL, Reason.JOURNAL_UNUSABLE}
        return True

    def undecided(self):
        return [ceremony for ceremony, state in self.fate.items() if state == "attested"]

    @rule(ceremony=ceremonies)
    def attest(self, ceremony):
        may = self.fate.get(ceremony) == "attested" or (
            ceremony not in self.fate and not self.undecided() and self.opened == self.epoch
        )
        assert self.allowed(self.journal.attest_handover, ceremony, PLAN, self.opened + 1) == may
        if may:
            self.fate[ceremony] = "attested"

    @rule(ceremony=ceremonies)
    def abort(self, ceremony):
        may = self.fate.get(ceremony) != "committed"
        assert self.allowed(self.journal.abort_handover, ceremony) == may
        if may:
            self.fate[ceremony] = "aborted"

    @rule(ceremony=ceremonies, floor=st.integers(0, 12))
    def commit(self, ceremony, floor):
        may = self.fate.get(ceremony) in {"attested", "committed"}
        assert self.allowed(self.journal.commit_handover, ceremony, floor=floor) == may
        if self.fate.get(ceremony) == "attested":
            self.fate[ceremony] = "committed"
            self.epoch += 1
            self.last[self.epoch] = max(floor, self.promised)

    @rule(number=st.integers(1, 12))
    def promise(self, number):
        may = not self.undecided() and self.opened == self.epoch and number > self.last[self.epoch]
        assert self.allowed(self.journal.promise_round, number, hash_of(1)) == may
        if may:
            self.last[self.epoch] = self.promised = number

    @rule()
    def restart(self):
        self.journal.close()
        self.journal, self.opened = open_journal(self.path, self.epoch), self.epoch

    @invariant()
    def one_epoch_is_in_force(self):
        standing = read_standing(self.path)
        assert (standing.epoch, standing.last_round) == (self.epoch, self.last[self.epoch])
        assert (standing.undecided and standing.undecided.ceremony) == next(iter(self.undecided()), None)


TestHandoverMachine = HandoverMachine.TestCase
TestHandoverMachine.settings = settings(max_examples=20, stateful_step_count=25, deadline=None)
