import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.bootstrap import block_length, gain_interval, resample_sums
from mpc_party.market.streams import normal


def autoregressive(persistence, count, label):
    shocks = normal(label, count + 200)
    values = np.zeros(count + 200)
    for t in range(1, len(values)):
        values[t] = persistence * values[t - 1] + shocks[t]
    return values[200:]


def test_blocks_by_brute_force():
    """With every sum of a window of the circle known, a resample's sum is one that blocks can make."""
    series = 2.0 ** np.arange(7)[None]
    circle = np.tile(series[0], 2)
    full = {circle[i : i + 3].sum() for i in range(7)}
    possible = {a + b + c for a in full for b in full for c in series[0]}  # 7 = 3 + 3 + 1
    sums = resample_sums(series, 3, 2000, "brute force")
    assert sums.shape == (2000, 1)
    assert set(sums[:, 0]) <= possible
    assert len(set(sums[:, 0])) > 100


def test_every_period_is_drawn_alike_often():
    counts = resample_sums(np.eye(10), 4, 20_000, "alike")
    assert (counts.sum(axis=1) == 10).all()
    np.testing.assert_allclose(counts.mean(axis=0), 1.0, atol=0.03)


def test_all_series_are_resampled_alike():
    first = normal("first", 50)
    sums = resample_sums(np.stack([first, 2 * first, first * 0 + 1]), 6, 500, "alike")
    np.testing.assert_allclose(sums[:, 1], 2 * sums[:, 0], atol=1e-9)
    np.testing.assert_allclose(sums[:, 2], 50)


def test_the_standard_error_of_a_mean():
    """Independent: sigma / sqrt(n). AR(1) at 0.6: its long-run sigma 1 / (1 - 0.6), which single periods miss by far."""
    independent = normal("independent", 400)
    errors = resample_sums(independent[None], 1, 4000, "x")[:, 0].std() / 400
    assert errors == pytest.approx(independent.std() / 20, rel=0.05)
    dependent = np.mean([
        resample_sums(autoregressive(0.6, 400, f"ar/{i}")[None], 20, 500, f"{i}")[:, 0].std() / 400 for i in range(40)
    ])  # fmt: skip
    assert dependent == pytest.approx(2.5 / 20, rel=0.12)
    single = resample_sums(autoregressive(0.6, 400, "ar/0")[None], 1, 500, "0")[:, 0].std() / 400
    assert single < 0.7 * dependent


@pytest.mark.parametrize("persistence", [0.3, 0.6])
def test_block_length_of_an_autoregression(persistence):
    """Politis and White 2004, section 3: (3/2 (2 p / (1 - p^2))^2)^(1/3) n^(1/3) for the circular bootstrap."""
    count = 2000
    best = (1.5 * (2 * persistence / (1 - persistence**2)) ** 2 * count) ** (1 / 3)
    lengths = [block_length(autoregressive(persistence, count, f"length/{i}")) for i in range(20)]
    assert np.median(lengths) == pytest.approx(best, rel=0.25)


def test_block_length_of_nothing_and_of_noise():
    assert block_length(np.zeros(100)) == 1
    assert np.median([block_length(normal(f"noise/{i}", 300)) for i in range(20)]) <= 4
    trend = block_length(np.arange(60.0))
    assert 10 < trend <= 20  # held at n / 3


def test_a_gain_and_its_interval():
    plain = normal("plain", 300) ** 2 + 0.1
    gain = gain_interval(0.7 * plain, plain, "exact")
    assert (gain.value, gain.low, gain.high) == pytest.approx((0.3, 0.3, 0.3))
    noisy = gain_interval(0.7 * plain * (1 + 0.3 * normal("noisy", 300)), plain, "noisy")
    assert noisy.low < noisy.value < noisy.high
    assert 0.2 < noisy.low < 0.3 < noisy.high < 0.4
    assert gain_interval(plain, plain, "none").value == 0.0
    assert gain_interval(0.7 * plain, plain, "exact") == gain  # the label determines it


def test_the_interval_covers_at_about_its_rate():
    covered = 0
    for i in range(200):
        plain = normal(f"cover/{i}", 120) ** 2
        gain = gain_interval(plain * (0.8 + 0.4 * normal(f"ratio/{i}", 120)), plain, str(i), resamples=400)
        covered += gain.low <= 0.2 <= gain.high
    assert 0.87 <= covered / 200 <= 0.99


@settings(max_examples=25)
@given(
    st.lists(st.floats(0, 10), min_size=2, max_size=40),
    st.floats(0.01, 100.0),
    st.integers(1, 60),
    st.integers(0, 99),
)
def test_a_gain_has_no_unit(values, scale, block, seed):
    plain = np.array(values) + 0.01
    model = plain * (1 + 0.2 * np.sin(np.arange(len(plain))))
    gain = gain_interval(model, plain, str(seed), block=block, resamples=50)
    scaled = gain_interval(scale * model, scale * plain, str(seed), block=block, resamples=50)
    np.testing.assert_allclose(gain, scaled, atol=1e-9)
    assert gain.low <= gain.high <= 1.0


@pytest.mark.parametrize(
    ("model", "plain"), [([1.0], [1.0]), ([], []), ([1.0, 2.0], [0.0, 0.0]), ([1.0, 2.0], [1.0, 2.0, 3.0])]
)
def test_no_gain_of_nothing(model, plain):
    with pytest.raises(ValueError, match="two periods"):
        gain_interval(np.array(model), np.array(plain), "x")
