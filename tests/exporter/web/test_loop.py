"""The page's loop does what the Python loop does, by traces and by a recorded run."""

import json
import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

from sam2lite.exporter.web.backend import SITE
from sam2lite.runtimes import rle
from sam2lite.runtimes.geometry import network_input
from tests.exporter.web.recording import record

HERE = Path(__file__).parent
TRACES = HERE.parents[2] / "ios" / "Tests" / "SAM2LiteTests" / "Traces"
NODE = shutil.which("node")
MOST_OFF = 0.01  # of the bytes, by one: OpenCV rounds otherwise on other processors
pytestmark = pytest.mark.skipif(NODE is None, reason="node is not on the path")


def node(*arguments: str | Path) -> str:
    done = subprocess.run(
        [NODE or "", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_parts_do_what_the_traces_of_python_say() -> None:
    assert node(HERE / "traces.mjs", SITE, TRACES) == "equal\n"


def test_a_recorded_run_is_repeated(
    mini_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = record(mini_bundle, tmp_path, monkeypatch)
    given = json.loads(node(HERE / "replay.mjs", SITE, tmp_path))
    assert len(given) == len(expected)
    seen = 0
    for step, (found, wanted) in enumerate(zip(given, expected, strict=True)):
        assert found.keys() == wanted.keys(), step
        for key, object_wanted in wanted.items():
            ours = found[key]
            assert ours["visible"] == object_wanted["visible"], (step, key)
            assert ours["lost"] == object_wanted["lost"], (step, key)
            assert ours["iou"] == pytest.approx(object_wanted["iou"], abs=1e-5)
            assert ours["score"] == pytest.approx(object_wanted["score"], abs=1e-4)
            mask, mask_wanted = rle.decode(ours["rle"]), rle.decode(object_wanted["rle"])
            assert (mask != mask_wanted).sum() <= 2, (step, key)  # pixels on a threshold
            seen += int(mask.any() and not mask.all())
    assert seen > len(expected)  # objects that are there, and not all of the frame


@pytest.mark.parametrize(
    ("width", "height", "side"),
    [(320, 320, 240), (640, 360, 240), (1280, 721, 288), (240, 240, 240), (99, 700, 336)],
)
def test_pictures_become_the_same_bytes(width: int, height: int, side: int, tmp_path: Path) -> None:
    picture = np.random.RandomState(0).randint(0, 256, (height, width, 4)).astype(np.uint8)
    (tmp_path / "rgba").write_bytes(picture.tobytes())
    command = [NODE or "", HERE / "stretch.mjs", SITE, tmp_path / "rgba", width, height, side]
    done = subprocess.run([str(each) for each in command], capture_output=True, check=True)
    given = np.frombuffer(done.stdout, np.uint8).reshape(1, 3, side, side)
    expected = network_input(cv2.cvtColor(picture, cv2.COLOR_RGBA2BGR), side)
    off = np.abs(given.astype(int) - expected.astype(int))
    assert off.max() <= 1
    assert (off > 0).mean() < MOST_OFF


@pytest.mark.parametrize("path", sorted(SITE.rglob("*.js")), ids=lambda path: path.name)
def test_sources_are_small_and_of_this_site(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("// ")
    assert len(text.splitlines()) <= 400
    assert "http:" not in text
    assert "https:" not in text


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("tsc") is None, reason="tsc is not on the path")
def test_types_hold(tmp_path: Path) -> None:
    settings = {
        "compilerOptions": {
            "allowJs": True,
            "checkJs": True,
            "noEmit": True,
            "strict": True,
            "target": "es2023",
            "module": "es2022",
            "moduleResolution": "bundler",
            "lib": ["es2023", "dom", "dom.iterable", "webworker.importscripts"],
            "types": [],
        },
        "files": [str(SITE / "page/view/page.js"), str(SITE / "page/loop/worker.js")],
    }
    (tmp_path / "tsconfig.json").write_text(json.dumps(settings))
    done = subprocess.run(["tsc", "-p", str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
