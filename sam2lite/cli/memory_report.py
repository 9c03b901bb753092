"""What `export trt` says about memory: a line a rung, a column a memory size of the board."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sam2lite.exporter.memory_estimate import MemoryReport, SizeVerdict


def describe_memory(report: "MemoryReport") -> list[str]:
    """Return the lines of a table, and below it what to keep on a smaller board.

    Args:
        report: the estimate; without sizes, as for GPUs in PCs, the table has no verdicts.
    """
    libraries = report.libraries
    rows = [["rung", "run MiB", "build MiB", *(f"{size.memory_mb} MiB" for size in report.sizes)]]
    for rung in report.rungs:
        verdicts = [_both(size, rung.rung) for size in report.sizes]
        rows.append([str(rung.rung), str(rung.run_mb), str(rung.build_mb), *verdicts])
    rows.append(["all", str(report.all_rungs_mb), "", *(size.all_rungs for size in report.sizes)])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    table = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return [
        f"Memory of {report.target} with TensorRT {report.tensorrt}, estimated:",
        *("  " + line for line in table),
        f"  libraries: {libraries.run_mb} MiB of it to run, {libraries.build_mb} to build; "
        f"{report.workspace_mb} of workspace to build",
        *("  " + line for line in report.warnings()),
    ]


def _both(size: "SizeVerdict", rung: int) -> str:
    """Return the verdict on running a rung, and that on building it where it differs."""
    run, build = size.run[rung], size.build[rung]
    return run if run == build else f"{run}, build {build}"
