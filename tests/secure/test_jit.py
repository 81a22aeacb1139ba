"""Kernels: compiled when defined, for one signature, also where the machine code cannot be kept."""

import errno
import os
import subprocess
import sys

import numba
import numpy as np
import pytest

from mpc_party.secure.jit import kernel


def double(words, out):
    for index in range(words.size):
        out[index] = 2 * words[index]


@pytest.mark.parametrize(
    "fault",
    [
        None,
        RuntimeError("cannot cache function: no locator available"),
        OSError(errno.ENOSPC, "full"),
        EOFError(),
    ],
)
def test_a_kernel_is_compiled_with_or_without_a_place_for_its_code(fault, monkeypatch):
    asked = []
    compile_now = numba.njit

    def njit(signature, *, cache, **options):
        asked.append(cache)
        if cache and fault is not None:
            raise fault
        return compile_now(signature, cache=False, **options)

    monkeypatch.setattr(numba, "njit", njit)
    compiled = kernel("void(i8[::1], i8[::1])")(double)
    assert asked == ([True] if fault is None else [True, False])
    words = np.array([1, -(2**62), 2**63 - 1])
    out = np.empty_like(words)
    compiled(words, out)
    assert out.tolist() == [2, -(2**63), -2]  # wraps as the ring does
    assert len(compiled.signatures) == 1


def test_arrays_of_other_types_are_refused():
    compiled = kernel("void(i8[::1], i8[::1])")(double)
    with pytest.raises(TypeError, match="No matching definition"):
        compiled(np.zeros(3), np.zeros(3))


@pytest.mark.slow
def test_kept_code_that_is_cut_off_is_compiled_again(tmp_path):
    """As a full disk or a crash may leave it: the party starts all the same."""
    command = [
        sys.executable,
        "-c",
        "from mpc_party.secure.bits import from_plane as f; import numpy as n; print(f(n.array([5]), 3))",
    ]

    def start():
        environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=120, env=environment, check=False
        )
        assert done.returncode == 0, done.stderr[-500:]
        return done.stdout

    assert start() == "[1 0 1]\n"
    kept = [path for path in tmp_path.rglob("*.nb?") if path.is_file()]
    assert kept
    for path in kept:
        os.truncate(path, 20)
    assert start() == "[1 0 1]\n"


def test_an_error_of_the_kernel_is_raised():
    with pytest.raises(numba.TypingError):
        kernel("void(i8[::1], i8[::1])")(lambda words, out: out.append(words))
