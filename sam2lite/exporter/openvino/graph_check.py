"""Graphs in OpenVINO beside the same in ONNX Runtime, which has compared them with PyTorch."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from sam2lite.contracts.manifest import GraphEntry, Manifest
from sam2lite.errors import VerificationError
from sam2lite.exporter.onnx.trace import example_inputs, feeds_of
from sam2lite.exporter.verify.opening import open_here
from sam2lite.exporter.verify.parity import compare, onnx_runner
from sam2lite.runtimes.backends.adapter import adapter_of
from sam2lite.runtimes.bundle import Bundle

# Of every output of a graph, dB, by its precision. Rounding alone leaves some 120 in FP32, 42 to 47
# in BF16 and 31 to 50 in INT8; below these bounds a graph is computed wrongly. What ranks is
# compared by the loop: rows of equal rank may come in another order.
LEAST_DB = {"fp32": 80.0, "fp16": 80.0, "bf16": 25.0, "int8": 10.0}


def checked(folder: Path, manifest: Manifest) -> dict[str, Any]:
    """Compare every graph of a bundle in OpenVINO with itself in ONNX Runtime.

    Args:
        folder: of the bundle, with a manifest.
        manifest: what is known of it.

    Returns:
        for the manifest's verification: `checked_with`, what ran the loop; and, where that was
        OpenVINO, `sqnr_db` of every output that is not equal, by graph.

    Raises:
        SessionError: OpenVINO does not take a graph.
        VerificationError: an output of a graph is further off than rounding explains.
    """
    available, said = adapter_of(manifest.backend).is_available()
    if not available:
        return {"checked_with": "ONNX Runtime: " + said.partition(";")[0]}
    bundle = open_here(folder)
    found = {key: _compared(bundle, key, entry) for key, entry in manifest.graphs.items()}
    for key, ratios in found.items():
        entry = manifest.graphs[key]
        least = -math.inf if entry.spec.ranks else LEAST_DB.get(entry.precision, -math.inf)
        for name, ratio in ratios.items():
            if ratio < least:
                raise VerificationError(
                    f"in OpenVINO, {name} of {key} is at {ratio:.1f} dB of ONNX Runtime's; "
                    f"{least:g} dB are asked for in {entry.precision}: use another release of "
                    "OpenVINO, and report this one"
                )
    return {"checked_with": said.partition(",")[0], "sqnr_db": found}


def _compared(bundle: Bundle, key: str, entry: GraphEntry) -> dict[str, float]:
    feeds = feeds_of(entry.spec, example_inputs(entry.spec))
    expected = onnx_runner(Path(bundle.graph_path(key)), int8_kernels=False)(feeds)
    with bundle.open_session(key) as session:
        actual = {name: session.numpy(value) for name, value in session.run(feeds).items()}
    ratios = {}
    for name in entry.spec.output_names:
        ratio = compare(actual[name], expected[name]).sqnr_db
        if ratio != math.inf:
            ratios[name] = round(ratio, 1)
    return ratios
