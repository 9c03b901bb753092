"""The float loop over a calibration clip."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from sam2lite.calibration.footage import CalibrationClip
from sam2lite.contracts.families.sam2lite import FAMILY
from sam2lite.models.sam2lite.network import Sam2Lite
from sam2lite.models.sam2lite.reference_loop import ObjectOutput, ReferenceLoop
from sam2lite.runtimes.geometry import network_input
from sam2lite.runtimes.rules.sam2lite.mask_prompt import mask_logits
from sam2lite.runtimes.rules.sam2lite.motion import MotionSignal


def follow(
    model: Sam2Lite, clip: CalibrationClip, rungs: Sequence[int]
) -> Iterator[dict[int, ObjectOutput]]:
    """Prompt, track and correct as the clip says; yield every frame's outputs by object.

    Args:
        model: the network, fused or not.
        clip: to follow.
        rungs: input sides, px; each is used for an equal part of the clip, in order.
    """
    motion = MotionSignal()
    loop = ReferenceLoop(model, lambda _, logits: motion.inside(logits.numpy()))
    for index, frame in enumerate(clip.frames_bgr):
        rung = rungs[index * len(rungs) // len(clip.frames_bgr)]
        height, width = frame.shape[:2]
        image = network_input(frame, rung)
        motion.update(image)
        loop.start_frame(torch.from_numpy(image))
        for object_id, prompt in clip.prompts.items() if index == 0 else ():
            side = rung // FAMILY.mask_stride
            logits = None if prompt.mask_hw is None else mask_logits(prompt.mask_hw, side)
            loop.prompt(object_id, prompt.slots(width, height), logits)
        outputs = loop.track_all()
        if clip.correction is not None and index == clip.corrected_at:
            first = next(iter(clip.prompts))
            outputs[first] = loop.correct(first, clip.correction.slots(width, height))
        yield outputs
