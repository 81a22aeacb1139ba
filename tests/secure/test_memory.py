"""Freed memory that stays with the process."""

import subprocess
import sys

PROGRAM = """
import resource, sys
from mpc_party.secure.memory import keep_freed_memory

if sys.argv[1] == "keep":
    assert keep_freed_memory()
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
work = lambda: [bytearray(2**20) for _ in range(64)]
work()
before = faults()
for _ in range(10):
    work()
print(faults() - before)
"""


def test_arrays_do_not_fault_their_pages_in_again():
    def faults(mode):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, mode], capture_output=True, text=True, timeout=60, check=True
        )
        return int(done.stdout)

    # 10 times 64 MiB are 163,840 pages of 4 KiB.
    assert faults("keep") < 1_000
    assert faults("leave") > 50_000
