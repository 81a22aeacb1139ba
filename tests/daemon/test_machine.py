from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_party.daemon.machine import (
    AbortArrived,
    Cancel,
    CommitmentArrived,
    Compute,
    DeadlinePassed,
    Failed,
    Finished,
    PartyMachine,
    Phase,
    Prepare,
    Prepared,
    ProposalArrived,
    Publish,
    Record,
    SetTimer,
    StopRequested,
)
from mpc_party.protocol.errors import Reason, RoundError
from mpc_party.protocol.messages import Abort, Commitment, Expiry, Instrument, PhaseTimes, Proposal, Result

NAMES = ("alice", "bob", "carol", "dave")


def proposal(number: int = 1, committee: tuple[int, ...] = (0, 1, 2)) -> Proposal:
    return Proposal(
        number,
        1,
        committee,
        1_767_258_000,
        1_767_261_600,
        "BTC",
        (Expiry(1_768_550_400, 9_000_000_000_000, 500_000),),
        (Instrument(0, 9_000_000_000_000, True),),
        10_000,
    )


def digest(number: int) -> bytes:
    return number.to_bytes(32, "big")


def result(number: int) -> Result:
    times = PhaseTimes(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0, 0)
    return Result(number, bytes(32), b"", bytes(65), times)


def commitment(member: int, number: int = 1, seen: bytes | None = None) -> CommitmentArrived:
    return CommitmentArrived(member, Commitment(number, seen or digest(number), bytes([member]) * 32))


def committed() -> PartyMachine:
    machine = PartyMachine(NAMES, 0)
    machine.handle(ProposalArrived(proposal(), digest(1)))
    machine.handle(Prepared(1, b"o" * 32))
    return machine


def computing() -> PartyMachine:
    machine = committed()
    machine.handle(commitment(1))
    machine.handle(commitment(2))
    return machine


def test_a_round_runs_from_proposal_to_result():
    machine = PartyMachine(NAMES, 0)
    started = machine.handle(ProposalArrived(proposal(), digest(1)))
    assert started[-1] == Prepare(proposal(), digest(1))
    assert [a.phase for a in started if isinstance(a, SetTimer)] == [Phase.COMMITTED, Phase.COMPUTING]
    assert machine.handle(Prepared(1, b"o" * 32)) == [Publish(Commitment(1, digest(1), b"o" * 32))]
    assert machine.handle(commitment(2)) == []
    assert machine.handle(commitment(1)) == [
        Compute(proposal(), digest(1), (b"o" * 32, b"\1" * 32, b"\2" * 32))
    ]
    assert machine.handle(Finished(result(1))) == [Publish(result(1)), Record(1, "signed", None, None)]
    assert machine.phase is Phase.IDLE


def test_a_party_outside_the_committee_does_nothing():
    machine = PartyMachine(NAMES, 3)
    assert machine.handle(ProposalArrived(proposal(), digest(1))) == []
    assert machine.phase is Phase.IDLE


def test_commitments_that_come_before_the_proposal_count():
    machine = PartyMachine(NAMES, 0)
    machine.handle(commitment(1))
    machine.handle(ProposalArrived(proposal(), digest(1)))
    machine.handle(commitment(2))
    actions = machine.handle(Prepared(1, b"o" * 32))
    assert isinstance(actions[0], Publish)
    assert isinstance(actions[1], Compute)


def test_of_two_early_commitments_the_first_counts_as_it_does_for_the_coordinator():
    machine = PartyMachine(NAMES, 0)
    machine.handle(ProposalArrived(proposal(), digest(1)))
    machine.handle(commitment(1))
    machine.handle(CommitmentArrived(1, Commitment(1, digest(1), b"z" * 32)))
    machine.handle(commitment(2))
    _, compute = machine.handle(Prepared(1, b"o" * 32))
    assert isinstance(compute, Compute)
    assert compute.commitments[1] == b"\1" * 32


def test_an_early_commitment_gives_way_to_one_of_a_later_round():
    machine = PartyMachine(NAMES, 0)
    machine.handle(commitment(1))
    machine.handle(commitment(1, number=2))
    machine.handle(ProposalArrived(proposal(2), digest(2)))
    machine.handle(commitment(2, number=2))
    _, compute = machine.handle(Prepared(2, b"o" * 32))
    assert isinstance(compute, Compute)


def test_a_commitment_from_outside_the_committee_or_twice_changes_nothing():
    machine = committed()
    assert machine.handle(commitment(3)) == []
    assert machine.handle(commitment(1)) == []
    second = CommitmentArrived(1, Commitment(1, digest(1), b"z" * 32))
    assert machine.handle(second) == []
    (compute,) = machine.handle(commitment(2))
    assert isinstance(compute, Compute)
    assert compute.commitments[1] == b"\1" * 32


def test_a_commitment_to_another_proposal_aborts():
    machine = committed()
    publish, record = machine.handle(commitment(1, seen=b"x" * 32))
    assert publish.message.reason is Reason.PROGRAM_MISMATCH
    assert record.state == "aborted"
    assert machine.phase is Phase.IDLE


def test_a_missing_commitment_names_the_silent_party():
    machine = committed()
    machine.handle(commitment(1))
    publish, record = machine.handle(DeadlinePassed(1, Phase.COMMITTED))
    assert publish.message == Abort(1, Reason.COMMITMENT_TIMEOUT, "carol", publish.message.detail)
    assert record == Record(1, "aborted", Reason.COMMITMENT_TIMEOUT, "carol")


