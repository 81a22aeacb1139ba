"""The whole spine on real parts: parties, broker, coordinator, chain and contract."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest

from coordinator.book import MarketBook
from coordinator.broker import LocalBroker
from coordinator.history import History
from coordinator.lifecycle import Schedule
from coordinator.service import CoordinatorService
from coordinator.settlement import Settlement
from mpc_party.journal import RoundState, read_rounds
from mpc_party.market import SimulatedMarket
from mpc_party.protocol.bus import Bus
from mpc_party.protocol.consortium import Consortium, Program
from mpc_party.protocol.consortium import Settlement as Section
from mpc_party.protocol.identity import CoordinatorIdentity
from mpc_party.protocol.report import decode_report
from tests.support.chains import anvil_chain, embedded_chain
from tests.support.world import World, build_world, running

pytestmark = pytest.mark.integration

SEED = 11
MARKET = ("--market", f"simulated:{SEED}")
WAIT = 90.0
SMALL = Program(
    max_instruments=40
)  # the chain's part of a round grows with the book, and is tested elsewhere


@pytest.fixture(scope="module")
def broker() -> Iterator[LocalBroker]:
    with LocalBroker() as local:
        yield local


def deployer(url: str) -> Callable[[Consortium, CoordinatorIdentity], Section]:
    def settle(consortium: Consortium, identity: CoordinatorIdentity) -> Section:
        return Settlement(url, consortium, identity.evm_account()).deploy().section

    return settle


@asynccontextmanager
async def coordinating(world: World, url: str) -> AsyncIterator[CoordinatorService]:
    contract = Settlement(url, world.consortium, world.coordinator.evm_account())
    with History(world.path / "history.sqlite") as history:
        async with Bus(world.consortium, world.coordinator, last_round=history.last_round()) as bus:
            service = CoordinatorService(
                world.consortium,
                bus,
                contract,
                history,
                MarketBook(SimulatedMarket(SEED)),
                schedule=Schedule(deadline_ms=8_000, gather_ms=int(WAIT * 1000), attempts=4),
            )
            await service.start()
            try:
                yield service
            finally:
                await service.stop()


async def settled(service: CoordinatorService) -> tuple[int, tuple[str, ...]]:
    async with asyncio.timeout(WAIT):
        outcome = await service.run_round()
    assert outcome.row is not None, outcome.error
    assert outcome.row.state == "settled"
    return outcome.row.round, tuple(outcome.row.committee)


@pytest.mark.parametrize(
    "chain", [pytest.param(embedded_chain, marks=pytest.mark.slow), anvil_chain], ids=["py-evm", "anvil"]
)
def test_a_party_is_killed_between_rounds_and_the_next_round_settles(tmp_path, broker, chain):
    """n = 4, t = 1: the remaining three settle the next round, whoever of the last committee was killed."""
    coordinator = CoordinatorIdentity.generate()
    with chain([coordinator.account]) as url:
        world = build_world(
            tmp_path, broker.url, count=4, program=SMALL, settle=deployer(url), coordinator=coordinator
        )

        async def scenario() -> None:
            async with coordinating(world, url) as service:
                _, committee = await settled(service)
                assert len(committee) == 3
                victim = committee[1]
                world.kill(victim)
                number, committee = await settled(service)
                assert victim not in committee
                assert len(committee) == 3
                contract = Settlement(url, world.consortium, None)
                stored = await asyncio.to_thread(contract.read_back)
                assert stored.round == number
                with History(world.path / "history.sqlite", read_only=True) as history:
                    row = history.get(number)
                report = decode_report(row.report)
                assert (stored.params, stored.forwards, stored.digest) == (
                    report.params,
                    report.forwards,
                    row.digest,
                )
                for name in committee:
                    rounds = {r.round: r for r in read_rounds(world.home(name).journal_file)}
                    assert rounds[number].digest == stored.digest
                    assert rounds[number].state in {RoundState.SIGNED, RoundState.SETTLED}

        with running(world, world.consortium.names, *MARKET):
            asyncio.run(scenario())


def test_a_party_that_freezes_in_a_round_is_replaced_in_the_same_request(tmp_path, broker):
    """A frozen party stays connected and says nothing: it is named, and the retry runs without it."""
    coordinator = CoordinatorIdentity.generate()
    with embedded_chain([coordinator.account]) as url:
        world = build_world(
            tmp_path, broker.url, count=4, program=SMALL, settle=deployer(url), coordinator=coordinator
        )

        async def scenario() -> None:
            async with coordinating(world, url) as service:
                await settled(service)
                world.freeze("alice")
                number, committee = await settled(service)
                assert "alice" not in committee
                with History(world.path / "history.sqlite", read_only=True) as history:
                    rows = {row.round: row for row in history.rounds(10)}
                aborted = [row for row in rows.values() if row.state == "aborted"]
                # Unless the rotation left alice out by itself, one attempt was aborted in her name.
                assert all(row.culprit == "alice" for row in aborted)
                assert number == max(rows)

        with running(world, world.consortium.names, *MARKET):
            asyncio.run(scenario())
