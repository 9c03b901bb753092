"""What a prompt becomes: tokens of clicks and corners, or a mask that is taken as it is."""

from typing import Any, Dict, NamedTuple, Optional

import numpy as np

from sam2lite.contracts.families.sam2 import PROMPT_TOKENS
from sam2lite.contracts.loop import (
    LABEL_BOX_BOTTOM_RIGHT,
    LABEL_BOX_TOP_LEFT,
    LABEL_PAD,
    MASKED_BIAS,
)
from sam2lite.errors import PromptError
from sam2lite.runtimes.prompts import Prompt

_MOST_POINTS_FOR_SEVERAL_MASKS = 1  # of which the best is taken; corners of a box count, too


class PromptTokens(NamedTuple):
    """A prompt that fits its frame; the input's size is not known yet.

    Attributes:
        xy_share: float64 [n, 2], pixels divided by the frame's width and height.
        labels: int32 [n], `contracts.loop.LABEL_*`: corners first, then clicks.
        mask_hw: bool [height, width], the answer itself; None where there are points.
    """

    xy_share: np.ndarray
    labels: np.ndarray
    mask_hw: Optional[np.ndarray]

    @property
    def several_masks(self) -> bool:
        """Whether the best of several masks is taken: there is no point, or a single one."""
        return self.mask_hw is None and len(self.labels) <= _MOST_POINTS_FOR_SEVERAL_MASKS

    def inputs(self, height: int, width: int) -> Dict[str, Any]:
        """Return the decoder's prompt inputs by name.

        Args:
            height: of the network's input, px.
            width: of the network's input, px.
        """
        count = len(self.labels)
        xy_norm_bpc = np.zeros((1, PROMPT_TOKENS, 2), np.float32)
        label_bp = np.full((1, PROMPT_TOKENS), LABEL_PAD, np.int32)
        bias_b11p = np.full((1, 1, 1, PROMPT_TOKENS), MASKED_BIAS, np.float32)
        # Half a pixel of the input, not of the frame: so the published loops have it.
        xy_norm_bpc[0, :count] = self.xy_share + np.array([0.5 / width, 0.5 / height])
        label_bp[0, :count] = self.labels
        # One token ends every prompt; where there is none, another stands for it.
        bias_b11p[0, 0, 0, : max(count, 1) + 1] = 0.0
        return {
            "prompt_xy_norm_bpc": xy_norm_bpc,
            "prompt_label_bp": label_bp,
            "prompt_bias_b11p": bias_b11p,
        }


NO_PROMPT = PromptTokens(np.zeros((0, 2)), np.zeros(0, np.int32), None)


def prompt_tokens(prompt: Optional[Prompt], width: int, height: int) -> PromptTokens:
    """Check a prompt against its frame; None is a frame that is tracked.

    Args:
        prompt: clicks, a box or both, or a mask.
        width: of the frame, px.
        height: of the frame, px.

    Raises:
        PromptError: it does not fit the frame, or has a mask beside other things.
    """
    if prompt is None:
        return NO_PROMPT
    prompt = prompt.inside(width, height)
    xy, labels = prompt.points_xy, prompt.labels
    if prompt.box_xyxy is not None:
        xy = np.concatenate([prompt.box_xyxy.reshape(2, 2), xy])
        labels = np.append([LABEL_BOX_TOP_LEFT, LABEL_BOX_BOTTOM_RIGHT], labels)
    if prompt.mask_hw is not None and len(labels):
        raise PromptError(
            "a mask is taken as it is, and {} point(s) were given with it; correct the mask with "
            "them afterwards".format(len(labels))
        )
    return PromptTokens(xy / (width, height), labels.astype(np.int32), prompt.mask_hw)
