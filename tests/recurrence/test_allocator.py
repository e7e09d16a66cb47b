"""Freed memory is kept: a large array made again costs no new page faults."""

import platform
import subprocess
import sys

import pytest

_FAULTS = """
import resource
import sys
from remanence.recurrence.allocator import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
import ctypes
allocate = ctypes.CDLL(None)
allocate.malloc.restype = ctypes.c_void_p
allocate.malloc.argtypes = [ctypes.c_size_t]
allocate.free.argtypes = [ctypes.c_void_p]
for _ in range(20):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    block = allocate.malloc(1 << 27)
    ctypes.memset(block, 1, 1 << 27)
    allocate.free(block)
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(faults)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
def test_memory_is_kept():
    def faults(setting):
        found = subprocess.run(
            [sys.executable, "-c", _FAULTS, setting], capture_output=True, text=True, check=True
        )
        return int(found.stdout)

    assert faults("keep") < faults("plain") / 4
