import pytest

from coordinator.lifecycle import CoordinatorMachine, Phase, Schedule
from coordinator.lifecycle import events as ev
from coordinator.lifecycle.machine import MAX_CLAIMED_LEAD
from mpc_party.protocol.errors import Reason, RoundError
from mpc_party.protocol.messages import Abort, Commitment, PhaseTimes, Result, Status

NAMES = ("alpha", "bravo", "charlie", "delta")
TIMES = PhaseTimes(1, 1, 1, 1, 1, 5, 10, 3)
DIGEST = bytes(range(32))
FIRST = 4  # of four members, the lowest number that belongs to (0, 1, 2)


def status(member, *, online=True, last_round=0, same=True):
    return ev.StatusArrived(member, Status(online, bytes(32), last_round), same)


def result(number):
    return Result(number, bytes(32), b"report", bytes(65), TIMES)


def started(members=4, **schedule):
    machine = CoordinatorMachine(NAMES[:members], 1, Schedule(**schedule))
    for member in range(members):
        assert machine.handle(status(member)) == []
    return machine


def propose(machine, above=0):
    actions = machine.handle(ev.RoundRequested(above))
    machine.handle(ev.Proposed(machine.round, DIGEST))
    assert machine.phase is Phase.COMMITTING
    return actions


def commit(machine, members=None, number=None, digest=DIGEST):
    actions = []
    for member in machine.committee if members is None else members:
        actions += machine.handle(
            ev.CommitmentArrived(member, Commitment(number or machine.round, digest, bytes(32)))
        )
    return actions


def kinds(actions):
    return [type(action).__name__ for action in actions]


def test_a_round_from_proposal_to_settlement():
    machine = started()
    assert machine.handle(ev.RoundRequested(41)) == [
        ev.EnterPhase(44, Phase.PROPOSING),
        ev.Propose(44, 44, 1, (0, 1, 2)),
    ]
    assert kinds(machine.handle(ev.Proposed(44, DIGEST))) == ["EnterPhase", "SetTimer"]
    assert kinds(commit(machine)) == ["EnterPhase", "SetTimer"]
    assert machine.phase is Phase.COMPUTING
    assert machine.handle(ev.ResultArrived(1, result(44)))[-1] == ev.Settle(44, result(44))
    assert machine.handle(ev.SettlementDone(44)) == [ev.RecordSettled(44), ev.Finish(44, None)]
    assert machine.phase is Phase.IDLE


def test_the_number_is_above_all_that_history_contract_and_members_have_seen():
    machine = started()
    machine.handle(status(3, last_round=900))
    machine.handle(ev.RoundRequested(17))
    assert machine.round == 904  # the next that belongs to the committee (0, 1, 2)


def test_a_member_that_claims_an_absurd_round_is_not_believed_and_not_chosen():
    machine = started()
    machine.handle(status(0, last_round=2**62))
    machine.handle(ev.RoundRequested(17))
    assert machine.round == 19  # the next that belongs to the committee (1, 2, 3)
    assert machine.committee == (1, 2, 3)
    assert MAX_CLAIMED_LEAD < 2**62


def test_a_member_with_another_consortium_file_is_not_chosen():
    machine = started()
    machine.handle(status(1, same=False))
    machine.handle(ev.RoundRequested(0))
    assert machine.committee == (0, 2, 3)


def test_a_party_abort_is_retried_without_the_culprit_under_a_new_number():
    machine = started()
    propose(machine)
    actions = machine.handle(
        ev.AbortArrived(0, Abort(FIRST, Reason.PEER_TIMEOUT, "charlie", "silent for 5 s"))
    )
    assert actions[0] == ev.RecordAbort(
        FIRST, Reason.PEER_TIMEOUT, "charlie", "alpha aborted: silent for 5 s"
    )
    assert machine.handle(ev.TimerFired(FIRST, Phase.WAITING))[-1] == ev.Propose(
        FIRST + 1, FIRST, 2, (0, 1, 3)
    )


