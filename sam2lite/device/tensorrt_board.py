"""The TensorRT and the GPU of this board, and whether the graphs of a bundle are for them."""

from typing import TYPE_CHECKING, Any, List, NamedTuple, Optional, Tuple

from sam2lite.contracts.build_plan import BuildPlan
from sam2lite.contracts.manifest import Manifest
from sam2lite.errors import BundleError, SessionError
from sam2lite.targets import registry
from sam2lite.targets.machine import read_machine
from sam2lite.targets.profile import TargetProfile

if TYPE_CHECKING:
    from sam2lite.runtimes.cuda import CudaDevice

TENSORRT_REMEDY = (
    "it comes with JetPack: sudo apt install python3-libnvinfer, and use the system's python3 "
    "outside a virtual environment"
)
_SHOWN_REMEDIES = 3


class Board(NamedTuple):
    """What engines are built with.

    Attributes:
        trt: the module `tensorrt`.
        version: of TensorRT, in full.
        device: the GPU.
    """

    trt: Any
    version: str
    device: "CudaDevice"


def open_board() -> Board:
    """Probe the GPU and then import TensorRT, which crashes in places where there is no GPU.

    Raises:
        SessionError: there is no CUDA device, or no TensorRT.
    """
    from sam2lite.runtimes import cuda

    device = cuda.probe()
    try:
        import tensorrt
    except Exception as error:  # absent, or at odds with its libraries
        raise SessionError("TensorRT cannot be imported ({}); {}".format(error, TENSORRT_REMEDY))
    return Board(tensorrt, str(tensorrt.__version__), device)


def check_generation(plan: BuildPlan, manifest: Manifest, version: str) -> None:
    """Refuse a TensorRT that the graphs were not lowered for.

    The same major release takes them if it is not older by a minor one: its parser knows more, and
    the flags are the same.

    Args:
        plan: says what the graphs were lowered for.
        manifest: names the target.
        version: of TensorRT here.

    Raises:
        BundleError: another generation, or an older one; the message says what to export.
    """
    if fits_generation(plan, version):
        return
    remedies = [
        "--target {} --jetpack {}".format(target, jetpack)
        for target, jetpack in _releases_with(version, str(manifest.target.get("id")))
    ]
    raise BundleError(
        "the graphs were lowered for TensorRT {}, and here is {}; {}".format(
            plan.tensorrt,
            version,
            "export the bundle again with " + " or ".join(remedies[:_SHOWN_REMEDIES])
            if remedies
            else "install TensorRT {}: no JetPack that SAM2-Lite knows has {}".format(
                plan.tensorrt, version
            ),
        )
    )


def fits_generation(plan: BuildPlan, version: str) -> bool:
    """Return whether a TensorRT builds the graphs of a plan."""
    wanted, here = _release(plan.tensorrt), _release(version)
    return here[0] == wanted[0] and here >= wanted


def board_target() -> Optional[TargetProfile]:
    """Return the profile of this board for TensorRT; None where it is not known."""
    find = getattr(registry, "trt_host", None)
    profile: Optional[TargetProfile] = find(read_machine()) if find else None
    return profile


def _releases_with(version: str, target: str) -> List[Tuple[str, str]]:
    """Return targets and JetPacks with a TensorRT: this board's, the bundle's, then the others."""
    here = board_target()
    first = [here.id if here else target, target]
    profiles = sorted(registry.list_targets(), key=lambda p: [p.id != name for name in first])
    return [
        (profile.id, jetpack.name)
        for profile in profiles
        if profile.tensorrt is not None
        for jetpack in profile.tensorrt.jetpacks
        if _release(jetpack.tensorrt) == _release(version)
    ]


def _release(version: str) -> Tuple[int, int]:
    numbers = [int(part) for part in version.split(".")[:2] if part.isdigit()] + [0, 0]
    return numbers[0], numbers[1]
