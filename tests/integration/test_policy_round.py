"""The policy network, dealt to real processes that see a market with order flow: a round signs what it says in the clear."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import msgspec
import numpy as np
import pytest

from coordinator.broker import LocalBroker
from models.model_file import ModelFile
from mpc_party.audit.opening import open_exposure, open_opening
from mpc_party.hedging.model import POLICY
from mpc_party.hedging.outputs import Column
from mpc_party.hedging.public import public_inputs
from mpc_party.hedging.replay import allowance, replay
from mpc_party.journal import Journal
from mpc_party.market import HestonMarket
from mpc_party.protocol.report import decode_report
from mpc_party.protocol.words import unpack_params
from tests.support.caller import calling
from tests.support.joint import make_proposal, network_weights
from tests.support.world import build_world, running

pytestmark = pytest.mark.integration

SEED = 5
REPORT_UNIT = 1e-6


def test_a_round_with_the_network_and_order_flow(tmp_path: Path) -> None:
    weights = network_weights()
    market = HestonMarket(SEED)
    proposal = msgspec.structs.replace(make_proposal(market, int(time.time()), most=60), round=1)
    option, held = proposal.instruments[7], 25.0
    expiry = time.gmtime(proposal.expiries[option.expiry].expiry)
    month = time.strftime("%b", expiry).upper()
    kind = "C" if option.call else "P"
    name = (
        f"{proposal.underlying}-{expiry.tm_mday}{month}{expiry.tm_year % 100}-{option.strike // 10**8}-{kind}"
    )
    positions = tmp_path / "held.csv"
    positions.write_text(f"instrument,contracts\n{name},{held}\n")
    with LocalBroker() as broker:
        world = build_world(tmp_path / "w", broker.url, model=ModelFile(POLICY, weights))

        async def scenario():
            async with calling(world) as caller:
                await caller.members_online(*world.consortium.names)
                return await caller.round(proposal)

        with running(
            world, world.consortium.names, "--market", f"heston:{SEED}", "--positions", str(positions)
        ):
            results = asyncio.run(scenario())
    params = unpack_params(decode_report(results["alice"].report).params)
    market_words = []
    for identity in world.identities:
        home = world.home(identity.name)
        with Journal.open(
            home.journal_file, consortium=world.consortium.id_bytes, epoch=world.consortium.epoch
        ) as journal:
            record = journal.opening(1)
        opening = open_opening(record.opening, identity.decrypt)
        market_words.append(opening.market_words())
        exposure = open_exposure(record.exposure, identity.decrypt)
        ratio = proposal.expiries[option.expiry].forward / proposal.expiries[0].forward
        expected = held * ratio * params["hedge_delta"][7] * REPORT_UNIT
        assert exposure.delta == pytest.approx(expected, abs=1e-2)
        assert exposure.positions_left_out == 0
    flow = np.array([words[-1] for words in market_words])
    assert flow[:, :2].any()  # the simulated market has order flow, and it went in
    public = public_inputs(proposal, world.consortium.program)
    dealt = np.rint(np.array(weights) * 2**16) / 2**16
    table = replay(public, market_words, POLICY, dealt)
    error = np.abs(params["hedge_delta"] * REPORT_UNIT - table[Column.HEDGE_DELTA]).max()
    assert error <= allowance(public, POLICY, dealt)[Column.HEDGE_DELTA] + REPORT_UNIT
    assert np.abs(table[Column.HEDGE_DELTA] - table[Column.DELTA]).max() > 1e-3  # the network does something
