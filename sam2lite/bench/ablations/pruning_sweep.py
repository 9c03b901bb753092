"""What pruning policies and memory budgets are worth, on clips where memory is asked for."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import count, islice, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sam2lite.data.clips import ClipConfig, generate_clip, training_config
from sam2lite.evaluation import EvaluationClip, Scores, evaluate
from sam2lite.evaluation.object_score import ObjectScore
from sam2lite.evaluation.trackers import BundleTracker, Frame, Masks
from sam2lite.runtimes.bundle import Bundle
from sam2lite.runtimes.measuring.percentiles import p50
from sam2lite.runtimes.prompts import Prompt

HIDDEN_FRAMES = 8  # in a row, at least
MIN_FRAMES = 36  # of which the middle fifth is `HIDDEN_FRAMES`
SIDE_PX = 256
SEED_SPACE = 3  # training's is 0
_HIDING_OBJECT = 1


@dataclass(frozen=True)
class Row:
    """One policy at one budget. Scores are 0 to 100, standard errors over clips, NaN for one clip.

    Attributes:
        policy: its name.
        budget: tokens of an object's bank.
        bank_bytes: of as many keys and values in float32; graphs exported with a larger budget hold
            more, of which the rest is unused.
        jf: J&F of all objects of ordinary clips.
        jf_stderr: of `jf`.
        hidden_jf: J&F of the object that hides; on frames without it, an empty mask is right.
        hidden_jf_stderr: of `hidden_jf`.
        returned_jf: J&F of that object after its return, on the frames that show it.
        latency_ms: median of the ordinary clips' frames, all objects together.
    """

    policy: str
    budget: int
    bank_bytes: int
    jf: float
    jf_stderr: float
    hidden_jf: float
    hidden_jf_stderr: float
    returned_jf: float
    latency_ms: float

    def to_json(self) -> dict[str, Any]:
        """Return plain data, rounded to hundredths; what is not a number becomes None."""
        return {name: _rounded(value) for name, value in asdict(self).items()}


class TimedTracker(BundleTracker):
    """The frame loop on a bundle, timed.

    Attributes:
        latencies_ms: of every frame after the first of its clip.
    """

    def __init__(self, bundle: Bundle, rung: int | None, **settings: Any) -> None:
        """Open the bundle; arguments and errors are those of `BundleTracker`."""
        super().__init__(bundle, rung, **settings)
        self.latencies_ms: list[float] = []

    def start(self, frame_bgr: Frame, prompts: Mapping[int, Prompt]) -> Masks:
        """See `Tracker`."""
        masks = super().start(frame_bgr, prompts)
        self.latencies_ms.pop()
        return masks

    def track(self, frame_bgr: Frame) -> Masks:
        """See `Tracker`."""
        started_s = time.perf_counter()
        masks = super().track(frame_bgr)
        self.latencies_ms.append(1e3 * (time.perf_counter() - started_s))
        return masks


def ordinary_clips(clips: int, seed: int, frames: int) -> list[EvaluationClip]:
    """Return clips of generated scenes in which anything may happen."""
    config = _config(frames)
    return [
        EvaluationClip.of(generate_clip(s, config), f"ordinary {s}")
        for s in range(seed, seed + clips)
    ]


def hiding_clips(clips: int, seed: int, frames: int) -> list[EvaluationClip]:
    """Return clips of one object each, which is hidden for 8 frames or more and returns.

    Scenes in which it is too small to be prompted, or is not seen again, are passed over.

    Args:
        clips: how many.
        seed: of the first scene.
        frames: of each clip, `MIN_FRAMES` or more.
    """
    return list(islice(_hiding_clips(seed, frames), clips))


def sweep(
    bundle: Bundle,
    clips: tuple[Sequence[EvaluationClip], Sequence[EvaluationClip]],
    policies: Sequence[str],
    budgets: Sequence[int],
    *,
    window: int | None,
    prompt: str,
    rung: int | None,
    done: Callable[[], None] = lambda: None,
) -> list[Row]:
    """Score every policy at every budget on the same clips.

    Args:
        bundle: an open one.
        clips: ordinary ones, and those of `hiding_clips`.
        policies: names of pruning policies.
        budgets: in tokens.
        window: stored frames kept beside the prompted one; None for no limit.
        prompt: `click`, `box` or `mask`, given on the first frame.
        rung: input side, px; the largest if not given.
        done: called after each row.

    Raises:
        UnknownNameError: a policy, the prompt or the rung does not exist.
        ArgumentError: a budget or the window is out of range.
    """
    rows = []
    token_bytes = 2 * bundle.manifest.memory["channels"] * np.dtype(np.float32).itemsize
    for policy, budget in product(policies, budgets):
        settings = {"policy": policy, "tokens": budget, "window": window}
        tracker, other = (TimedTracker(bundle, rung, **settings) for _ in clips)
        ordinary, hidden = _score(tracker, clips[0], prompt), _score(other, clips[1], prompt)
        rows.append(
            Row(
                policy,
                budget,
                budget * token_bytes,
                ordinary.jf,
                ordinary.jf_stderr,
                hidden.jf,
                hidden.jf_stderr,
                100.0 * float(np.mean([_returned_jf(score) for score in hidden.object_scores])),
                p50(tracker.latencies_ms),
            )
        )
        done()
    return rows


def _rounded(value: str | float) -> str | float | None:
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, 2)
    return value


def _config(frames: int) -> ClipConfig:
    return replace(training_config(SIDE_PX, frames), seed_space=SEED_SPACE)


def _hiding_clips(seed: int, frames: int) -> Iterator[EvaluationClip]:
    config = replace(_config(frames), hide_object=True)
    for s in count(seed):
        clip = EvaluationClip.of(generate_clip(s, config), f"hiding {s}")
        alone = replace(clip, labels_thw=clip.labels_thw * (clip.labels_thw == _HIDING_OBJECT))
        visible_t = np.asarray(alone.labels_thw.any((1, 2)))
        end = _end_of_hiding(visible_t)
        if alone.prompted_ids() and end is not None and visible_t[end:].any():
            yield alone


def _end_of_hiding(visible_t: NDArray[np.bool_]) -> int | None:
    """Return the first index after `HIDDEN_FRAMES` or more hidden ones that is visible again."""
    hidden = 0
    for index, visible in enumerate(visible_t):
        if visible and hidden >= HIDDEN_FRAMES:
            return index
        hidden = 0 if visible else hidden + 1
    return None


def _returned_jf(score: ObjectScore) -> float:
    end = _end_of_hiding(score.visible_t)
    seen = score.visible_t[end:]
    return float(0.5 * (score.j_t[end:][seen].mean() + score.f_t[end:][seen].mean()))


def _score(tracker: TimedTracker, clips: Sequence[EvaluationClip], prompt: str) -> Scores:
    return evaluate(lambda: tracker, clips, prompt)
