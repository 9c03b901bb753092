"""The frame rules of the toy family: an object's memory is its last mask."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from sam2lite.contracts.manifest import Manifest
from sam2lite.files.array_reading import Column
from sam2lite.runtimes.prompts import Prompt
from sam2lite.runtimes.rules.current_frame import CurrentFrame, Decision, Host
from sam2lite.runtimes.rules.interface import Chosen, FrameRules, Memory, finite


class ToyMemory(Memory):
    """The logits of the last frame; None before the first one."""

    def __init__(self) -> None:
        self.mask_hw: np.ndarray | None = None

    def tick(self) -> None:
        """Masks do not age."""

    def forget_last(self) -> None:
        """Nothing to do: a correction paints from its prompt alone."""

    def state(self, host: Host) -> dict[str, np.ndarray]:
        return {} if self.mask_hw is None else {"mask": self.mask_hw}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.mask_hw = arrays.get("mask")


class ToyRules(FrameRules):
    settings = ("first_logit",)
    remembers_absent = True

    def __init__(self, manifest: Manifest, first_logit: float = 10.0) -> None:
        self._stride = manifest.postprocess.mask_stride
        self._present_above = manifest.postprocess.object_score_threshold
        self._first_logit = first_logit
        self._sides = tuple(size // self._stride for size in manifest.rungs)

    def memory_columns(self) -> dict[str, Column]:
        return {"mask": Column("float32", (self._sides, self._sides), needed=False)}

    def new_memory(self) -> ToyMemory:
        return ToyMemory()

    def prompt_inputs(self, prompt: Prompt | None, width: int, height: int) -> np.ndarray | None:
        """Draw a prompt over the frame: float32 [height, width]."""
        if prompt is None:
            return None
        prompt.slots(width, height)
        drawn_hw = np.full((height, width), -self._first_logit, np.float32)
        for x, y in prompt.points_xy.astype(int):
            drawn_hw[y, x] = self._first_logit
        if prompt.box_xyxy is not None:
            x1, y1, x2, y2 = prompt.box_xyxy.astype(int)
            drawn_hw[y1 : y2 + 1, x1 : x2 + 1] = self._first_logit
        if prompt.mask_hw is not None:
            drawn_hw[prompt.mask_hw] = self._first_logit
        return drawn_hw

    def hint(
        self,
        frame: CurrentFrame,
        prompt: Prompt | None,
        before: Decision | None,
        last: np.ndarray | None,
    ) -> None:
        return None

    def decode(
        self, frame: CurrentFrame, memory: ToyMemory, window: int | None, inputs: Any, hint: None
    ) -> dict[str, np.ndarray]:
        side = frame.size // self._stride
        if inputs is not None:
            before_hw = _largest(inputs, side)
        else:
            assert memory.mask_hw is not None
            before_hw = memory.mask_hw
        given = frame.run("brush", {**frame.features(), "before_b1hw": before_hw[None, None]})
        return {name: frame.host(handle) for name, handle in given.items()}

    def choose(
        self, frame: CurrentFrame, candidates: Any, prompt: Prompt | None, hint: None
    ) -> Chosen:
        logits = candidates["mask_bmhw"][0, 0].copy()
        score = float(candidates["score_b1"][0, 0])
        return Chosen(
            logits,
            float(candidates["iou_bm"][0, 0]),
            score,
            present=prompt is not None or score > self._present_above,
            lost=not finite(logits),
            pointer=None,
        )

    def remember(
        self, frame: CurrentFrame, memory: ToyMemory, chosen: Chosen, prompted: bool
    ) -> bool:
        memory.mask_hw = chosen.logits
        return True


def _largest(drawn_hw: np.ndarray, side: int) -> np.ndarray:
    """Reduce to [side, side] by the largest of each cell, as PyTorch's adaptive pooling does."""
    edges = [
        [(i * n // side, -(-(i + 1) * n // side)) for i in range(side)] for n in drawn_hw.shape
    ]
    return np.array(
        [[drawn_hw[top:end, left:right].max() for left, right in edges[1]] for top, end in edges[0]]
    )
