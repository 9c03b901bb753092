import json
import os
import platform
import shutil
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
from typer.testing import CliRunner

import sam2lite
from sam2lite.cli.app import make_app
from sam2lite.cli.doctor import doctor
from sam2lite.cli.targets import targets
from sam2lite.errors import TargetWarning, UnknownNameError, install_extra
from sam2lite.runtimes.bundle import open_bundle
from sam2lite.runtimes.cache import cache_dir
from sam2lite.runtimes.commands.machine_checks import (
    ABSENT,
    LOW_MEMORY_MB,
    MISSING,
    OK,
    WARNING,
    check_bundle,
    check_cache,
    check_cameras,
    check_memory,
    check_optional,
)
from sam2lite.targets.profile import TargetProfile
from sam2lite.targets.registry import get_target, host_target, list_targets

app = make_app("tests", [doctor, targets])
runner = CliRunner(env={"COLUMNS": "200"})


def break_package(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a package of that name first on the path that fails as one without its library does."""
    reason = "libmissing.so: cannot open shared object file"
    (folder / f"{name}.py").write_text(f"raise ImportError({reason!r})\n")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, name, raising=False)


def test_targets_lists_all_and_marks_the_host() -> None:
    result = runner.invoke(app, ["targets"])
    assert result.exit_code == 0
    assert all(profile.id in result.stdout for profile in list_targets())
    assert "host (this machine) is" in result.stdout


def test_targets_json_holds_every_profile() -> None:
    result = runner.invoke(app, ["targets", "--json"])
    report = json.loads(result.stdout)
    assert [target["id"] for target in report["targets"]] == [p.id for p in list_targets()]
    assert report["host"] in [target["id"] for target in report["targets"]]


def test_targets_without_a_host_target_warns_on_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    result = runner.invoke(app, ["targets", "--json"])
    assert result.exit_code == 0
    assert json.loads(result.stdout)["host"] is None
    assert "riscv64" in result.stderr


@pytest.mark.parametrize("profile", list_targets(), ids=lambda profile: profile.id)
def test_one_target_is_explained_with_sources(profile: TargetProfile) -> None:
    result = CliRunner(env={"COLUMNS": "1000"}).invoke(app, ["targets", profile.id])
    assert result.exit_code == 0
    assert all(source in result.stdout for source in profile.sources.values())
    assert all(entry.note in result.stdout for entry in profile.precisions)
    assert profile.chip in result.stdout


def test_a_jetson_is_explained_by_release() -> None:
    result = CliRunner(env={"COLUMNS": "1000"}).invoke(app, ["targets", "jetson-xavier-nx"])
    assert result.exit_code == 0
    profile = next(p for p in list_targets() if p.id == "jetson-xavier-nx")
    assert profile.tensorrt is not None
    assert all(source in result.stdout for source in profile.tensorrt.sources.values())
    lines = result.stdout.splitlines()
    assert any("4.6.1 to 4.6.6" in line and "8.2.1" in line for line in lines)
    assert any("5.1 to 5.1.6 *" in line and "8.5.2 or 8.6.0" in line for line in lines)
    jetpack_4 = next(line for line in lines if line.startswith("TensorRT 8.2.1 takes"))
    jetpack_5 = next(line for line in lines if line.startswith("TensorRT 8.5.2 takes"))
    assert "up to 13" in jetpack_4
    assert "UINT8 at the border" in jetpack_4
    assert "UINT8" not in jetpack_5
    assert "LayerNormalization" in jetpack_5
    assert "made for JetPack 5.1.6 (*); for another: --jetpack 4.6.6" in result.stdout
    assert "sam2lite-export trt --target jetson-xavier-nx -o DIR" in result.stdout


def test_a_source_is_printed_once_and_marked_wherever_it_belongs() -> None:
    result = CliRunner(env={"COLUMNS": "1000"}).invoke(app, ["targets", "jetson-orin-nx"])
    profile = next(p for p in list_targets() if p.id == "jetson-orin-nx")
    table, _, sources = result.stdout.partition("Sources\n")
    source = profile.sources["os"]
    assert sources.splitlines().count(next(x for x in sources.splitlines() if source in x)) == 1
    number = next(line.split()[0] for line in sources.splitlines() if source in line)
    assert number in next(line for line in table.splitlines() if "6.1 to 6.2.2 *" in line)


@pytest.mark.parametrize("profile", list_targets(), ids=lambda profile: profile.id)
def test_explained_without_cutting_a_word_at_80_columns(profile: TargetProfile) -> None:
    result = CliRunner(env={"COLUMNS": "80"}).invoke(app, ["targets", profile.id])
    assert result.exit_code == 0
    assert "…" not in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_ids_are_never_cut_short() -> None:
    result = CliRunner(env={"COLUMNS": "80"}).invoke(app, ["targets"])
    assert all(profile.id in result.stdout for profile in list_targets())


def test_one_target_as_json() -> None:
    result = runner.invoke(app, ["targets", "raspberry-pi-4", "--json"])
    assert json.loads(result.stdout)["chip"].startswith("Broadcom BCM2711")


@pytest.mark.parametrize("extra", [[], ["--json"]])
def test_unknown_target_prints_nothing(extra: list[str]) -> None:
    result = runner.invoke(app, ["targets", "toaster", *extra])
    assert isinstance(result.exception, UnknownNameError)
    assert result.stdout == ""


def test_doctor_finds_this_machine_fit_to_track() -> None:
    result = runner.invoke(app, ["doctor", "--json"])
    assert result.exit_code == 0
    report = json.loads(result.stdout)
    assert report["can_track"] is True
    required = {check["name"] for check in report["checks"] if check["required"]}
    assert required == {"Python", "NumPy", "ONNX Runtime", "OpenCV"}


def test_doctor_fails_where_a_base_package_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_package("onnxruntime", tmp_path, monkeypatch)
    result = runner.invoke(app, ["doctor"])
    assert result.exit_code == 1
    assert "libmissing.so" in result.stdout
    assert "pip install --force-reinstall onnxruntime" in result.stdout
    assert "Tracking cannot run here until this is mended: ONNX Runtime.\n" in result.stdout


def test_doctor_passes_without_an_optional_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_package("av", tmp_path, monkeypatch)
    result = runner.invoke(app, ["doctor"])
    assert result.exit_code == 0
    assert "[video]'; until" in " ".join(result.stdout.split())  # brackets are no markup
    assert "Tracking with a bundle can run here." in result.stdout


def test_doctor_runs_where_nothing_is_installed() -> None:
    script = (
        "from sam2lite.runtimes.commands.machine_checks import can_track, run_checks\n"
        "checks = run_checks()\n"
        "print(can_track(checks), *[c.name for c in checks if c.required and c.status != 'ok'])\n"
    )
    root = Path(sam2lite.__file__).parents[1]
    result = subprocess.run(
        [sys.executable, "-S", "-c", script],  # -S: the standard library alone
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip() == "False NumPy ONNX Runtime OpenCV"


@pytest.mark.parametrize(
    ("package", "extra"), [("torch", "export"), ("coremltools", "coreml"), ("polygraphy", "trt")]
)
def test_a_package_that_only_some_commands_need_says_how_to_install_it(
    package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    check = check_optional(package)
    assert (check.name, check.status, check.required) == (package, ABSENT, False)
    assert install_extra(extra) in check.remedy


def test_doctor_lists_every_package_that_some_command_needs() -> None:
    report = json.loads(runner.invoke(app, ["doctor", "--json"]).stdout)
    names = {check["name"] for check in report["checks"]}
    assert {"torch", "onnx", "safetensors", "coremltools", "polygraphy"} <= names


@pytest.mark.parametrize(
    ("available_mb", "status"),
    [(LOW_MEMORY_MB - 1, WARNING), (LOW_MEMORY_MB, OK)],
)
def test_low_memory_is_a_warning(tmp_path: Path, available_mb: int, status: str) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text(f"MemTotal:  948304 kB\nMemAvailable: {available_mb * 1024} kB\n")
    check = check_memory(str(meminfo))
    assert check.status == status
    assert check.value == f"926 MiB, {available_mb} MiB available"


def test_memory_is_unknown_without_meminfo(tmp_path: Path) -> None:
    assert check_memory(str(tmp_path / "absent")).status == WARNING


def test_cameras(tmp_path: Path) -> None:
    pattern = str(tmp_path / "video*")
    assert check_cameras(pattern).status == ABSENT
    (tmp_path / "video0").touch()
    assert check_cameras(pattern).value == str(tmp_path / "video0")


@pytest.mark.parametrize("value", [None, "", "relative/cache"])
def test_cache_is_in_the_home_folder_by_default(
    value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    if value is not None:
        monkeypatch.setenv("XDG_CACHE_HOME", value)
    assert cache_dir() == "/home/someone/.cache/sam2lite"


def test_cache_follows_xdg_and_is_not_created(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a" / "b"))
    assert cache_dir() == str(tmp_path / "a" / "b" / "sam2lite")
    assert str(tmp_path / "a" / "b" / "sam2lite") in check_cache().value
    assert list(tmp_path.iterdir()) == []


def test_cache_that_cannot_be_made_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    check = check_cache()
    assert check.status == WARNING
    assert "not writable" in check.value
    assert "XDG_CACHE_HOME" in check.remedy


def test_a_bundle_for_another_processor_is_a_warning(mini_bundle: Path, tmp_path: Path) -> None:
    for target, precision, status in (
        ("raspberry-pi-5" if platform.machine() == "x86_64" else "x86-64", "int8", WARNING),
        (host_target().id, "int8", OK),
    ):
        manifest = json.loads((mini_bundle / "manifest.json").read_text())
        manifest["target"] = {**get_target(target).to_json(), "threads": None}
        for graph in manifest["graphs"].values():
            graph["precision"] = precision
        (tmp_path / "manifest.json").write_text(json.dumps(manifest))
        check = check_bundle(str(tmp_path))
        assert (check.status, "--target" in check.remedy) == (status, status == WARNING)
        with pytest.warns(TargetWarning) if status == WARNING else nullcontext():
            shutil.copytree(mini_bundle / "graphs", tmp_path / "graphs", dirs_exist_ok=True)
            open_bundle(str(tmp_path))


def test_no_bundle_is_missing(tmp_path: Path) -> None:
    assert check_bundle(str(tmp_path)).status == MISSING
    result = runner.invoke(app, ["doctor", "--bundle", str(tmp_path), "--json"])
    assert result.exit_code == 1
