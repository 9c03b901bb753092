"""What bundles of other sizes would lose, as an export with `--max-mb` has measured it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sam2lite.errors import ArgumentError, OutputError
from sam2lite.files.atomic import replacing

if TYPE_CHECKING:
    from sam2lite.contracts.manifest import Manifest

_WIDTH, _HEIGHT = 760, 420  # px
PERCENT = 100.0


def size_points(manifest: Manifest) -> Sequence[Mapping[str, Any]]:
    """Return what was measured, by ascending size; nothing where no size was asked for."""
    found: Sequence[Mapping[str, Any]] = manifest.verification.get("sizes", {}).get("points", [])
    return sorted(found, key=lambda point: float(point["mb"]))


def size_lines(manifest: Manifest) -> list[str]:
    """Return a line for every size that was measured."""
    return [
        f"{point['mb']:.2f} MB: {point['four_bit_layers']} layers in four bits, "
        f"{point['eight_bit_layers']} in eight, {point['float_layers']} in float; J&F "
        f"{point['jf']:.2f}, first frame J {point['first_frame_j']:.2f}, {_agreement(point)}"
        + (", this bundle" if point["chosen"] else "")
        for point in size_points(manifest)
    ]


def draw_sizes(manifest: Manifest, path: Path) -> None:
    """Draw agreement and J&F by size, as a PNG.

    Raises:
        ArgumentError: the export was not asked for a size.
        DependencyError: matplotlib is not installed.
        OutputError: the file cannot be written.
    """
    from sam2lite.evaluation.charts import new_chart

    points, drop = size_points(manifest), manifest.verification.get("accuracy")
    if not points or drop is None:
        raise ArgumentError(
            "--plot draws what sizes lose, and this bundle was not exported with --max-mb"
        )
    title = f"Scores on {drop['clips']} clips at {drop['rung']} px by size of the bundle"
    figure, axes = new_chart(_WIDTH, _HEIGHT, title)
    sizes = [point["mb"] for point in points]
    agreed = [point for point in points if point["mean_iou"] is not None]
    axes.plot(sizes, [point["jf"] for point in points], "o-", label="J&F")
    axes.axhline(drop["before"]["jf"], color="C0", linestyle=":", label="J&F in FP32")
    if agreed:
        axes.plot(
            [point["mb"] for point in agreed],
            [PERCENT * point["mean_iou"] for point in agreed],
            "s-",
            label="mean IoU with FP32's masks, of 100",
        )
    chosen = next((point["mb"] for point in points if point["chosen"]), None)
    if chosen is not None:
        axes.axvline(chosen, color="grey", linestyle="--", label="this bundle")
    axes.set_xlabel("MB")
    axes.set_ylim(0.0, PERCENT)
    axes.grid(alpha=0.4)
    axes.legend()
    try:
        with replacing(str(path)) as partial:
            figure.savefig(partial, format="png")
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from None


def _agreement(point: Mapping[str, Any]) -> str:
    if point["mean_iou"] is None:
        return "no masks to compare"
    return f"mean IoU with FP32's masks {point['mean_iou']:.4f}"
