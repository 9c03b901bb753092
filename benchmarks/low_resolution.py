"""What a small input costs, and whether it helps to enlarge what came of it.

    .venv/bin/python benchmarks/low_resolution.py --stills DIR [--bundle B] [--quick] [--docs]

One click on the largest object of photographs that no training has seen (the validation part of a
folder of stills), at every input size of a bundle. Each size is run as it is, with positions baked
for it, and beside it in the ways that need no graph of its own: the small picture enlarged to the
largest input, the small picture's features enlarged to the largest size's grids, and the small mask
enlarged by nearest neighbours. J is that of the first click; agreement is the IoU with the mask at
the largest size.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from figures import ROOT, fill, paragraph, table

from sam2lite.cli.app import run_app
from sam2lite.data.clips.clip import deepest_point
from sam2lite.data.stills import open_stills, read_picture, split_stills
from sam2lite.data.stills.folder import Still
from sam2lite.errors import ArgumentError
from sam2lite.evaluation.metrics import region_j
from sam2lite.exporter.export import export
from sam2lite.exporter.recipe import Recipe
from sam2lite.runtimes.bundle import Bundle, open_bundle
from sam2lite.runtimes.geometry import network_input, stretched
from sam2lite.runtimes.segmenter import VideoSegmenter
from sam2lite.runtimes.session import Session

BAKED, PICTURE, FEATURES, NEAREST = "baked", "picture", "features", "nearest"
WAYS = {
    BAKED: "positions baked",
    PICTURE: "picture enlarged",
    FEATURES: "features enlarged",
    NEAREST: "mask by nearest",
}
STILLS, QUICK_STILLS = 160, 12
_QUICK_SIZES = 3


class EnlargedFeatures(Session):
    """The image encoder of the largest size, run at a smaller one; its maps are enlarged.

    Attributes:
        frame_bgr: what is encoded next.
    """

    def __init__(self, encoder: Session, size: int, spec: Any) -> None:
        """Take the encoder of a smaller size.

        Args:
            encoder: its session.
            size: of its input, px.
            spec: of the largest size's graph.
        """
        super().__init__(spec)
        self._encoder, self._size = encoder, size
        self.frame_bgr: np.ndarray | None = None

    def _run(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        assert self.frame_bgr is not None
        (name,) = inputs
        image = network_input(self.frame_bgr, self._size)
        outputs = self._encoder.run({name: image})
        return {
            tensor.name: _enlarged(self._encoder.numpy(outputs[tensor.name]), int(tensor.shape[-1]))
            for tensor in self.spec.outputs
        }

    def _describe(self, value: Any) -> tuple[str, tuple[int, ...]]:
        return self._encoder._describe(value)

    def _numpy(self, handle: Any) -> np.ndarray:
        return self._encoder.numpy(handle)

    def _close(self) -> None:
        self._encoder.close()


class EnlargingBundle(Bundle):
    """A bundle whose image encoder of the largest size is that of a smaller one, enlarged."""

    def __init__(self, bundle: Bundle, size: int) -> None:
        super().__init__(bundle.path, bundle.manifest, bundle.sha256, bundle.backend)
        self._size = size
        self.encoder: EnlargedFeatures | None = None

    def open_session(
        self, key: str, threads: int | None = None, provider: str | None = None
    ) -> Session:
        """See `Bundle`."""
        graph = self.family.image_encoder
        if key != graph.key(self.manifest.rungs[-1]):
            return super().open_session(key, threads, provider)
        small = super().open_session(graph.key(self._size), threads, provider)
        self.encoder = EnlargedFeatures(small, self._size, self.manifest.graphs[key].spec)
        return self.encoder


Masks = dict[tuple[str, int], np.ndarray]  # by way and size, in pixels of the photograph


class Clicking:
    """Masks of a click at all sizes and in all ways."""

    def __init__(self, bundle: Bundle, sizes: Sequence[int]) -> None:
        """Open the graphs; the largest of the sizes is what others are enlarged to."""
        self.sizes = sizes
        self._segmenter = VideoSegmenter(bundle, rung=sizes[-1])
        self._enlarging = {
            size: (enlarging, VideoSegmenter(enlarging, rung=sizes[-1]))
            for size in sizes[:-1]
            for enlarging in [EnlargingBundle(bundle, size)]
        }

    def masks(self, frame_bgr: np.ndarray, point: tuple[int, int]) -> Masks:
        """Return the masks of a click.

        Args:
            frame_bgr: uint8 [height, width, 3].
            point: x and y, px.
        """
        found: Masks = {}
        height, width = frame_bgr.shape[:2]
        for size in self.sizes:
            given = self._clicked(self._segmenter, frame_bgr, point, size)
            found[BAKED, size] = given.mask
            small = (given.logits > 0).astype(np.uint8)
            nearest = cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST)
            found[NEAREST, size] = nearest > 0
        for size, (enlarging, segmenter) in self._enlarging.items():
            assert enlarging.encoder is not None
            enlarging.encoder.frame_bgr = frame_bgr
            segmenter.reset()
            found[FEATURES, size] = segmenter.prompt(frame_bgr, points=[point]).mask
            small_bgr = stretched(frame_bgr, size, size).copy()
            x, y = (
                (at + 0.5) * size / side - 0.5
                for at, side in zip(point, (width, height), strict=True)
            )
            given = self._clicked(self._segmenter, small_bgr, (x, y), self.sizes[-1])
            logits = cv2.resize(given.logits, (width, height), interpolation=cv2.INTER_LINEAR)
            found[PICTURE, size] = logits > 0
        return found

    def _clicked(
        self, segmenter: VideoSegmenter, frame_bgr: np.ndarray, point: Any, size: int
    ) -> Any:
        segmenter.reset()
        segmenter.set_rung(size)
        return segmenter.prompt(frame_bgr, points=[point])


def measured(
    bundle: Bundle, stills: Sequence[Still], sizes: Sequence[int], tell: Callable[[int], None]
) -> list[dict[str, Any]]:
    """Return a row a way and size: J, its loss against the largest size, and agreement with it."""
    clicking = Clicking(bundle, sizes)
    scores: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for done, still in enumerate(stills):
        picture = read_picture(still)
        areas = np.bincount(picture.labels_hw.ravel())[1:]
        truth = picture.labels_hw == 1 + int(np.argmax(areas))
        frame_bgr = np.ascontiguousarray(picture.image_rgb_hwc[..., ::-1])
        found = clicking.masks(frame_bgr, deepest_point(truth))
        best = found[BAKED, sizes[-1]]
        for place, mask in found.items():
            scores.setdefault(place, []).append((region_j(mask, truth), region_j(mask, best)))
        tell(done + 1)
    best_j = np.array([j for j, _ in scores[BAKED, sizes[-1]]])
    rows = []
    for (way, size), pairs in scores.items():
        own = np.array(pairs)
        lost = own[:, 0] - best_j
        rows.append(
            {
                "way": way,
                "size": size,
                "j": round(100 * float(own[:, 0].mean()), 2),
                "change": round(100 * float(lost.mean()), 2),
                "change_stderr": round(100 * float(lost.std(ddof=1)) / len(lost) ** 0.5, 2),
                "agreement": round(100 * float(own[:, 1].mean()), 2),
            }
        )
    return rows


def markdown(result: dict[str, Any]) -> str:
    """Return the table and what it is of."""
    rows = {(row["way"], row["size"]): row for row in result["rows"]}
    lines = []
    for size in reversed(result["sizes"]):
        cells = []
        for way in WAYS:
            row = rows.get((way, size))
            if row is None:
                cells.append("")
            elif row["change"] == row["change_stderr"] == 0:
                cells.append(f"{row['j']:.1f}")
            else:
                cells.append(
                    f"{row['j']:.1f} ({row['change']:+.1f} ± {row['change_stderr']:.1f}), "
                    f"{row['agreement']:.1f}"
                )
        lines.append([size, *cells])
    words = f"""{result["stills"]} photographs, {result["model"]} in {result["precision"]}: J of one
        click on the largest object, in brackets its change against the largest size (mean and
        standard error over photographs), then the agreement with the mask at the largest size.
        `{result["command"]}`."""
    return "\n\n".join([table(["input, px", *WAYS.values()], lines), paragraph(words)])


def chosen(stills: Sequence[Still], count: int) -> list[Still]:
    """Return so many stills, evenly over the list of all that are kept apart."""
    _, apart = split_stills(stills)
    if len(apart) < 2:
        raise ArgumentError(
            f"{len(apart)} stills are kept apart from training; give a larger folder"
        )
    places = np.linspace(0, len(apart) - 1, min(count, len(apart))).astype(int)
    return [apart[place] for place in places]


def _enlarged(map_bchw: np.ndarray, side: int) -> np.ndarray:
    """Return a map on a larger grid, bilinearly by the centres of cells."""
    planes = [
        cv2.resize(plane, (side, side), interpolation=cv2.INTER_LINEAR) for plane in map_bchw[0]
    ]
    return np.stack(planes)[np.newaxis]


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stills", type=Path, required=True, help="a folder of photographs")
    parser.add_argument("--bundle", type=Path, help="instead of Tiny in FP32, exported anew")
    parser.add_argument("--count", type=int, help="photographs")
    parser.add_argument("--quick", action="store_true", help="12 photographs at three sizes")
    parser.add_argument("--json", type=Path, help="write every figure there")
    parser.add_argument("--docs", action="store_true", help="put the table into docs/features.md")
    args = parser.parse_args()
    stills = chosen(
        open_stills(args.stills).stills, args.count or (QUICK_STILLS if args.quick else STILLS)
    )
    with tempfile.TemporaryDirectory() as temporary:
        path = args.bundle or Path(temporary) / "tiny"
        if args.bundle is None:
            sizes = ["240", "336", "480"] if args.quick else None
            export(Recipe(model="tiny", sizes=sizes, output=path))
        bundle = open_bundle(str(path))
        rungs = list(bundle.manifest.rungs)
        if len(rungs) < 2:
            raise ArgumentError(f"{path} has one input size; give a bundle of several")
        if args.quick:
            rungs = sorted({rungs[0], rungs[len(rungs) // 2], rungs[-1]})[-_QUICK_SIZES:]
        rows = measured(bundle, stills, rungs, _tell(len(stills)))
        options = "--quick" if args.quick else f"--count {len(stills)}"
        result = {
            "command": f"benchmarks/low_resolution.py --stills DIR {options}",
            "model": bundle.manifest.model.name,
            "precision": bundle.manifest.precision.upper(),
            "stills": len(stills),
            "sizes": rungs,
            "rows": rows,
        }
    print(markdown(result))
    if args.docs:
        fill(ROOT / "docs" / "features.md", "low_resolution", markdown(result))
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n")


def _tell(total: int) -> Callable[[int], None]:
    def tell(done: int) -> None:
        if done % 20 == 0 or done == total:
            print(f"{done} of {total}", file=sys.stderr)

    return tell


if __name__ == "__main__":
    run_app(main)
