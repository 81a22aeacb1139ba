"""Memory of a process that computes: large arrays come and go many times a second."""

import ctypes

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3  # malloc.h
_KEPT = 512 * 1024 * 1024
_MAPPED_ABOVE = 32 * 1024 * 1024  # the most that glibc accepts
_GROWTH = 16 * 1024 * 1024


def keep_freed_memory() -> bool:
    """Have the C library keep up to 512 MiB of freed memory instead of returning it to the system at once. Process-wide.

    Otherwise each array above 128 KiB is mapped anew, and the system clears its pages one by one when they are first
    written: a third of the time of a network on 1,024 rows. For programs to call at their start, not for libraries.

    Returns:
        whether the C library can do that; only glibc does.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    settings = ((_M_MMAP_THRESHOLD, _MAPPED_ABOVE), (_M_TRIM_THRESHOLD, _KEPT), (_M_TOP_PAD, _GROWTH))
    results = [mallopt(option, value) for option, value in settings]
    return results == [1, 1, 1]
