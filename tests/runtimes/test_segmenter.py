import re
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from sam2lite.contracts.families.sam2lite import TOKENS_PER_FRAME
from sam2lite.contracts.loop import MAX_OBJECTS
from sam2lite.errors import (
    ArgumentError,
    BundleError,
    PromptError,
    SessionError,
    UnknownNameError,
)
from sam2lite.runtimes.bundle import Bundle, open_bundle
from sam2lite.runtimes.rules.sam2lite.mask_prompt import mask_logits
from sam2lite.runtimes.rules.sam2lite.memory_bank import MemoryBank
from sam2lite.runtimes.segmenter import VideoSegmenter
from sam2lite.runtimes.session import Session

WIDTH, HEIGHT = 160, 120
CLICK = [(80, 60)]
BOX = (40, 30, 120, 90)

Alter = Callable[[dict[str, np.ndarray]], None]


class Spy(Session):
    """Passes everything on to a real session, counts the runs and may alter what comes out."""

    def __init__(self, inner: Session) -> None:
        super().__init__(inner.spec)
        self.inner = inner
        self.runs = 0
        self.last_inputs: dict[str, Any] = {}
        self.alter: Alter | None = None
        self._altered: dict[str, np.ndarray] = {}  # handles made from arrays do not own them

    def numpy(self, handle: Any) -> np.ndarray:
        return self.inner.numpy(handle)

    def _describe(self, value: Any) -> tuple[str, tuple[int, ...]]:
        return self.inner._describe(value)

    def _run(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        self.runs += 1
        self.last_inputs = dict(inputs)
        outputs = self.inner.run(inputs)
        if self.alter is None:
            return outputs
        self._altered = {name: self.numpy(handle).copy() for name, handle in outputs.items()}
        self.alter(self._altered)
        wrap = onnxruntime.OrtValue.ortvalue_from_numpy
        return {name: wrap(array) for name, array in self._altered.items()}

    def _close(self) -> None:
        self.inner.close()


class SpiedBundle(Bundle):
    def __init__(self, bundle: Bundle) -> None:
        super().__init__(bundle.path, bundle.manifest, bundle.sha256, bundle.backend)
        self.spies: dict[str, Spy] = {}

    def open_session(
        self, key: str, threads: int | None = None, provider: str | None = None
    ) -> Session:
        self.spies[key] = Spy(super().open_session(key, threads, provider))
        return self.spies[key]

    def __getitem__(self, graph: str) -> Spy:
        return self.spies[f"{graph}@240"]


@pytest.fixture(scope="module")
def opened(tiny_bundle: Path) -> Bundle:
    return open_bundle(str(tiny_bundle))


@pytest.fixture
def bundle(opened: Bundle) -> SpiedBundle:
    return SpiedBundle(opened)


@pytest.fixture
def segmenter(bundle: SpiedBundle) -> Iterator[VideoSegmenter]:
    with VideoSegmenter(bundle, rung=240) as segmenter:
        yield segmenter


def frame(index: int) -> np.ndarray:
    """Texture that moves to the left."""
    noise = np.random.default_rng(0).integers(0, 256, (HEIGHT, 2 * WIDTH, 3), np.uint8)
    return np.ascontiguousarray(noise[:, index : index + WIDTH])


def bank(segmenter: VideoSegmenter, object_id: int = 1) -> MemoryBank:
    memory = segmenter._objects[object_id].memory
    assert isinstance(memory, MemoryBank)
    return memory


def fill(name: str, value: float) -> Alter:
    def alter(outputs: dict[str, np.ndarray]) -> None:
        outputs[name][:] = value

    return alter


def test_a_prompt_and_track_on_one_frame_count_once(
    segmenter: VideoSegmenter, bundle: SpiedBundle
) -> None:
    prompted = segmenter.prompt(frame(0), points=CLICK)
    result = segmenter.track(frame(0))
    assert result.frame_index == 0
    assert (bundle["image_encoder"].runs, bundle["mask_decoder"].runs) == (1, 1)
    assert bank(segmenter).stored == 1
    assert result.objects[1].prompted
    np.testing.assert_array_equal(result.masks[1], prompted.mask)
    assert segmenter.track(frame(1)).frame_index == 1
    assert (bundle["image_encoder"].runs, bank(segmenter).stored) == (2, 2)


def test_the_same_picture_again_is_the_next_frame(segmenter: VideoSegmenter) -> None:
    segmenter.prompt(frame(0), points=CLICK)
    assert [segmenter.track(frame(0)).frame_index for _ in range(3)] == [0, 1, 2]
    assert bank(segmenter).stored == 3


def test_results_fit_the_frame(segmenter: VideoSegmenter) -> None:
    segmenter.prompt(frame(0), object_id=7, box=BOX)
    result = segmenter.track(frame(1))
    found = result.objects[7]
    assert (found.mask.dtype.name, found.mask.shape) == ("bool", (HEIGHT, WIDTH))
    assert (found.logits.dtype.name, found.logits.shape) == ("float32", (60, 60))
    assert found.visible
    assert not (found.lost or found.prompted or result.lost)
    assert result.rung == segmenter.rung == 240
    assert result.controller is None
    assert all(result.stage_ms[name] > 0.0 for name in result.stage_ms)
    assert result.stage_ms["total"] <= sum(result.stage_ms.values())


def test_a_mask_prompt_is_the_mask(segmenter: VideoSegmenter) -> None:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[30:90, 40:120] = 255
    segmenter.prompt(frame(0), mask=mask)
    found = segmenter.track(frame(0)).objects[1]
    np.testing.assert_array_equal(found.logits, mask_logits(mask, 60)[0, 0])
    assert (found.mask & (mask > 0)).sum() / (found.mask | (mask > 0)).sum() > 0.95


def test_several_objects_share_one_encode(segmenter: VideoSegmenter, bundle: SpiedBundle) -> None:
    for object_id in (3, 1, 2):
        segmenter.prompt(frame(0), object_id, points=[(40 * object_id, 60)])
    assert sorted(segmenter.track(frame(0)).objects) == segmenter.object_ids == [1, 2, 3]
    assert (bundle["image_encoder"].runs, bundle["mask_decoder"].runs) == (1, 3)
    segmenter.track(frame(1))
    assert (bundle["image_encoder"].runs, bundle["mask_decoder"].runs) == (2, 6)


def test_an_object_does_not_see_the_others(opened: Bundle) -> None:
    def masks(with_other: bool) -> list[np.ndarray]:
        with VideoSegmenter(opened, rung=240) as segmenter:
            if with_other:
                segmenter.prompt(frame(0), 2, box=BOX)
            segmenter.prompt(frame(0), 1, points=CLICK)
            return [segmenter.track(frame(index)).objects[1].logits for index in range(4)]

    for alone, together in zip(masks(False), masks(True), strict=True):
        np.testing.assert_array_equal(alone, together)


def test_an_object_may_join_later(segmenter: VideoSegmenter, bundle: SpiedBundle) -> None:
    segmenter.prompt(frame(0), 1, points=CLICK)
    segmenter.track(frame(0))
    segmenter.track(frame(1))
    segmenter.prompt(frame(1), 2, points=CLICK)  # after track has returned the frame
    assert bundle["image_encoder"].runs == 2
    segmenter.prompt(frame(2), 3, points=CLICK)  # before
    result = segmenter.track(frame(2))
    assert result.frame_index == 2
    assert [found.prompted for _, found in sorted(result.objects.items())] == [False, False, True]
    assert [bank(segmenter, object_id).stored for object_id in (1, 2, 3)] == [3, 2, 1]


def test_frames_without_objects_are_only_counted(
    segmenter: VideoSegmenter, bundle: SpiedBundle
) -> None:
    for index in range(3):
        result = segmenter.track(frame(index))
        assert (result.frame_index, result.objects, result.masks) == (index, {}, {})
    assert bundle["image_encoder"].runs == 0
    segmenter.prompt(frame(3), points=CLICK)
    assert segmenter.track(frame(3)).frame_index == 3


def test_clicks_beside_a_new_object_name_nothing(segmenter: VideoSegmenter) -> None:
    beside: dict[str, Any] = {"points": [(10, 10), (40, 40)], "labels": [0, 0]}
    with pytest.raises(PromptError, match="object 7 is new and its clicks are all beside it"):
        segmenter.prompt(frame(0), 7, **beside)
    assert segmenter.object_ids == []
    segmenter.prompt(frame(0), 7, **beside, box=(5, 5, 60, 60))
    assert segmenter.prompt(frame(0), 7, **beside).prompted  # known by now: a correction


def test_a_correction_replaces_the_memory_of_its_frame_by_an_anchor(
    segmenter: VideoSegmenter, bundle: SpiedBundle
) -> None:
    segmenter.prompt(frame(0), points=CLICK)
    segmenter.track(frame(0))
    before = segmenter.track(frame(1)).objects[1]
    assert not bank(segmenter).columns["anchor"][bank(segmenter).columns["ordinal"] == 1].any()

    corrected = segmenter.correct(1, points=[(10, 10)], labels=[0])
    columns = bank(segmenter).columns
    is_current = columns["valid"] & (columns["ordinal"] == 1)
    assert bank(segmenter).stored == 2
    assert is_current.sum() == TOKENS_PER_FRAME
    assert columns["anchor"][is_current].all()
    assert (columns["age"][is_current] == 0).all()
    assert bundle["image_encoder"].runs == 2
    assert corrected.prompted
    hint = bundle["mask_decoder"].last_inputs
    np.testing.assert_array_equal(hint["mask_prompt_b1hw"][0, 0], before.logits)
    assert hint["mask_prompt_flag_b111"].item() == 1.0
    assert segmenter.track(frame(2)).frame_index == 2


def test_prompting_a_tracked_object_on_its_frame_is_a_correction(opened: Bundle) -> None:
    def logits(by_prompt: bool) -> np.ndarray:
        with VideoSegmenter(opened, rung=240) as segmenter:
            segmenter.prompt(frame(0), points=CLICK)
            segmenter.track(frame(0))
            segmenter.track(frame(1))
            if by_prompt:
                return segmenter.prompt(frame(1), points=[(100, 60)]).logits
            return segmenter.correct(1, points=[(100, 60)]).logits

    np.testing.assert_array_equal(logits(True), logits(False))


def test_a_correction_needs_an_object_and_a_frame(segmenter: VideoSegmenter) -> None:
    with pytest.raises(ArgumentError, match=r"no object 1 to correct; known: \[\]"):
        segmenter.correct(1, points=CLICK)
    segmenter.prompt(frame(0), points=CLICK)
    with pytest.raises(ArgumentError, match=r"no object 2 to correct; known: \[1\]"):
        segmenter.correct(2, points=CLICK)


def test_a_removed_object_is_forgotten_and_may_come_back(segmenter: VideoSegmenter) -> None:
    segmenter.prompt(frame(0), 1, points=CLICK)
    segmenter.prompt(frame(0), 2, points=CLICK)
    segmenter.track(frame(0))
    segmenter.remove(1)
    assert list(segmenter.track(frame(1)).objects) == [2]
    with pytest.raises(ArgumentError, match=r"no object 1 to remove; known: \[2\]"):
        segmenter.remove(1)
    segmenter.prompt(frame(1), 1, points=CLICK)
    assert bank(segmenter).stored == 1


def test_reset_starts_another_video(segmenter: VideoSegmenter) -> None:
    first = segmenter.prompt(frame(0), points=CLICK)
    segmenter.track(frame(1))
    with pytest.raises(ArgumentError, match=r"160x110.*160x120.*reset"):
        segmenter.track(frame(2)[:110])
    segmenter.reset()
    assert segmenter.object_ids == []
    again = segmenter.prompt(frame(0), points=CLICK)
    np.testing.assert_array_equal(again.logits, first.logits)
    segmenter.reset()
    small = segmenter.track(frame(0)[:110])
    assert small.frame_index == 0


def test_the_limit_of_objects(segmenter: VideoSegmenter) -> None:
    for object_id in range(MAX_OBJECTS):
        segmenter.prompt(frame(0), object_id, points=CLICK)
    with pytest.raises(ArgumentError, match="16 objects at a time is the limit"):
        segmenter.prompt(frame(1), MAX_OBJECTS, points=CLICK)
    segmenter.remove(0)
    segmenter.prompt(frame(0), MAX_OBJECTS, points=CLICK)
    assert segmenter.object_ids == list(range(1, MAX_OBJECTS + 1))


def test_a_refused_prompt_changes_nothing(segmenter: VideoSegmenter, bundle: SpiedBundle) -> None:
    segmenter.prompt(frame(0), points=CLICK)
    segmenter.track(frame(0))
    for refused in ({"points": [(WIDTH + 1, 0)]}, {"box": (0, 0, 0, 0)}, {}):
        with pytest.raises(PromptError):
            segmenter.prompt(frame(1), 2, **refused)
        with pytest.raises(PromptError):
            segmenter.correct(1, **refused)
    assert segmenter.object_ids == [1]
    assert bank(segmenter).stored == 1
    assert bundle["mask_decoder"].runs == 1
    assert segmenter.track(frame(1)).frame_index == 1
    assert (bank(segmenter).columns["age"].max(), bank(segmenter).stored) == (1, 2)


@pytest.mark.parametrize("bad", [None, np.zeros((HEIGHT, WIDTH), np.uint8), "frame.png"])
def test_what_is_no_frame_is_refused(segmenter: VideoSegmenter, bad: Any) -> None:
    with pytest.raises(ArgumentError, match="a frame must be"):
        segmenter.track(bad)
    with pytest.raises(ArgumentError, match="a frame must be"):
        segmenter.prompt(bad, points=CLICK)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize(
    ("graph", "output"),
    [
        ("image_encoder", "features_s16_bchw"),
        ("mask_decoder", "mask_logits_bmhw"),
        ("mask_decoder", "iou_bm"),
        ("mask_decoder", "object_score_b1"),
        ("mask_decoder", "object_pointer_bmc"),
        ("memory_encoder", "token_value_bnc"),
        ("memory_encoder", "token_uncertainty_bn"),
    ],
)
def test_a_number_that_is_not_finite_loses_one_frame_and_no_more(
    segmenter: VideoSegmenter, bundle: SpiedBundle, graph: str, output: str, value: float
) -> None:
    segmenter.prompt(frame(0), points=CLICK)
    segmenter.track(frame(0))
    before = {name: column.copy() for name, column in bank(segmenter).columns.items()}
    bundle[graph].alter = fill(output, value)
    result = segmenter.track(frame(1))
    bundle[graph].alter = None
    found = result.objects[1]
    assert (found.lost, found.visible, result.lost, result.masks) == (True, False, True, {})
    assert not found.mask.any()
    assert bank(segmenter).stored == 1
    for name, column in bank(segmenter).columns.items():
        np.testing.assert_array_equal(column, before[name] + (name == "age"))
    after = segmenter.track(frame(2)).objects[1]
    assert (after.lost, after.visible) == (False, True)
    assert np.isfinite(after.logits).all()
    assert bank(segmenter).stored == 2


def test_a_lost_prompt_can_be_given_again(segmenter: VideoSegmenter, bundle: SpiedBundle) -> None:
    bundle["mask_decoder"].alter = fill("mask_logits_bmhw", np.nan)
    assert segmenter.prompt(frame(0), points=CLICK).lost
    assert bank(segmenter).stored == 0
    bundle["mask_decoder"].alter = None
    assert segmenter.prompt(frame(0), points=CLICK).visible
    assert bundle["mask_decoder"].last_inputs["mask_prompt_flag_b111"].item() == 0.0
    assert bank(segmenter).stored == 1


def test_an_absent_object_writes_no_memory_and_may_return(
    segmenter: VideoSegmenter, bundle: SpiedBundle
) -> None:
    bundle["mask_decoder"].alter = fill("object_score_b1", -1.0)
    assert segmenter.prompt(frame(0), points=CLICK).visible  # the user says that it is there
    segmenter.track(frame(0))
    encoded = bundle["memory_encoder"].runs
    for index in (1, 2, 3):
        found = segmenter.track(frame(index)).objects[1]
        assert (found.visible, found.lost, found.object_score) == (False, False, -1.0)
        assert not found.mask.any()
    assert bundle["memory_encoder"].runs == encoded
    assert bank(segmenter).stored == 1
    assert bank(segmenter).columns["age"].max() == 3
    bundle["mask_decoder"].alter = None
    assert segmenter.track(frame(4)).objects[1].visible
    assert bank(segmenter).stored == 2


def test_the_candidate_with_the_best_estimate_is_chosen(
    segmenter: VideoSegmenter, bundle: SpiedBundle
) -> None:
    def prefer_third(outputs: dict[str, np.ndarray]) -> None:
        outputs["iou_bm"][:] = [0.1, 0.9, 0.9, 0.2]  # the first of equals counts
        outputs["mask_logits_bmhw"][:] = np.arange(4, dtype=np.float32).reshape(1, 4, 1, 1)
        outputs["object_pointer_bmc"][:] = np.arange(4, dtype=np.float32).reshape(1, 4, 1)

    bundle["mask_decoder"].alter = prefer_third
    found = segmenter.prompt(frame(0), points=CLICK)
    assert (found.logits == 1.0).all()
    assert found.iou == pytest.approx(0.9)
    assert (bundle["memory_encoder"].last_inputs["object_pointer_bc"] == 1.0).all()


def test_another_rung_goes_on_with_the_same_memory(
    segmenter: VideoSegmenter, bundle: SpiedBundle
) -> None:
    segmenter.prompt(frame(0), points=CLICK)
    segmenter.track(frame(0))
    segmenter.track(frame(1))
    kept = bank(segmenter).key
    segmenter.set_rung(336)
    result = segmenter.track(frame(2))
    assert (result.rung, result.objects[1].logits.shape) == (336, (84, 84))
    assert bundle.spies["mask_decoder@336"].last_inputs["memory_key_bnc"] is kept
    assert bank(segmenter).stored == 3
    assert (bank(segmenter).columns["valid"]).sum() == 3 * TOKENS_PER_FRAME
    segmenter.set_rung(240)
    assert segmenter.track(frame(3)).rung == 240
    assert bank(segmenter).stored == 4


def test_the_bundle_must_hold_the_rung(segmenter: VideoSegmenter, bundle: SpiedBundle) -> None:
    with pytest.raises(UnknownNameError, match="rung 241; known: 240, 336, 480"):
        segmenter.set_rung(241)
    with pytest.raises(UnknownNameError, match="rung 241"):
        VideoSegmenter(bundle, rung=241)


@pytest.mark.parametrize(
    ("budget_ms", "start", "goal"), [(1e-3, 480, 240), (1e6, 240, 480)], ids=["down", "up"]
)
def test_the_controller_changes_the_rung_and_loses_no_frame(
    opened: Bundle, budget_ms: float, start: int, goal: int
) -> None:
    with VideoSegmenter(opened, budget_ms=budget_ms, rung=start) as segmenter:
        segmenter.prompt(frame(0), points=CLICK)
        results = [segmenter.track(frame(index)) for index in range(2)]
        while results[-1].rung != goal and len(results) < 300:  # rungs load in the background
            results.append(segmenter.track(frame(len(results) % WIDTH)))
        assert results[0].rung == start
        assert results[-1].rung == goal
        assert [result.frame_index for result in results] == list(range(len(results)))
        assert all(result.objects[1].visible for result in results)
        assert bank(segmenter).stored == len(results)
        state = results[-1].controller
        assert state is not None
        assert state.rung in opened.manifest.rungs
        assert state.latency_ms > 0.0
        with pytest.raises(ArgumentError, match="budget"):
            segmenter.set_rung(240)


def test_frames_with_prompts_do_not_count_for_the_controller(opened: Bundle) -> None:
    with VideoSegmenter(opened, budget_ms=1e-3, rung=240) as segmenter:
        for index in range(8):
            segmenter.prompt(frame(index), points=CLICK)
            state = segmenter.track(frame(index)).controller
            assert state is not None
            assert (state.latency_ms, state.status) == (0.0, "settling")


@pytest.mark.parametrize("budget_ms", [0.0, -1.0, float("nan")])
def test_a_budget_must_be_positive(opened: Bundle, budget_ms: float) -> None:
    with pytest.raises(ArgumentError, match="budget"):
        VideoSegmenter(opened, budget_ms=budget_ms)


def test_memory_does_not_grow(segmenter: VideoSegmenter) -> None:
    segmenter.prompt(frame(0), points=CLICK)

    def shapes() -> dict[str, tuple[int, ...]]:
        columns = bank(segmenter).columns
        arrays = {name: tuple(column.shape) for name, column in columns.items()}
        key, value = (
            segmenter._rungs.loader.numpy(h) for h in (bank(segmenter).key, bank(segmenter).value)
        )
        return {**arrays, "key": key.shape, "value": value.shape}

    at_first = shapes()
    for index in range(40):
        segmenter.track(frame(index))
    assert bank(segmenter).stored == 40
    assert shapes() == at_first
    first = bank(segmenter).columns["ordinal"] == 0
    assert (first & bank(segmenter).columns["valid"]).sum() == TOKENS_PER_FRAME  # the prompt


@pytest.mark.parametrize("budget_ms", [None, 30.0])
def test_a_closed_segmenter_says_so(opened: Bundle, budget_ms: float | None) -> None:
    segmenter = VideoSegmenter(opened, rung=240, budget_ms=budget_ms)
    segmenter.prompt(frame(0), points=CLICK)
    segmenter.close()
    segmenter.close()
    with pytest.raises(SessionError, match="closed"):
        segmenter.track(frame(1))


def test_a_missing_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="there is no bundle"):
        VideoSegmenter(str(tmp_path / "nothing"))


