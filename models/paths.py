"""Simulated paths to train and to test a hedging policy on: geometric Brownian motion, and Heston's stochastic vol.

The defaults are those of PFHedge 0.23 (`BrownianStock`, `HestonStock`): daily steps of 1/250 year, vol 0.2, spot 1, no
drift; so that policies can be compared on one set of paths. Noise comes from `mpc_party.market.streams`, hence the
same label gives the same paths everywhere. Arrays are float64 of shape (paths, steps + 1).

Sources: F. Black, M. Scholes, 1973; S. Heston, "A closed-form solution for options with stochastic volatility", 1993;
L. Andersen, "Efficient simulation of the Heston stochastic volatility model", Journal of Computational Finance 11,
2008, sections 3.2 and 4 (the scheme QE-M).
"""

from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from mpc_party.market.streams import normal

Floats = NDArray[np.float64]

STEP_YEARS: Final = 1 / 250
REALISED_WINDOW: Final = 5  # steps
_SWITCH: Final = 1.5  # Andersen, section 3.2.3: the critical ratio of variance to squared mean


class Paths(NamedTuple):
    """What a hedger sees at each step; every array is (paths, steps + 1).

    Attributes:
        spot: price of the underlying, 1 at the start.
        vol: the vol of the next moment, annual: sqrt(variance). It stands for the implied vol, as it does in
            PFHedge's `volatility` feature; at these maturities the two differ by a few per cent.
        imbalance: order-flow imbalance in [-1, 1]; 0 where the simulator has no flow.
        realised: log(realised vol of the last `REALISED_WINDOW` steps / vol), clipped to [-1, 1]; 0 before the first
            step, and where the simulator has no flow.
    """

    spot: Floats
    vol: Floats
    imbalance: Floats
    realised: Floats


@dataclass(frozen=True)
class BrownianMarket:
    """Geometric Brownian motion without drift. It has no flow: both flow features are 0.

    Attributes:
        vol: annual volatility.
        step_years: length of one step.
    """

    vol: float = 0.2
    step_years: float = STEP_YEARS

    name = "brownian"

    def at_vol(self, vol: float) -> "BrownianMarket":
        """The same market at another vol."""
        return replace(self, vol=vol)

    def simulate(self, label: str, paths: int, steps: int) -> Paths:
        """Paths determined by the label; exact at the steps."""
        noise = normal(f"paths/brownian/{label}", paths * steps).reshape(paths, steps)
        deviation = self.vol * np.sqrt(self.step_years)
        log_spot = np.zeros((paths, steps + 1))
        np.cumsum(deviation * noise - 0.5 * deviation**2, axis=1, out=log_spot[:, 1:])
        nothing = np.zeros((paths, steps + 1))
        return Paths(np.exp(log_spot), np.full((paths, steps + 1), self.vol), nothing, nothing)


