"""What a bundle's linear layers became in four bits, as its manifest says it."""

import statistics
from collections.abc import Mapping
from typing import Any

from sam2lite.cli.reports.shown import first


def four_bit_lines(verification: Mapping[str, Any]) -> list[str]:
    """Return how many bits weights take, what outputs lose, and which layers are no ordinary ones.

    Args:
        verification: of a manifest. A layer that graphs share is counted in each of them.
    """
    graphs = [graph for graph in verification.get("graphs", {}).values() if "four_bits" in graph]
    if not graphs:
        return []
    found = [graph["four_bits"] for graph in graphs]
    weights = sum(entry["weights"] for entry in found)
    size = sum(entry["bytes"] for entry in found)
    bits = 8 * size / max(1, weights)
    line = f"{weights / 1e6:.2f} M weights in {size / 1e6:.2f} MB, {bits:.2f} bits each"
    errors = [error for entry in found for error in entry.get("output_error", {}).values()]
    if errors:
        line += (
            f"; a layer's output loses {statistics.median(errors):.1e} of its power, "
            f"{max(errors):.1e} at worst"
        )
    lines = [line]
    smoothed = sum(len(graph.get("smoothed", {})) for graph in graphs)
    branches = sum(entry.get("branches", 0) for entry in found)
    if smoothed or branches:
        lines.append(f"{smoothed} layers with smoothed inputs, {branches} with a low-rank branch")
    for key, said in (
        ("rounded_layers", "no better for GPTQ than rounded, so rounded"),
        ("few_rows", "calibrated on fewer rows than it has inputs, so by damping"),
    ):
        paths = sorted({path for entry in found for path in entry.get(key, [])})
        lines += first(f"{path}: {said}" for path in paths)
    return lines
