import asyncio
import time
from contextlib import contextmanager

import pytest
from eth_hash.auto import keccak

from coordinator.history import History
from coordinator.lifecycle import Schedule
from coordinator.service import CoordinatorService
from coordinator.settlement import Settlement, SettlementError, SuiteOptions
from coordinator.settlement.types import Receipt
from mpc_party.protocol.errors import ConsortiumError, Reason
from mpc_party.protocol.messages import Settled, Status
from tests.support.chains import embedded_chain
from tests.support.desks import Books, Desks, aborts, honest, only_commits, result, silent
from tests.support.signed_group import CHAIN_START, SignedGroup

BRISK = SuiteOptions(challenge_window=60)  # a second between two reports
QUICK = Schedule(deadline_ms=400, gather_ms=300, grace_ms=100, backoff_ms=10, settle_ms=20_000)


@pytest.fixture(scope="module")
def settled_group():
    """Four members, and a contract on an embedded chain; rounds go on from test to test."""
    group = SignedGroup(members=4)
    account = group.coordinator.evm_account()
    with embedded_chain([account.address], CHAIN_START) as url:
        group.at(Settlement(url, group.consortium, account).deploy(BRISK).section)
        yield group, url


@contextmanager
def coordinator(settled_group, tmp_path, desks, schedule=QUICK, contract=None, books=None):
    group, url = settled_group
    contract = contract or Settlement(url, group.consortium, group.coordinator.evm_account())
    with History(tmp_path / "history.sqlite") as history:
        service = CoordinatorService(
            group.consortium, desks, contract, history, books or Books(CHAIN_START), schedule=schedule
        )
        yield service, history


def run(service, count=1, **options):
    async def bounded():
        async with asyncio.timeout(60):
            return await service.run_rounds(count, **options)

    return asyncio.run(bounded())


def test_a_round_settles_and_is_remembered_with_all_that_was_measured(settled_group, tmp_path):
    desks = Desks(settled_group[0])
    with coordinator(settled_group, tmp_path, desks) as (service, _):
        [outcome] = run(service)
    row = outcome.row
    assert row.state == "settled"
    assert row.instruments == 18
    assert {"commit", "compute", "nonce", "approve", "sign", "signed", "settle", "total"} <= set(row.ms)
    assert (row.mesh_bytes, row.mesh_rounds) == (1000, 60)
    assert row.gas > 50_000
    assert len(row.tx) == 32
    assert row.max_delta_error <= 1e-6
    settled = [m for m in desks.published if isinstance(m, Settled)]
    assert [(m.round, m.transaction, m.block) for m in settled] == [(row.round, row.tx, row.block)]


def test_rounds_take_turns_and_the_reference_vol_follows_the_report(settled_group, tmp_path):
    desks = Desks(settled_group[0])
    with coordinator(settled_group, tmp_path, desks) as (service, _):
        outcomes = run(service, count=4)
    rounds = [o.row.round for o in outcomes]
    assert rounds == sorted(set(rounds))
    served = [m for p in desks.proposals() for m in p.committee]
    assert {served.count(member) for member in range(4)} == {3}
    vols = [{e.reference_vol for e in p.expiries} for p in desks.proposals()]
    assert vols == [{550_000}, {500_000}, {500_000}, {500_000}]


def test_with_one_of_four_gone_the_next_round_settles_with_the_other_three(settled_group, tmp_path):
    desks = Desks(settled_group[0])
    with coordinator(settled_group, tmp_path, desks) as (service, _):
        real = service.run_round

        async def kill_after_first():
            outcome = await real()
            desks.offline.add(1)
            desks.say(1, Status(online=False, consortium=settled_group[0].consortium.hash, last_round=0))
            return outcome

        service.run_round = kill_after_first
        outcomes = run(service, count=2, every=0.05)
    assert [o.row.state for o in outcomes] == ["settled", "settled"]
    assert desks.proposals()[-1].committee == (0, 2, 3)
    assert len(desks.proposals()) == 2


def test_a_silent_member_costs_one_attempt_and_then_its_place(settled_group, tmp_path):
    def waits_for_bravo(desks, member, proposal):
        return (only_commits if 1 in proposal.committee else honest)(desks, member, proposal)

    desks = Desks(settled_group[0], replies=dict.fromkeys(range(4), waits_for_bravo) | {1: silent})
    with coordinator(settled_group, tmp_path, desks) as (service, history):
        [outcome] = run(service)
        rows = history.rounds()
    assert [(r.state, r.reason, r.culprit) for r in rows] == [
        ("aborted", "commitment-timeout", "bravo"),
        ("settled", None, None),
    ]
    assert desks.proposals()[-1].committee == (0, 2, 3)
    assert outcome.row.attempt == 2
    assert outcome.row.first == rows[0].round


