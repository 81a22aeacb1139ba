"""A party's own positions: to words and back, and the check of what comes back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc_party.hedging.exposure import NO_EXPOSURE, Exposure, check_exposure, scaled_positions
from mpc_party.hedging.outputs import Column, exact_losses
from mpc_party.protocol.errors import Reason, RoundError
from tests.support.books import book, exact_table

PUBLIC = book()
ULP = 2.0**-16


def sums(table: np.ndarray, positions: np.ndarray) -> Exposure:
    losses = exact_losses(PUBLIC, table[Column.VOL_RATIO])
    return Exposure(
        float(table[Column.HEDGE_DELTA] @ positions),
        float((table[Column.GAMMA_SHAPE] * PUBLIC.gamma_scale) @ positions),
        float((table[Column.DENSITY] * np.sqrt(PUBLIC.time)) @ positions),
        float((-losses @ positions).max()),
    )


@given(st.lists(st.floats(-1e6, 1e6), min_size=PUBLIC.count, max_size=PUBLIC.count))
def test_scaling_is_undone_by_the_scale(contracts):
    positions, scale = scaled_positions(PUBLIC, np.array(contracts))
    assert np.abs(positions).max() <= 1.0
    forward = PUBLIC.grid.forward[PUBLIC.expiry_index] / PUBLIC.grid.forward[0]
    assert np.allclose(positions * scale, np.array(contracts) * forward, rtol=1e-12, atol=1e-300)
    assert scale > 0


def test_no_positions():
    positions, scale = scaled_positions(PUBLIC, np.zeros(PUBLIC.count))
    assert (positions.tolist(), scale) == ([0.0] * PUBLIC.count, 1.0)


def test_what_follows_from_the_table_passes():
    table = exact_table(PUBLIC, 0.2).table * ULP
    positions = np.linspace(-1, 1, PUBLIC.count)
    check_exposure(PUBLIC, table, positions, sums(table, positions))
    check_exposure(PUBLIC, table, np.zeros(PUBLIC.count), NO_EXPOSURE)


@pytest.mark.parametrize("field", ["delta", "gamma", "vega", "scenario_loss"])
def test_a_wild_sum_is_found_and_not_shown(field):
    table = exact_table(PUBLIC, 0.2).table * ULP
    positions = np.linspace(-1, 1, PUBLIC.count)
    right = sums(table, positions)
    values = {name: getattr(right, name) for name in ("delta", "gamma", "vega", "scenario_loss")}
    values[field] += 2.0**20
    with pytest.raises(RoundError) as caught:
        check_exposure(PUBLIC, table, positions, Exposure(**values))
    assert caught.value.reason is Reason.COMPUTATION_OUT_OF_RANGE
    assert "1048" not in str(caught.value)


def test_an_exposure_hides_and_scales():
    exposure = Exposure(1.0, 2.0, 3.0, 4.0)
    assert repr(exposure) == "Exposure(...)"
    assert str(exposure) == "<Exposure>"
    assert exposure.times(2.0) == Exposure(2.0, 4.0, 6.0, 8.0)
