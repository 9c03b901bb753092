"""The loop on a family that is not part of the package and has nothing in common with SAM2-Lite."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sam2lite.bench.frame_feed import FrameFeed
from sam2lite.bench.frame_loop import FrameRecord
from sam2lite.bench.object_costs import measure_objects
from sam2lite.contracts import family
from sam2lite.errors import ArgumentError, BundleError, PromptError, UnknownNameError
from sam2lite.runtimes.bundle import Bundle
from sam2lite.runtimes.presence import always_present
from sam2lite.runtimes.prompts import Prompt
from sam2lite.runtimes.segmenter import VideoSegmenter
from tests.doubles.grid_family import ABSENT, GRID, GridBundle, GridMemory, GridRules

CLICK = [(20, 10)]
STAGES = ["preprocess", "eye", "recall", "finder", "writer", "postprocess", "total"]


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(family, "_registered", {})
    family.register_family(GRID)


@pytest.fixture
def bundle() -> GridBundle:
    return GridBundle()


@pytest.fixture
def segmenter(bundle: GridBundle) -> Iterator[VideoSegmenter]:
    with VideoSegmenter(bundle, rung=16) as segmenter:
        yield segmenter


def frame(brightness: int, corner: int = 0) -> np.ndarray:
    picture = np.full((24, 40, 3), brightness, np.uint8)
    picture[0, 0] = corner  # tells frames of one brightness apart
    return picture


def memory(segmenter: VideoSegmenter, object_id: int = 1) -> GridMemory:
    found = segmenter._objects[object_id].memory
    assert isinstance(found, GridMemory)
    return found


def test_stages_are_the_familys(segmenter: VideoSegmenter) -> None:
    segmenter.prompt(frame(200), points=CLICK)
    first = segmenter.track(frame(200)).stage_ms
    second = segmenter.track(frame(200, 9)).stage_ms
    assert list(first) == list(second) == STAGES
    assert first["recall"] == 0.0 < second["recall"]
    assert all(spent_ms > 0.0 for spent_ms in second.values())


def test_a_decoder_may_be_several_graphs_and_the_pointer_that_of_another_mask(
    segmenter: VideoSegmenter,
) -> None:
    prompted = segmenter.prompt(frame(200), points=CLICK)
    np.testing.assert_allclose(prompted.logits, 200 / 255, atol=0.01)  # the second of three
    assert prompted.iou == pytest.approx(0.9)
    assert memory(segmenter).pointer == 20
    tracked = segmenter.track(frame(200, 9)).objects[1]
    assert (tracked.logits > prompted.logits).all()  # the first frame is recalled
    assert memory(segmenter).pointer == 10


def test_absent_frames_are_written_and_corrected_like_others(segmenter: VideoSegmenter) -> None:
    segmenter.prompt(frame(200), points=CLICK)
    found = segmenter.track(frame(20)).objects[1]
    assert (found.visible, found.lost, bool(found.mask.any())) == (False, False, False)
    kept = memory(segmenter)
    assert kept.slots is not None
    assert (kept.written, kept.slots[0, 1, 0, 0]) == (2, ABSENT)
    corrected = segmenter.correct(1, points=CLICK)
    assert corrected.visible
    assert kept.written == 2
    assert kept.slots[0, 1, 0, 0] == corrected.logits[0, 0] > 0.0


def test_thresholds_are_the_manifests(segmenter: VideoSegmenter) -> None:
    segmenter.prompt(frame(200), points=CLICK)
    dim = segmenter.track(frame(100)).objects[1]  # the score is above 0.25, no logit above 0.5
    assert 0.25 < dim.object_score < 0.5
    assert dim.visible
    assert not dim.mask.any()
    assert segmenter.track(frame(150)).objects[1].mask.all()
    assert 0.0 < segmenter.track(frame(50)).objects[1].object_score < 0.25
    assert not segmenter.track(frame(50)).objects[1].visible


@pytest.mark.parametrize(("graph", "output"), [("finder", "masks"), ("writer", "slot")])
@pytest.mark.parametrize("brightness", [200, 20])  # present and absent
def test_a_number_that_is_not_finite_loses_the_frame(
    segmenter: VideoSegmenter, bundle: GridBundle, graph: str, output: str, brightness: int
) -> None:
    def spoil(outputs: dict[str, np.ndarray]) -> None:
        outputs[output] = outputs[output] * np.float32(np.nan)

    segmenter.prompt(frame(200), points=CLICK)
    bundle.sessions[f"{graph}@16"].alter = spoil
    found = segmenter.track(frame(brightness, 9)).objects[1]
    assert (found.lost, found.visible, memory(segmenter).written) == (True, False, 1)


def test_every_frame_is_seen_and_every_memory_ticks(segmenter: VideoSegmenter) -> None:
    for object_id in (1, 2):
        segmenter.prompt(frame(200), object_id, points=CLICK)
    for corner in range(3):
        segmenter.track(frame(200, corner))
    assert segmenter._rules.state()["frames_seen"] == 3
    assert [memory(segmenter, object_id).ticks for object_id in (1, 2)] == [2, 2]


def test_a_prompt_that_does_not_fit_changes_nothing(segmenter: VideoSegmenter) -> None:
    segmenter.prompt(frame(200), points=CLICK)
    with pytest.raises(PromptError):
        segmenter.correct(1, points=[(99, 0)])
    with pytest.raises(PromptError):
        segmenter.prompt(frame(1), 2, points=[(99, 0)])
    assert (segmenter.object_ids, memory(segmenter).written) == ([1], 1)


def test_memory_of_one_size_refuses_another(segmenter: VideoSegmenter) -> None:
    segmenter.set_rung(32)
    segmenter.set_rung(16)
    segmenter.prompt(frame(200), points=CLICK)
    segmenter.set_rung(16)
    with pytest.raises(ArgumentError, match=r"Grid has written at 16 px .* at 32 px; call reset"):
        segmenter.set_rung(32)
    assert segmenter.track(frame(200, 9)).rung == 16
    segmenter.reset()
    segmenter.set_rung(32)
    assert segmenter.prompt(frame(200), points=CLICK).logits.shape == (4, 4)


def test_a_controller_stays_at_the_size_that_memory_holds_for(bundle: GridBundle) -> None:
    with VideoSegmenter(bundle, budget_ms=1e-6, rung=32) as segmenter:
        segmenter.prompt(frame(200), points=CLICK)
        results = [segmenter.track(frame(200, corner)) for corner in range(60)]
    assert {result.rung for result in results} == {32}
    assert not any(result.lost for result in results)
    state = results[-1].controller
    assert state is not None
    assert (state.rung, state.status) == (32, "saturated")


def test_a_budget_takes_the_windows_that_the_rules_offer(
    bundle: GridBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int | None] = []
    decode = GridRules.decode

    def noting(rules: GridRules, *arguments: Any) -> Any:
        seen.append(arguments[2])
        return decode(rules, *arguments)

    monkeypatch.setattr(GridRules, "decode", noting)
    monkeypatch.setattr(GridRules, "windows", (1, 3))
    with VideoSegmenter(bundle, budget_ms=1e-6) as segmenter:
        segmenter.prompt(frame(200), points=CLICK)
        for corner in range(12):
            segmenter.track(frame(200, corner))
    assert seen[0] == 3
    assert seen[-1] == 1


def test_a_state_goes_on_at_its_own_size(
    segmenter: VideoSegmenter, bundle: GridBundle, tmp_path: Path
) -> None:
    path = str(tmp_path / "state.npz")
    segmenter.prompt(frame(200), points=CLICK)
    segmenter.track(frame(150))
    segmenter.save_state(path)
    expected = segmenter.track(frame(180))
    with VideoSegmenter(bundle, rung=32) as other:
        with pytest.raises(BundleError, match=r"saved at 16 px, this is 32 px; .*set_rung\(16\)"):
            other.load_state(path)
        other.set_rung(16)
        other.load_state(path)
        found = other.track(frame(180))
        assert other._rules.state() == segmenter._rules.state()
    assert found.frame_index == expected.frame_index
    np.testing.assert_array_equal(found.objects[1].logits, expected.objects[1].logits)


def test_settings_are_the_familys_own(bundle: GridBundle, tiny_bundle: Path) -> None:
    with VideoSegmenter(bundle, rung=16, slots=1) as segmenter:
        segmenter.prompt(frame(200), points=CLICK)
        segmenter.track(frame(150))
        slots = memory(segmenter).slots
        assert slots is not None
        assert (slots[0, 1:] == 0.0).all()
    with pytest.raises(UnknownNameError, match=r"unknown Grid setting 'tokens'; known: slots"):
        VideoSegmenter(bundle, tokens=64)
    with pytest.raises(ArgumentError, match="9 slots; choose 1 to 3"):
        VideoSegmenter(bundle, slots=9)
    with pytest.raises(
        UnknownNameError, match=r"SAM2-Lite setting 'budget'; known: policy, tokens, window"
    ):
        VideoSegmenter(str(tiny_bundle), budget=64)


def test_presence_is_forced_by_the_familys_score(
    bundle: GridBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Bundle, "open_session", lambda _, key, *options: bundle.open_session(key))
    with VideoSegmenter(always_present(bundle), rung=16) as segmenter:
        segmenter.prompt(frame(200), points=CLICK)
        found = segmenter.track(frame(20)).objects[1]
    assert (found.object_score, found.visible) == (1.25, True)


class StillFeed(FrameFeed):
    """Gives frames of one brightness for ever."""

    def __init__(self) -> None:
        self._taken = 0

    def take(self) -> tuple[np.ndarray, float]:
        self._taken += 1
        return frame(200, self._taken % 256), 0.5

    def age_ms(self) -> None:
        return None


def test_benchmarks_read_the_stages(segmenter: VideoSegmenter) -> None:
    prompts = {1: Prompt(CLICK), 2: Prompt(CLICK)}
    costs = measure_objects(segmenter, StillFeed(), prompts, frames=8)
    assert costs.image_encoder_p50_ms > 0.0
    spent_ms = dict.fromkeys(["decode", *STAGES], 1.0)
    assert FrameRecord(16, dict(spent_ms, total=7.0), False, None).outside_graphs_ms == 3.0