def test_after_an_unlawful_report_who_refuses_first_is_no_accuser():
    """All of the committee compute the same report; the liar, if there is one, may be any of them."""
    machine = started()
    propose(machine)
    commit(machine)
    actions = machine.handle(ev.AbortArrived(0, Abort(FIRST, Reason.REPORT_UNLAWFUL, None, "law MONOTONE")))
    assert actions[0] == ev.RecordAbort(FIRST, Reason.REPORT_UNLAWFUL, None, "alpha aborted: law MONOTONE")
    machine.handle(ev.TimerFired(machine.round, Phase.WAITING))
    assert machine.committee == (0, 1, 3)


def test_who_was_drawn_into_a_dispute_that_named_nobody_is_no_accuser():
    machine = started()
    propose(machine)
    commit(machine)
    assert machine.committee == (0, 1, 2)
    machine.handle(ev.AbortArrived(0, Abort(FIRST, Reason.DISPUTED, None, "bravo found that a check failed")))
    machine.handle(ev.TimerFired(machine.round, Phase.WAITING))
    assert machine.committee == (0, 1, 3)  # all of the three are blamed alike


def test_two_silent_members_are_both_left_out_while_there_are_others():
    machine = CoordinatorMachine((*NAMES, "echo"), 1)
    for member in range(5):
        machine.handle(status(member))
    propose(machine)
    commit(machine, [0])
    actions = machine.handle(ev.TimerFired(machine.round, Phase.COMMITTING))
    assert actions[0].detail == "no commitment from bravo, charlie"
    machine.handle(ev.TimerFired(machine.round, Phase.WAITING))
    assert machine.committee == (0, 3, 4)


def test_a_culprit_comes_back_after_a_while():
    machine = started()
    propose(machine)
    machine.handle(ev.AbortArrived(0, Abort(FIRST, Reason.PEER_TIMEOUT, "charlie", "")))
    machine.handle(ev.TimerFired(machine.round, Phase.WAITING))
    seen = [machine.committee]
    machine.handle(ev.Proposed(machine.round, DIGEST))
    for _ in range(12):
        machine.handle(ev.ResultArrived(machine.committee[0], result(machine.round)))
        machine.handle(ev.SettlementDone(machine.round))
        propose(machine)
        seen.append(machine.committee)
    assert all(2 not in committee for committee in seen[:2])
    assert any(2 in committee for committee in seen)


def test_a_false_accuser_does_not_clear_the_committee_of_honest_members():
    machine = started(attempts=20)
    machine.handle(ev.RoundRequested(0))
    accused = 0
    for _ in range(20):
        if machine.phase is not Phase.PROPOSING or 0 not in machine.committee:
            break
        machine.handle(ev.Proposed(machine.round, DIGEST))
        other = next(m for m in machine.committee if m != 0)
        machine.handle(ev.AbortArrived(0, Abort(machine.round, Reason.PEER_TIMEOUT, NAMES[other], "")))
        machine.handle(ev.TimerFired(machine.round, Phase.WAITING))
        accused += 1
    assert 0 not in machine.committee
    assert accused < 8


def test_a_commitment_to_another_proposal_is_its_senders_fault_and_not_that_of_whoever_says_so():
    machine = started()
    propose(machine)
    actions = commit(machine, [0], digest=bytes(32))
    assert actions[0] == ev.RecordAbort(
        FIRST, Reason.PROGRAM_MISMATCH, "alpha", "alpha committed to another proposal"
    )
    # The honest ones say so as well, a moment later.
    assert machine.handle(ev.AbortArrived(1, Abort(FIRST, Reason.PROGRAM_MISMATCH, None, ""))) == []
    machine.handle(ev.TimerFired(machine.round, Phase.WAITING))
    assert machine.committee == (1, 2, 3)


def test_a_member_that_goes_offline_before_committing_ends_the_attempt_at_once():
    machine = started()
    propose(machine)
    commit(machine, [0])
    assert machine.handle(status(0, online=False)) == []  # it has committed: the mesh will tell
    actions = machine.handle(status(1, online=False))
    assert (actions[0].reason, actions[0].culprit) == (Reason.PEER_CLOSED, "bravo")


def test_with_too_few_members_it_waits_and_goes_on_when_one_comes():
    machine = started(3)
    machine.handle(status(2, online=False))
    assert machine.handle(ev.RoundRequested(0)) == [
        ev.EnterPhase(0, Phase.GATHERING),
        ev.SetTimer(0, Phase.GATHERING, 10_000),
    ]
    assert machine.handle(status(2))[-1] == ev.Propose(1, 1, 1, (0, 1, 2))


