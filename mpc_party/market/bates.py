"""European option prices under stochastic variance with jumps: the Bates model, Heston's where nothing jumps.

The forward is a martingale: dF / F = -jump_intensity * m dt + sqrt(v) dW + (e^J - 1) dN with N Poisson, J normal and
m = E[e^J] - 1; dv = reversion (long_variance - v) dt + vol_of_variance sqrt(v) dB with dW dB = correlation dt. Units as in
`black76`: prices as fractions of the forward, variance annual, time in years, no discounting. All functions are pure.

Sources: D. Bates, "Jumps and stochastic volatility", Review of Financial Studies 9, 1996; S. Heston, Review of
Financial Studies 6, 1993; the characteristic function in the form of H. Albrecher, P. Mayer, W. Schoutens, J. Tistaert,
"The little Heston trap", Wilmott, January 2007, which has no branch to lose; prices by cosine series as in F. Fang,
C. Oosterlee, "A novel pricing method for European options based on Fourier-cosine series expansions", SIAM Journal on
Scientific Computing 31, 2008, section 3 (equations 19, 22, 23; range by equation 49 and the cumulants of table 11).
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mpc_party.protocol.errors import ConfigError

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]

RANGE_WIDTH = 12.0  # standard deviations either side of the mean
FEWEST_TERMS, MOST_TERMS = 128, 8192
NEGLIGIBLE = 1e-13  # of the characteristic function, where the series is cut


@dataclass(frozen=True)
class BatesModel:
    """Parameters of the variance and of the jumps.

    `reversion`: per year. `long_variance`: annual variance to which it reverts. `vol_of_variance`: per sqrt(year).
    `correlation`: of spot and variance. `jump_intensity`: jumps per year. `jump_mean`, `jump_deviation`: of the jump of
    the log forward.

    Raises:
        ConfigError: a parameter is not finite or out of its range.
    """

    reversion: float
    long_variance: float
    vol_of_variance: float
    correlation: float
    jump_intensity: float = 0.0
    jump_mean: float = 0.0
    jump_deviation: float = 0.0

    def __post_init__(self) -> None:
        for name, low, high in (
            ("reversion", 1e-4, 1e3),
            ("long_variance", 0.0, 100.0),
            ("vol_of_variance", 1e-6, 100.0),  # below, the solution's terms are of 0 / 0
            ("correlation", -1.0, 1.0),
            ("jump_intensity", 0.0, 1e4),
            ("jump_mean", -1.0, 1.0),
            ("jump_deviation", 0.0, 1.0),
        ):
            # Written so that NaN fails, too.
            if not low <= (value := getattr(self, name)) <= high:
                raise ConfigError(f"{name} is {value}", remedy=f"choose it from {low:g} to {high:g}")

    @property
    def jump_drift(self) -> float:
        """Expected relative change of the forward by jumps, per year; the diffusion drifts against it."""
        mean_jump = np.expm1(self.jump_mean + 0.5 * self.jump_deviation**2)
        return float(self.jump_intensity * mean_jump)


def characteristic(argument: Array, variance: float, time: float, model: BatesModel) -> Complex:
    """E[exp(i u log(F_T / F))] at real u = `argument`, of its shape; `variance` is today's."""
    u = argument.astype(np.complex128)
    square = model.vol_of_variance**2
    beta = model.reversion - 1j * model.correlation * model.vol_of_variance * u
    root = np.sqrt(beta * beta + square * (u * u + 1j * u))
    # (beta - root) / square, and the little trap's g = (beta - root) / (beta + root), without their cancellation.
    slope = -(u * u + 1j * u) / (beta + root)
    ratio = square * slope / (beta + root)
    decay = np.exp(-root * time)
    by_variance = slope * (1.0 - decay) / (1.0 - ratio * decay)
    logarithm = _log1p(ratio * (1.0 - decay) / (1.0 - ratio))
    by_level = model.reversion * model.long_variance * (slope * time - 2.0 * logarithm / square)
    jumps = np.exp(1j * u * model.jump_mean - 0.5 * (model.jump_deviation * u) ** 2) - 1.0
    by_jumps = time * (model.jump_intensity * jumps - 1j * u * model.jump_drift)
    return np.asarray(np.exp(by_level + by_variance * variance + by_jumps), dtype=np.complex128)


def cumulants(variance: float, time: float, model: BatesModel) -> tuple[float, float]:
    """Mean and variance of log(F_T / F).

    Table 11, as it is usually copied, has 6 e^(-kappa T) - 7 where 4 e^(-kappa T) - 5 stands here: the
    former differs from the solution of the Riccati equations, and is negative for some parameters.
    """
    kappa, theta, eta, rho = (
        model.reversion, model.long_variance, model.vol_of_variance, model.correlation,
    )  # fmt: skip
    decay = np.exp(-kappa * time)
    first = (1.0 - decay) * (theta - variance) / (2.0 * kappa) - 0.5 * theta * time
    second = (
        eta * time * kappa * decay * (variance - theta) * (8.0 * kappa * rho - 4.0 * eta)
        + kappa * rho * eta * (1.0 - decay) * (16.0 * theta - 8.0 * variance)
        + 2.0 * theta * kappa * time * (-4.0 * kappa * rho * eta + eta**2 + 4.0 * kappa**2)
        + eta**2 * ((theta - 2.0 * variance) * decay**2 + theta * (4.0 * decay - 5.0) + 2.0 * variance)
        + 8.0 * kappa**2 * (variance - theta) * (1.0 - decay)
    ) / (8.0 * kappa**3)
    mean_jumps = time * (model.jump_intensity * model.jump_mean - model.jump_drift)
    spread_jumps = time * model.jump_intensity * (model.jump_mean**2 + model.jump_deviation**2)
    return float(first + mean_jumps), float(second + spread_jumps)


