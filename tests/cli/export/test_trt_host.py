"""`sam2lite-export trt --target host`, with doubles of the GPU and of TensorRT."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sam2lite.cli.export.main import app
from sam2lite.cli.main import app as main_app
from sam2lite.contracts.build_plan import NOT_BUILT
from sam2lite.errors import (
    ArgumentError,
    DependencyError,
    SessionError,
    VerificationError,
    install_extra,
)
from sam2lite.exporter.tensorrt import engines as trt_engines
from sam2lite.exporter.tensorrt import host as trt_host
from sam2lite.exporter.verify import loop_parity
from sam2lite.exporter.verify.loop_parity import LoopParity
from sam2lite.runtimes.backends.tensorrt import session as trt
from sam2lite.runtimes.backends.tensorrt.cuda import CudaDevice
from sam2lite.runtimes.backends.tensorrt.engines import read_engines, read_plan
from sam2lite.runtimes.backends.tensorrt.runtime import TrtRuntime
from sam2lite.runtimes.bundle import open_bundle, read_manifest
from tests.doubles.cuda import FakeCuda
from tests.doubles.tensorrt_engines import FaultyBuild
from tests.doubles.tensorrt_runtime import FakeTensorrt

GPU = CudaDevice("NVIDIA GeForce RTX 3060", "8.6", 12 << 30)
VERSION = "10.13.3.9"  # none that the target lists
ENCODER = "image_encoder@240"
CULPRIT = "/stages.1/blocks.0/project/Conv"

runner = CliRunner(env={"COLUMNS": "200"})


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeTensorrt]:
    """A PC with a GPU. Loops are not compared, which takes most of an export's time."""
    device = FakeCuda()
    tensorrt = FakeTensorrt(device, VERSION)
    runtime = TrtRuntime(tensorrt, device)
    monkeypatch.setattr(trt, "here", lambda: (VERSION, GPU))
    monkeypatch.setattr(trt, "shared_runtime", lambda: runtime)
    monkeypatch.setattr(trt_host, "import_tensorrt", lambda: tensorrt)

    def compared(bundle: object, model: object, exact: bool = False) -> LoopParity:
        return LoopParity(frames=1, objects=1, present=1, non_empty=1)

    monkeypatch.setattr(loop_parity, "loop_parity", compared)
    yield tensorrt
    runtime.close()


