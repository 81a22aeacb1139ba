"""Windows over the last two dimensions, beside PyTorch; and the largest along a dimension."""

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.nn import functional

from mpc_party.secure import open_many, open_shares
from mpc_party.secure.functions.maxima import largest_along
from mpc_party.secure.tensors.pooling import Windows
from tests.support.differentials import wave
from tests.support.secure_parties import give, run_secure

PAIRS = st.tuples(st.integers(1, 3), st.integers(1, 3))


@settings(max_examples=40, deadline=None)
@given(
    PAIRS,
    PAIRS,
    st.tuples(st.integers(0, 1), st.integers(0, 1)),
    st.tuples(st.integers(1, 7), st.integers(1, 7)),
    st.booleans(),
)
def test_geometry_is_that_of_torch(kernel, stride, padding, size, ceil_mode):
    image = wave(2, *size)
    try:
        plain = functional.avg_pool2d(image[None], kernel, stride, padding, ceil_mode)[0]
    except RuntimeError:
        with pytest.raises(ValueError, match=r"no window|more than half"):
            Windows.of(image.shape, kernel, stride, padding, ceil_mode=ceil_mode)
        return
    windows = Windows.of(image.shape, kernel, stride, padding, ceil_mode=ceil_mode)
    assert windows.count == plain.shape[-2:]
    padded = torch.cat([image.reshape(2, -1), torch.zeros(2, 1).double()], dim=1)
    sums = padded[:, windows.places].sum((-1, -2))
    assert torch.allclose(sums / windows.areas, plain, rtol=0, atol=1e-12)
    assume(ceil_mode)
    largest = torch.cat([image.reshape(2, -1), torch.full((2, 1), -torch.inf).double()], dim=1)[
        :, windows.places
    ].amax((-1, -2))
    assert torch.equal(
        largest, functional.max_pool2d(image[None], kernel, stride, padding, ceil_mode=ceil_mode)[0]
    )


def test_sums_rows_and_their_adjoint():
    image = wave(2, 3, 5, 4)
    windows = Windows.of(image.shape, (3, 2), 2, (1, 0), (1, 2))

    def program(session):
        x = give(session, 0, image)
        rows = windows.rows(x)
        flat = Windows.of(image.shape, (3, 2), 2, (1, 0))
        return open_many([flat.sums(x), rows, windows.spread(rows * 0 + 1)])

    sums, rows, spread = run_secure(program).results[0]
    assert torch.allclose(sums, functional.avg_pool2d(image, (3, 2), 2, (1, 0), divisor_override=1))
    assert torch.equal(rows.amax(-1), functional.max_pool2d(image, (3, 2), 2, (1, 0), (1, 2)))
    counts = torch.zeros(21).index_add(0, windows.places.flatten(), torch.ones(windows.places.numel()))[:-1]
    assert torch.equal(spread, counts.reshape(5, 4).double().expand(2, 3, 5, 4))


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [((torch.Size((4,)), 2), "two dimensions"), ((torch.Size((4, 4)), 5), "no window"), ((torch.Size((4, 4)), 2, 0), "no window"),
     ((torch.Size((4, 4)), 2, 1, 2), "more than half"), ((torch.Size((4, 4)), (2, 2, 2)), "kernel_size"), ((torch.Size((4, 4)), 2, (1.5, 1)), "stride")],
)  # fmt: skip
def test_windows_that_do_not_fit(arguments, reason):
    with pytest.raises(ValueError, match=reason):
        Windows.of(*arguments)


@pytest.mark.parametrize("method", ["pairwise", "log_reduction"])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 9, 17])
def test_the_largest_along_a_dimension(count, method):
    values = wave(3, count, 2, scale=100.0)

    def program(session):
        x = give(session, 1, values)
        return open_many([largest_along(x, 1, method=method), largest_along(x, -2, method=method)])

    for got in run_secure(program).results[2]:
        assert torch.equal(got, values.amax(1))


def test_the_largest_near_the_limits():
    values = torch.tensor([[2.0**46, 1 - 2.0**46, 0.0, 2.0**46 - 1, -1.0]], dtype=torch.float64)

    def program(session):
        x = give(session, 0, values)
        return open_shares(largest_along(x, 1)), open_shares(largest_along(-x, 1))

    high, low = run_secure(program).results[0]
    assert (float(high), float(low)) == (2.0**46, 2.0**46 - 1)
