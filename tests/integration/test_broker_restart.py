"""The broker is restarted in the middle of a round, and the round still ends signed: NATS and Mosquitto."""

from __future__ import annotations

import asyncio
import time

import msgspec
import pytest

from mpc_party.market import SimulatedMarket
from tests.support.brokers import running_broker
from tests.support.caller import calling
from tests.support.joint import make_proposal
from tests.support.world import build_world, running

pytestmark = pytest.mark.integration

SEED = 11


@pytest.mark.parametrize("kind", ["nats", "mosquitto"])
def test_a_round_survives_a_restart_of_its_broker(tmp_path, kind):
    store = tmp_path / "broker"
    store.mkdir()
    with running_broker(kind, store) as broker:
        world = build_world(tmp_path / "world", broker.url)

        async def scenario() -> None:
            async with calling(world) as caller:
                await caller.members_online(*world.consortium.names)
                # Carol is frozen, so that the round stands still where we want it: two commitments are out.
                world.freeze("carol")
                proposal = make_proposal(SimulatedMarket(SEED), int(time.time()), most=40)
                await caller.propose(msgspec.structs.replace(proposal, deadline_ms=120_000))
                await caller.until(lambda: {"alice", "bob"} <= set(caller.commitments(1)))
                await asyncio.to_thread(broker.stop)
                await asyncio.to_thread(broker.start)
                world.thaw("carol")
                await caller.until(lambda: len(caller.results(1)) == 3 or bool(caller.aborts(1)))
                assert not caller.aborts(1)
                assert len({result.digest for result in caller.results(1).values()}) == 1

        with running(world, world.consortium.names, "--market", f"simulated:{SEED}"):
            asyncio.run(scenario())
