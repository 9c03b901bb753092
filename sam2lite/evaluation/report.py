"""The scores of a whole run as plain data: what `sam2lite eval --json` prints."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sam2lite.evaluation.baselines import BASELINES
from sam2lite.evaluation.object_score import ObjectScore
from sam2lite.evaluation.scores import Scores, summarise
from sam2lite.evaluation.workers import ClipResult

SCHEMA_VERSION = 1
Key = TypeVar("Key")


@dataclass(frozen=True)
class RunScores:
    """What came out of a run.

    Attributes:
        clips: how many were evaluated.
        frames: of all clips together.
        by_rung: the tracker's scores, ascending; the last ones are the main ones.
        by_baseline: the best variant of each family on these clips, by the variant's name. Choosing
            it with the truth at hand is a favour to the baseline.
    """

    clips: int
    frames: int
    by_rung: Mapping[int, Scores]
    by_baseline: Mapping[str, Scores]

    @property
    def main(self) -> Scores:
        """The scores at the largest rung."""
        return self.by_rung[max(self.by_rung)]

    def to_json(self) -> dict[str, Any]:
        """Return `clips`, the main scores, and those by rung and by baseline."""
        return {
            "clips": self.clips,
            "frames": self.frames,
            "rung": max(self.by_rung),
            **self.main.to_json(),
            "rungs": {str(rung): scores.to_json() for rung, scores in self.by_rung.items()},
            "baselines": {
                BASELINES[name].family: {
                    "variant": name,
                    "prompt": BASELINES[name].prompt,
                    **scores.to_json(),
                }
                for name, scores in self.by_baseline.items()
            },
        }


def gather(results: Sequence[ClipResult]) -> RunScores:
    """Average the results of all clips.

    Raises:
        VideoError: there is no object in any of them.
    """
    baselines = _summarised(result.by_baseline for result in results)
    best: dict[str, str] = {}
    for name in sorted(baselines, key=lambda name: _merit(baselines[name])):
        best[BASELINES[name].family] = name
    return RunScores(
        clips=len(results),
        frames=sum(result.frames for result in results),
        by_rung=_summarised(result.by_rung for result in results),
        by_baseline={name: baselines[name] for name in BASELINES if name in best.values()},
    )


def scores_by_source(scores: RunScores) -> dict[str, dict[str, Any]]:
    """Return objects and first-frame J of each source, and of the baselines on the same objects.

    The given mask is left out, since its first frame is the truth.
    """
    parts = {"network": scores.main} | {
        BASELINES[name].family: found
        for name, found in scores.by_baseline.items()
        if BASELINES[name].prompt != "mask"
    }
    sources = sorted({_source(score.clip) for score in scores.main.object_scores})
    return {
        source: {"objects": _only(scores.main, source).objects}
        | {name: round(_only(found, source).first_frame_j, 2) for name, found in parts.items()}
        for source in sources
    }


def objects_to_json(scores: Scores) -> list[dict[str, Any]]:
    """Return every object's J and F by frame, 0 to 100, worst object first."""
    return [
        {
            "clip": score.clip,
            "object": score.object_id,
            "area_percent": round(100 * score.area_share, 2),
            "first_frame_j": round(100 * score.first_frame_j, 2),
            "jf": round(100 * score.jf, 2) if len(score.frames) else None,
            "frames": score.frames.tolist(),
            "j": (100 * score.j_t).round(2).tolist(),
            "f": (100 * score.f_t).round(2).tolist(),
        }
        for score in worst_first(scores)
    ]


def worst_first(scores: Scores) -> list[ObjectScore]:
    """Return the objects by J&F, ascending; then those that have only a first frame, by its J."""
    return sorted(scores.object_scores, key=lambda score: (not len(score.frames), _merit(score)))


def _merit(scores: Scores | ObjectScore) -> float:
    return scores.first_frame_j if math.isnan(scores.jf) else scores.jf


def _summarised(parts: Iterable[Mapping[Key, Sequence[ObjectScore]]]) -> dict[Key, Scores]:
    together: dict[Key, list[ObjectScore]] = {}
    for part in parts:
        for key, scores in part.items():
            together.setdefault(key, []).extend(scores)
    return {key: summarise(scores) for key, scores in together.items()}


def _only(scores: Scores, source: str) -> Scores:
    return summarise([score for score in scores.object_scores if _source(score.clip) == source])


def _source(name: str) -> str:
    return name.split("/")[0]
