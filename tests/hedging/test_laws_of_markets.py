"""Rounds of honest desks over whole chains, real and simulated, break no law: a party that refused would stop the service."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from mpc_party.hedging.laws import Law, decode, law_uses
from mpc_party.market import RecordedChain, SimulatedMarket
from mpc_party.market.heston import HestonMarket
from tests.support.judged_reports import round_of_three

REPOSITORY = Path(__file__).parents[2]
CHAIN = Path(
    os.environ.get("MPC_CHAIN_FILE", REPOSITORY.parent / "shared/data/deribit_btc_options_2026-01_02.csv.gz")
)
# Largest shares of the allowances in 1,380 rounds over two months, and some room.
LARGEST = {
    Law.RANGE: 0.05,
    Law.PARITY: 0.5,
    Law.BLACK76: 0.6,
    Law.MONOTONE: 0.1,
    Law.BUTTERFLY: 0.3,
    Law.HEDGE_BAND: 0.1,
}


def check_rounds(source, starts, seed):
    """After each start a round without a last report, then one with the last report's vols as references."""
    for start in starts:
        vols: dict[int, float] = {}
        after = int(start)
        for _ in range(2):
            report, words, vols = round_of_three(source, after, vols, seed)
            after = report.observed_at
            for use in law_uses(decode(report, words)):
                assert use.share < LARGEST[use.law], use


@pytest.mark.parametrize("market", [SimulatedMarket(3), HestonMarket(3)], ids=["simulated", "heston"])
def test_rounds_over_simulated_markets_are_lawful(market):
    check_rounds(market, 1_790_000_000 + 401_271 * np.arange(6), "laws/")


@pytest.mark.skipif(not CHAIN.exists(), reason="no recorded chain")
def test_rounds_over_a_real_chain_are_lawful():
    source = RecordedChain(CHAIN)
    rows = np.linspace(0, len(source.times) - 3, 24).astype(int)
    check_rounds(source, [source.times[k] - 1 for k in rows], "laws/")
