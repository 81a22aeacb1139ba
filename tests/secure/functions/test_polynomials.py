"""Chebyshev polynomials of secrets."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_party.secure import chebyshev_basis, chebyshev_series, open_shares
from mpc_party.secure.encoding import fixed
from tests.support.secure_parties import generator_of, give, run_secure, same

U = torch.linspace(-1, 1, 101)


def polynomial(k, u):
    return torch.cos(k * torch.arccos(u.double().clamp(-1, 1)))


@pytest.mark.parametrize("degree", [1, 2, 3, 4, 5, 8, 13, 16])
def test_the_basis_with_its_rounds(degree):
    def program(session):
        u = give(session, 1, U)
        before = session.traffic.rounds
        basis = chebyshev_basis(u, degree)
        assert session.traffic.rounds - before == (degree - 1).bit_length()
        return torch.cat([open_shares(basis), open_shares(u)[None]])

    opened = same(run_secure(program).results)
    assert opened.shape == (degree + 1, 101)
    for k in range(1, degree + 1):
        # What doubling makes of one unit: T_2 is off by 1, T_2k by 4 times T_k and 1 more; about k^2 / 4 at the ends.
        assert float((opened[k - 1] - polynomial(k, opened[-1])).abs().max()) < (1 + k**2 / 4) * 2**-16


@given(st.integers(1, 9), st.integers(1, 4), st.sampled_from([(), (7,), (2, 3)]), st.integers(0, 2**32))
@settings(max_examples=15, deadline=None, derandomize=True)
def test_series_of_one_and_of_several_polynomials(degree, count, shape, seed):
    generator = generator_of(seed)
    u = torch.from_numpy(generator.uniform(-1, 1, shape))
    coefficients = torch.from_numpy(generator.uniform(-2, 2, (count, degree + 1, *shape)))
    higher, lowest = fixed(coefficients[:, 1:], 20), fixed(coefficients[:, 0], 20)

    def program(session):
        x = give(session, 0, u)
        several = open_shares(chebyshev_series(x, higher, lowest))
        one = open_shares(chebyshev_series(x, fixed(coefficients[0, 1:], 20), fixed(coefficients[0, 0], 20)))
        return torch.cat([several, one[None]])

    opened = same(run_secure(program).results)
    basis = torch.stack([polynomial(k, u) for k in range(degree + 1)])
    expected = (coefficients * basis).sum(1)
    assert opened.shape == (count + 1, *shape)
    allowed = 2**-16 * (2 + 2 * sum(1 + k**2 / 2 for k in range(degree + 1)))
    assert float((opened - torch.cat([expected, expected[:1]])).abs().max()) < allowed


def test_a_normal_distribution_function():
    """As the joint program uses it: N(x) for |x| <= 3 by degree 15, 2e-4 by itself."""
    nodes = np.polynomial.chebyshev.Chebyshev.interpolate(
        lambda u: torch.special.ndtr(torch.from_numpy(3 * u)).numpy(), 15
    ).coef
    higher, lowest = fixed(torch.from_numpy(nodes[1:, None]), 20), fixed(torch.from_numpy(nodes[:1]), 20)
    opened = same(run_secure(lambda s: open_shares(chebyshev_series(give(s, 2, U), higher, lowest))).results)
    assert float((opened - torch.special.ndtr(3 * U.double())).abs().max()) < 4e-4


def test_what_is_not_a_basis_or_a_series():
    def program(session):
        u = give(session, 0, U)
        with pytest.raises(ValueError, match="degree"):
            chebyshev_basis(u, 0)
        with pytest.raises(ValueError, match="fraction bit"):
            chebyshev_basis(give(session, 0, U.long(), 0), 3)
        with pytest.raises(TypeError, match="tensor"):
            chebyshev_series(u, fixed(2, 16), fixed(1, 16))

    run_secure(program)
