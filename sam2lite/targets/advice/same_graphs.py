"""Targets whose graphs are the same bytes: one export serves them all.

What differs is said in the manifest alone: threads, the device, what there is to expect.
`tests/exporter/test_same_graphs.py` exports for all of them and compares.
"""

from typing import Any, List, Optional, Tuple

from sam2lite.targets.profile import TargetProfile
from sam2lite.targets.registry import list_targets

# Precisions whose weights and values are written alike for all targets of a backend.
_FLOATS = ("fp32", "fp16", "bf16")


def with_same_graphs(profile: TargetProfile, precision: Optional[str] = None) -> List[str]:
    """Return the ids of the other targets whose graphs and weights are the same.

    Args:
        profile: of a target, or the same at another opset or JetPack.
        precision: of the graphs; those of every precision that both serve if not given.
    """
    mine = what_graphs_depend_on(profile, precision)
    return [
        other.id
        for other in list_targets()
        if other.id != profile.id and what_graphs_depend_on(other, precision) == mine
    ]


def what_graphs_depend_on(
    profile: TargetProfile, precision: Optional[str] = None
) -> Tuple[Any, ...]:
    """Return all that an exporter asks of a target while it writes graphs.

    Args:
        profile: of the target.
        precision: of the graphs; any if not given.
    """
    tensorrt = profile.tensorrt and profile.tensorrt.version
    coreml = profile.coreml and (profile.coreml.deployment_target, profile.coreml.multifunction)
    qdq = None if precision in _FLOATS else profile.qdq
    return (profile.backend, profile.opset, tensorrt, coreml, qdq)


def same_graphs_text(profile: TargetProfile, precision: Optional[str] = None) -> str:
    """Return a sentence that names those targets; empty where there are none."""
    names = with_same_graphs(profile, precision)
    if not names:
        return ""
    return "graphs are those of {}, byte for byte; only manifests differ".format(", ".join(names))
