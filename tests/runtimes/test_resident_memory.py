import mmap
import subprocess
import sys

import numpy as np

from sam2lite.runtimes.measuring.resident_memory import peak_rss_mb, rss_mb

BLOCK_MB = 64
TOLERANCE_MB = 8  # other threads of the test process may free something meanwhile


def test_resident_memory_follows_what_is_held() -> None:
    before = rss_mb()
    # Pages of its own: the allocator could hand out ones that the process never gave back.
    block = mmap.mmap(-1, BLOCK_MB * 1_000_000)
    for start in range(0, len(block), mmap.PAGESIZE):
        block[start] = 1
    held = rss_mb()
    block.close()
    assert held - before > BLOCK_MB - TOLERANCE_MB
    assert held - rss_mb() > BLOCK_MB - TOLERANCE_MB


def test_peak_is_remembered_but_not_inherited() -> None:
    block = np.ones(4 * BLOCK_MB * 1_000_000, np.uint8)
    code = "import sam2lite.runtimes.measuring.resident_memory as m; print(m.peak_rss_mb())"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    del block
    assert peak_rss_mb() > 4 * BLOCK_MB
    assert float(child.stdout) < 4 * BLOCK_MB