@dataclass(frozen=True)
class HestonMarket:
    """Heston's model: dS = S sqrt(v) dW, dv = kappa (theta - v) dt + sigma sqrt(v) dB, dW dB = rho dt, v(0) = theta.

    Attributes:
        kappa: mean reversion, per year.
        theta: long-run variance, and the variance at the start.
        sigma: vol of the variance.
        rho: correlation of the spot's and the variance's noise.
        flow: correlation of the imbalance's Gaussian with the next step's standardised return. The imbalance is that
            Gaussian's percentile, spread over [-1, 1], so its own correlation with the return is sqrt(3 / pi) = 0.977
            times this. The spot's law does not depend on it. At 0.05 the forecast is worth 0.05 standard deviations of
            one step, less than a cost of 1e-3 up to a vol of 0.3.
        step_years: length of one step.
        substeps: steps of the scheme within one step; their squared returns make the realised vol.
    """

    kappa: float = 1.0
    theta: float = 0.04
    sigma: float = 0.2
    rho: float = -0.7
    flow: float = 0.05
    step_years: float = STEP_YEARS
    substeps: int = 4

    name = "heston"

    @property
    def vol(self) -> float:
        """The vol at the start."""
        return float(np.sqrt(self.theta))

    def at_vol(self, vol: float) -> "HestonMarket":
        """The same market with another long-run vol: v / theta has the same law."""
        return replace(self, theta=vol**2, sigma=self.sigma * vol / self.vol)

    def simulate(self, label: str, paths: int, steps: int) -> Paths:
        """Paths determined by the label, by QE-M: the spot is a martingale at every substep."""
        variance = np.empty((paths, steps + 1))
        log_spot = np.zeros((paths, steps + 1))
        squared = np.zeros((paths, steps + 1))  # cumulated squared returns of the substeps
        variance[:, 0] = self.theta
        v, x = variance[:, 0].copy(), log_spot[:, 0].copy()
        for step in range(1, steps + 1):
            squared[:, step] = squared[:, step - 1]
            for substep in range(self.substeps):
                noise = normal(f"paths/heston/{label}/{step}/{substep}", 2 * paths)
                v, moved = self._substep(v, noise[:paths], noise[paths:])
                x = x + moved
                squared[:, step] += moved**2
            variance[:, step], log_spot[:, step] = v, x
        vol = np.sqrt(variance)
        return Paths(
            np.exp(log_spot), vol, self._imbalance(label, log_spot, vol), self._realised(squared, vol)
        )

    def _substep(self, v: Floats, first: Floats, second: Floats) -> tuple[Floats, Floats]:
        """The variance after one substep, and the log return over it. Andersen 2008, equations (17)-(33)."""
        dt = self.step_years / self.substeps
        kappa, theta, sigma, rho = self.kappa, self.theta, self.sigma, self.rho
        decay = np.exp(-kappa * dt)
        mean = theta + (v - theta) * decay
        spread = v * sigma**2 * decay * (1 - decay) / kappa + theta * sigma**2 * (1 - decay) ** 2 / (
            2 * kappa
        )
        psi = spread / mean**2
        k1 = 0.5 * dt * (kappa * rho / sigma - 0.5) - rho / sigma
        k2 = 0.5 * dt * (kappa * rho / sigma - 0.5) + rho / sigma
        k3 = 0.5 * dt * (1 - rho**2)  # and k4 is the same, at central weights
        tilt = k2 + 0.5 * k3

        inverse = 2 / np.minimum(psi, _SWITCH)
        b2 = inverse - 1 + np.sqrt(inverse * (inverse - 1))
        a = mean / (1 + b2)
        quadratic = a * (np.sqrt(b2) + first) ** 2
        log_m = tilt * b2 * a / (1 - 2 * tilt * a) - 0.5 * np.log(1 - 2 * tilt * a)

        high = np.maximum(psi, _SWITCH)
        p = (high - 1) / (high + 1)
        beta = (1 - p) / mean
        uniform = ndtr(first)
        exponential = np.where(uniform > p, np.log((1 - p) / np.maximum(1 - uniform, 1e-300)) / beta, 0.0)
        log_m_exponential = np.log(p + beta * (1 - p) / (beta - tilt))

        smooth = psi <= _SWITCH
        after = np.where(smooth, quadratic, exponential)
        k0 = -np.where(smooth, log_m, log_m_exponential) - (k1 + 0.5 * k3) * v
        return after, k0 + k1 * v + k2 * after + np.sqrt(k3 * (v + after)) * second

    def _imbalance(self, label: str, log_spot: Floats, vol: Floats) -> Floats:
        paths, steps = log_spot.shape[0], log_spot.shape[1] - 1
        noise = normal(f"paths/heston/{label}/flow", paths * (steps + 1)).reshape(paths, steps + 1)
        coming = np.diff(log_spot, axis=1) / np.sqrt(self.theta * self.step_years)
        coming *= np.sqrt(self.theta) / np.maximum(vol[:, :-1], 0.1 * np.sqrt(self.theta))
        noise[:, :-1] = self.flow * coming + np.sqrt(1 - self.flow**2) * noise[:, :-1]
        return np.asarray(2 * ndtr(noise) - 1, dtype=np.float64)

    def _realised(self, squared: Floats, vol: Floats) -> Floats:
        steps = squared.shape[1] - 1
        result = np.zeros_like(squared)
        for step in range(1, steps + 1):
            window = min(step, REALISED_WINDOW)
            variance = (squared[:, step] - squared[:, step - window]) / (window * self.step_years)
            ratio = 0.5 * np.log(np.maximum(variance, 1e-12)) - np.log(np.maximum(vol[:, step], 1e-6))
            result[:, step] = np.clip(ratio, -1.0, 1.0)
        return result


Market = BrownianMarket | HestonMarket
MARKETS: Final[dict[str, Market]] = {market.name: market for market in (BrownianMarket(), HestonMarket())}
