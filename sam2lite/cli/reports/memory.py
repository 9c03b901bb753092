"""What `export trt` and `inspect` say about memory: a line a rung, a column a size of the board."""

from collections.abc import Mapping
from typing import Any


def describe_memory(memory: Mapping[str, Any]) -> list[str]:
    """Return the lines of a table, and below it what to keep on a smaller board.

    Args:
        memory: the estimate, as in the manifest; without sizes, as for GPUs in PCs, the table has
            no verdicts.
    """
    libraries, sizes = memory["libraries"], memory["sizes"]
    rows = [["rung", "run MiB", "build MiB", *(f"{size['memory_mb']} MiB" for size in sizes)]]
    for rung in memory["rungs"]:
        verdicts = [_both(size, str(rung["rung"])) for size in sizes]
        rows.append([str(rung["rung"]), str(rung["run_mb"]), str(rung["build_mb"]), *verdicts])
    rows.append(["all", str(memory["all_rungs_mb"]), "", *(size["all_rungs"] for size in sizes)])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    table = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return [
        f"Memory of {memory['target']} with TensorRT {memory['tensorrt']}, estimated:",
        *("  " + line for line in table),
        f"  libraries: {libraries['run_mb']} MiB of it to run, {libraries['build_mb']} to build; "
        f"{memory['workspace_mb']} of workspace to build",
        *("  " + line for line in memory["warnings"]),
    ]


def _both(size: Mapping[str, Any], rung: str) -> str:
    """Return the verdict on running a rung, and that on building it where it differs."""
    run, build = (str(size[what].get(rung, "")) for what in ("run", "build"))
    return run if run == build else f"{run}, build {build}"
