"""A seeded simulated market, for demos and tests where no recording is at hand.

The spot follows a random walk with stochastic variance, from the same level at the start of each simulated day. The
vols are an SSVI surface, whose level, skew and curvature are moved by random numbers that change every ten minutes;
it holds no static arbitrage. Strikes and expiries are listed as a venue lists them: dense near the money and
near in time. The same seed gives the same market at the same moment, so that several processes see one market.
(Paths with jumps and several venues belong to `models`; this is only what a venue's screen shows at one moment.)

Source: Gatheral, Jacquier, "Arbitrage-free SVI volatility surfaces", Quantitative Finance 14, 2014, section 4.
"""

from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from mpc_party.market.black76 import greeks, years
from mpc_party.market.chain import ChainSnapshot
from mpc_party.market.errors import MarketDataError
from mpc_party.market.streams import normal
from mpc_party.protocol.errors import Reason

SPOT = 90_000.0
CARRY = 0.05
STEP = 500.0
TICK = 0.0001  # in coin, as the venue has it
STRIKES_A_SIDE = 16
DAYS_AHEAD = (1, 2, 3, 4, 7, 14, 21, 28, 56, 84, 175, 266, 357)
STEP_SECONDS = 5
STEPS_A_DAY = 86_400 // STEP_SECONDS
_FIRST_MOMENT = 1_577_836_800  # 2020-01-01
_LAST_MOMENT = 4_102_444_800  # 2100-01-01


class SimulatedMarket:
    """A market that runs on the wall clock, determined by its seed."""

    underlying = "SIM"
    replays = False

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._day: tuple[int, NDArray[np.float64]] | None = None

    def next_time(self, after: int, now: int) -> int:
        """The present second, or the one after `after`."""
        return max(after + 1, now)

    def at(self, observed_at: int) -> ChainSnapshot:
        """The chain at any moment from 2020 to 2099."""
        if not _FIRST_MOMENT <= observed_at < _LAST_MOMENT:
            raise MarketDataError(
                f"the simulated market has no moment {observed_at}",
                reason=Reason.MARKET_DATA_STALE,
                remedy="give a time from 2020 to 2099, in Unix seconds",
            )
        spot, shocks = self._spot(observed_at), normal(f"{self._seed}/surface/{observed_at // 600}", 3)
        rows: list[tuple[int, float, float, float]] = []
        correlation, curvature = -0.25 + 0.1 * np.tanh(shocks[1]), 1.1 + 0.25 * np.tanh(shocks[2])
        for expiry in _expiries(observed_at):
            time = (expiry - observed_at) / (365 * 86_400)
            forward = round(spot * np.exp(CARRY * time), 2)
            at_money = (0.42 + 0.08 * np.exp(-6.0 * time)) * np.exp(0.03 * shocks[0])
            width = STEP * max(1, round(3.2 * at_money * np.sqrt(time) * spot / STRIKES_A_SIDE / STEP))
            middle = round(spot / width) * width
            for k in range(-STRIKES_A_SIDE, STRIKES_A_SIDE + 1):
                strike = middle + k * width
                if strike <= 0:
                    continue
                z = np.log(strike / forward) / (at_money * np.sqrt(time))
                rows.append((expiry, strike, forward, at_money * _smile(z, correlation, curvature)))
        return _screen(observed_at, self.underlying, rows)

    def _spot(self, observed_at: int) -> float:
        day, second = divmod(observed_at, 86_400)
        if self._day is None or self._day[0] != day:
            shocks = normal(f"{self._seed}/day/{day}", 2 * STEPS_A_DAY)
            variance = np.exp(0.3 * np.cumsum(shocks[:STEPS_A_DAY]) / np.sqrt(STEPS_A_DAY))
            moves = 0.45 / np.sqrt(365 * STEPS_A_DAY) * np.sqrt(variance) * shocks[STEPS_A_DAY:]
            self._day = day, np.concatenate(([0.0], np.cumsum(moves)))
        return float(SPOT * np.exp(self._day[1][second // STEP_SECONDS]))


def _smile(z: float, correlation: float, curvature: float) -> float:
    """Vol over the vol at the money: SSVI with phi(theta) = curvature / sqrt(theta), theta the variance at the money.

    No butterfly pays its owner, as curvature^2 (1 + |correlation|) <= 4 and, for theta below 4,
    curvature sqrt(theta) (1 + |correlation|) < 4: Theorem 4.2.
    """
    root = np.sqrt((curvature * z + correlation) ** 2 + 1.0 - correlation**2)
    return float(np.sqrt(0.5 * (1.0 + correlation * curvature * z + root)))


def _expiries(observed_at: int) -> list[int]:
    start = datetime.fromtimestamp(observed_at, UTC).replace(hour=8, minute=0, second=0, microsecond=0)
    return [int((start + timedelta(days=days)).timestamp()) for days in DAYS_AHEAD]


def _screen(observed_at: int, underlying: str, rows: list[tuple[int, float, float, float]]) -> ChainSnapshot:
    """What the venue's screen shows: a call and a put per row, a bid and an ask around the model price, on ticks."""
    table = np.array(rows)
    expiry = np.repeat(table[:, 0].astype(np.int64), 2)
    strike, forward, vol = (np.repeat(table[:, i], 2) for i in (1, 2, 3))
    call = np.tile(np.array([True, False]), len(table))
    model = greeks(strike / forward, vol, years(expiry, observed_at), call)
    half_spread = np.maximum(TICK / 2, 0.01 * vol * model.vega)
    bid = np.floor((model.premium - half_spread) / TICK) * TICK
    ask = np.ceil((model.premium + half_spread) / TICK) * TICK
    bid = np.where(bid > 0, bid, np.nan)
    return ChainSnapshot(observed_at, underlying, expiry, strike, call, forward, bid, ask, vol)
