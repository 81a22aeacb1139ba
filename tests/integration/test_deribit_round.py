"""A round over live data: party processes and the caller each with a connection of their own to one exchange."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import contextmanager

import msgspec
import pytest

from coordinator.broker import LocalBroker
from mpc_party.market import SimulatedMarket
from mpc_party.market.live import LiveChain
from mpc_party.protocol.eip712 import report_digest, verify_signature
from mpc_party.protocol.report import decode_report
from tests.support.caller import calling
from tests.support.joint import make_proposal
from tests.support.venues.deribit_exchange import DeribitExchange, option_names
from tests.support.world import build_world, running

pytestmark = [pytest.mark.integration, pytest.mark.slow]

MARKET = SimulatedMarket(11)


@contextmanager
def quoting(exchange):
    """The exchange's quotes follow the simulated market, second by second."""
    stop = threading.Event()

    def quote():
        while not stop.wait(1.0):
            exchange.show(MARKET.at(int(time.time())))

    thread = threading.Thread(target=quote)
    exchange.show(MARKET.at(int(time.time())))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10.0)


def test_a_round_over_a_live_chain_is_signed_and_a_broken_connection_does_not_stop_the_next(tmp_path):
    with LocalBroker() as broker, DeribitExchange(option_names()) as exchange, quoting(exchange):
        world = build_world(tmp_path, broker.url)
        market = f"deribit:BTC@{exchange.url}"

        async def rounds() -> None:
            async with calling(world) as caller:
                await caller.members_online(*world.consortium.names)
                for number in (1, 2):
                    moment = await asyncio.to_thread(live.next_time, 0, int(time.time()))
                    proposal = make_proposal(live, moment, most=60)
                    assert proposal.underlying == "BTC"
                    results = await caller.round(msgspec.structs.replace(proposal, round=number))
                    assert len({result.digest for result in results.values()}) == 1
                    settlement, result = world.consortium.settlement, results["alice"]
                    report = decode_report(result.report)
                    assert result.digest == report_digest(report, settlement.chain_id, settlement.contract)
                    verify_signature(result.digest, result.signature, world.consortium.group_address)
                    connected = exchange.connections
                    exchange.disconnect()
                    await asyncio.to_thread(
                        exchange.until, lambda seen=connected: exchange.connections == seen + 4
                    )

        with (
            LiveChain("BTC", url=exchange.url).start() as live,
            running(world, world.consortium.names, "--market", market),
        ):
            asyncio.run(rounds())
