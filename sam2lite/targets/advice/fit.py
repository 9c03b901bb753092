"""Whether what was made for one target runs on another machine as it was measured."""

from typing import Any, List, Mapping

from sam2lite.errors import ArgumentError
from sam2lite.targets.machine import Machine
from sam2lite.targets.processors import VNNI, X86_MACHINES
from sam2lite.targets.profile import TargetProfile
from sam2lite.targets.registry import fitting_target, get_target


def misfits(target: Mapping[str, Any], precision: str, machine: Machine) -> List[str]:
    """Return what makes a bundle less accurate or slower on a machine, a sentence each.

    INT8 is written for the arithmetic of a kind of processor: signed activations are slow on
    x86-64, and sums of two products saturate there without VNNI, where weights must keep 7 bits.
    Targets whose INT8 is written alike stand for each other. Other precisions compute the same
    everywhere.

    Args:
        target: of the manifest.
        precision: of the bundle.
        machine: that it is to run on.

    Returns:
        nothing where all is well, or where the target is not known here.
    """
    try:
        made_for = get_target(str(target.get("id")))
    except ArgumentError:
        return []
    found = []
    if "int8" in precision and made_for.detection is not None:
        written = "its INT8 is written for {}, and this processor ".format(made_for.title)
        remedy = _remedy(made_for, machine)
        if machine.architecture not in made_for.detection.machines:
            found.append("{}is {}: {}".format(written, machine.architecture, remedy))
        elif made_for.qdq.weight_bits == 8 and _saturates(machine):
            reason = "has none of {}, so sums saturate and masks get worse".format(", ".join(VNNI))
            found.append("{}{}: {}".format(written, reason, remedy))
    threads = target.get("threads")
    if isinstance(threads, int) and threads > machine.cores:
        found.append(
            "its target has {} threads, and this process may use {} processors; {} are used".format(
                threads, machine.cores, machine.cores
            )
        )
    return found


def _saturates(machine: Machine) -> bool:
    """Return whether products of bytes overflow; no where the machine does not list its flags."""
    is_x86 = machine.architecture in X86_MACHINES
    return is_x86 and bool(machine.cpu_flags) and machine.cpu_flags.isdisjoint(VNNI)


def usable_threads(threads: Any, machine: Machine) -> int:
    """Return a target's thread count, and no more than the machine gives this process.

    Args:
        threads: of the target; None for a thread per core.
        machine: that it is to run on.
    """
    return min(int(threads), machine.cores) if threads else machine.cores


def _remedy(made_for: TargetProfile, machine: Machine) -> str:
    """Return what to export instead, for the same backend where it has a target that fits."""
    here = fitting_target(made_for.backend, machine)
    if here is None:
        return "export it for this machine"
    return "export it with --target {}".format(here.id)
