"""How far a bundle's loop drifts from PyTorch's over a long clip: `make drift`.

    .venv/bin/python checks/drift.py --output runs/drift [--video FILE] [--frames 1000]

Both loops follow the same objects, each with its own memory, and nothing brings them together
again. Every 50 frames both are saved under `--output`, and the same command goes on from there:
PyTorch may take seconds a frame. It prints the lowest IoU of the two masks of an object on a frame,
the first frame on which a pixel differs, and how many differ. Without a video a drawn clip is
played to its end and back; a video is played again and again.

Exit code 1 where the lowest IoU is below 0.99.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Annotated

import numpy as np
import safetensors.torch
import typer

from sam2lite.bench.frame_feed import Footage, open_footage
from sam2lite.bench.machine_facts import describe_machine
from sam2lite.bench.synthetic import SyntheticFootage
from sam2lite.cli.app import run_app, share_threads
from sam2lite.cli.progress import ShownProgress
from sam2lite.errors import ArgumentError
from sam2lite.evaluation.reference_tracker import ReferenceTracker
from sam2lite.exporter.export import export
from sam2lite.exporter.recipe import Recipe
from sam2lite.files.atomic import write_atomically
from sam2lite.models.registry import load_model
from sam2lite.runtimes.bundle import open_bundle
from sam2lite.runtimes.results import FrameResult
from sam2lite.runtimes.segmenter import VideoSegmenter

BOUND = 0.99
SAVED_EVERY = 50

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass
class Drift:
    """What was found so far.

    Attributes:
        run: what is compared; a run with other options does not go on from it.
        frames: compared.
        lowest_iou: of an object on a frame; two empty masks count as 1.
        lowest_at: the frame.
        first_difference: first frame on which a pixel differs; None while none does.
        differing_pixels: of all `pixels`, objects and frames together.
        pixels: compared.
        decisions_differ: objects on a frame that one loop shows and the other does not.
        empty: objects on a frame that neither shows.
    """

    run: dict[str, str | int]
    frames: int = 0
    lowest_iou: float = 1.0
    lowest_at: int = 0
    first_difference: int | None = None
    differing_pixels: int = 0
    pixels: int = 0
    decisions_differ: int = 0
    empty: int = 0
    machine: dict[str, object] = field(default_factory=describe_machine)

    def add(self, actual: FrameResult, expected: FrameResult) -> None:
        """Compare all objects of the next frame."""
        for object_id, wanted in expected.objects.items():
            found = actual.objects[object_id]
            union = int(np.count_nonzero(found.mask | wanted.mask))
            differ = int(np.count_nonzero(found.mask != wanted.mask))
            iou = 1.0 - differ / union if union else 1.0
            if iou < self.lowest_iou:
                self.lowest_iou, self.lowest_at = iou, self.frames
            if differ and self.first_difference is None:
                self.first_difference = self.frames
            self.differing_pixels += differ
            self.pixels += wanted.mask.size
            self.decisions_differ += found.visible != wanted.visible
            self.empty += not union
        self.frames += 1


@app.command()
def drift(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the run.")],
    model: Annotated[str, typer.Option(help="A size, or a checkpoint.")] = "tiny",
    video: Annotated[str | None, typer.Option(help="A drawn clip if not given.")] = None,
    rung: Annotated[int, typer.Option(help="Input side, px.")] = 240,
    frames: Annotated[int, typer.Option(min=2, help="Frames to compare.")] = 1000,
    objects: Annotated[int, typer.Option(min=1, help="Objects to follow.")] = 2,
) -> None:
    """Compare a bundle in FP32 with PyTorch over a long clip, or go on with it."""
    loaded = load_model(model)
    bundle_path = output / "bundle"
    if not bundle_path.exists():
        recipe = Recipe(model=model, precision="fp32", sizes=(rung,), output=bundle_path)
        export(recipe, ShownProgress())
    bundle = open_bundle(str(bundle_path))
    share_threads(bundle, None)
    footage = SyntheticFootage(objects) if video is None else open_footage(video)
    report = Drift(
        {"bundle": bundle.sha256, "video": footage.name, "rung": rung, "objects": objects}
    )
    reference = ReferenceTracker(loaded.fused(), rung)
    with VideoSegmenter(bundle, rung=rung) as segmenter:
        saved = _Saved(output)
        report = saved.load(report, segmenter, reference)
        _compare(report, footage, objects, frames, segmenter, reference, saved)
    text = json.dumps(asdict(report), indent=1)
    print(text)
    if report.lowest_iou < BOUND:
        raise typer.Exit(1)


def _compare(
    report: Drift,
    footage: Footage,
    objects: int,
    frames: int,
    segmenter: VideoSegmenter,
    reference: ReferenceTracker,
    saved: _Saved,
) -> None:
    for index, frame in enumerate(islice(footage.frames(), frames)):
        if index < report.frames:
            continue
        if index == 0:
            for object_id, click in enumerate(footage.clicks(objects), 1):
                segmenter.prompt(frame, object_id, points=[click])
                reference.prompt(frame, object_id, points=[click])
        report.add(segmenter.track(frame), reference.track(frame))
        if report.frames % SAVED_EVERY == 0 or report.frames == frames:
            saved.save(report, segmenter, reference)
            line = f"frame {report.frames}: lowest IoU {report.lowest_iou:.5f}"
            print(f"{line}, {report.differing_pixels} pixels differ", file=sys.stderr)


class _Saved:
    """The two loops and the report as files; the report says of which frame they are."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._report = folder / "drift.json"

    def save(self, report: Drift, segmenter: VideoSegmenter, reference: ReferenceTracker) -> None:
        """Write all, the report last; what is older is removed then."""
        older = [*self._folder.glob("loop-*.npz"), *self._folder.glob("reference-*.safetensors")]
        loop, tensors = self._files(report.frames)
        segmenter.save_state(str(loop))
        state = {name: tensor.contiguous() for name, tensor in reference.state().items()}
        write_atomically(str(tensors), safetensors.torch.save(state))
        write_atomically(str(self._report), json.dumps(asdict(report), indent=1).encode())
        for path in older:
            if path not in (loop, tensors):
                path.unlink()

    def load(self, report: Drift, segmenter: VideoSegmenter, reference: ReferenceTracker) -> Drift:
        """Return the report to go on with, and bring the loops to where it was written."""
        if not self._report.is_file():
            return report
        found = Drift(**json.loads(self._report.read_bytes()))
        if found.run != report.run:
            raise ArgumentError(
                f"{self._report} is of {found.run}, and this would be of {report.run}; give "
                "another --output"
            )
        loop, tensors = self._files(found.frames)
        segmenter.load_state(str(loop))
        reference.restore(safetensors.torch.load(tensors.read_bytes()))
        return found

    def _files(self, frames: int) -> tuple[Path, Path]:
        return (
            self._folder / f"loop-{frames:06d}.npz",
            self._folder / f"reference-{frames:06d}.safetensors",
        )


if __name__ == "__main__":
    run_app(app)
