"""What `export coreml` and `inspect` say of Core ML packages: all of it is in the manifest."""

from typing import Any

from rich.table import Table

from sam2lite.cli.reports.shown import choices, first, holds
from sam2lite.contracts.manifest import Manifest


def holds_packages(manifest: Manifest) -> bool:
    """Return whether a bundle was made for Core ML."""
    return bool(manifest.target.get("coreml"))


def _reports(manifest: Manifest) -> dict[str, dict[str, Any]]:
    """Return what is known of each graph, by its key."""
    return dict(manifest.verification.get("graphs", {}))


def package_report(manifest: Manifest) -> dict[str, dict[str, Any]]:
    """Return megabytes, graphs and the lowest SQNR of every package, by its path in the bundle.

    `worst_sqnr_db` is that of any output with FP16 rounding; None where nothing differs.
    """
    report = {}
    for package in sorted({entry.file for entry in manifest.graphs.values()}):
        graphs = sorted(key for key, entry in manifest.graphs.items() if entry.file == package)
        stored = sum(
            entry.bytes for name, entry in manifest.files.items() if name.startswith(package + "/")
        )
        ratios = [
            ratio
            for key in graphs
            for ratio in _reports(manifest).get(key, {}).get("sqnr_db", {}).values()
            if ratio is not None
        ]
        report[package] = {
            "megabytes": round(stored / 1e6, 3),
            "graphs": graphs,
            "worst_sqnr_db": round(min(ratios), 1) if ratios else None,
        }
    return report


def package_lines(manifest: Manifest) -> list[str]:
    """Return a line for every package, and one about the clip that was followed."""
    lines = []
    for name, found in package_report(manifest).items():
        worst = found["worst_sqnr_db"]
        lines.append(
            f"{name}: {found['megabytes']:.2f} MB, {len(found['graphs'])} functions, "
            + ("equal to PyTorch" if worst is None else f"lowest SQNR in FP16 {worst:.1f} dB")
        )
    kept = {key: graph.get("float_layers", {}) for key, graph in _reports(manifest).items()}
    lines += [
        f"{key}: weights of {len(layers)} layers stay in FP16"
        for key, layers in kept.items()
        if layers
    ]
    loop = manifest.verification["loop"]
    lines.append(
        f"simulated over {loop['frames']} frames: mean IoU with PyTorch {loop['mean_iou']:.4f}, "
        f"{loop['decisions_differ']} of {loop['present'] + loop['absent']} decisions differ, "
        f"{choices(loop)}"
    )
    return lines


def summary_rows(manifest: Manifest) -> list[tuple[str, str]]:
    """Return rows for the summary: what was simulated, and what hinders the Neural Engine."""
    target, loop = manifest.target["coreml"], manifest.verification.get("loop")
    version = target.get("specification", "unknown") if isinstance(target, dict) else "unknown"
    rows = [
        ("Core ML", f"specification {version}, {manifest.target.get('os', 'any')} or newer"),
        ("simulated", manifest.verification.get("simulation", {}).get("what", "no")),
    ]
    if loop is not None and holds(loop, "frames", "mean_iou", "decisions_differ"):
        clip = (
            f"{loop['frames']} frames: mean IoU with PyTorch {loop['mean_iou']:.4f}, "
            f"{loop['decisions_differ']} decisions differ, {choices(loop)}"
        )
        rows.append(("clip, simulated", clip))
    return [*rows, ("not on the Neural Engine", _off_neural_engine(manifest))]


def package_table(manifest: Manifest) -> Table:
    """Show every package: its size and the functions in it."""
    table = Table("Package", "MB", "Functions")
    for package, found in package_report(manifest).items():
        functions = [manifest.graphs[key].function or "main" for key in found["graphs"]]
        table.add_row(package, f"{found['megabytes']:.2f}", ", ".join(functions))
    return table


def function_table(manifest: Manifest) -> Table:
    """Show every function: its weights, the memory that it takes by estimate, its operators."""
    table = Table(
        "Function", "Weights MB", "Live MB", "Operators", "Kept in FP32", "Weights kept in FP16"
    )
    for key, report in sorted(_reports(manifest).items()):
        table.add_row(
            key,
            f"{report.get('weight_bytes', 0) / 1e6:.2f}",
            f"{report.get('peak_live_bytes', 0) / 1e6:.2f}",
            str(sum(report.get("operators", {}).values())),
            _in_fp32(report),
            str(len(report.get("float_layers", {})) or ""),
        )
    return table


def operator_lines(manifest: Manifest) -> list[str]:
    """Return a line for each graph: its operators at the largest rung, the most frequent first."""
    largest = f"@{manifest.rungs[-1]}"
    lines = []
    for key, report in sorted(_reports(manifest).items()):
        if "@" not in key or key.endswith(largest):
            counts = sorted(
                report.get("operators", {}).items(), key=lambda item: (-item[1], item[0])
            )
            lines.append(f"{key}: " + ", ".join(first(f"{count} {op}" for op, count in counts)))
    return lines


def _in_fp32(report: dict[str, Any]) -> str:
    """Return how many operators were kept in FP32, by reason."""
    reasons: dict[str, int] = {}
    for reason in report.get("pinned", {}).values():
        name = reason.partition(":")[0]
        reasons[name] = reasons.get(name, 0) + 1
    return ", ".join(first(f"{count} {name}" for name, count in sorted(reasons.items())))


def _off_neural_engine(manifest: Manifest) -> str:
    """Return the operators that are known, or held, not to run there, by graph at any rung."""
    found: dict[str, set[str]] = {}
    for key, report in _reports(manifest).items():
        names = found.setdefault(key.partition("@")[0], set())
        for obstacle in report.get("not_on_neural_engine", ()):
            names.update(obstacle["operators"])
    return "\n".join(
        f"{graph}: {', '.join(first(sorted(names))) or 'nothing known'}"
        for graph, names in found.items()
    )
