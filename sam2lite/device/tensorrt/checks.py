"""What `doctor` says of a board that a bundle for TensorRT lies on."""

from typing import TYPE_CHECKING, Dict, FrozenSet, List, Optional

from sam2lite.contracts.build_plan import BuildPlan
from sam2lite.contracts.family import get_family
from sam2lite.contracts.manifest import Manifest
from sam2lite.device.tensorrt.board import (
    Board,
    board_target,
    check_generation,
    open_board,
)
from sam2lite.errors import BundleError, SessionError
from sam2lite.runtimes.backends.tensorrt.engines import BUILD_COMMAND, find_engine, read_plan
from sam2lite.runtimes.commands.installs import Installs
from sam2lite.runtimes.commands.machine_checks import ABSENT, MISSING, OK, WARNING, Check

if TYPE_CHECKING:
    from sam2lite.runtimes.backends.tensorrt.cuda import CudaDevice

ENGINES = "Engines"
_RUN_BUILD = "run: " + BUILD_COMMAND


def check_runtime(
    bundle: str, manifest: Manifest, has_numpy: bool, installs: Installs
) -> List[Check]:
    """Check the GPU, TensorRT and the engines of a bundle for TensorRT.

    Args:
        bundle: its folder.
        manifest: of the bundle.
        has_numpy: whether NumPy can be imported. TensorRT may import it, which may crash.
        installs: not used; TensorRT comes with the system.
    """
    if not has_numpy:
        return [check_cuda(), _untried("not tried without NumPy")]
    device = check_cuda()
    if device.status != OK:
        return [device, _untried("not tried without a CUDA device: it may crash")]
    try:
        board = open_board()
    except SessionError as error:
        return [device, Check("TensorRT", MISSING, str(error), required=True)]
    tensorrt = Check("TensorRT", OK, board.version, required=True)
    try:
        plan = read_plan(bundle)
        check_generation(plan, manifest, board)
    except BundleError as error:
        return [device, tensorrt._replace(status=MISSING, value=str(error))]
    return [device, tensorrt, check_engines(bundle, manifest, plan, board)]


def _untried(reason: str) -> Check:
    return Check("TensorRT", MISSING, reason, required=True)


def check_cuda() -> Check:
    """Look for a CUDA device."""
    from sam2lite.runtimes.backends.tensorrt import cuda

    try:
        device = cuda.probe()
    except SessionError as error:
        return Check("CUDA", MISSING, str(error), required=True)
    value = "{}, compute capability {}, {} MiB".format(
        device.name, device.compute_capability, device.memory_bytes >> 20
    )
    return Check("CUDA", OK, value, required=True)


def check_engines(bundle: str, manifest: Manifest, plan: BuildPlan, board: Board) -> Check:
    """Look for the engines; what is built for some sizes alone runs with these.

    Args:
        bundle: its folder.
        manifest: of the bundle.
        plan: of the bundle.
        board: what builds and runs them.
    """
    reasons: Dict[str, str] = {}
    for key in plan.graphs:
        try:
            find_engine(bundle, manifest, plan, key, board.version, board.device)
        except BundleError as error:
            reasons[key] = str(error).partition("; run: ")[0]
    built = "{} of {} built".format(len(plan.graphs) - len(reasons), len(plan.graphs))
    if not reasons:
        return Check(ENGINES, OK, built, required=True)
    usable = [rung for rung in manifest.rungs if not reasons.keys() & _graphs_of(manifest, rung)]
    value = "{}; {}".format(built, next(iter(reasons.values())))
    if not usable:
        return Check(ENGINES, MISSING, value, _RUN_BUILD, required=True)
    rungs = ", ".join(map(str, usable))
    return Check(ENGINES, WARNING, value, _RUN_BUILD + "; until then --rung " + rungs)


def check_installed(has_numpy: bool, installs: Installs) -> List[Check]:
    """Look for TensorRT, where a bundle does not need it.

    Args:
        has_numpy: whether NumPy can be imported; if not, nothing is tried.
        installs: not used.
    """
    if not has_numpy:
        return []
    try:
        import tensorrt
    except Exception as error:  # absent, or at odds with its libraries
        return [Check("TensorRT", ABSENT, str(error))]
    return [Check("TensorRT", OK, str(tensorrt.__version__))]


def is_unbuilt(checks: List[Check]) -> bool:
    """Return whether engines are still to be built, which takes memory.

    Args:
        checks: of `check_runtime`.
    """
    return not any(check.name == ENGINES and check.status == OK for check in checks)


def check_target(manifest: Manifest) -> Check:
    """Say which board the bundle is for, and warn where this is another."""
    made_for = str(manifest.target.get("id"))
    value = "{} at opset {}, for {}".format(
        manifest.model.name, manifest.opset, manifest.target.get("title", made_for)
    )
    here = board_target(_device())
    if here is None or here.id == made_for:
        return Check("Bundle", OK, value, required=True)
    remedy = "this is {}; export the bundle again with --target {}".format(here.title, here.id)
    return Check("Bundle", WARNING, value, remedy, required=True)


def _device() -> Optional["CudaDevice"]:
    from sam2lite.runtimes.backends.tensorrt import cuda

    try:
        return cuda.probe()
    except SessionError:
        return None


def _graphs_of(manifest: Manifest, rung: int) -> FrozenSet[str]:
    return frozenset(get_family(manifest.model.family).keyed([rung]))
