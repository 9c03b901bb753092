"""What memory attention takes, of what a frame sees."""

from typing import Any, Dict, Tuple

import numpy as np

from sam2lite.contracts.families.sam2 import (
    EMBED_CHANNELS,
    POINTER_SLOTS,
    POINTER_TOKENS,
    SlotBankLayout,
)
from sam2lite.contracts.input_sizes import SQUARE, Aspect
from sam2lite.contracts.loop import MASKED_BIAS
from sam2lite.runtimes.rules.sam2.slot_bank import Seen
from sam2lite.runtimes.rules.sam2.slot_buffer import SlotBuffer


def attention_inputs(
    seen: Seen,
    buffer: SlotBuffer,
    layout: SlotBankLayout,
    size: int,
    pointer_frames: int,
    aspect: Aspect = SQUARE,
) -> Tuple[str, Dict[str, Any]]:
    """Return the smallest graph that holds what is seen, and its inputs but for the features.

    Args:
        seen: at least one frame.
        buffer: of the object.
        layout: of the family.
        size: width of the input, px.
        pointer_frames: how far back pointers are sought, the frame itself counted.
        aspect: of the input.
    """
    tokens = layout.frame_tokens(size, aspect)
    graph, slots = layout.slots_for(len(seen.frames))
    records = [record for record, _ in seen.frames]
    memory_bnc, places = buffer.seated(records, slots, tokens, aspect)
    time_bs = np.zeros((1, slots), np.int32)
    bias_k = np.full(slots * tokens + POINTER_SLOTS * POINTER_TOKENS, MASKED_BIAS, np.float32)
    for place, (_, row) in zip(places, seen.frames):
        time_bs[0, place] = row
        bias_k[place * tokens : (place + 1) * tokens] = 0.0
    pointers_bqc = np.zeros((1, POINTER_SLOTS, EMBED_CHANNELS), np.float32)
    ago_bq = np.zeros((1, POINTER_SLOTS), np.float32)
    for place, (pointer_c, ago) in enumerate(seen.pointers):
        pointers_bqc[0, place] = pointer_c
        # Of a video of one frame, only that frame's own pointer is ever seen: 0 frames ago.
        ago_bq[0, place] = ago / max(pointer_frames - 1, 1)
    first = slots * tokens
    bias_k[first : first + POINTER_TOKENS * len(seen.pointers)] = 0.0
    inputs = {
        "memory_features_bnc": memory_bnc,
        "memory_time_bs": time_bs,
        "object_pointers_bqc": pointers_bqc,
        "memory_bias_b11k": bias_k.reshape(1, 1, 1, -1),
    }
    if layout.pointer_time:
        inputs["pointer_time_bq"] = ago_bq
    return graph, inputs
