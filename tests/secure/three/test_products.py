"""Words between three parties: what is sent in which order, and who waits for whom."""

import numpy as np
import pytest
import torch

from mpc_party.secure import multiply, open_shares, open_to, reduce, relu, share_many, square, truncate
from mpc_party.secure.sharing import PrivateInput
from tests.support.secure_parties import give, run_secure, same

X = torch.linspace(-3, 3, 65)


@pytest.mark.parametrize("owner", [0, 1, 2])
def test_position_0_receives_nothing_until_something_is_opened(owner):
    def program(session):
        x = give(session, owner, X)
        relu(square(truncate(reduce(multiply(x, x) * 0.3), 2)))
        return len(session._exchange.received)

    received = run_secure(program).results
    assert received[0] == 0
    assert min(received[1:]) > 0


@pytest.mark.parametrize("owner", [0, 1, 2])
def test_components_of_an_input(owner):
    def program(session):
        value = X if session.position == owner else None
        x = share_many([PrivateInput(owner, X.shape, value)])[0]
        return {component: x.words[slot].numpy() for slot, component in enumerate(session.held)}

    held = run_secure(program).results
    components = {}
    for of_one in held:
        for component, words in of_one.items():
            assert np.array_equal(components.setdefault(component, words), words)
    total = sum(components.values())
    assert np.array_equal(total, torch.round(X.double() * 2**16).long().numpy())
    if owner == 0:
        assert not np.any(components[2])  # 0 knows its own value; 1 and 2 know a component each that hides it
        assert len(np.unique(np.concatenate([components[0], components[1]]))) == 2 * len(X)
    else:
        assert len(np.unique(components[2])) == len(X)  # what 0 lacks is neither zero nor the value
        assert not np.array_equal(components[2], total)


@pytest.mark.parametrize("position", [0, 1, 2])
def test_one_party_learns_what_is_opened_to_it(position):
    def program(session):
        x = give(session, 1, X)
        link = session._exchange
        link.received.clear()
        return open_to(position, x), len(link.received)

    results = run_secure(program).results
    for own, (value, frames) in enumerate(results):
        assert frames == int(own == position)
        assert (value is None) == (own != position)
    assert torch.allclose(results[position][0], X.double(), atol=2**-16)


def test_masks_of_position_0_are_those_of_the_others():
    def program(session):
        x = give(session, 1, X)
        product = multiply(x, x)
        return {component: product.words[slot].tolist() for slot, component in enumerate(session.held)}

    zero, one, two = run_secure(program).results
    assert zero[0] == two[0]
    assert zero[1] == one[1]
    assert one[2] == two[2]


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (2, 3)])
def test_any_shape_is_closed(shape):
    values = torch.full(shape, 1.5)

    def program(session):
        x = give(session, 2, values)
        return open_shares(reduce(multiply(x, x) * 0.5))

    assert torch.equal(same(run_secure(program).results), (values * values / 2).double())


def test_products_of_views_are_closed():
    values = torch.linspace(-2, 2, 24).reshape(4, 6)

    def program(session):
        x = give(session, 0, values)
        return open_shares(multiply(x.t()[::2], x[:, :3].t()))

    expected = values.t()[::2] * values[:, :3].t()
    assert torch.allclose(same(run_secure(program).results), expected.double(), atol=2**-14)
