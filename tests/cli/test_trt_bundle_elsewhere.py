"""A bundle for TensorRT on a computer without one: what every command does and says."""

import json
import shutil
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from sam2lite.bench.tables import _backend
from sam2lite.cli.bundle.bench import app as bench_app
from sam2lite.cli.main import app
from sam2lite.errors import BundleError, SessionError
from sam2lite.files.atomic import write_atomically
from sam2lite.runtimes.backends.tensorrt import session as trt
from sam2lite.runtimes.backends.tensorrt.cuda import CudaDevice
from sam2lite.runtimes.backends.tensorrt.engines import (
    EngineEntry,
    engine_file,
    engine_key,
    engine_path,
    read_plan,
    write_engines,
)
from sam2lite.runtimes.bundle import read_manifest
from sam2lite.runtimes.commands import machine_checks as doctor

runner = CliRunner(env={"COLUMNS": "200"})
NANO = CudaDevice("NVIDIA Tegra X1", "5.3", 4 << 30)


@pytest.fixture
def bundle(nano_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(nano_bundle, tmp_path / "b"))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("clips") / "c"
    result = runner.invoke(app, ["clips", "--frames", "3", "-o", str(folder)])
    assert result.exit_code == 0, result.output
    return str(folder / "clip_00000.mp4")


def arguments(
    command: str, bundle: Path, clip: str, tmp_path: Path
) -> tuple[typer.Typer, list[str]]:
    seen = ["--video", clip, "--point", "100,100"]
    where = str(bundle)
    return {
        "track": (app, ["track", "--bundle", where, *seen, "-o", str(tmp_path / "out")]),
        "compare": (app, ["compare", where, where, *seen]),
        "verify": (app, ["verify", where]),
        "eval": (app, ["eval", "--bundle", where, "--clips", "1"]),
        "bench": (bench_app, ["--bundle", where, "--frames", "2", "--warmup", "1", *seen]),
    }[command]


@pytest.mark.parametrize("command", ["track", "compare", "verify", "eval", "bench"])
def test_one_sentence_names_the_other_backend(
    command: str, nano_bundle: Path, clip: str, tmp_path: Path
) -> None:
    program, given = arguments(command, nano_bundle, clip, tmp_path)
    result = runner.invoke(program, given)
    assert isinstance(result.exception, SessionError)
    assert "there is no NVIDIA driver" in str(result.exception)
    assert str(result.exception).endswith("run the bundle with --backend ort")


@pytest.mark.parametrize("command", ["track", "compare", "verify", "bench"])
def test_the_other_backend_runs_it(
    command: str, nano_bundle: Path, clip: str, tmp_path: Path
) -> None:
    program, given = arguments(command, nano_bundle, clip, tmp_path)
    result = runner.invoke(program, [*given, "--backend", "ort"])
    assert result.exit_code == 0, result.output
    if command == "verify":
        assert "4 open and run by ort" in result.stdout
    if command == "bench":
        assert "ort (made for trt)" in result.stdout


def test_a_report_says_what_ran(nano_bundle: Path, clip: str, tmp_path: Path) -> None:
    program, given = arguments("bench", nano_bundle, clip, tmp_path)
    file = tmp_path / "bench.json"
    result = runner.invoke(program, [*given, "--backend", "ort", "--json", str(file)])
    assert result.exit_code == 0, result.output
    found = json.loads(file.read_text())["bundle"]
    assert (found["backend"], found["made_for"]) == ("ort", "trt")
    assert _backend({"backend": "trt", "made_for": "trt"}) == "trt"


def entry(bundle: Path, graph: str, **changes: object) -> EngineEntry:
    """An engine as a board builds it, and its file."""
    manifest, _ = read_manifest(str(bundle))
    made = engine_key(manifest, read_plan(str(bundle)), graph, "8.2.1.8", NANO)
    write_atomically(engine_path(str(bundle), engine_file(graph)), b"engine")
    built = EngineEntry(
        engine_file(graph), made, "0" * 64, 6, 61.5, "8.2.1.8", NANO.name, "5.3", "2026-01-01"
    )
    return built._replace(**changes)  # type: ignore[arg-type]


def inspected(bundle: Path) -> dict[str, dict[str, object]]:
    result = runner.invoke(app, ["inspect", str(bundle), "--json"])
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.stdout)["engines"])


def test_inspect_knows_which_engines_are_built(bundle: Path) -> None:
    assert {engine["state"] for engine in inspected(bundle).values()} == {"not built"}
    engines = {
        "image_encoder@240": entry(bundle, "image_encoder@240"),
        "mask_decoder@240": entry(bundle, "mask_decoder@240", key="another"),
        "memory_select": entry(bundle, "memory_select"),
    }
    (bundle / "engines" / "memory_select.engine").unlink()
    write_engines(str(bundle), engines)
    checks = {
        "image_encoder@240": {
            "engine_key": engines["image_encoder@240"].key,
            "sqnr_db": {"a": 52.25, "b": "equal"},
            "reference": "onnxruntime",
        },
        "mask_decoder@240": {"engine_key": "older", "sqnr_db": {"a": 1.0}, "reference": "x"},
    }
    path = engine_path(str(bundle), "verification.json")
    write_atomically(path, json.dumps({"engines": checks}).encode())
    found = inspected(bundle)
    assert {key: engine["state"] for key, engine in found.items()} == {
        "image_encoder@240": "built",
        "mask_decoder@240": "stale",
        "memory_encoder@240": "not built",
        "memory_select": "file is missing",
    }
    assert found["mask_decoder@240"]["check"] is None, "that was another engine"
    text = runner.invoke(app, ["inspect", str(bundle)]).stdout
    assert "engine: 1 of 4 built" in text
    (line,) = [line for line in text.splitlines() if "stale" in line]
    assert "not compared" in line
    (line,) = [line for line in text.splitlines() if "52.2 dB (onnxruntime)" in line]
    assert "61.5" in line
    assert NANO.name in line


def test_inspect_of_a_plan_that_changed(bundle: Path) -> None:
    """What a board was given and what lies there now are told apart by the key alone."""
    write_engines(str(bundle), {"memory_select": entry(bundle, "memory_select")})
    assert inspected(bundle)["memory_select"]["state"] == "built"
    plan = read_plan(str(bundle))
    (bundle / "plan.json").write_text(plan._replace(workspace_mb=1).dumps())
    assert inspected(bundle)["memory_select"]["state"] == "stale"


def test_inspect_of_figures_that_cannot_be_read(bundle: Path) -> None:
    write_atomically(engine_path(str(bundle), "verification.json"), b"{")
    result = runner.invoke(app, ["inspect", str(bundle)])
    assert isinstance(result.exception, BundleError)
    assert "delete it" in str(result.exception)


def test_doctor_says_whether_tensorrt_can_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    check = doctor.check_tensorrt()
    assert (check.status, check.required) == (doctor.MISSING, False)
    assert "there is no NVIDIA driver" in check.value
    assert "sam2lite export trt" in check.remedy
    monkeypatch.setattr(trt, "is_available", lambda: (True, "tensorrt 10.3.0 on a GPU"))
    assert doctor.check_tensorrt().status == doctor.OK
    assert doctor.check_tensorrt().value == "tensorrt 10.3.0 on a GPU"

    def broken() -> tuple[bool, str]:
        raise RuntimeError("libnvinfer is of another version")

    monkeypatch.setattr(trt, "is_available", broken)
    assert "libnvinfer" in doctor.check_tensorrt().value
