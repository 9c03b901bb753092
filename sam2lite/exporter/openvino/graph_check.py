"""Graphs in OpenVINO beside the same in ONNX Runtime, which has compared them with PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sam2lite.contracts.manifest import GraphEntry, Manifest
from sam2lite.errors import VerificationError
from sam2lite.exporter.onnx.trace import example_inputs, feeds_of
from sam2lite.exporter.verify.opening import open_here
from sam2lite.exporter.verify.parity import compare, onnx_runner
from sam2lite.runtimes.backends.adapter import adapter_of
from sam2lite.runtimes.bundle import Bundle

# Of every output of a graph in FP32, dB; rounding alone leaves some 120. What ranks is compared by
# the loop: rows of equal rank may come in another order.
LEAST_DB = 80.0


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
        VerificationError: an output of a graph in FP32 is further off than rounding explains.
    """
    available, said = adapter_of(manifest.backend).is_available()
    if not available:
        return {"checked_with": "ONNX Runtime: " + said.partition(";")[0]}
    bundle = open_here(folder)
    found = {key: _compared(bundle, key, entry) for key, entry in manifest.graphs.items()}
    for key, ratios in found.items():
        entry = manifest.graphs[key]
        if entry.precision != "fp32" or entry.spec.ranks:
            continue
        for name, ratio in ratios.items():
            if ratio < LEAST_DB:
                raise VerificationError(
                    f"in OpenVINO, {name} of {key} is at {ratio:.1f} dB of ONNX Runtime's; "
                    f"{LEAST_DB:g} dB are asked for in FP32: use another release of OpenVINO, and "
                    "report this one"
                )
    return {"checked_with": said.partition(",")[0], "sqnr_db": found}


def _compared(bundle: Bundle, key: str, entry: GraphEntry) -> dict[str, float]:
    feeds = feeds_of(entry.spec, example_inputs(entry.spec))
    expected = onnx_runner(Path(bundle.graph_path(key)), int8_kernels=False)(feeds)
    with bundle.open_session(key) as session:
        actual = {name: session.numpy(value) for name, value in session.run(feeds).items()}
    ratios = {}
    for name in entry.spec.output_names:
        ratio = compare(actual[name], expected[name]).to_json()["sqnr_db"]
        if ratio is not None:
            ratios[name] = round(float(ratio), 1)
    return ratios
