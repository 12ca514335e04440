"""What a worker has freed does not stay with it."""

from __future__ import annotations

import json
import subprocess
import sys

IN_A_FRESH_PROCESS = """
import asyncio, json, os
from driftloop.streams.transport.watching import memory

PIECES, PIECE_BYTES = 1_000, 60_000

def resident_mb():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

async def until_given_back(most_mb):
    task = asyncio.ensure_future(memory.give_back())
    deadline = asyncio.get_running_loop().time() + 20
    while resident_mb() > most_mb and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.01)
    task.cancel()

memory.TRIM_SECONDS = 0.01
before = resident_mb()
pieces = [bytearray(b"x" * PIECE_BYTES) for _ in range(PIECES)]
last = bytearray(b"x" * PIECE_BYTES)  # above them on the heap: it cannot shrink from its end
pieces.clear()
kept = resident_mb() - before
asyncio.run(until_given_back(before + 0.3 * kept))
print(json.dumps({"kept": kept, "left": resident_mb() - before}))
"""


def test_freed_memory_that_a_later_piece_pins_to_the_heap_goes_back() -> None:
    done = subprocess.run([sys.executable, "-c", IN_A_FRESH_PROCESS], capture_output=True, check=True, timeout=180)
    found = json.loads(done.stdout)
    assert found["kept"] > 30, f"the C library gave it back by itself, nothing is shown here: {found}"
    assert found["left"] < 0.5 * found["kept"], found
