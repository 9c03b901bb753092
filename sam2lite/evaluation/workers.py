"""What is done with every clip, in one process or in several."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sam2lite.evaluation.evaluate import ByName, EvaluationSettings, score_baselines, score_tracker
from sam2lite.evaluation.object_score import ObjectScore
from sam2lite.evaluation.reference_tracker import ReferenceTracker
from sam2lite.evaluation.sources import ClipReference
from sam2lite.evaluation.trackers import ClipTracker, Segmenter, Tracker
from sam2lite.runtimes.bundle import Opener, open_bundle
from sam2lite.runtimes.segmenter import VideoSegmenter


@dataclass(frozen=True)
class TrackerRecipe:
    """How a process makes its tracker: from a model or from a bundle, by name or path.

    Attributes:
        kind: `model` or `bundle`.
        source: a model's name or folder, or a bundle's folder.
        settings: of the family's frame rules; its own where one is not given.
        backend: that runs the bundle; that it was made for if None.
        simulate: opens the graphs of a bundle for Core ML; see `open_bundle`.
        variant: of a model whose weights do not show it.
        weights: where they come from, a word of `contracts.provenance`; None where nobody says.
        bundle_sha256: of a bundle's manifest.
    """

    kind: str
    source: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    backend: str | None = None
    simulate: Opener | None = None
    variant: str | None = None
    weights: str | None = None
    bundle_sha256: str | None = None

    def describe(self) -> dict[str, Any]:
        """Return what is scored, as results begin with it."""
        described = {self.kind: self.source, "weights": self.weights}
        if self.bundle_sha256 is not None:
            described["bundle_sha256"] = self.bundle_sha256
        return described

    def make(self, rung: int, threads: int | None = None) -> Tracker:
        """Return a new tracker; see `segmenter`."""
        return ClipTracker(self.segmenter(rung, threads))

    def segmenter(self, rung: int, threads: int | None = None) -> Segmenter:
        """Return what a tracker follows objects with, new.

        Args:
            rung: input side, px; one that the model or the bundle has.
            threads: for the process; the backend's default if not given.
        """
        if self.kind == "bundle":
            bundle = open_bundle(self.source, self.backend, self.simulate)
            return VideoSegmenter(bundle, rung=rung, threads=threads, **self.settings)
        import torch

        from sam2lite.models.registry import load_model

        if threads is not None:
            torch.set_num_threads(threads)
        loaded = load_model(self.source, variant=self.variant).fused()
        return ReferenceTracker(loaded, rung, **self.settings)


@dataclass(frozen=True)
class Task:
    """What is done with every clip: one tracker per rung, under the same settings."""

    recipe: TrackerRecipe
    rungs: Sequence[int]
    settings: EvaluationSettings

    def worker(self, threads: int | None) -> "Callable[[ClipReference], ClipResult]":
        """Return what scores one clip after the other; see `each_in_processes`."""
        return Worker(self, threads).score


class ClipResult(NamedTuple):
    """The scores of one clip: by rung, and by baseline."""

    frames: int
    by_rung: dict[int, list[ObjectScore]]
    by_baseline: ByName


class Worker:
    """Scores clips one after the other with trackers that are made once."""

    def __init__(self, task: Task, threads: int | None = None) -> None:
        """Make the trackers; see `TrackerRecipe.make`."""
        self._settings = task.settings
        self._trackers = {rung: task.recipe.make(rung, threads) for rung in task.rungs}

    def score(self, reference: ClipReference) -> ClipResult:
        """Load a clip, once for all trackers, and score it."""
        clip = reference.load()
        return ClipResult(
            len(clip.frames_rgb_thwc),
            {
                rung: score_tracker(tracker, clip, self._settings)
                for rung, tracker in self._trackers.items()
            },
            score_baselines(clip, self._settings) if self._settings.baselines else {},
        )
