import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.policy.risk import entropic_risk, expected_shortfall, profit_and_loss, trading_cost

SPOT = torch.tensor([[1.0, 1.25, 0.75, 1.5], [1.0, 0.5, 1.0, 0.75]], dtype=torch.float64)
HEDGE = torch.tensor([[0.5, 0.75, 0.25], [0.5, -0.25, 1.0]], dtype=torch.float64)
PAYOFF = torch.tensor([0.5, 0.0], dtype=torch.float64)
outcomes = st.lists(st.floats(-100, 100), min_size=1, max_size=60)


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


def test_profit_and_loss_is_what_pfhedge_gives():
    # pfhedge.nn.functional.pl of version 0.23, whose last hedge repeats the one before
    found = profit_and_loss(HEDGE, SPOT, PAYOFF, 1 / 128)
    np.testing.assert_allclose(found.numpy(), [-0.57177734375, -0.6416015625], rtol=1e-15)


def test_profit_and_loss_trade_by_trade():
    for charged in (False, True):
        found = profit_and_loss(HEDGE, SPOT, PAYOFF, 0.01, charge_final_trade=charged)
        for path in range(2):
            cash, held = 0.0, 0.0
            for step in range(3):
                trade = float(HEDGE[path, step]) - held
                cash -= trade * float(SPOT[path, step]) + 0.01 * abs(trade) * float(SPOT[path, step])
                held += trade
            last = float(SPOT[path, 3])
            cash += held * last - (0.01 * abs(held) * last if charged else 0.0) - float(PAYOFF[path])
            assert float(found[path]) == pytest.approx(cash, abs=1e-14)


def test_cost_is_what_profit_and_loss_takes_off():
    for charged in (False, True):
        free = profit_and_loss(HEDGE, SPOT, PAYOFF, 0.0, charge_final_trade=charged)
        paid = profit_and_loss(HEDGE, SPOT, PAYOFF, 0.01, charge_final_trade=charged)
        cost = trading_cost(HEDGE, SPOT, 0.01, charge_final_trade=charged)
        np.testing.assert_allclose((free - paid).numpy(), cost.numpy(), rtol=1e-12)


@given(outcomes, st.floats(0.01, 0.5))
def test_expected_shortfall_by_sorting(values, tail):
    count = max(1, math.ceil(round(tail * len(values), 9)))
    expected = -sum(sorted(values)[:count]) / count
    assert float(expected_shortfall(tensor(values), tail)) == pytest.approx(expected, abs=1e-9)


def test_the_worst_five_of_a_hundred_are_es95():
    assert float(expected_shortfall(tensor([float(n) for n in range(100)]), 0.05)) == -2.0


@given(outcomes, st.floats(-10, 10), st.floats(0.1, 10))
def test_expected_shortfall_is_a_coherent_measure(values, cash, factor):
    risk = float(expected_shortfall(tensor(values), 0.05))
    assert float(expected_shortfall(tensor(values) + cash, 0.05)) == pytest.approx(risk - cash, abs=1e-9)
    assert float(expected_shortfall(factor * tensor(values), 0.05)) == pytest.approx(factor * risk, abs=1e-9)
    assert risk >= float(expected_shortfall(tensor(values), 0.5)) - 1e-9
    assert risk >= -float(tensor(values).mean()) - 1e-9


def test_entropic_risk_of_a_normal_is_known():
    values = tensor(np.random.default_rng(1).standard_normal(400_000) * 0.5 + 0.2)  # noqa: TID251 - no secrets here
    assert float(entropic_risk(values, 2.0)) == pytest.approx(-0.2 + 2.0 * 0.25 / 2, abs=5e-3)


def test_entropic_risk_survives_what_would_overflow():
    assert float(entropic_risk(tensor([-1e4, 0.0]), 1.0)) == pytest.approx(1e4 - math.log(2))


@pytest.mark.parametrize("charged", [False, True])
@pytest.mark.parametrize("risk", [lambda w: expected_shortfall(w, 0.25), lambda w: entropic_risk(w, 3.0)])
def test_gradients_agree_with_finite_differences(risk, charged):
    generator = np.random.default_rng(2)  # noqa: TID251 - no secrets here
    spot = tensor(np.exp(np.cumsum(0.1 * generator.standard_normal((8, 5)), axis=1)))
    hedge = tensor(generator.random((8, 4))).requires_grad_()
    payoff = (spot[:, -1] - 1.0).clamp(min=0.0)

    def loss(held):
        return risk(profit_and_loss(held, spot, payoff, 0.01, charge_final_trade=charged))

    assert torch.autograd.gradcheck(loss, (hedge,), eps=1e-7, atol=1e-6)
