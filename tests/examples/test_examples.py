"""The programs of `examples/`, each run on a generated clip; what this machine lacks is doubled."""

import ast
import re
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from sam2lite.data.clips import ClipConfig, first_click, generate_clip, write_video
from sam2lite.data.clips.clip import Clip
from sam2lite.runtimes.presence import always_present
from sam2lite.runtimes.results import FrameResult
from sam2lite.runtimes.segmenter import VideoSegmenter
from tests.doubles import gstreamer, ros2
from tests.source_tree import ROOT

EXAMPLES = ROOT / "examples"
FRAMES = 10


@pytest.fixture(scope="module")
def clip() -> Clip:
    config = ClipConfig(height=90, width=122, frames=FRAMES, objects=(1, 1), object_size=(0.4, 0.5))
    return generate_clip(8, config)


@pytest.fixture(scope="module")
def frames(clip: Clip) -> list[np.ndarray]:
    return [np.ascontiguousarray(frame[:, :, ::-1]) for frame in clip.frames_rgb_thwc]


@pytest.fixture(scope="module")
def video(clip: Clip, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    write_video(clip, path, 24.0)
    return path


@pytest.fixture
def path_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs put their bundle's code first on the path; no other test must find it there."""
    monkeypatch.setattr(sys, "path", list(sys.path))


pytestmark = pytest.mark.usefixtures("path_is_kept")


def call(name: str, *arguments: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")


def loaded(name: str) -> SimpleNamespace:
    return SimpleNamespace(**runpy.run_path(str(EXAMPLES / name), run_name="example"))


def click_on(clip: Clip) -> str:
    x, y = first_click(clip, 1)
    return f"{x},{y}"


def true_box(clip: Clip, index: int) -> tuple[int, int, int, int]:
    x, y, width, height = cv2.boundingRect((clip.labels_thw[index] == 1).astype(np.uint8))
    return x, y, x + width, y + height


def test_the_loop_is_of_twenty_lines_and_follows(
    mini_bundle: Path,
    video: Path,
    clip: Clip,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert len((EXAMPLES / "loop.py").read_text().splitlines()) <= 20
    call("loop.py", mini_bundle, video, click_on(clip), monkeypatch=monkeypatch)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [str(index) for index in range(FRAMES)]
    assert all(re.fullmatch(r"\d+ (True|False) \d\.\d+ \d+", line) for line in lines)
    assert int(lines[0].split()[3]) > 0


def test_gstreamer_frames_are_those_of_the_pipeline(
    frames: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = gstreamer.Pipeline(frames, None, ends=True)
    for name, module in gstreamer.modules(pipeline).items():
        monkeypatch.setitem(sys.modules, name, module)
    given = list(loaded("gstreamer_appsink.py").frames("v4l2src"))
    assert len(given) == FRAMES
    assert all((a == b).all() for a, b in zip(given, frames, strict=True))
    assert pipeline.text.startswith("v4l2src ! ")
    assert "max-buffers=1 drop=true" in pipeline.text
    assert pipeline.states == ["playing", "null"]
    assert not any(sample.mapped for sample in pipeline.samples)


@pytest.mark.parametrize(
    ("failure", "message"), [("no device", "failed: no device"), (None, "no frame came for 5 s")]
)
def test_a_gstreamer_pipeline_that_fails_says_so(
    failure: str | None, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = gstreamer.Pipeline([], failure, ends=False)
    for name, module in gstreamer.modules(pipeline).items():
        monkeypatch.setitem(sys.modules, name, module)
    with pytest.raises(RuntimeError, match=message):
        list(loaded("gstreamer_appsink.py").frames("v4l2src"))
    assert pipeline.states == ["playing", "null"]


def test_gstreamer_follows(
    mini_bundle: Path,
    frames: list[np.ndarray],
    clip: Clip,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pipeline = gstreamer.Pipeline(frames[:4], None, ends=True)
    for name, module in gstreamer.modules(pipeline).items():
        monkeypatch.setitem(sys.modules, name, module)
    call("gstreamer_appsink.py", mini_bundle, click_on(clip), monkeypatch=monkeypatch)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert all(re.fullmatch(r"\d (\d+,\d+|unseen)", line) for line in lines)
    assert "videotestsrc" in pipeline.text


def test_the_colour_detector_finds_what_it_was_shown(clip: Clip, frames: list[np.ndarray]) -> None:
    detect = loaded("reseed_lost.py").colour_detector(frames[0], clip.labels_thw[0] == 1)
    for index in (0, 4, 9):
        x1, y1, x2, y2 = detect(frames[index])
        left, top, right, bottom = true_box(clip, index)
        shared = max(0, min(x2, right) - max(x1, left)) * max(0, min(y2, bottom) - max(y1, top))
        whole = (x2 - x1) * (y2 - y1) + (right - left) * (bottom - top) - shared
        assert shared / whole > 0.5
    assert detect(np.full_like(frames[0], 128)) is None


class HiddenFor:
    """A segmenter to which an object is out of sight from one frame to another one."""

    def __init__(self, segmenter: VideoSegmenter, hidden: range) -> None:
        self._segmenter, self._hidden = segmenter, hidden
        self.prompted: list[int] = []

    def prompt(self, frame: np.ndarray, **options: Any) -> Any:
        self.prompted.append(options["frame_index"])
        return self._segmenter.prompt(frame, **options)

    def track(self, frame: np.ndarray, frame_index: int) -> FrameResult:
        result = self._segmenter.track(frame, frame_index=frame_index)
        if frame_index not in self._hidden or frame_index in self.prompted:
            return result
        objects = {key: each._replace(visible=False) for key, each in result.objects.items()}
        return result._replace(objects=objects)


def test_a_lost_object_is_seeded_again_by_the_detector(
    mini_bundle: Path, clip: Clip, frames: list[np.ndarray]
) -> None:
    example = loaded("reseed_lost.py")
    with VideoSegmenter(always_present(opened(mini_bundle))) as segmenter:
        hidden = HiddenFor(segmenter, range(3, FRAMES))
        told = list(example.follow(hidden, frames, true_box(clip, 0)))
    assert [index for index, _, _ in told] == list(range(FRAMES))
    # Hidden from frame 3 on, and the detector is asked on the fourth of them.
    assert [index for index, _, helped in told if helped] == [3 + example.PATIENCE]
    assert hidden.prompted == [0, 3 + example.PATIENCE]
    seeded = told[3 + example.PATIENCE][1].objects[1]
    assert seeded.visible
    assert seeded.prompted


def test_a_detector_that_finds_nothing_changes_nothing(
    mini_bundle: Path, clip: Clip, frames: list[np.ndarray]
) -> None:
    example = loaded("reseed_lost.py")
    with VideoSegmenter(always_present(opened(mini_bundle))) as segmenter:
        hidden = HiddenFor(segmenter, range(2, FRAMES))
        blind = lambda frame, mask: lambda frame: None  # noqa: E731
        told = list(example.follow(hidden, frames, true_box(clip, 0), make_detector=blind))
    assert not any(helped for _, _, helped in told)
    assert hidden.prompted == [0]


def test_reseeding_runs_on_a_video(
    mini_bundle: Path,
    video: Path,
    clip: Clip,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    box = ",".join(map(str, true_box(clip, 0)))
    call("reseed_lost.py", mini_bundle, video, box, monkeypatch=monkeypatch)
    assert len(capsys.readouterr().out.splitlines()) == FRAMES


def opened(bundle: Path) -> Any:
    from sam2lite.runtimes.bundle import open_bundle

    return open_bundle(str(bundle))


@pytest.fixture
def node(mini_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name, module in ros2.modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(ros2.Node, "parameters", {"bundle": str(mini_bundle), "budget_ms": 60000.0})
    made = loaded("ros2_node.py").FollowNode()
    yield made
    made.segmenter.close()


def ask(node: Any, **roi: int) -> Any:
    request = SimpleNamespace(camera_info=SimpleNamespace(roi=ros2.RegionOfInterest(**roi)))
    return node.services["prompt"](request, SimpleNamespace(success=None, status_message=None))


def test_the_ros_node_follows_what_its_service_is_told(
    node: Any, clip: Clip, frames: list[np.ndarray]
) -> None:
    assert node.name == "sam2lite"
    assert not ask(node, x_offset=1, y_offset=1).success  # no image yet
    for stamp, frame in enumerate(frames[:3]):
        node.subscribed["image"](ros2.Image(stamp, "bgr8", frame))
    assert node.published == {"mask": [], "box": [], "lost": []}  # nothing is followed yet

    left, top, right, bottom = true_box(clip, 2)
    answer = ask(node, x_offset=left, y_offset=top, width=right - left, height=bottom - top)
    assert (answer.success, answer.status_message) == (True, "image 2")
    for stamp, frame in enumerate(frames[3:6], 3):
        node.subscribed["image"](ros2.Image(stamp, "bgr8", frame))
    masks, boxes, lost = (node.published[topic] for topic in ("mask", "box", "lost"))
    assert [mask.header for mask in masks] == [3, 4, 5]
    for mask, box, is_lost in zip(masks, boxes, lost, strict=True):
        assert mask.pixels.shape == frames[0].shape[:2]
        assert set(np.unique(mask.pixels)) <= {0, 255}
        x, y, width, height = cv2.boundingRect(mask.pixels)
        assert box == ros2.RegionOfInterest(x, y, width, height)
        assert is_lost.data == (not mask.pixels.any())

    x, y = first_click(clip, 1)
    assert ask(node, x_offset=x, y_offset=y).success  # corrects what is followed
    assert node.segmenter.object_ids == [1]
    assert not node.errors


def test_the_ros_node_says_no_in_a_sentence(node: Any, frames: list[np.ndarray]) -> None:
    node.subscribed["image"](ros2.Image(0, "bgr8", frames[0]))
    answer = ask(node, x_offset=5000, y_offset=3)
    assert not answer.success
    assert "outside" in answer.status_message
    assert ask(node, x_offset=30, y_offset=30).success
    node.subscribed["image"](ros2.Image(1, "bgr8", frames[1][:40]))
    assert len(node.errors) == 1
    assert node.published["mask"] == []
    node.subscribed["image"](ros2.Image(2, "bgr8", frames[1]))
    assert len(node.published["mask"]) == 1


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_examples_run_on_a_board(path: Path) -> None:
    """They keep to Python 3.6, import no package of a PC, and are in the list of the page."""
    tree = ast.parse(path.read_text(), feature_version=(3, 6))
    assert ast.get_docstring(tree)
    packages = {
        name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else names_of(node))
    }
    board = {"sys", "cv2", "numpy", "sam2lite", "gi", "rclpy", "cv_bridge", "sensor_msgs"}
    assert packages <= board | {"std_msgs"}
    assert f"[{path.name}]({path.name})" in (EXAMPLES / "README.md").read_text()


def names_of(node: ast.Import) -> list[str]:
    return [alias.name for alias in node.names]
