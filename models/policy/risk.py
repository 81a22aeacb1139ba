"""Profit and loss of a hedged short option under proportional costs, and the risk measures that training minimises.

Costs are charged as PFHedge charges them: on the first trade and on every change of the hedge; what is held at expiry
is delivered, or sold for nothing more, unless `charge_final_trade` is set.
Sources: Buehler, Gonon, Teichmann, Wood, "Deep hedging", Quantitative Finance 19, 2019, sections 2 and 3; Rockafellar,
Uryasev, "Optimization of conditional value-at-risk", Journal of Risk 2, 2000.
"""

import math

import torch


def profit_and_loss(
    hedge: torch.Tensor,
    spot: torch.Tensor,
    payoff: torch.Tensor,
    cost: float,
    *,
    charge_final_trade: bool = False,
) -> torch.Tensor:
    """Terminal wealth per path, the premium not included.

    Args:
        hedge: (paths, steps) units of the underlying held over each step.
        spot: (paths, steps + 1).
        payoff: (paths,), owed at the end.
        cost: proportional, of the traded value.
        charge_final_trade: whether the last hedge is sold at the last spot, at that cost.
    """
    gains = (hedge * spot.diff(dim=1)).sum(dim=1)
    return gains - payoff - trading_cost(hedge, spot, cost, charge_final_trade=charge_final_trade)


def trading_cost(
    hedge: torch.Tensor, spot: torch.Tensor, cost: float, *, charge_final_trade: bool = False
) -> torch.Tensor:
    """Cost per path, (paths,); arguments as above."""
    traded = (hedge.diff(dim=1).abs() * spot[:, 1:-1]).sum(dim=1) + hedge[:, 0].abs() * spot[:, 0]
    if charge_final_trade:
        traded = traded + hedge[:, -1].abs() * spot[:, -1]
    return cost * traded


def expected_shortfall(wealth: torch.Tensor, tail: float) -> torch.Tensor:
    """Minus the mean of the worst ceil(tail * paths) outcomes: ES95 at tail 0.05."""
    count = max(1, math.ceil(tail * wealth.shape[0] - 1e-9))
    return -torch.topk(wealth, count, largest=False, sorted=False).values.mean()


def entropic_risk(wealth: torch.Tensor, aversion: float) -> torch.Tensor:
    """log(mean(exp(-aversion * wealth))) / aversion: the cash that makes the position acceptable."""
    return (torch.logsumexp(-aversion * wealth, dim=0) - math.log(wealth.shape[0])) / aversion