@pytest.mark.parametrize("wrong", ["1", 1.5, 1.0, True, None, 2**63, -(2**63) - 1, np.float32(1)])
def test_an_id_is_an_integer_of_64_bits(segmenter: VideoSegmenter, wrong: Any) -> None:
    segmenter.prompt(frame(0), points=CLICK)
    for call in (
        lambda: segmenter.prompt(frame(0), wrong, points=CLICK),
        lambda: segmenter.correct(wrong, points=CLICK),
        lambda: segmenter.remove(wrong),
    ):
        with pytest.raises(PromptError, match="it must be a whole number, -9223"):
            call()
    assert segmenter.object_ids == [1]
    assert segmenter.track(frame(0)).frame_index == 0


def test_numpys_integers_are_ids_too(segmenter: VideoSegmenter) -> None:
    segmenter.prompt(frame(0), np.int16(3), points=CLICK)  # type: ignore[arg-type]
    segmenter.correct(np.uint8(3), points=CLICK)  # type: ignore[arg-type]
    assert segmenter.object_ids == [3]
    assert type(segmenter.object_ids[0]) is int


def test_a_repeated_frame_is_told_by_its_index(segmenter: VideoSegmenter) -> None:
    segmenter.prompt(frame(0), points=CLICK, frame_index=0)
    for index in range(3):
        segmenter.track(frame(index), index)
    repeated = frame(2)
    segmenter.prompt(repeated, 2, points=CLICK, frame_index=3)
    segmenter.prompt(repeated, 1, points=CLICK, frame_index=3)
    result = segmenter.track(repeated, 3)
    assert (result.frame_index, segmenter.track(repeated, 4).frame_index) == (3, 4)
    assert all(found.prompted for found in result.objects.values())
    columns = bank(segmenter, 1).columns
    # A prompt on a frame of its own is one more anchor; the memory aged by every frame.
    assert set(columns["age"][columns["valid"] & columns["anchor"]].tolist()) == {4, 1}