def test_a_forged_result_names_its_sender_and_the_round_is_run_again(settled_group, tmp_path):
    def forge(desks, member, proposal):
        good = result(desks, proposal)
        bad = type(good)(good.round, good.digest, good.report, bytes(64) + b"\x1b", good.times)
        return [*only_commits(desks, member, proposal), bad]

    desks = Desks(settled_group[0], replies={0: forge})
    with coordinator(settled_group, tmp_path, desks) as (service, history):
        [outcome] = run(service)
        first = history.rounds()[0]
    assert (first.state, first.reason) == ("aborted", "signature-invalid")
    assert 0 not in desks.proposals()[1].committee
    assert outcome.row.state == "settled"


def test_a_result_that_is_not_of_the_proposal_is_refused(settled_group, tmp_path):
    def shifted(desks, member, proposal):
        return [
            *only_commits(desks, member, proposal),
            result(desks, proposal, valid_until=proposal.valid_until + 1),
        ]

    desks = Desks(settled_group[0], replies=dict.fromkeys(range(4), shifted))
    schedule = Schedule(**{**vars_of(QUICK), "attempts": 1})
    with coordinator(settled_group, tmp_path, desks, schedule) as (service, _):
        [outcome] = run(service)
    assert outcome.row is None
    assert outcome.error.reason is Reason.REPORT_INVALID
    assert "valid_until" in str(outcome.error)


def test_attempts_are_bounded_and_the_last_reason_is_told(settled_group, tmp_path):
    desks = Desks(settled_group[0], replies={m: aborts(Reason.MARKET_DATA_STALE) for m in range(4)})
    with coordinator(settled_group, tmp_path, desks) as (service, history):
        [outcome] = run(service)
        rows = history.rounds()
    assert outcome.error.reason is Reason.MARKET_DATA_STALE
    assert [r.state for r in rows] == ["aborted"] * QUICK.attempts
    assert [r.attempt for r in rows] == [1, 2, 3, 4]


def test_too_few_members_is_said_with_their_names(settled_group, tmp_path):
    desks = Desks(settled_group[0], offline={2, 3})
    with coordinator(settled_group, tmp_path, desks) as (service, history):
        [outcome] = run(service)
        assert history.rounds() == []
    assert "charlie, delta" in str(outcome.error)


def test_a_member_ahead_of_the_history_raises_the_number(settled_group, tmp_path):
    desks = Desks(settled_group[0], last_round=7000)
    with coordinator(settled_group, tmp_path, desks) as (service, _):
        [outcome] = run(service)
    assert outcome.row.round == 7004  # of four members, the next that belongs to (0, 1, 2)


def test_a_node_that_is_gone_for_a_moment_is_asked_again(settled_group, tmp_path):
    class Flaky(Settlement):
        failures = 2

        def submit(self, report, signature, book=None):
            if self.failures:
                self.failures -= 1
                raise SettlementError("the node is gone", reason=Reason.CHAIN_UNREACHABLE)
            return super().submit(report, signature, book)

    group, url = settled_group
    contract = Flaky(url, group.consortium, group.coordinator.evm_account())
    desks = Desks(group)
    with coordinator(settled_group, tmp_path, desks, contract=contract) as (service, history):
        [outcome] = run(service)
        assert len(history.rounds()) == 1
    assert outcome.row.state == "settled"


def test_what_was_signed_when_the_coordinator_died_is_settled_at_the_next_start(settled_group, tmp_path):
    class Dies(Settlement):
        def submit(self, *_):
            raise KeyboardInterrupt

    group, url = settled_group
    contract = Dies(url, group.consortium, group.coordinator.evm_account())
    with coordinator(settled_group, tmp_path, Desks(group), contract=contract) as (service, history):
        with pytest.raises(KeyboardInterrupt):
            run(service)
        [row] = history.rounds()
        assert row.state == "running"
        assert row.signature is not None
    with coordinator(settled_group, tmp_path, Desks(group)) as (service, history):
        run(service, count=0)
        [row] = history.rounds()
    assert row.state == "settled"
    assert row.gas > 0


def test_an_interrupted_round_without_a_signature_ends_as_aborted(settled_group, tmp_path):
    group, _ = settled_group
    desks = Desks(group, replies=dict.fromkeys(range(4), only_commits))
    with coordinator(settled_group, tmp_path, desks, Schedule()) as (service, history):

        async def interrupted():
            task = asyncio.create_task(service.run_rounds(1))
            await asyncio.wait_for(desks.proposed.wait(), 20)
            task.cancel()
            await asyncio.wait([task], timeout=10)
            assert task.cancelled()

        asyncio.run(interrupted())
        [row] = history.rounds()
    assert (row.state, row.reason) == ("aborted", "party-stopped")


