"""What a manifest says of its bundle, in rows: `inspect` prints them, and a page shows them."""

import math
from typing import Any, NamedTuple

from sam2lite.cli.reports import coreml
from sam2lite.cli.reports.agreement import agreement_lines
from sam2lite.cli.reports.four_bits import four_bit_lines
from sam2lite.cli.reports.lowered import lowered
from sam2lite.cli.reports.shown import first, holds
from sam2lite.contracts.manifest import Manifest


class GraphRow(NamedTuple):
    """One graph and its worst outputs.

    Attributes:
        key: of the graph.
        precision: that it computes in, or that its weights have.
        error: of the float graph to PyTorch, relative; infinite where a figure is not finite, None
            where none was measured.
        sqnr_db: of this graph to the float one; None where it is that one.
    """

    key: str
    precision: str
    error: float | None
    sqnr_db: float | None

    @property
    def error_text(self) -> str:
        """The error for people."""
        return "not measured" if self.error is None else f"{self.error:.1e}"

    @property
    def sqnr_text(self) -> str:
        """The SQNR for people."""
        return "" if self.sqnr_db is None else f"{self.sqnr_db:.1f} dB"


def graph_rows(manifest: Manifest) -> list[GraphRow]:
    """Return all graphs by their keys."""
    rows = []
    for key, entry in sorted(manifest.graphs.items()):
        report = manifest.verification.get("graphs", {}).get(key, {})
        # A figure that is not finite is null.
        errors = [
            statistics["relative"] if statistics["relative"] is not None else math.inf
            for statistics in report.get("parity", {}).values()
        ]
        ratios = [ratio for ratio in report.get("sqnr_db", {}).values() if ratio is not None]
        rows.append(
            GraphRow(
                key,
                entry.precision + _bits(report),
                max(errors, default=None),
                min(ratios, default=None),
            )
        )
    return rows


def summary_rows(manifest: Manifest, sha256: str) -> list[tuple[str, str]]:
    """Return what is said of a bundle as a whole: names, and what they stand for.

    Args:
        manifest: of the bundle, for people.
        sha256: of its file.
    """
    model = manifest.model
    loop = manifest.verification.get("loop")
    rows: list[tuple[str, Any]] = [
        ("model", f"{model.name}, {model.parameters:,} parameters, {model.licence}"),
        ("family", model.family),
        ("weights", model.provenance),
        ("checkpoint SHA-256", model.checkpoint_sha256),
        ("bundle SHA-256", sha256),
        ("backend, target", f"{manifest.backend}, {manifest.target.get('id', 'any')}"),
        (
            "made for",
            f"{manifest.target.get('os', 'any')}, {manifest.target.get('runtime', 'any')}",
        ),
        ("precision", manifest.precision),
        *([] if coreml.holds_packages(manifest) else [("opset", manifest.opset)]),
        ("input sizes", ", ".join(map(manifest.aspect.sides_text, manifest.rungs))),
        (
            "memory",
            ", ".join(first(f"{k.replace('_', ' ')} {v}" for k, v in manifest.memory.items())),
        ),
        ("files", f"{len(manifest.files)}, {manifest.megabytes:.1f} MB"),
        ("status", manifest.status),
        ("made with", f"sam2lite {manifest.sam2lite_version}, torch {manifest.tools.get('torch')}"),
    ]
    if loop is not None and holds(loop, "frames", "max_logit_difference", "min_iou"):
        rows.append(
            (
                "loop parity",
                f"{loop['frames']} frames: largest logit difference "
                f"{loop['max_logit_difference']:.1e}, lowest IoU {loop['min_iou']:.4f}",
            )
        )
    if coreml.holds_packages(manifest):
        rows.extend(coreml.summary_rows(manifest))
    rounded = manifest.verification.get("fp16_loop")
    if rounded is not None and holds(rounded, "frames", "mean_iou", "min_iou"):
        rows.append(
            (
                "FP16 over a clip",
                f"{rounded['frames']} frames: mean IoU with PyTorch {rounded['mean_iou']:.4f}, "
                f"lowest {rounded['min_iou']:.4f}",
            )
        )
    agreement = agreement_lines(manifest.verification)
    if agreement:
        rows.append(("masks against FP32's", "\n".join(agreement)))
    rows.extend(_quantization(manifest))
    return [(name, str(value)) for name, value in rows]


def _quantization(manifest: Manifest) -> list[tuple[str, str]]:
    """Return what the precision cost, which layers are not in it, and what was calibrated on."""
    made, drop = manifest.calibration or {}, manifest.verification.get("accuracy")
    found = lowered(made)
    rows = []
    if made:
        rows.append(
            (
                "FP16 ranges seen on" if found is None else "calibrated",
                f"{made.get('observer', 'unknown')}, {made.get('frames', '?')} frames of "
                f"{made.get('source', 'unknown')}",
            )
        )
    if found is not None:
        kept = first(f"{path}: {why}" for path, why in found.kept.items())
        rows.append(("layers", "\n".join([str(found), *kept])))
    four_bits = four_bit_lines(manifest.verification)
    if four_bits:
        rows.append(("four bits", "\n".join(four_bits)))
    if drop is not None:
        before, after = drop["before"], drop["after"]
        rows.append(
            (
                "accuracy",
                f"{drop['clips']} clips at {drop['rung']} px, FP32 to "
                f"{manifest.precision.upper()}: J&F {before['jf']:.2f} to {after['jf']:.2f}, "
                f"first frame J {before['first_frame_j']:.2f} to {after['first_frame_j']:.2f}",
            )
        )
    return rows


def _bits(report: dict[str, Any]) -> str:
    """Return how many bits a weight takes in the file, where layers are packed."""
    packed = report.get("four_bits")
    return "" if packed is None else f", {packed['bits_a_weight']:.2f} bits a packed weight"
