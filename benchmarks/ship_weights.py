"""Make a trained checkpoint the one that comes with the package: FP16, beside its model card.

.venv/bin/python benchmarks/ship_weights.py runs/train/checkpoint
make scores
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

from sam2lite.cli.app import run_app
from sam2lite.contracts.provenance import SMOKE_TEST
from sam2lite.models.activation_ranges import RANGES_FILE
from sam2lite.models.sam2lite.checkpoint import save_checkpoint
from sam2lite.models.sam2lite.family import HOST

WEIGHTS = Path(__file__).parent.parent / "sam2lite" / "weights"
MOST_BYTES = 11_000_000


def main() -> None:
    """Copy the weights; the model card stays, and is filled by `make scores`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    loaded = HOST.load(parser.parse_args().checkpoint)
    folder = WEIGHTS / loaded.config.name
    with tempfile.TemporaryDirectory() as temporary:
        half = Path(temporary) / "half"
        save_checkpoint(
            loaded.model,
            half,
            licence=loaded.licence,
            weights=SMOKE_TEST,
            half=True,
            activation_ranges=loaded.activation_ranges,
        )
        size = sum(path.stat().st_size for path in half.iterdir())
        if size > MOST_BYTES:
            raise SystemExit(f"{size:,} bytes are more than {MOST_BYTES:,}")
        folder.mkdir(exist_ok=True)
        (folder / RANGES_FILE).unlink(missing_ok=True)
        for path in half.iterdir():
            shutil.copy(path, folder / path.name)
    print(f"{folder}: {size:,} bytes")


if __name__ == "__main__":
    run_app(main)
