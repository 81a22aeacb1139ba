"""Loops over words compiled by Numba: fused passes where numpy would take dozens over memory.

Kernels are compiled when their module is imported, for the one signature that they state, never inside a round. The
machine code is kept beside the module (`__pycache__`, or where NUMBA_CACHE_DIR says), so that only the first import after an
installation compiles. Whoever can write there can write the modules too.

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
        except RuntimeError:  # no folder to keep the machine code in: compile at every start
            return compiled(cache=False)

    return compile_now
