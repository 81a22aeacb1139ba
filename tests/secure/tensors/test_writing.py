"""Writing into secret tensors: what parties hold differently, memory that is not shared, and the tape."""

import pytest
import torch

from mpc_party.secure.tensors.crypten_compat import nn, no_grad
from mpc_party.secure.tensors.tensor import ReplicatedTensor
from tests.support.differentials import secret, wave
from tests.support.secure_parties import run_secure

OWN = torch.tensor([1.0, 2.0, 3.0])


def opened_twice(tensor):
    """Opened itself, and its square: parties that hold parts of different values do not agree on the latter."""
    return tensor.get_plain_text(), tensor.mul(tensor).get_plain_text()


WRITES = {
    "set": (lambda x, own: x.set(torch.full((3,), own)), [1.0, 1.0, 1.0]),
    "element": (lambda x, own: x.__setitem__(1, own), [0.0, 1.0, 0.0]),
    "elements": (lambda x, own: x.__setitem__(slice(1, 3), torch.full((2,), own)), [0.0, 1.0, 1.0]),
    "scatter": (lambda x, own: x.set(x.scatter(0, torch.tensor([2]), torch.full((1,), own))), [0.0, 0.0, 1.0]),
}  # fmt: skip


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize("size", [3, 5])
def test_plain_values_that_are_written_are_those_of_position_0(name, size):
    write, expected = WRITES[name]

    def program(session):
        x = secret(session, torch.zeros(3))
        write(x, float(session.position + 1))
        return opened_twice(x)

    for value, square in run_secure(program, committee=range(size)).results:
        assert float((value - torch.tensor(expected)).abs().max()) <= 2**-15
        assert float((square - torch.tensor(expected)).abs().max()) < 2**-13


@pytest.mark.parametrize("initialise", ["normal_", "kaiming_uniform_", "orthogonal_"])
def test_initialisers_make_one_sharing_of_weights_that_differ(initialise):
    def program(session):
        layer = nn.Linear(3, 4).encrypt()
        with no_grad():
            getattr(nn.init, initialise)(layer.weight)  # each thread draws something else
            return opened_twice(layer.weight)

    results = run_secure(program).results
    value, square = results[0]
    assert all(torch.equal(value, other) for other, _ in results)
    assert float(value.std()) > 0.05
    assert float((square - value * value).abs().max()) < 2**-13


COPIES = {
    "copy_": lambda x: ReplicatedTensor(torch.zeros(2), src=None).copy_(x), "set": lambda x: ReplicatedTensor(torch.zeros(2), src=None).set(x),
    "pow": lambda x: x.pow(1), "prod": lambda x: x.unsqueeze(0).prod(0), "prod of one": lambda x: x[:1].prod(0), "max": lambda x: x.unsqueeze(0).max(0)[0],
    "sum of a number": lambda x: x[0].sum(),
}  # fmt: skip


@pytest.mark.parametrize("name", COPIES)
def test_what_is_written_to_a_copy_does_not_reach_its_origin(name):
    def program(session):
        x = secret(session, torch.tensor([1.0, 2.0]))
        with no_grad():
            copy = COPIES[name](x)
            copy[...] = 9.0
        return x.get_plain_text(), copy.get_plain_text()

    origin, copy = run_secure(program).results[1]
    assert origin.tolist() == [1.0, 2.0]
    assert set(copy.flatten().tolist()) == {9.0}


def test_data_stays_the_same_tensor_after_a_copy():
    def program(session):
        x = secret(session, torch.zeros(2))
        data = x.data
        data.copy_(secret(session, torch.ones(2)))
        data[0] = 9.0
        return x.get_plain_text()

    assert run_secure(program).results[0].tolist() == [9.0, 1.0]


@pytest.mark.parametrize(
    "reduction", [lambda x: x.sum(1), lambda x: x.mean((0, 1)), lambda x: x.expand(2, 3, 4)]
)
def test_gradients_are_written_one_element_at_a_time(reduction):
    def program(session):
        x = secret(session, wave(3, 4), requires_grad=True)
        reduction(x).sum().backward()
        before = x.grad.get_plain_text()
        with no_grad():
            x.grad[0, 0] = 5.0
        return before, x.grad.get_plain_text()

    before, after = run_secure(program).results[2]
    before[0, 0] = 5.0
    assert torch.equal(before, after)


def test_what_is_expanded_is_written_one_element_at_a_time():
    def program(session):
        rows = secret(session, torch.zeros(1, 2)).expand(3, 2)
        rows[0] = 9.0
        return rows.get_plain_text()

    assert run_secure(program).results[0].tolist() == [[9.0, 9.0], [0.0, 0.0], [0.0, 0.0]]


@pytest.mark.parametrize("add", ["index_add", "scatter_add"])
def test_a_caller_s_gradient_is_not_added_to(add):
    def program(session):
        x = secret(session, torch.zeros(2, 2), requires_grad=True)
        index = torch.tensor([0]) if add == "index_add" else torch.tensor([[0, 1]])
        given = secret(session, torch.ones(2, 2))
        getattr(x, add)(0, index, secret(session, torch.zeros(1, 2))).backward(given)
        with no_grad():
            x.grad.add_(1)
        return given.get_plain_text(), x.grad.get_plain_text()

    given, gradient = run_secure(program).results[0]
    assert given.tolist() == [[1.0, 1.0]] * 2
    assert gradient.tolist() == [[2.0, 2.0]] * 2


def test_writing_is_refused_on_the_tape_as_adding_in_place_is():
    def program(session):
        x = secret(session, OWN, requires_grad=True)
        y = x * 2
        for tensor, value in ((x, 5.0), (y, 5.0), (secret(session, OWN), y[0])):
            with pytest.raises(RuntimeError, match="in-place"):
                tensor[0] = value
        with no_grad():
            x[0] = 5.0
        return x.get_plain_text()

    assert run_secure(program).results[0].tolist() == [5.0, 2.0, 3.0]
