"""Kernels: compiled when defined, for one signature, also where the machine code cannot be kept."""

import numba
import numpy as np
import pytest

from mpc_party.secure.jit import kernel


def double(words, out):
    for index in range(words.size):
        out[index] = 2 * words[index]


@pytest.mark.parametrize("writable", [True, False])
def test_a_kernel_is_compiled_with_or_without_a_place_for_its_code(writable, monkeypatch):
    asked = []
    compile_now = numba.njit

    def njit(signature, *, cache, **options):
        asked.append(cache)
        if cache and not writable:
            raise RuntimeError("cannot cache function: no locator available")
        return compile_now(signature, cache=False, **options)

    monkeypatch.setattr(numba, "njit", njit)
    compiled = kernel("void(i8[::1], i8[::1])")(double)
    assert asked == ([True] if writable else [True, False])
    words = np.array([1, -(2**62), 2**63 - 1])
    out = np.empty_like(words)
    compiled(words, out)
    assert out.tolist() == [2, -(2**63), -2]  # wraps as the ring does
    assert len(compiled.signatures) == 1


def test_arrays_of_other_types_are_refused():
    compiled = kernel("void(i8[::1], i8[::1])")(double)
    with pytest.raises(TypeError, match="No matching definition"):
        compiled(np.zeros(3), np.zeros(3))
