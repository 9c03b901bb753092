"""The site of the shipped weights in a real browser, beside the same graphs on this machine.

Wants onnxruntime-web's archive: in the working folder, or where $SAM2LITE_ORT_WEB says.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from sam2lite import Recipe, export
from sam2lite.data.clips import Clip, first_click, generate_clip
from sam2lite.data.eval_sets import EVAL_SETS
from sam2lite.exporter.web.runtime_files import ARCHIVE
from sam2lite.runtimes import rle
from sam2lite.runtimes.results import FrameResult
from sam2lite.runtimes.segmenter import VideoSegmenter
from tests.chromium import VARIABLE, Page, find_chromium
from tests.conftest import RUNGS
from tests.exporter.web.site_in_chromium import choose, click, download, open_site, play, served

RUNTIME = Path(os.environ.get("SAM2LITE_ORT_WEB", ARCHIVE))
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        find_chromium() is None, reason=f"no chromium on the path, nor in ${VARIABLE}"
    ),
    pytest.mark.skipif(not RUNTIME.exists(), reason=f"no {ARCHIVE} here, nor in $SAM2LITE_ORT_WEB"),
]
LEAST_IOU = 0.99
CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
SIZE = 320  # of the clip's frames, px


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("web") / "site"
    export(Recipe(backend="web", runtime=RUNTIME, sizes=RUNGS[:1], output=output))
    return output


@pytest.fixture(scope="module")
def url(site: Path) -> Iterator[str]:
    with served(site) as address:
        yield address


@pytest.fixture(scope="module")
def clip() -> Clip:
    return generate_clip(4, EVAL_SETS["eval-v1"].config)


@pytest.fixture
def frames(clip: Clip, tmp_path: Path) -> list[Path]:
    """The clip's frames as PNG, which no decoder changes."""
    paths = [tmp_path / f"{index:03d}.png" for index in range(len(clip.frames_rgb_thwc))]
    for path, frame in zip(paths, clip.frames_rgb_thwc, strict=True):
        cv2.imwrite(str(path), np.ascontiguousarray(frame[..., ::-1]))
    return paths


def clicks(clip: Clip) -> list[tuple[int, int]]:
    """Return a click on each of the two largest objects."""
    area = np.bincount(clip.labels_thw[0].ravel(), minlength=256)[1:]
    return [first_click(clip, int(key) + 1) for key in area.argsort()[::-1][:2]]


def native(site: Path, frames: list[Path], points: list[tuple[int, int]]) -> list[FrameResult]:
    pictures = [np.asarray(cv2.imread(str(path))) for path in frames]
    with VideoSegmenter(str(site)) as segmenter:
        segmenter.track(pictures[0], frame_index=0)
        for key, point in enumerate(points, start=1):
            segmenter.prompt(pictures[0], key, points=[point], frame_index=0)
        return [segmenter.track(each, frame_index=index) for index, each in enumerate(pictures)]


def test_masks_are_those_of_the_native_run_and_nothing_leaves(
    site: Path, url: str, clip: Clip, frames: list[Path], tmp_path: Path
) -> None:
    points = clicks(clip)
    with Page(1280, 900) as page:
        page.watch_requests()
        open_site(page, url)
        assert page.run("crossOriginIsolated")
        choose(page, frames)
        for key, (x, y) in enumerate(points, start=1):
            click(page, int(x), int(y), objects=key)
            page.run("document.getElementById('new').click()")
        play(page)
        found = download(page, tmp_path)
        assert page.errors == []
        outside = {each for each in page.requests if not each.startswith((url, "blob:"))}
        assert outside <= {"about:blank"}
        assert f"{url}page/loop/worker.js" in page.requests
        assert any(each.endswith("weights.bin") for each in page.requests)  # the worker's own
    wanted = native(site, frames, points)
    assert len(found["frames"]) == len(wanted)
    for given, expected in zip(found["frames"], wanted, strict=True):
        assert given["index"] == expected.frame_index
        for key, each in expected.objects.items():
            told = given["objects"][str(key)]
            assert told["visible"] == each.visible
            mask = rle.decode(told["rle"])
            union = (mask | each.mask).sum()
            assert not union or (mask & each.mask).sum() / union >= LEAST_IOU
            assert told["area"] == mask.sum()


def test_corrections_removing_and_a_budget(
    url: str, clip: Clip, frames: list[Path], tmp_path: Path
) -> None:
    (x, y), _ = clicks(clip)
    with Page(1280, 900) as page:
        open_site(page, url)
        page.run("budget.value = '33.3'; budget.dispatchEvent(new Event('change'))")
        choose(page, frames[:6])
        click(page, SIZE // 2, 4, objects=0, modifiers=8)  # Shift: there is no object yet
        page.wait("!document.getElementById('message').hidden")
        click(page, int(x), int(y), objects=1)
        click(page, SIZE - 4, 4, objects=1, modifiers=8)
        play(page)
        assert page.run("document.querySelector('[data-of=controller]').textContent") in (
            "holding",
            "settling",
            "saturated",
        )
        page.run("document.querySelector('#objects .remove').click()")
        page.wait("document.querySelector('#objects .remove').hidden")
        found = download(page, tmp_path)
        assert [frame["index"] for frame in found["frames"]] == list(range(6))
        assert found["frames"][0]["objects"]["1"]["prompted"]
        assert page.errors == []


def test_the_camera_is_followed(url: str) -> None:
    with Page(390, 844, CAMERA) as page:
        open_site(page, url)
        page.run("document.getElementById('camera').click()")
        page.wait("document.getElementById('status').textContent === 'following'", 60.0)
        click(page, 100, 100, objects=1)
        page.wait("document.querySelector('[data-of=first]').textContent.includes('ms')")
        assert page.run("document.documentElement.scrollWidth <= innerWidth")
        assert page.errors == []


def test_without_shared_memory_one_thread_runs_and_the_page_says_so(
    site: Path, frames: list[Path], tmp_path: Path
) -> None:
    plain = tmp_path / "plain"
    shutil.copytree(site, plain, copy_function=os.link)
    (plain / "isolation.js").unlink()
    with served(plain) as address, Page(1280, 900) as page:
        open_site(page, address)
        assert "no SharedArrayBuffer" in page.run("document.getElementById('said').textContent")
        assert "1 thread" in page.run("document.getElementById('device').textContent")
        choose(page, frames[:2])
        click(page, SIZE // 2, SIZE // 2, objects=1)


@pytest.mark.parametrize(
    ("name", "damage"), [("graphs/weights.bin", "changed"), ("manifest.json", "gone")]
)
def test_a_damaged_copy_is_said_so(site: Path, tmp_path: Path, name: str, damage: str) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(site, copy)
    content = bytearray((copy / name).read_bytes())
    (copy / name).unlink()
    if damage == "changed":
        content[100] ^= 1
        (copy / name).write_bytes(content)
    with served(copy) as address, Page(1280, 900) as page:
        page.open(address)
        page.wait("document.getElementById('status')?.className === 'broken'", 60.0)
        said = page.run("document.getElementById('message').textContent")
        assert name in said
        assert "cop" in said
