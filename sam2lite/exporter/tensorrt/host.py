"""The machine at hand as a target for TensorRT: its board or GPU, and what is installed."""

from __future__ import annotations

from importlib.util import find_spec

from sam2lite.device.tensorrt.board import Board
from sam2lite.errors import DependencyError, SessionError
from sam2lite.runtimes.backends.tensorrt import session as trt
from sam2lite.runtimes.backends.tensorrt.runtime import import_tensorrt
from sam2lite.targets.cuda import cuda_target
from sam2lite.targets.profile import TargetProfile
from sam2lite.targets.registry import jetson_host
from sam2lite.targets.releases import with_installed
from sam2lite.targets.tensorrt.ops import read_version

# polygraphy/mod/trt_importer.py, 0.53.6
POLYGRAPHY_TENSORRT = (8, 5)


def board_here() -> Board:
    """Return what builds and runs engines on this machine.

    Raises:
        SessionError: there is no GPU, or no TensorRT.
        DependencyError: polygraphy is not installed.
    """
    try:
        version, device = trt.here()
        board = Board(import_tensorrt(), version, device)
    except SessionError as error:
        raise SessionError(
            f"engines cannot be built on this machine: {error}. For another machine, name it "
            "instead of 'host', as in --target jetson-nano"
        ) from error
    if find_spec("polygraphy") is None:
        raise DependencyError("polygraphy", "trt", "--target host")
    return board


def trt_target_here() -> TargetProfile:
    """Return the profile of this board or GPU, with the TensorRT that is installed.

    Raises:
        SessionError, DependencyError: see `board_here`; also where TensorRT is older than what
            polygraphy takes.
        ArgumentError: there is no profile for the GPU, or nothing is known about this TensorRT.
    """
    board = board_here()
    profile = jetson_host() or cuda_target(board.device.compute_capability)
    found = with_installed(profile, board.version)
    assert found.tensorrt is not None  # by the profile
    if read_version(found.tensorrt.version) < POLYGRAPHY_TENSORRT:
        raise SessionError(
            f"polygraphy builds with TensorRT 8.5 or newer, and here is {board.version}; export "
            f"with --target {profile.id} and run on this machine: python3 device.pyz build"
        )
    return found