def test_a_frame_is_current_by_its_index_and_its_pixels(segmenter: VideoSegmenter) -> None:
    segmenter.prompt(frame(0), points=CLICK, frame_index=7)
    assert segmenter.track(frame(0), 7).frame_index == 7
    again = segmenter.track(frame(0), np.int64(7))  # type: ignore[arg-type]
    assert again.frame_index == 7
    with pytest.raises(ArgumentError, match="frame 7 has other pixels"):
        segmenter.track(frame(1), 7)
    with pytest.raises(ArgumentError, match="frame 6 comes after frame 7"):
        segmenter.track(frame(1), 6)
    for wrong in (-1, 1.0, "7", True, 2**40):
        with pytest.raises(ArgumentError, match="frame_index is"):
            segmenter.track(frame(1), wrong)  # type: ignore[arg-type]
    assert segmenter.track(frame(1)).frame_index == 8


@pytest.mark.parametrize(
    ("keywords", "fault"),
    [
        ({"threads": -3}, "threads is -3; it must be a whole number, 1 to"),
        ({"threads": 1.0}, "threads is 1.0"),
        ({"threads": True}, "threads is True"),
        ({"rung": 240.0}, "rung is 240.0; it must be a whole number from 1 on"),
        ({"rung": "240"}, "rung is '240'"),
        ({"preset": "paper"}, "the preset 'paper' is for a frame budget"),
        ({"budget_ms": "33"}, "budget_ms is '33'"),
        ({"budget_ms": float("nan")}, "budget_ms is nan"),
        ({"budget_ms": 10**400}, "budget_ms is 1000"),
        ({"tokens": 32.5}, "the memory budget is 32.5"),
        ({"window": "8"}, "the memory window is '8'"),
        ({"policy": ["fifo"]}, "unknown pruning policy"),
    ],
)
def test_wrong_options_are_refused(opened: Bundle, keywords: dict[str, Any], fault: str) -> None:
    with pytest.raises(ArgumentError, match=re.escape(fault)):
        VideoSegmenter(opened, **{"rung": 240, **keywords})


