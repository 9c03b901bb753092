"""The TensorRT and the GPU of this board, and whether the graphs of a bundle are for them."""

from typing import TYPE_CHECKING, Any, Iterator, List, NamedTuple, Optional, Tuple

from sam2lite.contracts.build_plan import BuildPlan
from sam2lite.contracts.manifest import Manifest
from sam2lite.errors import ArgumentError, BundleError, SessionError
from sam2lite.targets.cuda import cuda_target
from sam2lite.targets.profile import TargetProfile
from sam2lite.targets.registry import jetson_host, list_targets
from sam2lite.targets.releases import tensorrts_of

if TYPE_CHECKING:
    from sam2lite.runtimes.backends.tensorrt.cuda import CudaDevice

TENSORRT_REMEDY = (
    "it comes with JetPack: sudo apt install python3-libnvinfer, and use the system's python3 "
    "outside a virtual environment"
)
_SHOWN_OPTIONS = 2


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
    from sam2lite.runtimes.backends.tensorrt import cuda

    device = cuda.probe()
    try:
        import tensorrt
    except Exception as error:  # absent, or at odds with its libraries
        raise SessionError("TensorRT cannot be imported ({}); {}".format(error, TENSORRT_REMEDY))
    return Board(tensorrt, str(tensorrt.__version__), device)


def check_generation(plan: BuildPlan, manifest: Manifest, board: Board) -> None:
    """Refuse a TensorRT that the graphs were not lowered for.

    The same major release takes them if it is not older by a minor one: its parser knows more, and
    the flags are the same.

    Args:
        plan: says what the graphs were lowered for.
        manifest: names the target.
        board: has the TensorRT.

    Raises:
        BundleError: another generation, or an older one; the message says what to export.
    """
    if fits_generation(plan, board.version):
        return
    here = board_target(board.device)
    first = [here.id] if here else []
    options = options_for(board.version, [*first, str(manifest.target.get("id"))])
    raise BundleError(
        "the graphs were lowered for TensorRT {}, and here is {}; {}".format(
            plan.tensorrt,
            board.version,
            "export the bundle again with " + " or ".join(options[:_SHOWN_OPTIONS])
            if options
            else "install TensorRT {}: no target of SAM2-Lite has {}".format(
                plan.tensorrt, board.version
            ),
        )
    )


def fits_generation(plan: BuildPlan, version: str) -> bool:
    """Return whether a TensorRT builds the graphs of a plan."""
    wanted, here = _release(plan.tensorrt), _release(version)
    return here[0] == wanted[0] and here >= wanted


def board_target(device: Optional["CudaDevice"]) -> Optional[TargetProfile]:
    """Return the profile of this board or PC for TensorRT; None where there is none.

    Args:
        device: the GPU; None where it is not known.
    """
    board = jetson_host()
    if board is not None or device is None:
        return board
    try:
        return cuda_target(device.compute_capability)
    except ArgumentError:
        return None


def options_for(version: str, targets: List[str]) -> List[str]:
    """Return what to give `sam2lite-export trt` for a TensorRT, one text for each choice.

    Args:
        version: of TensorRT; its first two numbers matter.
        targets: ids, those to name first.
    """
    profiles = sorted(list_targets(), key=lambda p: [p.id != name for name in targets])
    return [
        option
        for profile in profiles
        for tensorrt, option in _choices(profile)
        if _release(tensorrt) == _release(version)
    ]


def _choices(profile: TargetProfile) -> Iterator[Tuple[str, str]]:
    """Give the TensorRTs that a target can have, each with the options that choose it."""
    sheet = profile.tensorrt
    if sheet is None:
        return
    for jetpack in sheet.jetpacks:
        option = "--target {} --jetpack {}".format(profile.id, jetpack.name)
        for version in tensorrts_of(jetpack):
            chosen = "" if version == jetpack.tensorrt else " --tensorrt " + version
            yield version, option + chosen
    for version in sheet.versions:
        yield version, "--target {} --tensorrt {}".format(profile.id, version)


def _release(version: str) -> Tuple[int, int]:
    numbers = [int(part) for part in version.split(".")[:2] if part.isdecimal()] + [0, 0]
    return numbers[0], numbers[1]