def test_too_few_members_for_too_long_is_a_failure_that_names_them():
    machine = started(3)
    machine.handle(status(2, online=False))
    machine.handle(ev.RoundRequested(0))
    [finish] = machine.handle(ev.TimerFired(0, Phase.GATHERING))
    assert "charlie" in str(finish.error)
    assert machine.phase is Phase.IDLE


def test_without_a_market_there_is_no_retry():
    machine = started()
    machine.handle(ev.RoundRequested(0))
    error = RoundError("no market", reason=Reason.MARKET_DATA_STALE)
    assert kinds(machine.handle(ev.ProposalFailed(FIRST, error))) == ["RecordAbort", "Finish"]


def test_a_chain_that_is_away_is_tried_again_and_a_refusal_is_not():
    machine = started(settle_attempts=2)
    propose(machine)
    machine.handle(ev.ResultArrived(0, result(FIRST)))
    away = RoundError("gone", reason=Reason.CHAIN_UNREACHABLE)
    assert kinds(machine.handle(ev.SettlementFailed(FIRST, away))) == ["Settle"]
    assert kinds(machine.handle(ev.SettlementFailed(FIRST, away)))[0] == "RecordAbort"
    machine = started()
    propose(machine)
    machine.handle(ev.ResultArrived(0, result(FIRST)))
    refused = RoundError("no", reason=Reason.SETTLEMENT_REVERTED)
    # Not even under a new number: the contract would refuse that report too, and it would be published for nothing.
    assert kinds(machine.handle(ev.SettlementFailed(FIRST, refused))) == ["RecordAbort", "Finish"]


def test_backoff_doubles_up_to_a_limit():
    machine = started(attempts=6, backoff_ms=100, backoff_limit_ms=500)
    machine.handle(ev.RoundRequested(0))
    waits = []
    for _ in range(5):
        machine.handle(ev.Proposed(machine.round, DIGEST))
        actions = machine.handle(
            ev.AbortArrived(machine.committee[0], Abort(machine.round, Reason.INTERNAL, None, ""))
        )
        waits.append(actions[-1].milliseconds)
        machine.handle(ev.TimerFired(machine.round, Phase.WAITING))
    assert waits == [100, 200, 400, 500, 500]


def test_stopping_a_round_records_it_and_leaves_one_that_is_being_settled_open():
    machine = started()
    propose(machine)
    assert kinds(machine.handle(ev.StopRequested())) == ["RecordAbort", "Finish"]
    propose(machine)
    machine.handle(ev.ResultArrived(0, result(machine.round)))
    assert kinds(machine.handle(ev.StopRequested())) == ["Finish"]


@pytest.mark.parametrize(
    "event",
    [
        ev.ResultArrived(3, result(FIRST)),
        ev.ResultArrived(0, result(FIRST + 1)),
        ev.ResultRefused(3, FIRST, RoundError("x")),
        ev.AbortArrived(3, Abort(FIRST, Reason.INTERNAL, None, "")),
        ev.AbortArrived(0, Abort(9, Reason.INTERNAL, None, "")),
        ev.CommitmentArrived(3, Commitment(FIRST, DIGEST, bytes(32))),
        ev.CommitmentArrived(0, Commitment(FIRST + 1, DIGEST, bytes(32))),
        ev.Proposed(FIRST, DIGEST),
        ev.ProposalFailed(FIRST, RoundError("x")),
        ev.SettlementDone(FIRST),
        ev.SettlementFailed(FIRST, RoundError("x")),
        ev.TimerFired(FIRST, Phase.COMPUTING),
        ev.TimerFired(0, Phase.COMMITTING),
        ev.RoundRequested(99),
        ev.StatusArrived(17, Status(True, bytes(32), 5), True),
    ],
    ids=lambda event: type(event).__name__,
)
def test_what_does_not_fit_changes_nothing(event):
    machine = started()
    propose(machine)
    before = (machine.round, machine.phase, machine.committee, machine.attempt, machine.digest)
    assert machine.handle(event) == []
    assert before == (machine.round, machine.phase, machine.committee, machine.attempt, machine.digest)