def test_a_report_that_came_late_to_the_contract_is_put_right_in_the_history(settled_group, tmp_path):
    class SubmitsThenFails(Settlement):
        def submit(self, report, signature, book=None):
            super().submit(report, signature, book)
            raise SettlementError("the answer was lost", reason=Reason.CHAIN_MISMATCH)

    group, url = settled_group
    contract = SubmitsThenFails(url, group.consortium, group.coordinator.evm_account())
    once = Schedule(**{**vars_of(QUICK), "attempts": 1})
    with coordinator(settled_group, tmp_path, Desks(group), once, contract) as (service, history):
        run(service)
        assert history.rounds()[0].state == "aborted"
    with coordinator(settled_group, tmp_path, Desks(group)) as (service, history):
        run(service)
        assert [r.state for r in history.rounds()] == ["settled", "settled"]


def test_messages_of_other_rounds_and_from_outside_the_committee_change_nothing(settled_group, tmp_path):
    def noisy(desks, member, proposal):
        stale = result(desks, proposal)
        early = type(stale)(proposal.round - 1, stale.digest, stale.report, stale.signature, stale.times)
        outsider = next(m for m in range(4) if m not in proposal.committee)
        for message in (*aborts(Reason.INTERNAL)(desks, outsider, proposal), early):
            desks.say(outsider, message)
        return [early, *honest(desks, member, proposal)]

    desks = Desks(settled_group[0], replies=dict.fromkeys(range(4), noisy))
    with coordinator(settled_group, tmp_path, desks) as (service, history):
        [outcome] = run(service)
        assert [r.state for r in history.rounds()] == ["settled"]
    assert outcome.row.attempt == 1


def test_a_failure_inside_the_settlement_thread_is_not_swallowed(settled_group, tmp_path):
    class Broken(Settlement):
        def submit(self, *_):
            raise ZeroDivisionError

    group, url = settled_group
    contract = Broken(url, group.consortium, group.coordinator.evm_account())
    with (
        coordinator(settled_group, tmp_path, Desks(group), contract=contract) as (service, _),
        pytest.raises(ZeroDivisionError),
    ):
        run(service)


def test_another_process_with_this_identity_ends_the_run(settled_group, tmp_path):
    class Evicted(Desks):
        async def _read(self):
            raise ConsortiumError("another process", reason=Reason.ALREADY_RUNNING)
            yield

    desks = Evicted(settled_group[0])
    with (
        coordinator(settled_group, tmp_path, desks) as (service, _),
        pytest.raises(ConsortiumError, match="another"),
    ):
        run(service)


def test_the_contract_must_hold_what_was_signed(settled_group, tmp_path):
    class Lies(Settlement):
        def submit(self, *_):
            return Receipt(None, None, None)

    group, url = settled_group
    contract = Lies(url, group.consortium, group.coordinator.evm_account())
    once = Schedule(**{**vars_of(QUICK), "attempts": 1})
    with coordinator(settled_group, tmp_path, Desks(group), once, contract) as (service, _):
        [outcome] = run(service)
    assert outcome.error.reason is Reason.CHAIN_MISMATCH


def test_a_report_that_the_breaker_rejects_ends_the_request_and_not_the_service(settled_group, tmp_path):
    class Rejects(Settlement):
        left = 1

        def submit(self, report, signature, book=None):
            if self.left:
                self.left -= 1
                raise SettlementError("FORWARD_JUMP at word 0", reason=Reason.REPORT_REJECTED)
            return super().submit(report, signature, book)

    group, url = settled_group
    contract = Rejects(url, group.consortium, group.coordinator.evm_account())
    with coordinator(settled_group, tmp_path, Desks(group), contract=contract) as (service, history):
        outcomes = run(service, count=2)
        rows = history.rounds()
    assert outcomes[0].error.reason is Reason.REPORT_REJECTED
    assert [(row.state, row.reason) for row in rows] == [("aborted", "report-rejected"), ("settled", None)]


def test_the_book_goes_to_the_contract_with_the_report(settled_group, tmp_path):
    class Listens(Settlement):
        books = ()

        def submit(self, report, signature, book=None):
            self.books += (bytes(keccak(book)) == report.book,)
            return super().submit(report, signature, book)

    group, url = settled_group
    contract = Listens(url, group.consortium, group.coordinator.evm_account())
    with coordinator(settled_group, tmp_path, Desks(group), contract=contract) as (service, _):
        run(service)
    assert contract.books == (True,)


def test_a_live_market_waits_for_the_contracts_pace_before_it_proposes(settled_group, tmp_path):
    class Paced(Settlement):
        def seconds_until_next(self):
            return 0.4

    group, url = settled_group
    contract = Paced(url, group.consortium, group.coordinator.evm_account())
    spent = []
    for replays in (True, False):
        books = Books(CHAIN_START)
        books.replays = replays
        with coordinator(
            settled_group, tmp_path / str(replays), Desks(group), contract=contract, books=books
        ) as (
            service,
            _,
        ):
            began = time.monotonic()
            run(service)
            spent.append(time.monotonic() - began)
    assert spent[1] > spent[0] + 0.2
    assert Settlement(url, group.consortium).seconds_until_next() == 0.0  # the chain's clock is long past


def vars_of(schedule):
    return {name: getattr(schedule, name) for name in schedule.__dataclass_fields__}
