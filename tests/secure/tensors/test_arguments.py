"""Arguments at their edges: what is taken as PyTorch takes it, and what is refused instead of dropped or misread."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from mpc_party.secure.comparison import where
from mpc_party.secure.tensors.crypten_compat import no_grad
from tests.support.differentials import differences, secret, wave
from tests.support.secure_parties import run_secure

A = wave(3, 4)


def test_the_coefficients_of_a_polynomial_may_be_a_tuple():
    plain = lambda x: x - 0.5 * x**2 + 0.25 * x**3  # noqa: E731
    assert max(differences(lambda x: x.polynomial((1.0, -0.5, 0.25)), [A], plain)) < 2**-11


def test_the_coefficients_of_a_polynomial_may_be_secret():
    plain = lambda x, c: c[0] * x + c[1] * x**2 + c[2] * x**3  # noqa: E731
    assert max(differences(lambda x, c: x.polynomial(c), [A, wave(3)], plain)) < 2**-9


@pytest.mark.parametrize("coefficients", [[], torch.ones(2, 2), 3.0])
def test_what_is_no_list_of_coefficients_is_refused(coefficients):
    def program(session):
        with pytest.raises(ValueError, match="one dimension"):
            secret(session, A).polynomial(coefficients)

    run_secure(program)


def test_an_interval_of_one_point_has_no_gradient():
    point = lambda x: functional.hardtanh(x, 0.5, 0.5001) * 0 + 0.5  # noqa: E731 - PyTorch refuses that of one point
    x = torch.tensor([0.0, 0.5, 1.0])
    assert differences(lambda x: x.hardtanh(0.5, 0.5), [x], point) == [0.0, 0.0]


@pytest.mark.parametrize("on_tape", [True, False])
def test_dropout_is_the_same_on_and_off_the_tape(on_tape):
    def program(session):
        x = secret(session, torch.ones(20, 50, 2), requires_grad=on_tape)
        results = [
            x.dropout(1.0, training=False),
            x.dropout(1.0),
            x.dropout(0.0),
            x.dropout(0.25),
            x._feature_dropout(0.25),
        ]
        for training in (True, False):
            for p in (1.5, -0.1):
                with pytest.raises(ValueError, match="between 0 and 1"):
                    x.dropout(p, training=training)
        with no_grad():
            results[2][...] = 5.0
            assert float(x.sum().get_plain_text()) == 2000
            return [r.get_plain_text() for r in results]

    unchanged, none, _, some, features = run_secure(program).results[1]
    assert bool((unchanged == 1).all())
    assert not none.any()
    for dropped in (some, features[..., 0]):
        assert bool(((dropped == 0) | ((dropped - 4 / 3).abs() < 2**-14)).all())
        assert 0.68 < float((dropped > 0).double().mean()) < 0.82
    assert torch.equal(features[..., 0], features[..., 1])


def test_dropout_in_place():
    def program(session):
        x = secret(session, torch.ones(4))
        assert x.dropout(1.0, inplace=True) is x
        return x.get_plain_text()

    assert not run_secure(program).results[0].any()


@pytest.mark.parametrize("size", [3, 5])
def test_one_is_chosen_and_none_of_weight_0(size):
    # Sums so small that a rounded threshold reaches them, or does not pass the zeros before.
    rows = torch.tensor([[0.0, 1.0, 0.0], [0.0, 1.0, 1.0], [0.5, 0.5 - 2.0**-16, 0.0]])
    rows[:2] *= 2.0**-10

    def program(session):
        return secret(session, rows.expand(1000, 3, 3)).weighted_index(-1).get_plain_text()

    chosen = run_secure(program, committee=range(size)).results[0]
    assert torch.equal(chosen.sum(-1), torch.ones(1000, 3).double())
    assert not chosen[:, rows == 0].any()
    assert 400 < float(chosen[:, 1, 1].sum()) < 600


OPTIONS = {
    "alpha of sub": lambda p, x: torch.sub(p, x, alpha=3), "alpha of add": lambda p, x: torch.add(p, x, alpha=3), "rounding": lambda p, x: torch.div(p, x, rounding_mode="floor"),
    "out": lambda p, x: torch.mul(p, x, out=torch.empty(3, 4)),
}  # fmt: skip


@pytest.mark.parametrize("name", OPTIONS)
def test_options_of_torch_s_operators_are_refused(name):
    def program(session):
        with pytest.raises(NotImplementedError, match="no options"):
            OPTIONS[name](torch.ones(3, 4), secret(session, A))

    run_secure(program)


def test_unknown_options_of_methods_are_refused():
    def program(session):
        x = secret(session, A)
        for call in (
            lambda: x.hardtanh(minimum=0),
            lambda: x.softmax(1, dtype=torch.float64),
            lambda: x.pow(2, other=1),
        ):
            with pytest.raises(TypeError):
                call()

    run_secure(program)


def test_numpy_arrays_on_the_left():
    array = np.array([1.5, -2.0, 3.0, 0.25])

    def program(session):
        x = secret(session, A)
        return [t.get_plain_text() for t in (array + x, array - x, array * x)]

    plain = torch.from_numpy(array)
    for got, expected in zip(run_secure(program).results[0], (plain + A, plain - A, plain * A), strict=True):
        assert float((got - expected).abs().max()) < 2**-14


def test_public_conditions_are_0_or_1():
    def program(session):
        x = secret(session, A)
        for condition in (torch.tensor([0.5, 1.0, 0.0, 1.0]), torch.tensor(2), float("nan")):
            for choose in (lambda c: x.where(c, 0.0), lambda c: where(c, x.shares, 0.0)):
                with pytest.raises(ValueError, match="0 or 1"):
                    choose(condition)
        return [t.get_plain_text() for t in (x.where(True, 0.0), x.where(torch.tensor(0.0), 2.0))]

    kept, other = run_secure(program).results[0]
    assert torch.equal(kept, A)
    assert bool((other == 2).all())
