import dataclasses

import numpy as np
import pytest

from models.model_file import ModelFile
from models.slices import POINTS, SHOWN, slices
from mpc_party.hedging.model import MINIMUM_VARIANCE
from mpc_party.market.recorded import RecordedChain
from mpc_party.market.simulated import DAYS_AHEAD, SimulatedMarket
from tests.support.smile_recordings import START, STEP, write_recording

MODEL = ModelFile(MINIMUM_VARIANCE, (-0.25, 0.4, -0.3))


def test_slices_of_a_market():
    shown = slices(SimulatedMarket(3).at(START), MODEL)
    assert len(shown) == SHOWN
    days = [one.days for one in shown]
    assert days == sorted(days)
    assert days[0] == pytest.approx(DAYS_AHEAD[0])
    assert days[-1] == pytest.approx(DAYS_AHEAD[-1])
    for one in shown:
        assert one.moneyness.shape == one.vol.shape == one.delta.shape == one.hedge_delta.shape == (POINTS,)
        assert one.quoted_moneyness.shape == one.quoted_vol.shape
        assert one.quoted_moneyness.min() == one.moneyness[0]
        assert one.quoted_moneyness.max() == one.moneyness[-1]
        assert (np.diff(one.delta[(one.delta > 0.1) & (one.delta < 0.9)]) < 0).all()
        near = np.abs(np.interp(one.quoted_moneyness, one.moneyness, one.delta) - 0.5) < 0.3
        assert np.count_nonzero(near) > 8
        fitted = np.interp(one.quoted_moneyness[near], one.moneyness, one.vol)
        np.testing.assert_allclose(fitted, one.quoted_vol[near], rtol=0.05)
        # The example's adjustment at the money is 0.4 * (-0.25 + 0.2 - 0.075) of delta.
        middle = np.argmin(np.abs(one.delta - 0.5))
        assert one.hedge_delta[middle] - one.delta[middle] == pytest.approx(-0.05, abs=0.005)


def test_few_expiries_and_none(tmp_path):
    recording = RecordedChain(write_recording(tmp_path / "chain.csv.gz", moments=2))
    chain = recording.at(START + STEP)
    assert len(slices(chain, MODEL)) == 3
    names = ("expiry", "strike", "call", "forward", "bid", "ask", "mark_vol")
    few = dataclasses.replace(chain, **{name: getattr(chain, name)[::30] for name in names})
    assert slices(few, MODEL) == []
