"""Graphs that few videos need are opened for the first frame that does, and checked before."""

import shutil
from pathlib import Path
from typing import NoReturn

import pytest

from sam2lite.contracts.families.sam2 import FAMILY
from sam2lite.errors import BundleError, SessionError
from sam2lite.runtimes.bundle import open_bundle
from sam2lite.runtimes.segmenter import VideoSegmenter
from tests.doubles.sam2_bundle import FunctionSession, Sam2Bundle
from tests.runtimes.rules.sam2.clip import clip

FRAMES = clip(4)
CLICK = [(30, 20)]
ALWAYS = {"image_encoder@64", "mask_decoder@64", "memory_encoder@64"}
ALL = {graph.key(64) for graph in FAMILY.graphs}


class CountingBundle(Sam2Bundle):
    """Counts how often graphs are opened and checked; some cannot be opened."""

    def __init__(self, refused: str = "") -> None:
        super().__init__()
        self.opened: list[str] = []
        self.checked: list[str] = []
        self.refused = refused

    def open_session(
        self, key: str, threads: int | None = None, provider: str | None = None
    ) -> FunctionSession:
        if key == self.refused:
            raise SessionError(f"no memory for {key}")
        self.opened.append(key)
        return super().open_session(key, threads, provider)

    def check_graph(self, key: str) -> None:
        self.checked.append(key)


def test_a_graph_is_opened_once_and_for_the_first_frame_that_needs_it() -> None:
    bundle = CountingBundle()
    with VideoSegmenter(bundle, rung=64) as segmenter:
        segmenter.prompt(FRAMES[0], points=CLICK)
        assert set(bundle.opened) == ALWAYS
        for frame in FRAMES:
            segmenter.track(frame)
    assert set(bundle.opened) == ALWAYS | {"memory_attention_2@64", "memory_attention_4@64"}
    assert len(bundle.opened) == len(set(bundle.opened))
    assert set(bundle.checked) == ALL - ALWAYS


def test_who_is_in_a_hurry_prepares() -> None:
    bundle = CountingBundle()
    with VideoSegmenter(bundle, rung=64) as segmenter:
        segmenter.prepare()
        segmenter.prepare()
        assert sorted(bundle.opened) == sorted(ALL)
        segmenter.set_rung(128)  # and so are the sizes to come
        assert len(bundle.opened) == 2 * len(ALL)
        before = len(bundle.opened)
        segmenter.prompt(FRAMES[0], points=CLICK)
        for frame in FRAMES:
            segmenter.track(frame)
        assert len(bundle.opened) == before


def test_a_frame_budget_opens_everything_at_once() -> None:
    bundle = CountingBundle()
    with VideoSegmenter(bundle, budget_ms=1e6, rung=64):
        assert sorted(bundle.opened) == sorted(ALL)


def test_sessions_that_were_opened_late_are_closed() -> None:
    bundle = CountingBundle()
    with VideoSegmenter(bundle, rung=64) as segmenter:
        segmenter.prompt(FRAMES[0], points=CLICK)
        segmenter.track(FRAMES[0])
        segmenter.track(FRAMES[1])
    with pytest.raises(SessionError, match="closed"):
        bundle.sessions["memory_attention_2@64"].run({})


def test_a_frame_can_be_tried_again_when_its_graph_could_not_be_opened() -> None:
    bundle = CountingBundle(refused="memory_attention_2@64")
    with VideoSegmenter(bundle, rung=64) as segmenter:
        segmenter.prompt(FRAMES[0], points=CLICK)
        segmenter.track(FRAMES[0])
        with pytest.raises(SessionError, match="no memory for memory_attention_2@64"):
            segmenter.track(FRAMES[1], frame_index=1)
        bundle.refused = ""
        assert segmenter.track(FRAMES[1], frame_index=1).objects[1].visible


def test_what_a_backend_refuses_is_refused_before_the_first_frame(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(bundle: Sam2Bundle, key: str) -> NoReturn:
        raise BundleError(f"the engine of {key} is not built yet")

    monkeypatch.setattr(Sam2Bundle, "check_graph", refuse)
    with pytest.raises(BundleError, match="memory_attention_2@64 is not built yet"):
        VideoSegmenter(Sam2Bundle(), rung=64)


def test_a_file_with_weights_elsewhere_is_refused_by_the_check(
    mini_bundle: Path, tmp_path: Path
) -> None:
    path = tmp_path / "bundle"
    shutil.copytree(mini_bundle, path)
    bundle = open_bundle(str(path))
    bundle.check_graph("mask_decoder@240")
    entry = bundle.manifest.graphs["mask_decoder@240"]
    (path / entry.file).write_bytes(b"no graph")
    with pytest.raises(BundleError, match="mask_decoder@240"):
        bundle.check_graph("mask_decoder@240")
