"""What happens in a clip on which loops are compared, in the same order for each of them."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from sam2lite.exporter.verify.choices import ChoiceCount
from sam2lite.exporter.verify.parity import LAST_BIT

if TYPE_CHECKING:
    from sam2lite.data.clips import Clip
    from sam2lite.evaluation.reference_tracker import ReferenceTracker
    from sam2lite.models.contest import Contest
    from sam2lite.models.loaded import LoadedModel
    from sam2lite.runtimes.bundle import Bundle
    from sam2lite.runtimes.results import ObjectResult
    from sam2lite.runtimes.segmenter import VideoSegmenter

CORRECTED_AT = 7 / 24  # of the clip
RUNG_SWITCHED_AT = 16 / 24

Found = dict[int, "ObjectResult"]
# Something done to a loop, and the objects that it changed.
Act = Callable[["VideoSegmenter | ReferenceTracker"], Found]


class LoopScript:
    """A clip, prompts, a correction and a change of the input size.

    Attributes:
        frames: of the clip.
        prompts: for the first frame, by object.
        rungs: in the order they are used, px.
        settings: of the frame rules.
    """

    def __init__(self, bundle: Bundle, loaded: LoadedModel, clip: Clip) -> None:
        """Write it.

        Args:
            bundle: whose loop is compared.
            loaded: the network it was made from, not fused.
            clip: of two objects or more.
        """
        from sam2lite.data.clips import first_click

        self._bundle, self._loaded, self._clip = bundle, loaded, clip
        self.frames = len(clip.frames_rgb_thwc)
        self.settings: dict[str, Any] = dict(loaded.host.parity_settings)
        self._height, self._width = clip.labels_thw.shape[1:]
        first, second = clip.object_ids[:2]
        rows, columns = np.nonzero(clip.labels_thw[0] == second)
        box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        self.prompts: dict[int, dict[str, Any]] = {
            first: {"points": [first_click(clip, first)]},
            second: {"box": box},
        }
        rungs = bundle.manifest.rungs
        switches = len(rungs) > 1 and bundle.family.keeps_memory_across_sizes
        self.rungs = [rungs[-1], rungs[0]] if switches else [rungs[-1]]
        # What the bundle's loop had found after each act, and what PyTorch's found by it.
        self._acted: list[tuple[Found, Found]] = []

    def followed(self, count: ChoiceCount) -> list[tuple[Found, Found]]:
        """Play it to both loops; return what each found, the bundle's first, for every frame.

        Args:
            count: told of choices among candidate masks.
        """
        from sam2lite.runtimes.segmenter import VideoSegmenter

        actual: Found = {}
        expected: Found = {}
        frames = []
        reference = self._reference(self._loaded, count, actual)
        with VideoSegmenter(self._bundle, **self.settings) as segmenter:
            segmenter.prepare()  # graphs that the clip has no use for must open, too
            for index in range(self.frames):
                for act in self._acts(index):
                    actual.update(act(segmenter))
                    # Afterwards, because ties are decided as the segmenter has decided them.
                    found = act(reference)
                    expected.update(found)
                    self._acted.append((dict(actual), found))
                frames.append((dict(actual), dict(expected)))
        return frames

    def own_rounding(self, seed: int = 0) -> float:
        """Return how far PyTorch's logits move where each weight moves by its last bit, at most.

        Asked after `followed`, whose ties are decided as they were.

        Args:
            seed: of the directions.
        """
        actual: Found = {}
        moved = self._reference(_moved(self._loaded, seed), ChoiceCount(), actual)
        acts = (act for index in range(self.frames) for act in self._acts(index))
        largest = 0.0
        for act, (acted, expected) in zip(acts, self._acted, strict=True):
            actual.update(acted)
            found = act(moved)
            largest = max([largest, *(_distance(found[key], expected[key]) for key in found)])
        return largest

    def _reference(
        self, loaded: LoadedModel, count: ChoiceCount, actual: Found
    ) -> ReferenceTracker:
        from sam2lite.evaluation.reference_tracker import ReferenceTracker

        def choose(contest: Contest) -> int:
            return count.taken(contest, actual[contest.object_id].logits)

        return ReferenceTracker(loaded, self.rungs[0], choose, **self.settings)

    def _acts(self, index: int) -> Iterator[Act]:
        """Yield what is done on a frame."""
        frame_bgr = np.ascontiguousarray(self._clip.frames_rgb_thwc[index][..., ::-1])
        first = next(iter(self.prompts))

        def track(loop: VideoSegmenter | ReferenceTracker) -> Found:
            if index == round(RUNG_SWITCHED_AT * self.frames) and len(self.rungs) > 1:
                loop.set_rung(self.rungs[-1])
            if index == 0:
                for object_id, prompt in self.prompts.items():
                    loop.prompt(frame_bgr, object_id, **prompt)
            return dict(loop.track(frame_bgr).objects)

        def correct(loop: VideoSegmenter | ReferenceTracker) -> Found:
            points = [(self._width // 3, self._height // 3), (self._width - 5, 4)]
            return {first: loop.correct(first, points=points, labels=[1, 0])}

        yield track
        if index == round(CORRECTED_AT * self.frames):
            yield correct


def _distance(one: ObjectResult, other: ObjectResult) -> float:
    return float(np.abs(one.logits - other.logits).max())


def _moved(loaded: LoadedModel, seed: int) -> LoadedModel:
    """Return a network each of whose weights has moved by its last bit, up or down."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    model = copy.deepcopy(loaded.model)
    with torch.no_grad():
        for weight in model.parameters():
            sign = torch.randint(0, 2, weight.shape, generator=generator).to(weight.dtype) * 2 - 1
            weight.mul_(1 + sign * LAST_BIT)
    return dataclasses.replace(loaded, model=model)
