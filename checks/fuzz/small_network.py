"""A hundredth of Tiny, as a checkpoint and as a bundle: opened in no time, thousands of times."""

import fcntl
import os
import shutil
from pathlib import Path

from sam2lite.exporter.bundle.writer import write_bundle
from sam2lite.models.sam2lite.checkpoint import save_checkpoint
from sam2lite.models.sam2lite.family import HOST
from sam2lite.models.sam2lite.network import build
from sam2lite.targets.registry import host_target
from tests.conftest import MINI

SIZE = 240
SHARED = "SAM2LITE_FUZZ_SHARED"  # a folder for the whole run


def small_checkpoint(folder: Path) -> Path:
    """Write a checkpoint; return its folder."""
    save_checkpoint(build(MINI, seed=3), folder / "mini")
    return folder / "mini"


def small_bundle(folder: Path) -> Path:
    """Write a bundle for this machine; return its folder. The workers of a run share the export."""
    shared = Path(os.environ[SHARED])
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "bundle").is_dir():
            loaded = HOST.untrained(build(MINI, seed=3), MINI)
            write_bundle(loaded, host_target(), shared / "bundle", rungs=(SIZE,))
    return Path(shutil.copytree(shared / "bundle", folder / "bundle"))
