"""What the daemon asks of the allocator, in a process of its own."""

import subprocess
import sys

import pytest

# Threads hold documents of many sizes for a moment, and keep something small after each.
WORK = """
import re, sys, threading
from pathlib import Path
from feedhub.runtime.memory import keep_heaps_small

if sys.argv[1] == "asked":
    keep_heaps_small()

def resident():
    return int(re.search(r"VmRSS:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

kept = []
turn = threading.Barrier(16)
def work(number):
    for round in range(12):
        turn.wait()
        documents = [bytes((number + size) % 7 * 400_000 + 100_000) for size in range(6)]
        kept.append(bytes(2_000))
        del documents

before = resident()
threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(resident() - before)
"""


def growth(how: str) -> float:
    done = subprocess.run([sys.executable, "-c", WORK, how], capture_output=True, text=True, check=True)
    return float(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc can be asked")
def test_what_was_freed_goes_back_to_the_system() -> None:
    left_alone, asked = growth("not asked"), growth("asked")
    assert asked < 10 < left_alone
