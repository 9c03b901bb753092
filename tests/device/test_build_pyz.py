"""`device.pyz build` as a board runs it: processes of their own that find TensorRT's double."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sam2lite.runtimes.backends.tensorrt.engines import read_engines
from tests.doubles.tensorrt_builder import Layer, Scenario, to_json
from tests.doubles.trt_bundle import GRAPH, KEYS, write_trt_bundle

ON_PATH = Path(__file__).parent.parent / "doubles" / "on_path"
NANO = ["NVIDIA Tegra X1", "5.3", 4 << 30]
PYTHONS = [sys.executable, *filter(None, [os.environ.get("SAM2LITE_BOARD_PYTHON")])]


@pytest.fixture(params=PYTHONS)
def python(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def build(
    python: str,
    bundle: Path,
    *options: str,
    scenario: Scenario | None = None,
    device: object = NANO,
) -> "subprocess.CompletedProcess[str]":
    environment = {
        **os.environ,
        "PYTHONPATH": str(ON_PATH),
        "CUDA_DOUBLE": json.dumps(device),
        "TENSORRT_DOUBLE": to_json(scenario or Scenario()),
    }
    return subprocess.run(
        [python, str(bundle / "device.pyz"), "build", *options],
        capture_output=True,
        text=True,
        check=False,
        cwd=bundle.parent,
        env=environment,
    )


def test_every_graph_has_a_process(python: str, tmp_path: Path) -> None:
    graph = GRAPH._replace(fp32_nodes=("/Softmax",))
    bundle = write_trt_bundle(tmp_path / "b", graph=graph)
    scenario = Scenario(layers=(Layer("/Softmax"),))
    done = build(python, bundle, "--rungs", "240", scenario=scenario)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines[:-1]] == [*KEYS[:3], "memory_select"]
    assert lines[-1].startswith("4 engines in ")
    assert done.stderr.count("\n") == 4  # a line of progress for each, and nothing else
    assert "building image_encoder@240 (1 of 4)" in done.stderr

    done = build(python, bundle)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("built already") == 4
    assert len(read_engines(str(bundle))) == len(KEYS)


def test_a_killed_process_is_reported(python: str, tmp_path: Path) -> None:
    bundle = write_trt_bundle(tmp_path / "b")
    assert build(python, bundle, "--only", KEYS[0]).returncode == 0
    done = build(python, bundle, scenario=Scenario(killed=True))
    assert done.returncode == 1
    error = done.stderr.splitlines()[-1]
    assert error.startswith(f"error: {KEYS[1]}: the system ended TensorRT; ")
    assert "sudo systemctl isolate multi-user.target" in error
    assert list(read_engines(str(bundle))) == [KEYS[0]]


def test_a_crash_is_reported(tmp_path: Path) -> None:
    bundle = write_trt_bundle(tmp_path / "b")
    crash = Scenario(killed=True, signal=signal.SIGSEGV)
    done = build(sys.executable, bundle, scenario=crash)
    assert done.returncode == 1
    assert "TensorRT crashed (signal 11)" in done.stderr


def test_a_failed_graph_stops_the_build(python: str, tmp_path: Path) -> None:
    bundle = write_trt_bundle(tmp_path / "b")
    done = build(python, bundle, "--workspace-mb", "64", scenario=Scenario(builds=False))
    assert done.returncode == 1
    assert f"error: {KEYS[0]}: TensorRT 8.2.1.8 built no engine" in done.stderr
    assert f"error: {KEYS[0]} was not built, for the reason above" in done.stderr
    assert KEYS[1] not in done.stderr
    assert "Traceback" not in done.stderr


def test_no_gpu_is_one_sentence(python: str, tmp_path: Path) -> None:
    bundle = write_trt_bundle(tmp_path / "b")
    done = build(python, bundle, device="there is no GPU; get one")
    assert (done.returncode, done.stderr) == (1, "error: there is no GPU; get one\n")


def test_the_readme_says_what_to_do(tmp_path: Path) -> None:
    lines = (write_trt_bundle(tmp_path / "b") / "README.txt").read_text().splitlines()
    assert len(lines) == 3
    assert "python3 device.pyz build" in lines[1]
