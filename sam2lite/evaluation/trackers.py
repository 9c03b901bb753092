"""What can be evaluated: anything that follows objects as the loop of users does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sam2lite.evaluation.metrics import Mask
from sam2lite.runtimes.bundle import Bundle
from sam2lite.runtimes.prompts import Prompt
from sam2lite.runtimes.results import FrameResult
from sam2lite.runtimes.segmenter import VideoSegmenter

Frame = NDArray[np.uint8]
Masks = dict[int, Mask]


class Segmenter(Protocol):
    """What `VideoSegmenter` and `ReferenceTracker` have in common, as far as a clip needs it."""

    def reset(self) -> None:
        """Forget all objects."""

    def give(self, frame: Frame, object_id: int, prompt: Prompt) -> Any:
        """Point out an object on a frame."""

    def remove(self, object_id: int) -> None:
        """Stop following an object."""

    def track(self, frame: Frame) -> FrameResult:
        """Follow every object into the next frame."""

    def close(self) -> None:
        """Free what it holds."""


class Tracker(Protocol):
    """Follows prompted objects through one clip after another.

    Frames are uint8 [height, width, 3], BGR; masks are bool [height, width] by object id, all False
    where the object is not seen.
    """

    def start(self, frame_bgr: Frame, prompts: Mapping[int, Prompt]) -> Masks:
        """Forget the clip before, and return the masks of the first frame of the next one."""

    def track(self, frame_bgr: Frame) -> Masks:
        """Return the masks of the next frame."""

    def close(self) -> None:
        """Free what the tracker holds."""


class ClipTracker:
    """Any segmenter, started anew on every clip."""

    def __init__(self, segmenter: Segmenter) -> None:
        """Take a segmenter over."""
        self._segmenter = segmenter

    def start(self, frame_bgr: Frame, prompts: Mapping[int, Prompt]) -> Masks:
        """See `Tracker`."""
        self._segmenter.reset()
        for object_id, prompt in prompts.items():
            self._segmenter.give(frame_bgr, object_id, prompt)
        return self.track(frame_bgr)

    def track(self, frame_bgr: Frame) -> Masks:
        """See `Tracker`."""
        objects = self._segmenter.track(frame_bgr).objects
        return {object_id: found.mask for object_id, found in objects.items()}

    def close(self) -> None:
        """See `Tracker`."""
        self._segmenter.close()


class BundleTracker(ClipTracker):
    """The frame loop that users run."""

    def __init__(
        self,
        bundle: Bundle | str,
        rung: int | None = None,
        threads: int | None = None,
        **settings: Any,
    ) -> None:
        """Open a bundle; arguments and errors are those of `VideoSegmenter`."""
        super().__init__(VideoSegmenter(bundle, rung=rung, threads=threads, **settings))