def test_the_commitment_deadline_means_nothing_once_computing():
    machine = computing()
    assert machine.handle(DeadlinePassed(1, Phase.COMMITTED)) == []
    assert machine.phase is Phase.COMPUTING


def test_the_round_deadline_cancels_the_worker():
    machine = computing()
    cancel, publish, record = machine.handle(DeadlinePassed(1, Phase.COMPUTING))
    assert isinstance(cancel, Cancel)
    assert not cancel.by_peer
    assert publish.message.reason is Reason.ROUND_DEADLINE
    assert record.reason is Reason.ROUND_DEADLINE


def test_a_peers_abort_ends_the_round_without_an_echo():
    machine = computing()
    cancel, record = machine.handle(AbortArrived(1, Abort(1, Reason.PEER_TIMEOUT, "carol", "")))
    assert (cancel.round, cancel.by_peer) == (1, True)  # a dispute goes on
    assert record == Record(1, "aborted", Reason.PEER_TIMEOUT, "carol")
    assert machine.handle(Finished(result(1))) == []


def test_an_abort_of_a_stranger_or_of_another_round_changes_nothing():
    machine = computing()
    assert machine.handle(AbortArrived(3, Abort(1, Reason.INTERNAL, None, ""))) == []
    assert machine.handle(AbortArrived(1, Abort(2, Reason.INTERNAL, None, ""))) == []
    assert machine.phase is Phase.COMPUTING


def test_own_failure_is_published_with_its_culprit():
    machine = computing()
    failure = RoundError("bob is silent", reason=Reason.PEER_TIMEOUT, culprit="bob")
    publish, record = machine.handle(Failed(1, failure))
    assert publish.message == Abort(1, Reason.PEER_TIMEOUT, "bob", "bob is silent")
    assert record.culprit == "bob"


def test_a_newer_proposal_supersedes_and_an_older_one_does_not():
    machine = computing()
    assert machine.handle(ProposalArrived(proposal(1), digest(1))) == []
    actions = machine.handle(ProposalArrived(proposal(2), digest(2)))
    assert isinstance(actions[0], Cancel)
    assert actions[1].message.round == 1
    assert actions[-1] == Prepare(proposal(2), digest(2))
    assert machine.handle(Finished(result(1))) == []


def test_a_round_is_entered_once_even_after_a_restart():
    machine = PartyMachine(NAMES, 0, last_round=7)
    (publish,) = machine.handle(ProposalArrived(proposal(7), digest(7)))
    assert publish.message.reason is Reason.ROUND_ALREADY_PROMISED
    assert machine.phase is Phase.IDLE
    assert isinstance(machine.handle(ProposalArrived(proposal(8), digest(8)))[-1], Prepare)


def test_a_proposal_cannot_use_up_the_numbers():
    machine = PartyMachine(NAMES, 0, last_round=7)
    (publish,) = machine.handle(ProposalArrived(proposal(7 + 1_000_001), digest(7)))
    assert publish.message.reason is Reason.PROPOSAL_REFUSED
    assert isinstance(machine.handle(ProposalArrived(proposal(8), digest(8)))[-1], Prepare)


def test_stopping_aborts_a_running_round_and_nothing_else():
    assert PartyMachine(NAMES, 0).handle(StopRequested()) == []
    cancel, publish, _ = computing().handle(StopRequested())
    assert isinstance(cancel, Cancel)
    assert publish.message.reason is Reason.PARTY_STOPPED
    assert publish.message.culprit == "alice"


ROUNDS = st.integers(1, 3)
EVENTS = st.one_of(
    st.builds(
        lambda n, c: ProposalArrived(proposal(n, c), digest(n)),
        ROUNDS,
        st.sampled_from([(0, 1, 2), (0, 2, 3), (1, 2, 3)]),
    ),
    st.builds(lambda n: Prepared(n, b"o" * 32), ROUNDS),
    st.builds(commitment, st.integers(0, 3), ROUNDS),
    st.builds(lambda m, n: AbortArrived(m, Abort(n, Reason.INTERNAL, None, "")), st.integers(0, 3), ROUNDS),
    st.builds(lambda n: Finished(result(n)), ROUNDS),
    st.builds(lambda n: Failed(n, RoundError("x")), ROUNDS),
    st.builds(DeadlinePassed, ROUNDS, st.sampled_from([Phase.COMMITTED, Phase.COMPUTING])),
    st.just(StopRequested()),
)


@settings(max_examples=300)
@given(st.lists(EVENTS, max_size=40))
def test_any_order_of_events_keeps_the_promises_of_a_round(events):
    machine = PartyMachine(NAMES, 0)
    highest, ended = 0, set()
    for event in events:
        for action in machine.handle(event):
            if isinstance(action, Prepare):
                assert action.proposal.round > highest
                assert 0 in action.proposal.committee
                highest = max(highest, action.proposal.round)
            if isinstance(action, Compute):
                assert len(action.commitments) == len(action.proposal.committee)
                assert machine.phase is Phase.COMPUTING
            if isinstance(action, Record):
                ended.add(action.round)
        if machine.phase is Phase.IDLE:
            assert machine.proposal is None
        else:
            assert machine.proposal is not None
            assert machine.proposal.round <= highest
