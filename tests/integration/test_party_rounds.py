"""Real party processes on a real broker: rounds, a killed party, hostile proposals, Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import msgspec
import numpy as np
import pytest

from coordinator.broker import LocalBroker
from mpc_party.journal import RoundState, read_rounds
from mpc_party.market import RecordedChain, SimulatedMarket
from mpc_party.protocol.eip712 import report_digest, verify_signature
from mpc_party.protocol.errors import Reason
from mpc_party.protocol.messages import Proposal
from mpc_party.protocol.report import decode_report
from mpc_party.protocol.words import unpack_params
from tests.support.caller import calling
from tests.support.joint import make_proposal
from tests.support.world import World, build_world, running

pytestmark = pytest.mark.integration

SEED = 11
MARKET = ("--market", f"simulated:{SEED}")
MEMORY_LIMIT = 1 << 20  # KiB: one GiB
REPOSITORY = Path(__file__).parents[2]
CHAIN = Path(
    os.environ.get("MPC_CHAIN_FILE", REPOSITORY.parent / "shared/data/deribit_btc_options_2026-01_02.csv.gz")
)


@pytest.fixture(scope="module")
def broker():
    with LocalBroker() as local:
        yield local


def proposal(number: int, committee: tuple[int, ...] = (0, 1, 2), most: int = 60) -> Proposal:
    return msgspec.structs.replace(
        make_proposal(SimulatedMarket(SEED), int(time.time()), committee, most), round=number
    )


def check_result(world: World, result) -> None:
    settlement = world.consortium.settlement
    report = decode_report(result.report)
    assert result.digest == report_digest(report, settlement.chain_id, settlement.contract)
    verify_signature(result.digest, result.signature, world.consortium.group_address)


def peak_memory(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])


def test_rounds_settle_and_a_killed_party_is_replaced(tmp_path, broker):
    """n = 4, t = 1: any three run a round; kill one between rounds, and the other three run the next."""
    world = build_world(tmp_path, broker.url, count=4)

    async def scenario() -> None:
        async with calling(world) as caller:
            await caller.members_online(*world.consortium.names)
            first = await caller.round(proposal(4))
            assert set(first) == {"alice", "bob", "carol"}
            assert len({r.digest for r in first.values()}) == 1
            for result in first.values():
                check_result(world, result)
            world.kill("bob")
            await caller.members_offline("bob")
            second = await caller.round(proposal(6, (0, 2, 3)))
            assert set(second) == {"alice", "carol", "dave"}
            for result in second.values():
                check_result(world, result)
            for process in world.processes.values():
                assert peak_memory(process.pid) < MEMORY_LIMIT
            # A restarted party knows what it has promised, and joins again.
            world.start("bob", "--desk-seed", "desk of bob", *MARKET)
            await caller.members_online("bob")
            again = await caller.round(proposal(9, (0, 1, 3)))
            assert set(again) == {"alice", "bob", "dave"}

    with running(world, world.consortium.names, *MARKET):
        asyncio.run(scenario())
        assert world.interrupt("alice") == 0
    rounds = read_rounds(world.home("alice").journal_file)
    assert [r.round for r in rounds] == [9, 6, 4]
    assert {r.state for r in rounds} == {RoundState.SIGNED}


def test_a_party_that_is_killed_in_a_round_is_named_and_the_round_aborts(tmp_path, broker):
    world = build_world(tmp_path, broker.url)

    async def scenario() -> None:
        async with calling(world) as caller:
            await caller.members_online(*world.consortium.names)
            await caller.round(proposal(1))
            world.kill("carol")
            await caller.propose(msgspec.structs.replace(proposal(2), deadline_ms=4000))
            await caller.until(lambda: {"alice", "bob"} <= set(caller.aborts(2)))
            for abort in caller.aborts(2).values():
                assert abort.culprit == "carol"
                assert abort.reason is Reason.COMMITMENT_TIMEOUT

    with running(world, world.consortium.names, *MARKET):
        asyncio.run(scenario())


def bad_proposals() -> dict[str, tuple[Reason, dict[str, object]]]:
    good = proposal(1)
    far = msgspec.structs.replace(good.expiries[0], forward=good.expiries[0].forward * 2)
    wild = msgspec.structs.replace(good.expiries[-1], reference_vol=5_000_000)
    return {
        "epoch": (Reason.PROPOSAL_REFUSED, {"epoch": 2}),
        "an hour ago": (
            Reason.PROPOSAL_REFUSED,
            {"observed_at": good.observed_at - 3600, "valid_until": good.valid_until - 3600},
        ),
        "valid for ever": (Reason.PROPOSAL_REFUSED, {"valid_until": good.valid_until + 10**6}),
        "another underlying": (Reason.PROPOSAL_REFUSED, {"underlying": "ETH"}),
        "no such member": (Reason.PROPOSAL_REFUSED, {"committee": (0, 1, 6)}),
        "a forward": (Reason.FORWARD_OUT_OF_BOUNDS, {"expiries": (far, *good.expiries[1:])}),
        "a reference": (Reason.REFERENCE_OUT_OF_BAND, {"expiries": (*good.expiries[:-1], wild)}),
    }


def test_bad_proposals_are_refused_by_reason_and_the_next_round_runs(tmp_path, broker):
    world = build_world(tmp_path, broker.url)

    async def scenario() -> None:
        async with calling(world) as caller:
            await caller.members_online(*world.consortium.names)
            number = 0
            for name, (reason, changes) in bad_proposals().items():
                number += 1
                await caller.propose(msgspec.structs.replace(proposal(number), **changes))
                # Who hears another's abort first does not add its own.
                await caller.until(lambda n=number: bool(caller.aborts(n)))
                assert {abort.reason for abort in caller.aborts(number).values()} == {reason}, name
            await caller.round(proposal(number + 1))
            # A number that has been promised is never entered again.
            await caller.propose(proposal(number + 1))
            await caller.until(lambda: len(caller.aborts(number + 1)) == 3)
            assert {a.reason for a in caller.aborts(number + 1).values()} == {Reason.ROUND_ALREADY_PROMISED}

    with running(world, world.consortium.names, *MARKET):
        asyncio.run(scenario())


def test_interrupting_a_party_in_a_round_tells_the_others_and_leaves_a_usable_journal(tmp_path, broker):
    world = build_world(tmp_path, broker.url)

    async def scenario() -> None:
        async with calling(world) as caller:
            await caller.members_online("alice", "bob")
            # Carol is not there, so that alice and bob wait with their commitments out.
            await caller.propose(msgspec.structs.replace(proposal(1), deadline_ms=60_000))
            await caller.until(lambda: {"alice", "bob"} <= set(caller.commitments(1)))
            assert await asyncio.to_thread(world.interrupt, "alice") == 0
            await caller.until(lambda: "alice" in caller.aborts(1))
            assert caller.aborts(1)["alice"].reason is Reason.PARTY_STOPPED

    with running(world, ("alice", "bob"), *MARKET):
        asyncio.run(scenario())
        (record,) = read_rounds(world.home("alice").journal_file)
        assert record.state is RoundState.ABORTED
        assert record.reason is Reason.PARTY_STOPPED
    assert "Traceback" not in world.log("alice")


def test_no_secret_in_any_log(tmp_path, broker):
    world = build_world(tmp_path, broker.url)

    async def scenario() -> None:
        async with calling(world) as caller:
            await caller.members_online(*world.consortium.names)
            await caller.round(proposal(1))

    with running(world, world.consortium.names, *MARKET, "--log-level", "debug"):
        asyncio.run(scenario())
    for identity in world.identities:
        log = world.log(identity.name)
        assert "correct horse" not in log
        assert "desk of" not in log
        assert "AGE-SECRET" not in log
        assert "Traceback" not in log


@pytest.mark.skipif(
    not CHAIN.exists(), reason=f"needs the recorded chain: set MPC_CHAIN_FILE (looked for {CHAIN.name})"
)
def test_a_whole_recorded_chain(tmp_path, broker):
    world = build_world(tmp_path, broker.url)
    source = RecordedChain(CHAIN)

    async def scenario() -> None:
        async with calling(world) as caller:
            await caller.members_online(*world.consortium.names)
            for number, moment in enumerate(source.times[20:23], start=1):
                results = await caller.round(
                    msgspec.structs.replace(make_proposal(source, moment), round=number)
                )
                for result in results.values():
                    check_result(world, result)
                    params = unpack_params(decode_report(result.report).params)
                    assert len(params["iv"]) >= 500
                    assert np.median(params["iv"]) > 200_000
                    assert result.times.mesh_bytes < 640 * 1024  # of the 2 MiB that a round may take

    with running(world, world.consortium.names, "--market", f"recorded:{CHAIN}"):
        asyncio.run(scenario())


def test_a_share_of_another_model_is_refused_at_start(tmp_path, broker):
    world = build_world(tmp_path / "a", broker.url)
    other = build_world(tmp_path / "b", broker.url)
    world.home("alice").model_share_file.write_bytes(other.home("alice").model_share_file.read_bytes())
    with running(world, ("alice",), *MARKET):
        assert world.processes["alice"].wait(60) == 2
    assert "model-mismatch" in world.log("alice")
    assert "Traceback" not in world.log("alice")
