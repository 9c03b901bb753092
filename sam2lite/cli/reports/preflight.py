"""What `--check-for` and `lower` print: the findings of all graphs, each said once."""

from typing import TYPE_CHECKING, NamedTuple

from sam2lite.contracts.backends import get_backend
from sam2lite.contracts.manifest import Manifest
from sam2lite.errors import ArgumentError
from sam2lite.targets.profile import TensorRt
from sam2lite.targets.registry import get_target
from sam2lite.targets.releases import with_jetpack

if TYPE_CHECKING:
    from sam2lite.exporter.tensorrt.preflight import Finding


class TensorRtTarget(NamedTuple):
    """A target that is known to have TensorRT."""

    id: str
    opset: int
    tensorrt: TensorRt


def tensorrt_target(
    name: str, option: str = "--check-for", jetpack: str | None = None
) -> TensorRtTarget:
    """Return a target by its id.

    Args:
        name: the id.
        option: that it was given with, for the message.
        jetpack: release of a board's system; None for the target's usual one.

    Raises:
        UnknownNameError: there is no such target, or no such release.
        ArgumentError: it has no TensorRT, or never had that release.
    """
    profile = get_target(name, lambda known: known.tensorrt is not None)
    if profile.tensorrt is None:
        runs = get_backend(profile.backend).title
        takes = "that takes all our graphs" if profile.coreml is None else "that takes no ONNX"
        raise ArgumentError(
            f"{option} is '{name}', which runs {runs}, and {takes}; "
            "name a target of backend trt (`sam2lite targets` lists them)"
        )
    if jetpack is not None:
        profile = with_jetpack(profile, jetpack)
    assert profile.tensorrt is not None  # a release has one
    return TensorRtTarget(profile.id, profile.opset, profile.tensorrt)


def rewritten_lines(manifest: Manifest, target: TensorRtTarget) -> list[str]:
    """Return a line about what was rewritten in plain graphs for a target; none if nothing was.

    Args:
        manifest: of the graphs.
        target: whose TensorRT they were rewritten for.
    """
    done: dict[str, str] = {}
    for graph in manifest.verification["graphs"].values():
        for step in graph["passes"]:
            if "operators" in step:  # a rewrite, and not one of the ordinary passes
                border = (f"{name} becomes {dtype}" for name, dtype in step["border"].items())
                done[step["name"]] = f" ({', '.join(border)})" if step["border"] else ""
    if not done:
        return []
    listed = ", ".join(name + border for name, border in done.items())
    return [f"rewritten for TensorRT {target.tensorrt.version}: {listed}"]


def describe(findings: "dict[str, list[Finding]]", target: TensorRtTarget) -> list[str]:
    """Return one line for each finding, however many nodes and graphs it is about.

    Args:
        findings: of every graph, by key.
        target: whose TensorRT they are about.
    """
    name = f"TensorRT {target.tensorrt.version} ({target.id})"
    groups: dict[tuple[str, str], list[tuple[str, Finding]]] = {}
    for key, found in findings.items():
        for finding in found:
            groups.setdefault((finding.subject, finding.why), []).append((key, finding))
    if not groups:
        graphs = "the graph" if len(findings) == 1 else f"all {len(findings)} graphs"
        return [f"{name}: by the tables, its parser takes {graphs}"]
    lines = [f"{name} would not take:"]
    for (subject, why), members in groups.items():
        key, first = members[0]
        more = f" and {len(members) - 1} more" if len(members) > 1 else ""
        newer = (
            f"; TensorRT {first.first_version} takes it"
            if first.first_version
            else ", also in newer versions"
        )
        lines.append(
            f"  {subject} ({key} {first.where}{more}): {why}{newer}. Remedy: {first.remedy}"
        )
    return lines
