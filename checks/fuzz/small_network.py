"""A hundredth of Tiny, as a checkpoint and as a bundle: opened in no time, thousands of times."""

from pathlib import Path

from sam2lite.exporter.bundle.writer import write_bundle
from sam2lite.models.sam2lite.checkpoint import save_checkpoint
from sam2lite.models.sam2lite.family import HOST
from sam2lite.models.sam2lite.network import build
from sam2lite.targets.registry import host_target
from tests.conftest import MINI

SIZE = 240


def small_checkpoint(folder: Path) -> Path:
    """Write a checkpoint; return its folder."""
    save_checkpoint(build(MINI, seed=3), folder / "mini")
    return folder / "mini"


def small_bundle(folder: Path) -> Path:
    """Write a bundle for this machine; return its folder."""
    loaded = HOST.untrained(build(MINI, seed=3), MINI)
    write_bundle(loaded, host_target(), folder / "bundle", rungs=(SIZE,))
    return folder / "bundle"
