"""Keeping freed memory: the difference between a fast and a slow recurrence on large arrays."""

import ctypes

# From glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8


def keep_freed_memory() -> bool:
    """Ask the C library to keep freed memory instead of giving it back at once.

    JAX on a CPU allocates every result anew. By default glibc maps blocks of more than 32 MiB
    afresh and unmaps them when they are freed, so that each new array costs a page fault for
    every 4 KiB written: that can take longer than the computation. Called once before large arrays
    are made, this keeps freed blocks in the process for the next result. The price: the process
    holds on to its largest use of memory, and threads share one arena.

    The library never calls it by itself. It is process-wide and cannot be undone.

    Returns:
        Whether the C library took the settings: false where it is not glibc.

    Measured by `benchmarks/recurrence.py`.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    mallopt.argtypes, mallopt.restype = [ctypes.c_int, ctypes.c_int], ctypes.c_int
    settings = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, 2**31 - 1), (_ARENA_MAX, 1))
    taken = [mallopt(name, value) == 1 for name, value in settings]
    return all(taken)