@pytest.fixture
def faulty(fake: FakeTensorrt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FaultyBuild:
    """What builds in the place of polygraphy; it is right unless a test says otherwise."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    build = FaultyBuild(fake, scratch)
    defaults = trt_engines.EngineMaker.__init__.__kwdefaults__
    monkeypatch.setitem(defaults, "build", build)  # type: ignore[arg-type]
    return build


def quick(model: str, output: Path, *more: str) -> list[str]:
    footage = ["--calib-frames", "8", "--rungs", "240"]
    return ["trt", "--model", model, "--target", "host", "-o", str(output), *footage, *more]


def test_a_layer_that_breaks_in_fp16_is_pinned(
    faulty: FaultyBuild, model: str, tmp_path: Path
) -> None:
    faulty.culprits.add(CULPRIT)
    result = runner.invoke(app, quick(model, tmp_path / "b", "--json"))
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["preflight"]["tensorrt"] == VERSION
    assert report["engine"] == "engine: built"
    assert set(report["engines"]) == set(report["graphs"])
    assert all(engine["holds"] for engine in report["engines"].values())
    assert report["engines"][ENCODER]["least_db"] == 40.0
    assert f"{ENCODER}: holds after" in result.stderr
    # The bundle says what was pinned and why, and is whole: its graph has FP32 there.
    opened = open_bundle(str(tmp_path / "b"))
    manifest = opened.manifest
    assert (manifest.target["id"], manifest.status) == ("cuda-x86-sm86", NOT_BUILT)
    assert CULPRIT in manifest.verification["graphs"][ENCODER]["pinned"]
    assert "RTX 3060" in manifest.verification["graphs"][ENCODER]["pinned"][CULPRIT]
    plan = read_plan(str(tmp_path / "b"))
    assert (plan.tensorrt, plan.strongly_typed) == (VERSION, True)
    for key in manifest.graphs:
        opened.open_session(key).close()
    shown = runner.invoke(main_app, ["inspect", str(tmp_path / "b")])
    assert shown.exit_code == 0, shown.output
    assert "RTX 3060" in shown.stdout
    assert "not built" not in shown.stdout


def test_engines_that_are_right_at_once(faulty: FaultyBuild, model: str, tmp_path: Path) -> None:
    result = runner.invoke(app, quick(model, tmp_path / "b"))
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    (line,) = [line for line in lines if line.startswith(ENCODER) and " MB  " in line]
    assert "dB against onnxruntime" in line
    assert any(line.startswith("next: sam2lite track --bundle") for line in lines)
    manifest, _ = read_manifest(str(tmp_path / "b"))
    assert len(faulty.requests) == len(manifest.graphs) == 4


def test_what_cannot_be_mended_is_exit_code_3(
    faulty: FaultyBuild, model: str, tmp_path: Path
) -> None:
    faulty.always.add(CULPRIT)
    result = runner.invoke(app, quick(model, tmp_path / "b", "--precision", "fp32"))
    assert isinstance(result.exception, VerificationError)
    assert result.exception.exit_code == 3
    assert f"the engine of {ENCODER}" in str(result.exception)
    assert ENCODER not in read_engines(str(tmp_path / "b"))
    assert len(faulty.requests) == 4, "FP32 is not bisected"
    shown = runner.invoke(main_app, ["inspect", str(tmp_path / "b")])
    assert "not built" in shown.stdout


def test_without_a_gpu_it_says_so_before_anything_long(model: str, tmp_path: Path) -> None:
    result = runner.invoke(app, quick(model, tmp_path / "b"))
    assert isinstance(result.exception, SessionError)
    assert result.exception.exit_code == 1
    message = str(result.exception)
    assert message.startswith("engines cannot be built on this machine: there is no NVIDIA driver")
    assert message.endswith("--target jetson-nano")
    assert not (tmp_path / "b").exists()


def test_without_polygraphy_it_says_what_to_install(
    fake: FakeTensorrt, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trt_host, "find_spec", lambda name: None)
    result = runner.invoke(app, quick(model, tmp_path / "b"))
    assert isinstance(result.exception, DependencyError)
    assert install_extra("trt") in str(result.exception)
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    ("version", "capability", "kind", "said"),
    [
        ("10.3.0", "5.2", ArgumentError, "compute capability 5.2"),
        ("12.0.1", "8.6", ArgumentError, "nothing is known here about TensorRT 12.0.1"),
        ("8.4.3.1", "8.6", SessionError, "polygraphy builds with TensorRT 8.5 or newer"),
    ],
)
def test_a_machine_that_is_not_served(
    version: str,
    capability: str,
    kind: type[Exception],
    said: str,
    fake: FakeTensorrt,
    model: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gpu = GPU._replace(compute_capability=capability)
    monkeypatch.setattr(trt, "here", lambda: (version, gpu))
    result = runner.invoke(app, quick(model, tmp_path / "b"))
    assert isinstance(result.exception, kind)
    assert said in str(result.exception)


@pytest.mark.parametrize("flag", ["--jetpack", "--tensorrt"])
def test_a_release_is_not_named_for_the_machine_at_hand(
    flag: str, model: str, tmp_path: Path
) -> None:
    result = runner.invoke(app, quick(model, tmp_path / "b", flag, "10.3"))
    assert isinstance(result.exception, ArgumentError)
    assert flag in str(result.exception)


def test_host_is_the_processor_for_ort(model: str, tmp_path: Path) -> None:
    arguments = ["ort", "--model", model, "--target", "host", "-o", str(tmp_path), "--dry-run"]
    result = runner.invoke(app, [*arguments, "--rungs", "240", "--json"])
    assert result.exit_code == 0, result.output
    assert not json.loads(result.stdout)["target"].startswith("cuda")


def test_a_dry_run_says_what_is_here(fake: FakeTensorrt, model: str, tmp_path: Path) -> None:
    result = runner.invoke(app, quick(model, tmp_path / "b", "--dry-run", "--json"))
    assert result.exit_code == 0, result.output
    plan = json.loads(result.stdout)
    assert (plan["target"], plan["runtime"]) == ("cuda-x86-sm86", f"TensorRT {VERSION}")
