"""Networks and bundles that many tests need; bundles are exported once for all workers."""

import fcntl
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

import pytest
import torch

from sam2lite.calibration.calibrate import CalibrationSettings, recorded
from sam2lite.calibration.footage import calibration_clips
from sam2lite.calibration.ranges import Provenance
from sam2lite.calibration.recorder import Recording
from sam2lite.exporter.backends import ExportRequest
from sam2lite.exporter.bundle.writer import write_bundle
from sam2lite.exporter.coreml.bundle import write_coreml_bundle
from sam2lite.exporter.coreml.compress import PRECISIONS
from sam2lite.exporter.precision.schemes import Making
from sam2lite.exporter.progress import SILENT
from sam2lite.exporter.recipe import Recipe
from sam2lite.exporter.tensorrt.backend import EXPORTER
from sam2lite.exporter.verify.agreement import ComparedFootage
from sam2lite.models.loaded import LoadedModel
from sam2lite.models.registry import load_model
from sam2lite.models.sam2lite.config import Sam2LiteConfig, StageConfig
from sam2lite.models.sam2lite.family import HOST
from sam2lite.models.sam2lite.network import Sam2Lite, build
from sam2lite.targets.registry import get_target, host_target

# Where torchvision is installed for another torch than there is, what it declares of operators that
# it then has not keeps transformers from being imported. Nothing here uses them.
sys.modules.setdefault("torchvision._meta_registrations", ModuleType("unused"))

RUNGS = (240, 336, 480)
# A hundredth of Tiny, so that tests which train it, or watch it, take seconds.
MINI = Sam2LiteConfig(
    name="mini",
    stages=(
        StageConfig(8, "c"),
        StageConfig(16, "c"),
        StageConfig(24, "c"),
        StageConfig(32, "a", mlp_ratio=1),
    ),
    embed_dim=32,
    skip_dims=(8, 8),
    attention_dim=16,
    mix_dim=16,
    query_mlp_dim=32,
    memory_dim=16,
    memory_blocks=1,
    budget=64,
)


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Networks here are small, and waiting for a busy second core costs far more than it gives."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def own_settings(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What is kept for a user, such as the secret behind engines, is not the developer's."""
    os.environ["XDG_CONFIG_HOME"] = str(tmp_path_factory.mktemp("config"))


MadeOnce = Callable[[str, Callable[[Path], object]], Path]


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> MadeOnce:
    """Return a folder by its name, written by the first worker that asks; tests only read it."""
    base = tmp_path_factory.getbasetemp()
    folder = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def made(name: str, write: Callable[[Path], object]) -> Path:
        path = folder / "made-once" / name
        path.parent.mkdir(exist_ok=True)
        with path.with_suffix(".lock").open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)  # others wait here, until it is there as a whole
            if not path.exists():
                write(path)
        return path

    return made


def _recorded(model: LoadedModel, rungs: Sequence[int], path: Path) -> tuple[Recording, Provenance]:
    """Return calibration footage for a bundle that will be at a path; it is kept beside it."""
    recordings = path.with_name(f"{path.name}-recordings")
    recordings.mkdir(exist_ok=True)
    return recorded(model, rungs, CalibrationSettings(frames=8), recordings)


@pytest.fixture(scope="session")
def tiny_model() -> LoadedModel:
    """Tiny with random weights; its object score is near 1, so every object is present."""
    return load_model("tiny", seed=0)


@pytest.fixture(scope="session")
def shipped_bundle(made_once: MadeOnce) -> Path:
    """A verified FP32 bundle of the weights that come with the package, at 240 px alone."""
    return made_once(
        "shipped",
        lambda path: write_bundle(load_model("tiny"), host_target(), path, rungs=RUNGS[:1]),
    )


@pytest.fixture(scope="session")
def tiny_bundle(tiny_model: LoadedModel, made_once: MadeOnce) -> Path:
    """A verified FP32 bundle of `tiny_model` for this machine."""
    return made_once(
        "tiny",
        lambda path: write_bundle(tiny_model, host_target(), path, rungs=RUNGS),
    )


@pytest.fixture(scope="session")
def mini_model() -> LoadedModel:
    """The network of `mini`, as a checkpoint is loaded."""
    model = build(MINI, seed=3)
    return HOST.untrained(model, MINI)


@pytest.fixture(scope="session")
def mini_bundle(mini_model: LoadedModel, made_once: MadeOnce) -> Path:
    """A verified FP32 bundle of `mini_model` for this machine, at 240 px alone."""
    return made_once(
        "mini",
        lambda path: write_bundle(mini_model, host_target(), path, rungs=RUNGS[:1]),
    )


@pytest.fixture(scope="session")
def openvino_bundle(mini_model: LoadedModel, made_once: MadeOnce) -> Path:
    """A verified FP32 bundle of `mini_model` for OpenVINO, at 240 px alone."""
    target = get_target("intel-cpu")
    return made_once(
        "openvino", lambda path: write_bundle(mini_model, target, path, rungs=RUNGS[:1])
    )


@pytest.fixture(scope="session")
def nano_bundle(mini_model: LoadedModel, made_once: MadeOnce) -> Path:
    """A bundle of `mini_model` in FP16 for a Jetson Nano, its engines not built."""
    target = get_target("jetson-nano")

    def write(path: Path) -> None:
        footage = _recorded(mini_model, RUNGS[:1], path)
        request = ExportRequest(mini_model, target, "fp16", RUNGS[:1], path, Recipe(), SILENT)
        EXPORTER.make(request, Making(mini_model, target, *footage))

    return made_once("nano", write)


@pytest.fixture(scope="session")
def ios_bundle(mini_model: LoadedModel, made_once: MadeOnce) -> Path:
    """A bundle of `mini_model` for iOS 18, its weights in INT8: packages of two functions."""

    def write(path: Path) -> None:
        footage = _recorded(mini_model, RUNGS[:2], path)
        compared = ComparedFootage(
            calibration_clips(None, 3, seed=1), mini_model, {"source": "clips"}
        )
        write_coreml_bundle(
            mini_model,
            get_target("ios18"),
            path,
            PRECISIONS["int8"],
            footage,
            rungs=RUNGS[:2],
            compare=compared.measured,
        )

    return made_once("ios", write)


@pytest.fixture
def mini() -> Sam2Lite:
    """A network of `MINI` with random weights, of the test's own."""
    return build(MINI, seed=3)
