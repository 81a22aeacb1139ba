"""Chebyshev series of secrets."""

import numpy as np
import pytest
import torch

from mpc_party.secure import constant, open_many, open_shares
from mpc_party.secure.functions.series import chebyshev_sums, even_series, fitted, working_bits
from tests.support.secure_parties import give, run_secure

X = torch.linspace(-1, 1, 41, dtype=torch.float64)


@pytest.mark.parametrize("degree", [1, 2, 3, 5, 8, 13])
def test_every_term_of_a_sum(degree):
    """Each T_n by itself, and all weighted, from one basis."""

    def program(session):
        x = give(session, 0, X, working_bits(session))
        single = [[0.0] * n + [1.0] for n in range(1, degree + 1)]
        weighted = [1.0, *[(-0.5) ** n for n in range(1, degree + 1)]]
        return open_many(chebyshev_sums(x, [*single, weighted]))

    *single, weighted = run_secure(program).results[0]
    for n, got in enumerate(single, start=1):
        assert float((got - torch.cos(n * torch.acos(X))).abs().max()) < (n * n + 8) * 2**-19
    expected = 1 + sum((-0.5) ** n * torch.cos(n * torch.acos(X)) for n in range(1, degree + 1))
    assert float((weighted - expected).abs().max()) < 2**-15


def test_rounds_grow_with_the_logarithm_of_the_degree():
    def program(session):
        x = constant(X, working_bits(session))
        rounds = []
        for degree in (2, 4, 8, 16):
            before = session.traffic.rounds
            chebyshev_sums(x, [[0.0, *[0.1] * degree]])
            rounds.append(session.traffic.rounds - before)
        return rounds

    first, *others = run_secure(program).results[0]
    step = others[0] - first
    assert [r - first for r in others] == [step, 2 * step, 3 * step]


def test_fits_and_even_functions():
    assert np.polynomial.chebyshev.chebval(0.5, fitted(np.exp, 9, -1.0, 1.0)) == pytest.approx(
        np.exp(0.5), abs=1e-9
    )

    def program(session):
        return open_shares(
            even_series(give(session, 1, 3 * X), lambda square: np.cos(np.sqrt(square)), 6, 3.0)
        )

    assert float((run_secure(program).results[2] - torch.cos(3 * X)).abs().max()) < 2e-4


def test_guard_bits_where_there_is_room():
    def program(session):
        return working_bits(session)

    for bits, working in ((8, 12), (16, 20), (18, 20), (24, 24)):
        assert run_secure(program, fraction_bits=bits).results[0] == working
