"""A desk's private input from its view of a recording."""

import numpy as np
import pytest

from mpc_party.market import DeskView, RecordedChain, SimulatedMarket
from mpc_party.protocol.errors import ConfigError, ConsortiumError, Reason
from mpc_party.refit.agreement import RefitParameters
from mpc_party.refit.equations import pooled_weights
from mpc_party.refit.history import desk_equations
from tests.support.recordings import SLOPE, moment, write_recording

AGE = 600


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    return RecordedChain(write_recording(tmp_path_factory.mktemp("recording") / "chain.csv"))


def view(source, seed="a", noise=0.0):
    return DeskView(source, seed, coverage=0.7, noise=noise)


def test_what_the_market_does_is_what_the_desks_find(recording):
    """Density times move times the slope: a is the slope, b and c nearly nothing."""
    parameters = RefitParameters("BTC", ridge=1 / 128)
    desks = [desk_equations(view(recording, seed), parameters, AGE) for seed in "abc"]
    found = pooled_weights(desks, parameters.ridge)
    delta = np.linspace(0.1, 0.9, 9)
    assert np.abs(found @ np.stack([np.ones(9), delta, delta**2]) - SLOPE).max() < 0.05
    assert not any(desk.drawn_in for desk in desks)


def test_desks_see_different_things(recording):
    first, second = (desk_equations(view(recording, seed), RefitParameters("BTC"), AGE) for seed in "ab")
    assert not np.allclose(np.abs(first.root), np.abs(second.root), atol=1e-6)


def test_only_the_window_counts(recording):
    whole = desk_equations(view(recording), RefitParameters("BTC"), AGE)
    for window in ({"start": moment(5)}, {"end": moment(24)}):
        part = desk_equations(view(recording), RefitParameters("BTC", **window), AGE)
        assert not np.allclose(part.root, whole.root)
    exact = RefitParameters("BTC", start=moment(0), end=moment(29))
    assert np.allclose(desk_equations(view(recording), exact, AGE).root, whole.root)


def test_a_shorter_half_life_weighs_the_end(recording):
    short = desk_equations(view(recording), RefitParameters("BTC", half_life=0.5), AGE)
    whole = desk_equations(view(recording), RefitParameters("BTC"), AGE)
    assert not np.allclose(short.root, whole.root)


@pytest.mark.parametrize(
    "window", [{"start": moment(15)}, {"end": moment(15)}, {"end": 5}, {"intervals": 30}]
)
def test_too_short_a_history_is_refused(recording, window):
    with pytest.raises(ConsortiumError, match="usable intervals") as caught:
        desk_equations(view(recording), RefitParameters("BTC", **window), AGE)
    assert caught.value.reason is Reason.MARKET_DATA_INVALID


def test_a_running_market_needs_a_window():
    source = SimulatedMarket(3)
    with pytest.raises(ConfigError, match="--from and --to"):
        desk_equations(view(source), RefitParameters("SIM"), AGE)
    window = RefitParameters("SIM", start=moment(0), end=moment(8), intervals=8)
    assert np.isfinite(desk_equations(view(source), window, AGE).root).all()
