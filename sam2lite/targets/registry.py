"""The targets by name, and the one that fits this machine."""

from typing import Callable, List, Optional

from sam2lite.errors import ArgumentError, UnknownNameError
from sam2lite.targets.aliases import id_of
from sam2lite.targets.apple import APPLE_TARGETS
from sam2lite.targets.cpu import CPU_TARGETS
from sam2lite.targets.cuda import CUDA_TARGETS
from sam2lite.targets.intel import INTEL_TARGETS
from sam2lite.targets.jetson import JETSON_TARGETS
from sam2lite.targets.machine import Machine, read_machine
from sam2lite.targets.profile import TargetProfile
from sam2lite.targets.web import WEB_TARGETS

HOST = "host"

# Of a backend from the most particular to the most general: the first that fits is `host`.
_OWN_TARGETS = (
    *CPU_TARGETS,
    *JETSON_TARGETS,
    *CUDA_TARGETS,
    *INTEL_TARGETS,
    *APPLE_TARGETS,
    *WEB_TARGETS,
)
_TARGETS = list(_OWN_TARGETS)


def register_target(profile: TargetProfile) -> None:
    """Make a target known that does not come with the package; `host` never stands for it.

    Raises:
        ArgumentError: a target has that id already.
    """
    if profile.id in [HOST] + [known.id for known in _TARGETS]:
        raise ArgumentError(
            "there is a target '{}' already; register yours by another id".format(profile.id)
        )
    _TARGETS.append(profile)


def list_targets() -> List[TargetProfile]:
    """Return every profile.

    CPUs, a family's most particular first, Jetson, other GPUs, OpenVINO's, iOS, browsers, then
    what was registered.
    """
    return list(_TARGETS)


def get_target(
    name: str, offered: Callable[[TargetProfile], bool] = lambda profile: True
) -> TargetProfile:
    """Return a profile by its id or an alias; `host` is the profile that fits this machine.

    Args:
        name: of the target.
        offered: which profiles serve the caller; others are found, too, but not suggested.

    Raises:
        UnknownNameError: there is no such target; the message lists those that are offered.
        ArgumentError: `host` was asked for and no profile fits.
    """
    if name == HOST:
        return host_target()
    by_id = {profile.id: profile for profile in _TARGETS}
    meant = id_of(name, list(by_id))
    if meant is not None:
        return by_id[meant]
    known = [HOST] if any(offered(profile) for profile in CPU_TARGETS) else []
    known += [profile.id for profile in _TARGETS if offered(profile)]
    raise UnknownNameError("target", name, known)


def host_target(machine: Optional[Machine] = None) -> TargetProfile:
    """Return the first profile that fits a machine; on a Jetson, that of its CPU.

    Args:
        machine: None for the one that this process runs on.

    Raises:
        ArgumentError: no profile fits.
    """
    machine = machine or read_machine()
    profile = fitting_target("ort", machine)
    if profile is not None:
        return profile
    raise ArgumentError(
        "no target fits this machine ('{}'): ONNX Runtime needs 64-bit x86 or 64-bit ARM; install "
        "a 64-bit system, or name the target of another device (`sam2lite targets` lists "
        "them)".format(machine.architecture)
    )


def jetson_host(machine: Optional[Machine] = None) -> Optional[TargetProfile]:
    """Return the profile of the Jetson board that a machine is; None where it is none.

    The GPU of a PC is not found this way, but by its compute capability: `cuda_target`.

    Args:
        machine: None for the one that this process runs on.
    """
    return fitting_target("trt", machine or read_machine())


def intel_host(machine: Optional[Machine] = None) -> TargetProfile:
    """Return the profile of a machine whose CPU runs OpenVINO; its GPU is never chosen.

    Args:
        machine: None for the one that this process runs on.

    Raises:
        ArgumentError: no profile fits.
    """
    machine = machine or read_machine()
    profile = fitting_target("openvino", machine)
    if profile is not None:
        return profile
    raise ArgumentError(
        "no target for OpenVINO fits this machine ('{}'), which is not x86-64; name one with "
        "--target, or export for ONNX Runtime: sam2lite-export ort".format(machine.architecture)
    )


def fitting_target(backend: str, machine: Machine) -> Optional[TargetProfile]:
    """Return the first profile of a backend that fits a machine; None where none does.

    GPUs of PCs are not found this way, and registered targets neither.

    Args:
        backend: its name.
        machine: that graphs are to run on.
    """
    of_backend = [profile for profile in _OWN_TARGETS if profile.backend == backend]
    return next((profile for profile in of_backend if _fits(profile, machine)), None)


def _fits(profile: TargetProfile, machine: Machine) -> bool:
    if profile.detection is None:
        return False
    machines, cpu_flags, compatible, boards, models = profile.detection
    return (
        machine.architecture in machines
        and (not cpu_flags or not machine.cpu_flags.isdisjoint(cpu_flags))
        and (compatible is None or compatible in machine.compatible)
        and (not boards or any(_is_board(board, machine) for board in boards))
        and (not models or not set(models).isdisjoint(machine.model.split()))
    )


def _is_board(board: str, machine: Machine) -> bool:
    """Return whether a board, or a variant of it, is in the device tree."""
    for entry in machine.compatible:
        # `nvidia,p3768-0000+p3767-0005` is a module, the latter, on a carrier.
        for part in entry.split(",")[-1].split("+"):
            if part == board or part.startswith(board + "-"):
                return True
    return False
