"""What a training run is told: a TOML file of these fields, all with defaults."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
import numpy as np

from models.paths import MARKETS, Market
from mpc_party.protocol.errors import ConfigError

Say = Callable[[str], None]
Count = Annotated[int, msgspec.Meta(ge=1)]
Positive = Annotated[float, msgspec.Meta(gt=0.0)]
MarketName = Literal["brownian", "heston"]
DEFAULT_SEED = 1
MAX_STEPS = 500
MAX_PATHS = 1_000_000


@dataclass(frozen=True)
class Scenario:
    """One option in one simulated market.

    Attributes:
        market: the simulator, at the scenario's vol.
        steps: trades until expiry, one a day of 1/250 year.
        moneyness: log(strike / spot) in standard deviations of the log spot at expiry.
    """

    market: Market
    steps: int
    moneyness: float

    @property
    def strike(self) -> float:
        """Strike, for a spot of 1 at the start."""
        deviation = self.market.vol * np.sqrt(self.steps * self.market.step_years)
        return float(np.exp(self.moneyness * deviation))

    @property
    def name(self) -> str:
        """For labels of noise and for people."""
        return f"{self.market.name}/{self.market.vol:g}/{self.steps}/{self.moneyness:g}"


class PolicyConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How to train and to test a policy network. The defaults train for minutes on one core.

    Attributes:
        seed: of everything: initial weights, training, validation and test paths. Whoever knows it and the other
            settings can train the same weights: for a model to be dealt, draw one, of 53 bits, and keep it secret.
        loss: what is minimised, per scenario relative to Black-Scholes delta's on the same paths: the mean of the worst
            `tail` of outcomes, or the entropic risk at `risk_aversion` over Black-Scholes delta's standard deviation.
        tail: the tail of the expected shortfall: 0.05 is ES95.
        risk_aversion: of the entropic loss.
        cost: proportional cost of a trade.
        charge_final_trade: whether the hedge left at expiry is sold at that cost. PFHedge does not charge it.
        markets: the simulators of the reference scenario: a call at the money over `steps` days at vol 0.2. Each epoch
            has all of them.
        steps: daily trades of the reference scenario.
        mixed_scenarios: scenarios an epoch besides those, drawn from the three lists below and `markets`, so that one
            network serves a chain of options; 0 trains for the reference scenario alone.
        vols, maturities, moneyness: what the mixed scenarios are drawn from: annual vols, days, and log(strike / spot)
            in standard deviations.
        epochs: steps of Adam at most, each on fresh paths.
        paths: per scenario and epoch.
        learning_rate: of Adam at the start; it falls to a tenth by a cosine.
        box_penalty: weight of the mean square of the adjustment over the whole box of features, where no simulated
            option goes: it keeps the hedge near Black-Scholes there.
        validation_paths: per scenario; the same ones at every check.
        check_every: epochs between checks on the validation paths; the best weights are kept.
        patience: checks without improvement before training ends.
        test_paths: of `evaluate`, per simulator.
        threads: processor threads that PyTorch may use.
    """

    seed: Annotated[int, msgspec.Meta(ge=0, le=2**53)] = DEFAULT_SEED
    loss: Literal["expected-shortfall", "entropic"] = "expected-shortfall"
    tail: Annotated[float, msgspec.Meta(gt=0.0, le=0.5)] = 0.05
    risk_aversion: Positive = 1.0
    cost: Annotated[float, msgspec.Meta(ge=0.0, le=0.1)] = 1e-3
    charge_final_trade: bool = False
    markets: tuple[MarketName, ...] = ("brownian", "heston")
    steps: Annotated[int, msgspec.Meta(ge=2, le=MAX_STEPS)] = 20
    mixed_scenarios: Annotated[int, msgspec.Meta(ge=0, le=16)] = 3
    vols: tuple[Annotated[float, msgspec.Meta(ge=0.05, le=2.0)], ...] = (0.2, 0.4, 0.8, 1.2)
    maturities: tuple[Annotated[int, msgspec.Meta(ge=2, le=MAX_STEPS)], ...] = (5, 10, 20, 40, 60)
    moneyness: tuple[Annotated[float, msgspec.Meta(ge=-3.0, le=3.0)], ...] = (-1.0, -0.5, 0.0, 0.5, 1.0)
    epochs: Count = 600
    paths: Annotated[int, msgspec.Meta(ge=100, le=MAX_PATHS)] = 4096
    learning_rate: Positive = 5e-3
    box_penalty: Annotated[float, msgspec.Meta(ge=0.0)] = 0.01
    validation_paths: Annotated[int, msgspec.Meta(ge=100, le=MAX_PATHS)] = 20_000
    check_every: Count = 20
    patience: Count = 8
    test_paths: Annotated[int, msgspec.Meta(ge=100, le=MAX_PATHS)] = 200_000
    threads: Annotated[int, msgspec.Meta(ge=1, le=64)] = 1

    def __post_init__(self) -> None:
        """Refuse what no type says.

        Raises:
            ConfigError: no simulator, one named twice, or mixed scenarios with nothing to draw from.
        """
        if not self.markets or len(set(self.markets)) != len(self.markets):
            raise ConfigError("policy config: markets: name one simulator or both, each once")
        if self.mixed_scenarios and not (self.vols and self.maturities and self.moneyness):
            raise ConfigError(
                "policy config: mixed scenarios need vols, maturities and moneyness to draw from"
            )

    def references(self) -> tuple[Scenario, ...]:
        """The scenarios that the policy is measured on: one for each simulator."""
        return tuple(Scenario(MARKETS[name], self.steps, 0.0) for name in self.markets)
