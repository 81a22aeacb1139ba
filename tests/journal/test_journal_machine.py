"""All sequences of calls to a journal, against a model of it."""

from __future__ import annotations

from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mpc_party.journal import Journal, RoundState
from mpc_party.protocol.errors import Reason, RoundError
from tests.journal.golden.regenerate import CONSORTIUM
from tests.support.journals import ALLOWED_OUTCOMES, hash_of

KEPT = 2


class JournalMachine(RuleBasedStateMachine):
    """A journal beside plain dictionaries, with restarts in between."""

    rounds = st.integers(1, 6)
    values = st.integers(1, 4).map(hash_of)

    def __init__(self):
        super().__init__()
        self.promised: dict[int, dict] = {}
        self.spent: dict[bytes, int] = {}
        self.openings: dict[int, tuple[bytes, bytes | None]] = {}  # newest last

    @initialize()
    def start(self):
        import tempfile  # noqa: PLC0415 - one directory per run

        self.directory = tempfile.TemporaryDirectory()
        self.path = Path(self.directory.name) / "journal.db"
        self.journal = self.open()

    def open(self):
        return Journal.open(self.path, consortium=CONSORTIUM, epoch=1, keep_rounds=KEPT)

    def teardown(self):
        self.journal.close()
        self.directory.cleanup()

    def attempt(self, call, *arguments):
        try:
            call(*arguments)
        except RoundError as refusal:
            return refusal.reason
        return None

    @rule(number=rounds, proposal=values)
    def promise(self, number, proposal):
        outcome = self.attempt(self.journal.promise_round, number, proposal)
        if number > max(self.promised, default=0):
            assert outcome is None
            self.promised[number] = {"digest": None, "state": RoundState.PROMISED, "snapshot": None}
            self.openings = dict(list(self.openings.items())[-KEPT:])
        else:
            assert outcome is Reason.ROUND_ALREADY_PROMISED

    @rule(number=rounds, commitment=values, opening=st.binary(min_size=1, max_size=8))
    def commit(self, number, commitment, opening):
        outcome = self.attempt(lambda: self.journal.record_snapshot(number, commitment, opening=opening))
        entry = self.promised.get(number)
        if (
            entry is None
            or entry["state"] is not RoundState.PROMISED
            or entry["snapshot"] not in {None, commitment}
        ):
            assert outcome is Reason.PROPOSAL_REFUSED
        else:
            assert outcome is None
            if entry["snapshot"] is None:
                entry["snapshot"] = commitment
                self.openings[number] = (opening, None)

    @rule(number=rounds, exposure=st.binary(min_size=1, max_size=8))
    def expose(self, number, exposure):
        outcome = self.attempt(self.journal.record_exposure, number, exposure)
        assert outcome is (None if number in self.promised else Reason.PROPOSAL_REFUSED)
        if number in self.openings:
            self.openings[number] = (self.openings[number][0], exposure)

    @rule(number=rounds, digest=values)
    def approve(self, number, digest):
        outcome = self.attempt(self.journal.approve_digest, number, digest)
        entry = self.promised.get(number)
        if entry is None or entry["state"] is not RoundState.PROMISED:
            assert outcome is Reason.PROPOSAL_REFUSED
        elif entry["digest"] in {None, digest}:
            assert outcome is None
            entry["digest"] = digest
        else:
            assert outcome is Reason.APPROVAL_MISMATCH

    @rule(number=rounds, nonce=values)
    def spend(self, number, nonce):
        outcome = self.attempt(self.journal.spend_nonce, number, nonce)
        entry = self.promised.get(number)
        if nonce in self.spent or number in self.spent.values():
            assert outcome is Reason.NONCE_SPENT
        elif entry is None or entry["state"] is not RoundState.PROMISED or entry["digest"] is None:
            assert outcome is Reason.PROPOSAL_REFUSED
        else:
            assert outcome is None
            self.spent[nonce] = number

    @rule(number=rounds, state=st.sampled_from(RoundState))
    def end(self, number, state):
        outcome = self.attempt(self.journal.record_outcome, number, state)
        entry = self.promised.get(number)
        if entry is not None and (entry["state"] == state or (entry["state"], state) in ALLOWED_OUTCOMES):
            assert outcome is None
            entry["state"] = state
        else:
            assert outcome is Reason.PROPOSAL_REFUSED

    @rule()
    def restart(self):
        self.journal.close()
        self.journal = self.open()

    @invariant()
    def the_journal_knows_what_the_model_knows(self):
        if not hasattr(self, "journal"):
            return
        assert self.journal.last_round() == max(self.promised, default=0)
        told = {r.round: (r.digest, r.state, r.nonce_spent) for r in self.journal.rounds()}
        assert told == {
            number: (entry["digest"], entry["state"], number in self.spent.values())
            for number, entry in self.promised.items()
        }
        for number, entry in self.promised.items():
            snapshot = self.journal.snapshot(number)
            assert (snapshot and snapshot.commitment) == entry["snapshot"]
            record = self.journal.opening(number)
            assert (record and (record.opening, record.exposure)) == self.openings.get(number)


TestJournalMachine = JournalMachine.TestCase
TestJournalMachine.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
