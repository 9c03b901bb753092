"""Whether what was made for one target runs on another machine as it was measured."""

from typing import Any, List, Mapping

from sam2lite.errors import ArgumentError
from sam2lite.targets.machine import Machine
from sam2lite.targets.registry import get_target, host_target


def misfits(target: Mapping[str, Any], precision: str, machine: Machine) -> List[str]:
    """Return what makes a bundle less accurate or slower on a machine, a sentence each.

    INT8 is written for the arithmetic of a kind of processor: sums of two products saturate on
    x86-64 without VNNI, where its weights must keep 7 bits, and signed activations are slow on all
    x86-64. Other precisions compute the same everywhere.

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
        machines, cpu_flags = made_for.detection.machines, made_for.detection.cpu_flags
        known = bool(machine.cpu_flags)  # macOS has no /proc/cpuinfo
        if machine.architecture not in machines:
            found.append(
                "its INT8 is written for {}, and this processor is {}: {}".format(
                    made_for.title, machine.architecture, _remedy(machine)
                )
            )
        elif known and cpu_flags and machine.cpu_flags.isdisjoint(cpu_flags):
            found.append(
                "its INT8 is written for {}, and this processor has none of {}, so sums saturate "
                "and masks get worse: {}".format(
                    made_for.title, ", ".join(cpu_flags), _remedy(machine)
                )
            )
    threads = target.get("threads")
    if isinstance(threads, int) and threads > machine.cores:
        found.append(
            "its target has {} threads, and this process may use {} processors; {} are used".format(
                threads, machine.cores, machine.cores
            )
        )
    return found


def usable_threads(threads: Any, machine: Machine) -> int:
    """Return a target's thread count, and no more than the machine gives this process.

    Args:
        threads: of the target; None for a thread per core.
        machine: that it is to run on.
    """
    return min(int(threads), machine.cores) if threads else machine.cores


def _remedy(machine: Machine) -> str:
    try:
        return "export it with --target {}".format(host_target(machine).id)
    except ArgumentError:
        return "export it for this machine"
