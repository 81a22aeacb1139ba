"""Loops over words compiled by Numba: fused passes where numpy would take dozens over memory.

Kernels are compiled when their module is imported, for the one signature that they state, never inside a round. The
machine code is kept beside the module (`__pycache__`, or where NUMBA_CACHE_DIR says), so that only the first import after an
installation compiles; where it cannot be kept or read, every start does. Whoever can write there can write the modules too.

They release the interpreter lock, and run in the calling thread.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numba

F = TypeVar("F", bound=Callable[..., Any])


def kernel(signature: str) -> Callable[[F], F]:
    """Compile a function of int64 arrays for one signature. All arrays are contiguous; no bounds are checked.

    No secret decides where a kernel reads, writes or branches.
    """

    def compile_now(function: F) -> F:
        def compiled(*, cache: bool) -> F:
            options = {"nogil": True, "boundscheck": False, "error_model": "numpy", "cache": cache}
            make: Any = numba.njit  # its types do not take a signature together with options
            result: F = make(signature, **options)(function)
            return result

        try:
            return compiled(cache=True)
        except Exception:  # noqa: BLE001 - nowhere to keep the code, a full disk, a truncated file: all do without it
            return compiled(cache=False)  # and an error of the kernel's own is raised again

    return compile_now