def test_threads_may_share_a_segmenter(segmenter: VideoSegmenter) -> None:
    segmenter.prompt(frame(0), points=CLICK)
    faults: list[BaseException] = []
    indices: list[int] = []

    def work(object_id: int) -> None:
        try:
            for index in range(4):
                segmenter.prompt(frame(index), object_id, points=CLICK)
                indices.append(segmenter.track(frame(index)).frame_index)
                segmenter.remove(object_id)
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=work, args=(object_id,)) for object_id in (2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    assert len(indices) == 8


def test_a_call_that_fails_leaves_the_segmenter_usable(
    segmenter: VideoSegmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    segmenter.prompt(frame(0), points=CLICK)
    segmenter.track(frame(0))
    stored = bank(segmenter).stored
    session = segmenter._rungs.graphs.sessions["mask_decoder"]

    def fail(inputs: object) -> None:
        raise SessionError("out of memory")

    with monkeypatch.context() as broken:
        broken.setattr(session, "run", fail)
        for _ in range(3):
            with pytest.raises(SessionError):
                segmenter.correct(1, points=CLICK)
            with pytest.raises(SessionError):
                segmenter.prompt(frame(0), 2, points=CLICK)
    assert segmenter.object_ids == [1]
    segmenter.correct(1, points=CLICK)
    assert bank(segmenter).stored == stored
    with monkeypatch.context() as broken:
        broken.setattr(session, "run", fail)
        with pytest.raises(SessionError):
            segmenter.track(frame(1))
    assert segmenter.track(frame(1)).frame_index == 1


@pytest.mark.parametrize(
    "view",
    [
        lambda f: f[::-1],
        lambda f: f[:, ::-1],
        lambda f: f[..., ::-1],
        lambda f: np.asfortranarray(f),
    ],
)
def test_frames_in_any_layout_and_read_only_are_the_same(
    segmenter: VideoSegmenter, view: Callable[[np.ndarray], np.ndarray]
) -> None:
    odd = view(frame(0))
    plain = np.ascontiguousarray(odd)
    odd.flags.writeable = False
    one = segmenter.prompt(odd, points=CLICK).logits
    segmenter.reset()
    np.testing.assert_array_equal(one, segmenter.prompt(plain, points=CLICK).logits)


def test_memory_that_cannot_go_back_says_so(segmenter: VideoSegmenter) -> None:
    segmenter.prompt(frame(0), points=CLICK)
    with pytest.raises(ArgumentError, match=r"SAM2-Lite cannot go back .* call reset\(\)"):
        segmenter.rewind()
    assert segmenter.track(frame(0)).objects[1].prompted
