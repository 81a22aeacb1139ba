"""The real recording, where it is at hand: its size, and our Black-76 against the exchange's own figures."""

import csv
import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from mpc_party.market import RecordedChain
from mpc_party.market.black76 import greeks, implied_vol, years

REPOSITORY = Path(__file__).parents[2]
CHAIN = Path(
    os.environ.get("MPC_CHAIN_FILE", REPOSITORY.parent / "shared/data/deribit_btc_options_2026-01_02.csv.gz")
)

pytestmark = pytest.mark.skipif(
    not CHAIN.is_file(),
    reason=f"the recorded chain is not ours to redistribute: no file {CHAIN} (set MPC_CHAIN_FILE)",
)


@pytest.fixture(scope="module")
def recording() -> RecordedChain:
    return RecordedChain(CHAIN)


@pytest.fixture(scope="module")
def moments(recording):
    return [recording.at(time) for time in recording.times[::10]]


def test_every_row_of_the_recording_is_used(recording):
    assert len(recording.times) == 231
    assert recording.dropped == 0
    assert recording.underlying == "BTC"
    assert recording.next_time(0, 0) == recording.times[0]
    sizes = [len(recording.at(time)) for time in recording.times]
    assert min(sizes) > 500
    assert 700 < np.median(sizes) < 800


def test_moments_are_sorted_and_hold_no_option_twice(moments):
    for chain in moments:
        keys = list(zip(chain.expiry.tolist(), chain.strike.tolist(), chain.call.tolist(), strict=True))
        assert keys == sorted(set(keys))
        assert (chain.expiry > chain.observed_at).all()


def test_our_deltas_are_those_of_the_exchange(moments):
    chosen = {chain.observed_at: chain for chain in moments[:8]}
    recorded: dict[int, dict[tuple[int, float, bool], float]] = {time: {} for time in chosen}
    from mpc_party.market.recorded import _unix_seconds, parse_instrument_name  # noqa: PLC0415

    with gzip.open(CHAIN, "rt", encoding="utf-8") as file:
        for line in csv.DictReader(file):
            if (time := _unix_seconds(line["timestamp"])) in recorded:
                name = parse_instrument_name(line["instrument_name"])
                recorded[time][name[1:]] = float(line["delta"])
            elif time > max(chosen):
                break
    errors = []
    for time, chain in chosen.items():
        ours = greeks(
            chain.strike / chain.forward, chain.mark_vol, years(chain.expiry, time), chain.call
        ).delta
        keys = zip(chain.expiry.tolist(), chain.strike.tolist(), chain.call.tolist(), strict=True)
        errors.append(np.abs(ours - [recorded[time][key] for key in keys]))
    error = np.concatenate(errors)
    # The exchange's rows are seconds apart and its vols have four digits: hours before expiry, that shows.
    assert np.median(error) < 5e-4
    assert np.percentile(error, 90) < 5e-3


def test_vols_of_mid_prices_are_near_the_mark_vols(moments):
    ratios = []
    for chain in moments:
        quoted = np.isfinite(chain.bid) & np.isfinite(chain.ask)
        moneyness = (chain.strike / chain.forward)[quoted]
        time = years(chain.expiry, chain.observed_at)[quoted]
        vol = implied_vol(0.5 * (chain.bid + chain.ask)[quoted], moneyness, time, chain.call[quoted])
        assert np.isfinite(vol).mean() > 0.8  # the rest is deep in the money, its mid below intrinsic
        ratios.append((vol / chain.mark_vol[quoted])[np.isfinite(vol)])
    error = np.abs(np.log(np.concatenate(ratios)))
    assert np.median(error) < 0.01
