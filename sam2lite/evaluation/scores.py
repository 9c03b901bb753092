"""The scores of a set of clips: means over all objects, as DAVIS takes them, from 0 to 100."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from sam2lite.errors import VideoError
from sam2lite.evaluation.metrics import statistics
from sam2lite.evaluation.object_score import ObjectScore

# Up to which share of the first frame an object is called what.
SIZE_BINS = (("small", 0.01), ("medium", 0.10), ("large", 1.0))


@dataclass(frozen=True)
class SizeScores:
    """The objects of one size; the scores are NaN where there is none."""

    objects: int
    first_frame_j: float
    jf: float


@dataclass(frozen=True)
class Scores:
    """Everything that is measured, 0 to 100 unless said otherwise; docs/evaluation.md defines it.

    A number that nothing was known for is NaN, and null in JSON.

    Attributes:
        objects: how many were followed.
        scored: how many of them are annotated after the first frame; the others have only a
            `first_frame_j`.
        first_frame_j: J of the prompted frame.
        j: mean J of the later frames.
        f: mean F of the later frames.
        jf: the mean of both.
        jf_stderr: standard error of `jf` over clips; NaN for a single clip.
        j_last4: J of the last four frames.
        j_recall: share of the frames with J above 0.5.
        j_decay: J of the first quarter of the frames minus that of the last.
        f_recall: as for J.
        f_decay: as for J.
        drift: slope of J over the frames, points per frame.
        flicker: change of the mask from frame to frame where the truth hardly changes.
        lost_rate: share of the frames showing the object on which it is lost.
        absent_frames: frames that do not show a followed object; a count.
        absence_found: share of them on which the mask is empty.
        false_absence: share of the frames showing an object on which the mask is empty.
        j_after_return: J of the frames showing an object again that had left.
        by_size: the objects of each size.
        object_scores: what all this was computed from; not part of the JSON form.
    """

    objects: int
    scored: int
    first_frame_j: float
    j: float
    f: float
    jf: float
    jf_stderr: float
    j_last4: float
    j_recall: float
    j_decay: float
    f_recall: float
    f_decay: float
    drift: float
    flicker: float
    lost_rate: float
    absent_frames: int
    absence_found: float
    false_absence: float
    j_after_return: float
    by_size: dict[str, SizeScores]
    object_scores: Sequence[ObjectScore] = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        """Return plain data, rounded to a hundredth of a point (drift to a ten-thousandth)."""
        data = asdict(replace(self, object_scores=()), dict_factory=_rounded)
        del data["object_scores"]
        return data


def summarise(object_scores: Sequence[ObjectScore]) -> Scores:
    """Average over objects, each of which counts alike however long its clip.

    What is said of absence counts frames alike: most objects never leave.

    Raises:
        VideoError: there is no object.
    """
    if not object_scores:
        raise VideoError(
            "no object covers 0.3 % of the first frame of its clip, so there is nothing to "
            "evaluate; choose clips whose first frame shows their objects"
        )
    scored = [score for score in object_scores if len(score.frames)]
    j = [statistics(score.j_t) for score in scored]
    f = [statistics(score.f_t) for score in scored]
    absent = [empty for score in scored for empty in score.empty_t[~score.visible_t]]
    shown = [empty for score in scored for empty in score.empty_t[score.visible_t]]
    return Scores(
        objects=len(object_scores),
        scored=len(scored),
        first_frame_j=_points(score.first_frame_j for score in object_scores),
        j=_points(s.mean for s in j),
        f=_points(s.mean for s in f),
        jf=_points(score.jf for score in object_scores),
        jf_stderr=_stderr_over_clips(scored),
        j_last4=_points(score.j_last4 for score in object_scores),
        j_recall=_points(s.recall for s in j),
        j_decay=_points(s.decay for s in j),
        f_recall=_points(s.recall for s in f),
        f_decay=_points(s.decay for s in f),
        drift=_points(score.drift for score in object_scores),
        flicker=_points(score.flicker for score in object_scores),
        lost_rate=_points(score.lost_rate for score in object_scores),
        absent_frames=len(absent),
        absence_found=_points(absent),
        false_absence=_points(shown),
        j_after_return=_points(score.j_after_return for score in object_scores),
        by_size=_by_size(object_scores),
        object_scores=object_scores,
    )


def _by_size(object_scores: Sequence[ObjectScore]) -> dict[str, SizeScores]:
    sizes = {}
    low = 0.0
    for name, high in SIZE_BINS:
        found = [score for score in object_scores if low < score.area_share <= high]
        sizes[name] = SizeScores(
            len(found),
            _points(score.first_frame_j for score in found),
            _points(score.jf for score in found),
        )
        low = high
    return sizes


def _stderr_over_clips(object_scores: Sequence[ObjectScore]) -> float:
    """Objects of one clip share its difficulty, so the clips are the independent samples."""
    by_clip: dict[str, list[float]] = {}
    for score in object_scores:
        by_clip.setdefault(score.clip, []).append(score.jf)
    count = len(by_clip)
    if count < 2:
        return math.nan
    mean = math.fsum(score.jf for score in object_scores) / len(object_scores)
    # Of a ratio of sums: clips with more objects weigh more.
    squares = (math.fsum(jf - mean for jf in values) ** 2 for values in by_clip.values())
    variance = count / (count - 1) * math.fsum(squares) / len(object_scores) ** 2
    return 100.0 * math.sqrt(variance)


def _points(shares: Iterable[float]) -> float:
    known = [share for share in shares if not math.isnan(share)]
    return 100.0 * math.fsum(known) / len(known) if known else math.nan


def _rounded(items: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(items)
    for name, value in data.items():
        if isinstance(value, float):
            data[name] = None if math.isnan(value) else round(value, 4 if name == "drift" else 2)
    return data
