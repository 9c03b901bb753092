"""`device.pyz` as a board runs it: in a process of its own that finds no sam2lite but its own.

The tests run with this interpreter, and with the one that SAM2LITE_BOARD_PYTHON names, or else with
a python3.6 on the path that has NumPy, OpenCV and ONNX Runtime.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sam2lite.data.clips import ClipConfig, first_click, generate_clip, write_video
from sam2lite.exporter.bundle.device_app import write_device_app
from sam2lite.runtimes import rle
from sam2lite.runtimes.bundle import open_bundle
from sam2lite.runtimes.commands.track_run import track_video
from sam2lite.runtimes.masks.options import Cleaning
from sam2lite.runtimes.prompts import Prompt
from sam2lite.runtimes.serve.page_files import read_page
from sam2lite.runtimes.video.opencv_files import write_picture
from tests.interrupts import interruptible
from tests.runtimes.serve.client import Client
from tests.source_tree import ROOT

FRAMES = 24
MIN_IOU = 0.999


def board_pythons() -> list[str]:
    named = os.environ.get("SAM2LITE_BOARD_PYTHON")
    if named:
        return [named]
    found = shutil.which("python3.6")
    command = [str(found), "-c", "import numpy, cv2, onnxruntime"]
    if found and subprocess.run(command, capture_output=True, check=False).returncode == 0:
        return [found]
    return []


@pytest.fixture(params=[sys.executable, *board_pythons()])
def python(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A video and a click on its first object."""
    made = generate_clip(14, ClipConfig(height=270, width=480, frames=FRAMES))
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    write_video(made, path, 24.0)
    x, y = first_click(made, made.object_ids[0])
    return path, f"{x},{y}"


def run(
    python: str, bundle: Path, *args: str, first_on_path: Path | None = None
) -> "subprocess.CompletedProcess[str]":
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    if first_on_path is not None:
        environment["PYTHONPATH"] = str(first_on_path)
    return subprocess.run(
        [python, str(bundle / "device.pyz"), *args],
        capture_output=True,
        text=True,
        check=False,
        cwd=bundle.parent,  # not the folder of the sources, nor of the bundle
        env=environment,
    )


def masks(folder: Path) -> list[np.ndarray]:
    frames = json.loads((folder / "results.json").read_text())["frames"]
    return [rle.decode(frame["objects"]["1"]["rle"]) for frame in frames]


def test_masks_are_those_of_the_host(
    python: str, device_bundle: Path, clip: tuple[Path, str], tmp_path: Path
) -> None:
    video, click = clip
    arguments = ["--video", str(video), "--point", click, "--backend", "ort", "-o"]
    refused = run(
        python, device_bundle, "track", *arguments, str(tmp_path / "no"), "--min-iou", "2"
    )
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: min_iou is 2.0")
    cleaned = ["--remove-islands", "9", "--fill-holes", "9"]
    done = run(python, device_bundle, "track", *arguments, str(tmp_path / "board"), *cleaned)
    assert done.returncode == 0, done.stderr
    assert f"{FRAMES} frames, 1 objects" in done.stdout
    assert (tmp_path / "board" / "overlay.mp4").stat().st_size > 0

    x, y = map(float, click.split(","))
    prompts = {0: {1: Prompt([(x, y)])}}
    cleaning = Cleaning(islands=9, holes=9)
    bundle = open_bundle(str(device_bundle))
    track_video(bundle, video, prompts, tmp_path / "host", cleaning=cleaning)
    pairs = list(zip(masks(tmp_path / "board"), masks(tmp_path / "host"), strict=True))
    assert len(pairs) == FRAMES
    assert all(host.any() for _, host in pairs)
    assert min((a & b).sum() / (a | b).sum() for a, b in pairs) >= MIN_IOU


