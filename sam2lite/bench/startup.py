"""From a path to the first mask: what a user waits for once Python has its modules."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from sam2lite.bench.frame_feed import Frame
from sam2lite.runtimes.bundle import open_bundle
from sam2lite.runtimes.presence import always_present
from sam2lite.runtimes.prompts import Prompt
from sam2lite.runtimes.segmenter import VideoSegmenter


@dataclass(frozen=True)
class LoopSettings:
    """How a bundle is run.

    Attributes:
        rung: input side to start with, px; the largest if None.
        threads: of ONNX Runtime's pool; the target's default if None.
        budget_ms: what a frame may take; None for no controller.
        preset: of the controller.
        backend: `ort` or `trt`; that the bundle was made for if None.
    """

    rung: int | None = None
    threads: int | None = None
    budget_ms: float | None = None
    preset: str = "default"
    backend: str | None = None


AS_IT_IS = LoopSettings()


@dataclass(frozen=True)
class Started:
    """An open segmenter that follows its objects, and what it took to get there.

    Attributes:
        segmenter: to be closed by the caller.
        open_ms: reading and checking the bundle, and opening the graphs of one rung.
        first_mask_ms: the first prompt; ONNX Runtime plans its memory in it.
    """

    segmenter: VideoSegmenter
    open_ms: float
    first_mask_ms: float

    @property
    def startup_ms(self) -> float:
        """From the path of the bundle to the first mask."""
        return self.open_ms + self.first_mask_ms


def start(
    path: str, frame: Frame, prompts: Mapping[int, Prompt], settings: LoopSettings
) -> Started:
    """Open a bundle and prompt its objects on a frame.

    Args:
        path: of the bundle.
        frame: uint8 [height, width, 3], BGR.
        prompts: by object id; at least one.
        settings: how to run it.

    Raises:
        BundleError: the bundle cannot be used.
        UnknownNameError: the rung or the preset does not exist.
        ArgumentError: the budget is not positive.
        PromptError: a prompt lies outside the frame.
        SessionError: the backend cannot run the bundle.
    """
    begun = time.perf_counter()
    segmenter = VideoSegmenter(
        always_present(open_bundle(path, settings.backend)),
        budget_ms=settings.budget_ms,
        preset=settings.preset,
        rung=settings.rung,
        threads=settings.threads,
    )
    opened = time.perf_counter()
    try:
        first, *others = prompts.items()
        prompt_all(segmenter, frame, dict([first]))
        masked = time.perf_counter()
        prompt_all(segmenter, frame, dict(others))
        segmenter.prepare()  # or a frame that counts would open a graph
    except BaseException:
        segmenter.close()
        raise
    return Started(segmenter, 1e3 * (opened - begun), 1e3 * (masked - opened))


def prompt_all(segmenter: VideoSegmenter, frame: Frame, prompts: Mapping[int, Prompt]) -> None:
    """Prompt objects on one frame.

    Raises:
        PromptError: a prompt lies outside the frame.
    """
    for object_id, prompt in prompts.items():
        segmenter.give(frame, object_id, prompt)
