"""How a bundle's masks agree with those of the FP32 network in PyTorch, over real clips.

Unlike loop parity this is no test of the loop: it says what a lower precision does to the masks
that a user would see. So each loop goes its own way, ties included.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sam2lite.exporter.verify.choices import ChoiceCount, Choices

if TYPE_CHECKING:
    from sam2lite.calibration.footage import CalibrationClip
    from sam2lite.models.contest import Contest
    from sam2lite.models.loaded import LoadedModel
    from sam2lite.runtimes.bundle import Bundle
    from sam2lite.runtimes.results import ObjectResult
    from sam2lite.runtimes.segmenter import VideoSegmenter


@dataclass
class Agreement:
    """Of a clip, or of several.

    Attributes:
        frames: that were followed.
        decisions: whether an object is shown, of frames times objects.
        presence_differs: those of them that the two loops did not agree on.
        masks: that were compared: where either loop shows a pixel, in pixels of the source.
        mean_iou: of the masks; None where there is none. A mask that one loop alone shows has 0.
        lowest_iou: likewise.
        choices: among candidate masks, by what they are made by.
    """

    frames: int = 0
    decisions: int = 0
    presence_differs: int = 0
    masks: int = 0
    mean_iou: float | None = None
    lowest_iou: float | None = None
    choices: dict[str, Choices] = field(default_factory=dict)

    def add(self, actual: ObjectResult, expected: ObjectResult) -> None:
        """Compare one object on one frame."""
        self.decisions += 1
        self.presence_differs += actual.visible != expected.visible
        union = int((actual.mask | expected.mask).sum())
        if union:
            self._add_masks(int((actual.mask & expected.mask).sum()) / union)

    def include(self, other: Agreement) -> None:
        """Take in what was found of another clip."""
        self.frames += other.frames
        self.decisions += other.decisions
        self.presence_differs += other.presence_differs
        if other.mean_iou is not None and other.lowest_iou is not None:
            self._add_masks(other.mean_iou, other.masks)
            self._lower(other.lowest_iou)
        ChoiceCount(self.choices).add(other.choices)

    def _add_masks(self, mean_iou: float, masks: int = 1) -> None:
        before = 0.0 if self.mean_iou is None else self.mean_iou * self.masks
        self.masks += masks
        self.mean_iou = (before + mean_iou * masks) / self.masks
        self._lower(mean_iou)

    def _lower(self, iou: float) -> None:
        self.lowest_iou = iou if self.lowest_iou is None else min(self.lowest_iou, iou)


@dataclass(frozen=True)
class ComparedFootage:
    """Real clips on which masks are compared.

    Attributes:
        clips: with their prompts, each by a name that tells nothing of this machine.
        reference: the network in FP32, as it was loaded.
        said: for the manifest, where the clips come from and whether calibration has seen them.
    """

    clips: Sequence[CalibrationClip]
    reference: LoadedModel
    said: dict[str, Any]

    def measured(self, bundle: Bundle, report: Callable[[str], None]) -> dict[str, Any]:
        """Follow every clip at the largest size of a bundle; return its `verification.agreement`.

        Args:
            bundle: an open one.
            report: told the name of each clip when it is done.
        """
        from sam2lite.runtimes.segmenter import VideoSegmenter

        total, clips = Agreement(), []
        size = bundle.manifest.rungs[-1]
        with VideoSegmenter(bundle, rung=size) as segmenter:
            for clip in self.clips:
                segmenter.reset()
                of_clip = _of_clip(segmenter, self.reference, clip)
                total.include(of_clip)
                clips.append({"name": clip.name, **dataclasses.asdict(of_clip)})
                report(f"agreement on {clip.name}")
        found = {**self.said, "rung": size, **dataclasses.asdict(total), "clips": clips}
        return {"agreement": found}


def _of_clip(segmenter: VideoSegmenter, reference: LoadedModel, clip: CalibrationClip) -> Agreement:
    """Take a clip through both loops, side by side."""
    from sam2lite.calibration.following import decisions
    from sam2lite.evaluation.reference_tracker import ReferenceTracker

    count = ChoiceCount()
    actual: dict[int, ObjectResult] = {}

    def choose(contest: Contest) -> int:
        count.taken(contest, actual[contest.object_id].logits)
        return contest.winner

    tracker = ReferenceTracker(reference, segmenter.rung, choose)
    found = Agreement(frames=len(clip.frames_bgr), choices=count.by_measure)
    for index in range(len(clip.frames_bgr)):
        expected: dict[int, ObjectResult] = {}
        theirs = decisions(tracker, clip, index)
        for decided in decisions(segmenter, clip, index):
            actual.update(decided)  # first, because choices are told from it
            expected.update(next(theirs))
        for object_id, result in expected.items():
            found.add(actual[object_id], result)
    return found