def test_doctor_shows_every_check(python: str, device_bundle: Path) -> None:
    done = run(python, device_bundle, "doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("Bundle", "Python", "NumPy", "ONNX Runtime", "Memory", "Swap", "Power mode"):
        assert f" {name} " in done.stdout
    assert done.stdout.endswith("Tracking with this bundle can run here.\n")


def test_doctor_says_what_a_lone_file_lacks(
    python: str, device_bundle: Path, tmp_path: Path
) -> None:
    shutil.copy(device_bundle / "device.pyz", tmp_path)
    done = run(python, tmp_path, "doctor")
    assert done.returncode == 1
    assert "is not a bundle: it has no manifest.json" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("package", ["numpy", "cv2", "onnxruntime"])
def test_a_missing_package_is_one_sentence(
    package: str, python: str, device_bundle: Path, clip: tuple[Path, str], tmp_path: Path
) -> None:
    (tmp_path / f"{package}.py").write_text(f"raise ImportError('no {package} here')\n")
    done = run(python, device_bundle, "doctor", first_on_path=tmp_path)
    assert done.returncode == 1
    assert f"no {package} here; pip install" in done.stdout
    assert done.stderr == ""
    video, click = clip
    arguments = ["track", "--video", str(video), "--point", click, "-o", str(tmp_path / "out")]
    for command in (arguments, ["bench"]):
        done = run(python, device_bundle, *command, first_on_path=tmp_path)
        assert done.returncode == 1
        assert f"no {package} here" in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_doctor_outlives_a_numpy_that_crashes(
    python: str, device_bundle: Path, tmp_path: Path
) -> None:
    (tmp_path / "numpy.py").write_text("import os; os.kill(os.getpid(), 4)\n")
    done = run(python, device_bundle, "doctor", first_on_path=tmp_path)
    assert done.returncode == 1
    assert "NumPy          importing it ends Python by SIGILL" in done.stdout
    assert done.stdout.endswith("until this is mended: NumPy, OpenCV, ONNX Runtime.\n")
    assert done.stderr == ""


def test_track_takes_masks_and_files_of_prompts(
    python: str, device_bundle: Path, clip: tuple[Path, str], tmp_path: Path
) -> None:
    video, click = clip
    mask = np.zeros((270, 480), np.uint8)
    x, y = (int(float(number)) for number in click.split(","))
    mask[max(0, y - 4) : y + 4, max(0, x - 4) : x + 4] = 255
    write_picture(tmp_path / "mask.png", mask)
    prompts = {"prompts": [{"frame": 1, "object": 7, "points": [[x, y]]}]}
    (tmp_path / "prompts.json").write_text(json.dumps(prompts))
    arguments = ["--mask", str(tmp_path / "mask.png"), "--prompts", str(tmp_path / "prompts.json")]
    arguments += ["--video", str(video), "-o", str(tmp_path / "out"), "--frames", "3"]
    done = run(python, device_bundle, "track", *arguments)
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert [(each["frame"], each["object"]) for each in results["prompts"]] == [(0, 1), (1, 7)]
    assert [list(frame["objects"]) for frame in results["frames"]] == [
        ["1"],
        ["1", "7"],
        ["1", "7"],
    ]


def test_bench_prints_json(python: str, device_bundle: Path) -> None:
    done = run(python, device_bundle, "bench", "--frames", "2", "--warmup", "1", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["frames"] == 2


def test_bench_writes_percentiles(python: str, device_bundle: Path, tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    arguments = ["--frames", "5", "--warmup", "2", "--json", str(file)]
    done = run(python, device_bundle, "bench", *arguments)
    assert done.returncode == 0, done.stderr
    report = json.loads(file.read_text())
    assert (report["frames"], report["rung"], report["objects"]) == (5, 240, 1)
    for stage in ("decode", "image_encoder", "memory_encoder", "total"):
        found = report["stages_ms"][stage]
        assert 0 < found["p50"] <= found["p95"] <= found["p99"]
        assert f"\n{stage} " in done.stdout
    assert report["fps"] > 0
    assert report["peak_rss_mb"] > 0
    assert report["dropped_frames"] == 0
    # What sensors this machine has is not known; that they are asked is.
    assert {"power", "temperature_c", "clocks_mhz", "warnings"} <= set(report)


PROGRAM = """
import sys

sys.path.insert(0, sys.argv[1] + "/device.pyz")
import cv2
from sam2lite import FrameResult, Prompt, Sam2LiteError, VideoSegmenter, errors, open_bundle
import sam2lite

x, y = map(float, sys.argv[3].split(","))
capture = cv2.VideoCapture(sys.argv[2])
with VideoSegmenter(open_bundle(sys.argv[1])) as segmenter:
    _, frame = capture.read()
    segmenter.give(frame, 1, Prompt([(x, y)]))
    for _ in range(3):
        result = segmenter.track(frame)
        assert isinstance(result, FrameResult)
        print(int(result.objects[1].mask.sum()))
        _, frame = capture.read()
    try:
        segmenter.track(frame[:9])
    except Sam2LiteError as error:
        print(type(error) is errors.ArgumentError)
print(sam2lite.__file__.startswith(sys.argv[1]))
pc = {"torch", "onnx", "safetensors", "typer", "rich", "PIL", "av"}
print(sorted(pc & {name.split(".")[0] for name in sys.modules}))
"""


def run_program(
    python: str, *arguments: object, folder: Path
) -> "subprocess.CompletedProcess[str]":
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.run(
        [python, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=environment,
    )


def test_programs_use_it_as_a_package(
    python: str, device_bundle: Path, clip: tuple[Path, str], tmp_path: Path
) -> None:
    done = run_program(python, "-c", PROGRAM, device_bundle, *clip, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    *areas, refused, ours, others = done.stdout.splitlines()
    assert len(areas) == 3
    assert all(int(area) > 0 for area in areas)
    assert (refused, ours, others) == ("True", "True", "[]")


def test_the_shortest_example_runs_on_it(
    python: str, device_bundle: Path, clip: tuple[Path, str], tmp_path: Path
) -> None:
    example = ROOT / "examples" / "loop.py"
    done = run_program(python, example, device_bundle, *clip, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == FRAMES


def other_pythons() -> list[str]:
    """Return one interpreter of each older version that is here, whatever packages it has."""
    named = [shutil.which(f"python3.{minor}") for minor in range(6, 11)]
    kept = Path.home() / ".pyenv" / "versions"
    own = [str(path) for path in sorted(kept.glob("3.*/bin/python"))]
    found: dict[tuple[int, int], str] = {}
    for python in [*filter(None, named), *own]:
        command = [python, "-c", "import sys; print(*sys.version_info[:2])"]
        told = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
        if not told:  # a shim of pyenv's, of a version that is not chosen
            continue
        version = (int(told[0]), int(told[1]))
        if (3, 6) <= version < sys.version_info[:2]:
            found.setdefault(version, python)
    return [found[version] for version in sorted(found)]


@pytest.mark.parametrize("older", other_pythons())
def test_its_names_are_there_on_older_pythons(older: str, tmp_path: Path) -> None:
    """Without any package: what needs none is had, and what is missing is NumPy, not a name."""
    write_device_app(tmp_path / "device.pyz")
    code = """
import sys
sys.path.insert(0, "device.pyz")
from sam2lite import Sam2LiteError, errors
import sam2lite
assert Sam2LiteError is errors.Sam2LiteError
try:
    sam2lite.nothing
except AttributeError as error:
    print(error)
try:
    from sam2lite import VideoSegmenter
except ImportError as error:
    print("numpy" in str(error) or "cv2" in str(error))
else:
    print(VideoSegmenter.__name__ == "VideoSegmenter")
"""
    done = run_program(older, "-c", code, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["module 'sam2lite' has no attribute 'nothing'", "True"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_shows_its_page_until_a_signal_ends_it(
    number: signal.Signals, python: str, device_bundle: Path, clip: tuple[Path, str], tmp_path: Path
) -> None:
    video, click = clip
    command = [
        python,
        str(device_bundle / "device.pyz"),
        "serve",
        "--backend",
        "ort",
        "--port",
        "0",
    ]
    options = ["--video", str(video), "--live", "-o", str(tmp_path / "out")]
    with interruptible(
        [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[1]
        client = Client("127.0.0.1", int(url.rstrip("/").rpartition(":")[2]))
        for path, file in read_page().items():
            assert client.get(path).body == file.content
        x, y = map(float, click.split(","))
        assert client.post("/prompt", frame=0, points=[[x, y]]).json["visible"]
        client.post("/pause", paused=False)
        viewer = client.parts("/stream.mjpg")
        shown = [
            int(part.headers["X-Frame-Index"]) for part, _ in zip(viewer, range(3), strict=False)
        ]
        assert shown == sorted(set(shown))
        assert client.get("/../manifest.json").status == 404
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (128 + number, "")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["results.jsonl"]
    assert " frames, " in stdout


TRACK = ["track", "--video", "none.mp4", "-o", "never"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "--help"),
        (["fly"], 2, "'fly'"),
        (["track", "--point", "1,2"], 2, "required: --video"),
        (TRACK, 2, "nothing is pointed out"),
        ([*TRACK, "--point", "here"], 2, "cannot read 'here'; the form is --point X,Y"),
        ([*TRACK, "--point", "1,2"], 1, "cannot read 'none.mp4'"),
        ([*TRACK, "--point", "1,2", "--video", "99"], 1, "camera '99' cannot be opened"),
        ([*TRACK, "--point", "1,2", "--bundle", "nowhere"], 1, "there is no bundle at nowhere"),
        ([*TRACK, "--point", "1,2", "--backend", "trt"], 2, "--backend is 'trt'"),
        ([*TRACK, "--point", "1,2", "--rung", "250"], 1, "none.mp4"),
        (["bench", "--frames", "0"], 2, "'0' is not a whole number from 1 on"),
        (["bench", "--rung", "250"], 2, "unknown rung 250; known: 240"),
    ],
)
def test_a_mistake_is_one_sentence(
    arguments: list[str], code: int, message: str, python: str, device_bundle: Path
) -> None:
    done = run(python, device_bundle, *arguments)
    assert done.returncode == code
    assert done.stdout == ""
    assert message in done.stderr
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1
    assert not (device_bundle.parent / "never").exists()


def test_a_damaged_bundle_is_one_sentence(python: str, device_bundle: Path, tmp_path: Path) -> None:
    copy = tmp_path / "bundle"
    shutil.copytree(device_bundle, copy)
    (copy / "manifest.json").write_text('{"schema_version": 1}')
    for command in (["bench"], [*TRACK, "--point", "1,2"]):
        done = run(python, copy, *command)
        assert done.returncode == 1
        assert "lacks or misstates a field" in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert run(python, copy, "doctor").returncode == 1


def test_the_bundle_lists_the_app(device_bundle: Path) -> None:
    manifest = open_bundle(str(device_bundle)).manifest
    assert manifest.opset == 15
    assert manifest.target["opset"] == 15
    assert {"device.pyz", "README.txt"} < set(manifest.files)
    assert len((device_bundle / "README.txt").read_text().splitlines()) == 3
