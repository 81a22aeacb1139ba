"""What the systems are given, and that our answer to each is right."""

import numpy as np
import pytest
import torch

from tests.benchmarks.engine import workloads
from tests.benchmarks.engine.ours import OurParty
from tests.support.secure_parties import run_secure, same


def test_the_polynomial_is_the_delta_within_its_error():
    book = workloads.options(2000)
    u = book.scaled_log_vol
    assert np.abs(u).max() <= 1
    polynomial = np.polynomial.chebyshev.chebval(u, book.coefficients(), tensor=False)
    assert np.abs(polynomial - book.delta(book.vol)).max() < 1.3e-4


def test_the_delta_is_that_of_an_independent_black_76():
    ql = pytest.importorskip("QuantLib")
    book = workloads.options(20)
    forwards = np.exp(book.log_moneyness)
    for forward, root_time, vol, delta in zip(
        forwards, book.root_time, book.vol, book.delta(book.vol), strict=True
    ):
        call = ql.BlackCalculator(ql.PlainVanillaPayoff(ql.Option.Call, 1.0), forward, vol * root_time, 1.0)
        assert delta == pytest.approx(call.deltaForward(), abs=1e-12)


def test_all_parties_and_systems_get_the_same_values():
    for work in workloads.WORKS:
        first, second = (workloads.secrets_of(work, 16) for _ in range(2))
        assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_an_unknown_work_is_refused():
    with pytest.raises(ValueError, match="relu_elements"):
        workloads.secrets_of("sigmoid", 16)


@pytest.mark.parametrize(
    ("work", "bound"), [("relu", 5e-4), ("square", 5e-3), ("delta", 2.4e-4), ("relu_elements", 2e-5)]
)
def test_ours_gives_the_right_answer_and_counts_what_it_sends(work, bound):
    def program(session):
        party = OurParty(session)
        party.prepare(work, 64)
        result, cost = party.count()
        assert cost["rounds"] > 0
        assert cost["bytes"] >= 0
        return torch.from_numpy(result)

    opened = same(run_secure(program).results).numpy()
    assert opened.shape == workloads.reference(work, 64).shape
    assert np.abs(opened - workloads.reference(work, 64)).max() < bound