def premium(
    moneyness: Array, variance: float, time: float, call: NDArray[np.bool_], model: BatesModel
) -> Array:
    """Price / forward of the options of one expiry, (n,), by as many terms as its characteristic function asks for.

    The error is below 1e-9 for times of a day to a year and vols of 0.1 to 2 (tests/market/test_bates.py).

    Args:
        moneyness: strike / forward, (n,).
        variance: today's annual variance, above 0.
        time: years to expiry, above 0.
        call: (n,).
        model: the parameters.

    Raises:
        ConfigError: `variance` or `time` is not above 0.
    """
    if not (variance > 0.0 and time > 0.0 and np.isfinite(variance + time)):
        raise ConfigError(f"no price at variance {variance} and time {time}", remedy="give both above 0")
    low, high = _range(variance, time, model)
    terms = FEWEST_TERMS
    while True:
        frequency: Array = np.pi / (high - low) * np.arange(terms, dtype=np.float64)
        transform = characteristic(frequency, variance, time, model)
        if abs(transform[-1]) < NEGLIGIBLE or terms >= MOST_TERMS:
            break
        terms *= 2
    weight = 2.0 / (high - low) * np.real(transform * np.exp(-1j * frequency * low))
    weight[0] *= 0.5
    put = _put_payoffs(np.log(moneyness), low, high, frequency) @ weight
    # Rounding, and what lies outside the range, must not take a price out of its bounds.
    put = np.clip(put, np.maximum(moneyness - 1.0, 0.0), moneyness)
    return np.asarray(np.where(call, put + 1.0 - moneyness, put), dtype=np.float64)


def _log1p(z: Complex) -> Complex:
    """log(1 + z), exact for small z: numpy's own, for complex numbers, adds the 1 first."""
    size = 0.5 * np.log1p(2.0 * z.real + z.real**2 + z.imag**2)
    return np.asarray(size + 1j * np.arctan2(z.imag, 1.0 + z.real), dtype=np.complex128)


def _range(variance: float, time: float, model: BatesModel) -> tuple[float, float]:
    """Where the log of F_T / F lies, but for a negligible part: equation 49 with the fourth cumulant.

    That of the jumps is exact. That of the diffusion comes from its characteristic function half a standard deviation
    from 0, where terms of the sixth order are small: without it, a high vol of variance has its tail cut off.
    """
    mean, spread = cumulants(variance, time, model)
    mu, delta = model.jump_mean, model.jump_deviation
    by_jumps = model.jump_intensity * time * (mu**4 + 6.0 * mu**2 * delta**2 + 3.0 * delta**4)
    diffusion = replace(model, jump_intensity=0.0)
    _, smooth = cumulants(variance, time, diffusion)
    near = 0.5 / math.sqrt(smooth)
    size = float(abs(characteristic(np.array([near]), variance, time, diffusion)[0]))
    by_variance = max(24.0 * (math.log(size) + 0.5 * smooth * near**2) / near**4, 0.0)
    half = RANGE_WIDTH * math.sqrt(spread + math.sqrt(by_jumps + by_variance))
    if model.jump_intensity:
        half += (
            abs(mu) + RANGE_WIDTH * delta
        )  # one jump, however rare: moments over a short time hardly see it
    return mean - half, mean + half


def _put_payoffs(log_moneyness: Array, low: float, high: float, frequency: Array) -> Array:
    """Integral of (k - e^y)+ cos(w (y - low)) over y from `low` to `high`: (n, terms).

    Puts, whose payoff is bounded, as equation 23 is unstable for calls; calls follow by parity.
    """
    edge = np.clip(log_moneyness, low, high)[:, None]
    strike = np.exp(log_moneyness)[:, None]
    waves = _powers(np.exp(1j * frequency[1] * (edge - low)), len(frequency))
    sine, cosine = waves.imag, waves.real
    plain = np.empty_like(sine)
    plain[:, 0] = edge[:, 0] - low
    plain[:, 1:] = sine[:, 1:] / frequency[1:]
    growing = (np.exp(edge) * (cosine + frequency * sine) - np.exp(low)) / (1.0 + frequency**2)
    return np.asarray(strike * plain - growing, dtype=np.float64)


def _powers(base: Complex, count: int) -> Complex:
    """base^0 ... base^(count - 1) along the last axis of (n, 1), by doubling: five times as fast as sines."""
    powers = np.ones((len(base), count), dtype=np.complex128)
    done, factor = 1, base
    while done < count:
        more = min(done, count - done)
        powers[:, done : done + more] = powers[:, :more] * factor
        done, factor = done + more, factor * factor
    return powers
