"""The published loops of SAM 2 in PyTorch, over the functions of the doubles: what ours must equal.

Written from what the two implementations do, with their own order of things: dictionaries of frames
that are never given up, tokens as many as there are, prompts that are consolidated when propagation
starts. Nothing here is shared with the rules under test.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from sam2lite.runtimes.geometry import network_input
from tests.doubles import sam2_functions as graphs

ALL_FRAMES = 6
NO_OBJECT = -1024.0
Output = dict[str, Any]


def smoothed(image: Tensor, side: int) -> Tensor:
    return F.interpolate(image, (side, side), mode="bilinear", align_corners=False, antialias=True)


class PublishedObject:
    """One object in Meta's predictor, or in that of Hugging Face."""

    def __init__(
        self,
        frames: list[np.ndarray],
        size: int,
        meta: bool = True,
        corrections_condition: bool = True,
        memory_dtype: torch.dtype = torch.float32,
        num_frames: int | None = None,
        conditioning_limit: int = -1,
    ) -> None:
        self.frames, self.size, self.meta = frames, size, meta
        self.corrections_condition = corrections_condition
        self.memory_dtype, self.limit = memory_dtype, conditioning_limit
        self.pointer_frames = min(num_frames or 16, 16)
        self.cond: dict[int, Output] = {}
        self.non_cond: dict[int, Output] = {}
        self.pending: dict[int, tuple[bool, Output]] = {}
        self.tracked: set[int] = set()

    def click(
        self,
        index: int,
        points: Sequence[tuple[float, float]] = (),
        labels: Sequence[int] | None = None,
        box: tuple[float, float, float, float] | None = None,
    ) -> Output:
        height, width = self.frames[index].shape[:2]
        xy = [*([box[:2], box[2:]] if box else []), *points]
        tokens = torch.tensor(xy, dtype=torch.float32) / torch.tensor([width, height]) * self.size
        labels = [*([2, 3] if box else []), *(labels or [1] * len(points))]
        return self._prompted(index, (tokens, labels), None)

    def draw(self, index: int, mask_hw: np.ndarray) -> Output:
        mask = torch.from_numpy(mask_hw.astype(np.float32))[None, None]
        return self._prompted(index, None, (smoothed(mask, self.size) >= 0.5).float())

    def propagate(self, start: int, end: int) -> Iterator[Output]:
        self.consolidate()
        for index in range(start, end):
            if index in self.cond:
                output = self.cond[index]
            else:
                output = self._decide(index, False, None, None, None)
                self._remember(index, output, prompted=False)
                self.non_cond[index] = output
            if self.meta or index not in self.cond:
                self.tracked.add(index)
            yield output

    def rewind(self, index: int) -> None:
        """Forget what was tracked from a frame on; the published loops have it overwritten."""
        self.consolidate()
        self.non_cond = {other: out for other, out in self.non_cond.items() if other < index}
        self.tracked = {other for other in self.tracked if other < index or other in self.cond}

    def _prompted(self, index: int, points: Any, mask: Tensor | None) -> Output:
        first = index not in self.tracked
        before = self.pending.get(index, (False, None))[1]
        before = before or self.cond.get(index) or self.non_cond.get(index)
        logits = None
        if self.meta and before is not None and mask is None:
            logits = before["logits"].clamp(-32, 32)
        output = self._decide(index, first, points, mask, logits)
        output["first"] = first
        self.pending[index] = (first or self.corrections_condition, output)
        return output

    def consolidate(self) -> None:
        for index, (conditions, output) in self.pending.items():
            self._remember(index, output, prompted=True)
            (self.cond if conditions else self.non_cond)[index] = output
            if conditions:
                self.non_cond.pop(index, None)
        self.pending.clear()

    def _look(self, index: int) -> Output:
        return graphs.image_encoder({"image_bchw": network_input(self.frames[index], self.size)})

    def _decide(
        self, index: int, first: bool, points: Any, mask: Tensor | None, logits: Tensor | None
    ) -> Output:
        look = self._look(index)
        if mask is not None:
            return self._from_mask(look, mask)
        embed = look["image_embed"] if first else self._attend(index, look)
        count = 0 if points is None else len(points[1])
        given = self._decode(look, embed, points, None if logits is None else logits.numpy())
        masks = torch.from_numpy(given["masks"])
        iou, score = given["iou_predictions"][0], float(given["object_score_logits"][0, 0])
        best = 1 + int(iou[1:].argmax())
        shown, pointer = 0, 0
        if count <= 1:
            shown = pointer = best
        else:
            inside, around = (masks[0, 0] > 0.05).sum(), (masks[0, 0] > -0.05).sum()
            if around > 0 and float(inside.float() / around.float()) < 0.98:
                shown = best
        low = masks[:, shown : shown + 1]
        if score <= 0:
            low = torch.full_like(low, NO_OBJECT)
        return {
            "logits": low,
            "full": self._enlarged(low),
            "iou": float(iou[shown]),
            "score": score,
            "pointer": given["object_pointers_bmc"][0, pointer],
        }

    def _from_mask(self, look: Output, mask: Tensor) -> Output:
        full = mask * 20 - 10
        low = smoothed(full, self.size // 4)
        shrunk = graphs.mask_downsample({"mask_b1hw": mask.numpy()})["mask_input"]
        given = self._decode(look, look["pix_feat"], None, shrunk)
        best = 0 if self.meta else 1 + int(given["iou_predictions"][0, 1:].argmax())
        return {
            "logits": low,
            "full": self._enlarged(low) if self.meta else full,
            "iou": 1.0,
            "score": 10.0,
            "pointer": given["object_pointers_bmc"][0, best],
        }

    def _decode(self, look: Output, embed: Any, points: Any, mask: Any) -> Output:
        xy, labels = (torch.zeros(1, 2), [-1]) if points is None else points
        xy = torch.cat([xy + 0.5, torch.zeros(1, 2)]) / self.size
        side = self.size // 4
        return graphs.mask_decoder(
            {
                "image_embed": embed,
                "high_res_feats_1": look["high_res_feats_1"],
                "high_res_feats_0": look["high_res_feats_0"],
                "prompt_xy_norm_bpc": xy[None].numpy(),
                "prompt_label_bp": np.array(
                    [[4 if label < 0 else label for label in [*labels, -1]]]
                ),
                "mask_input": np.zeros((1, 1, side, side), np.float32) if mask is None else mask,
                "has_mask_input": np.full((1, 1, 1, 1), mask is not None, np.float32),
            }
        )

    def _attend(self, index: int, look: Output) -> Any:
        selected, unselected = dict(self.cond), {}
        if 0 < self.limit < len(self.cond):
            order = sorted(self.cond, key=lambda other: abs(other - index))
            kept = [max(earlier)] if (earlier := [o for o in self.cond if o < index]) else []
            kept += [min(later)] if (later := [o for o in self.cond if o >= index]) else []
            kept += [other for other in order if other not in kept][: self.limit - len(kept)]
            selected = {other: self.cond[other] for other in kept}
            unselected = {other: self.cond[other] for other in self.cond if other not in kept}
        memories = [(6, output) for output in selected.values()]
        for ago in range(ALL_FRAMES, 0, -1):
            output = self.non_cond.get(index - ago) or unselected.get(index - ago)
            if output is not None:
                memories.append((ago - 1, output))
        pointers = [(index - other, out) for other, out in selected.items() if other <= index]
        for ago in range(1, self.pointer_frames):
            output = self.non_cond.get(index - ago) or unselected.get(index - ago)
            if output is not None:
                pointers.append((ago, output))
        inputs = {
            "pix_feat": look["pix_feat"],
            "memory_features_bnc": torch.cat([out["memory"] for _, out in memories], 1).numpy(),
            "memory_time_bs": np.array([[row for row, _ in memories]]),
            "object_pointers_bqc": np.zeros((1, 0, 256), np.float32),
            "pointer_time_bq": np.zeros((1, 0), np.float32),
        }
        if pointers:
            inputs["object_pointers_bqc"] = np.stack([out["pointer"] for _, out in pointers])[None]
            inputs["pointer_time_bq"] = np.array(
                [[ago / (self.pointer_frames - 1) for ago, _ in pointers]], np.float32
            )
        return graphs.memory_attention(inputs)["image_embed"]

    def _remember(self, index: int, output: Output, prompted: bool) -> None:
        given = graphs.memory_encoder(
            {
                "pix_feat": self._look(index)["pix_feat"],
                "high_res_mask": output["full"].numpy(),
                "binarize": np.full((1, 1, 1, 1), prompted, np.float32),
                "object_score_logits": np.full((1, 1), output["score"], np.float32),
            }
        )
        memory = torch.from_numpy(given["memory_features_bnc"])
        output["memory"] = memory.to(self.memory_dtype).float()

    def _enlarged(self, low: Tensor) -> Tensor:
        return F.interpolate(low, (self.size, self.size), mode="bilinear", align_corners=False)
