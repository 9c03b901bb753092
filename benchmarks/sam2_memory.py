"""What less memory, and another input size in the middle of a clip, cost SAM 2 in agreement.

    .venv/bin/python benchmarks/sam2_memory.py [--model CHECKPOINT] [--size 256] [--video FILE]

Every variant follows the same clip as the whole memory does, in PyTorch, and its masks are
compared with those of the whole: mean and lowest IoU over frames and objects. Beside it stand the
CPU seconds of one call of memory attention with a full bank, on one thread. Without a checkpoint,
weights are random: agreement then says how much of memory a variant keeps, not what trained
weights make of it. Prints JSON.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import json
import math
import statistics
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sam2lite.bench.machine_facts import describe_machine
from sam2lite.contracts.families.sam2 import FAMILY, RECENT_FRAMES, attention_name
from sam2lite.data.clips import first_click
from sam2lite.evaluation.reference_tracker import ReferenceTracker
from sam2lite.exporter.onnx.trace import example_inputs
from sam2lite.exporter.verify.loop_parity import parity_clip
from sam2lite.models.loaded import LoadedModel
from sam2lite.models.registry import load_model
from sam2lite.models.sam2.config import PUBLISHED
from sam2lite.models.sam2.family import HOST
from sam2lite.models.sam2.fused import FoldedAttention
from sam2lite.models.sam2.graphs import graph_module
from sam2lite.models.sam2.memory_attention import Rotations
from sam2lite.models.sam2.network import build
from sam2lite.models.sam2.reference import memory as reference_memory
from sam2lite.runtimes.video.source import open_source

FRAMES = 24
FULL = RECENT_FRAMES + 1
RUNS = 5
Masks = list[dict[int, np.ndarray]]
Reduce = Callable[[Tensor, Tensor], tuple[Tensor, Tensor, float]]


class ReducedAttention(nn.Module):
    """Attention to memory that sees less of every frame; pointers are left as they are."""

    def __init__(self, attention: FoldedAttention, reduce: Reduce) -> None:
        super().__init__()
        self.attention, self.reduce = attention, reduce

    def forward(
        self,
        query_bnc: Tensor,
        key_bkc: Tensor,
        value_bkc: Tensor,
        rotation: Rotations,
        frames: int,
        bias_b1k: Tensor,
    ) -> Tensor:
        """See `RotaryAttention.forward`."""
        cells = int(rotation.key[0].shape[0])
        placed = frames * cells
        turned = self.attention.rotated(query_bnc, key_bkc, rotation, frames)
        query_nc, key_kc = (x[0] for x in turned)
        value_kc, bias_k = value_bkc[0], bias_b1k[0, 0]
        key_gnc = key_kc[:placed].reshape(frames, cells, -1)
        value_gnc = value_kc[:placed].reshape(frames, cells, -1)
        key_gnc, value_gnc, weight = self.reduce(key_gnc, value_gnc)
        left = key_gnc.shape[1]
        # A cell that stands for several counts as several.
        slot_bias = bias_k[:placed:cells].repeat_interleave(left) + math.log(weight)
        keys = torch.cat([key_gnc.flatten(0, 1), key_kc[placed:]])
        values = torch.cat([value_gnc.flatten(0, 1), value_kc[placed:]])
        bias = torch.cat([slot_bias, bias_k[placed:]])
        seen = torch.softmax(F.linear(query_nc, keys, bias), dim=-1) @ values
        result: Tensor = self.attention.out_proj(seen[None])
        return result


def pooled(key_gnc: Tensor, value_gnc: Tensor) -> tuple[Tensor, Tensor, float]:
    """Average keys and values over 2 x 2 cells."""
    side = math.isqrt(key_gnc.shape[1])

    def halved(x_gnc: Tensor) -> Tensor:
        x_gchw = x_gnc.transpose(1, 2).reshape(len(x_gnc), -1, side, side)
        return F.avg_pool2d(x_gchw, 2).flatten(2).transpose(1, 2)

    return halved(key_gnc), halved(value_gnc), 4.0


def salient(key_gnc: Tensor, value_gnc: Tensor) -> tuple[Tensor, Tensor, float]:
    """Keep the quarter of the cells whose memory is furthest from the frame's mean.

    After "Efficient-SAM2" (arXiv 2602.08224), which ranks cells by what they were attended to; a
    graph of fixed shape does not know that before it is run.
    """
    far_gn = (value_gnc - value_gnc.mean(dim=1, keepdim=True)).norm(dim=2)
    index_gk = far_gn.topk(key_gnc.shape[1] // 4).indices[..., None]
    return (
        key_gnc.gather(1, index_gk.expand(-1, -1, key_gnc.shape[2])),
        value_gnc.gather(1, index_gk.expand(-1, -1, value_gnc.shape[2])),
        1.0,
    )


def reduced(loaded: LoadedModel, reduce: Reduce) -> LoadedModel:
    """Return a fused network that sees less of memory."""
    network = copy.deepcopy(loaded.model)
    for layer in network.memory_attention.layers:
        layer.cross_attn_image = ReducedAttention(layer.cross_attn_image, reduce)
    return dataclasses.replace(loaded, model=network)


def frames_and_prompts(
    video: Path | None,
) -> tuple[list[np.ndarray], list[tuple[int, tuple[float, float]]]]:
    """Return frames in BGR, and clicks on the first of them by object."""
    if video is None:
        clip = parity_clip(0, FRAMES)
        frames = [np.ascontiguousarray(f[..., ::-1]) for f in clip.frames_rgb_thwc]
        return frames, [(key, first_click(clip, key)) for key in clip.object_ids[:2]]
    with open_source(str(video)) as source:
        frames = [np.array(frame) for frame in islice(iter(source), FRAMES)]
    height, width = frames[0].shape[:2]
    return frames, [(1, (width / 2, height / 2))]


def followed(
    loaded: LoadedModel,
    frames: list[np.ndarray],
    prompts: list[tuple[int, tuple[float, float]]],
    sizes: Iterator[int],
) -> Masks:
    """Return the masks of every frame.

    Args:
        loaded: the network.
        frames: in BGR.
        prompts: a click an object, on the first frame.
        sizes: of the input, px, frame by frame.
    """
    tracker = ReferenceTracker(loaded, next(sizes))
    masks: Masks = []
    for index, frame in enumerate(frames):
        if index:
            tracker.set_rung(next(sizes))
        for key, point in prompts if index == 0 else ():
            tracker.prompt(frame, key, points=[point], frame_index=0)
        found = tracker.track(frame, frame_index=index).objects
        masks.append({key: each.mask for key, each in found.items()})
    return masks


def agreement(masks: Masks, whole: Masks, first: int = 1) -> dict[str, float]:
    """Return the mean and the lowest IoU from a frame on."""
    ious = []
    for one, other in zip(masks[first:], whole[first:], strict=True):
        for key in one:
            union = int((one[key] | other[key]).sum())
            ious.append(int((one[key] & other[key]).sum()) / union if union else 1.0)
    return {"mean_iou": round(statistics.mean(ious), 4), "lowest_iou": round(min(ious), 4)}


@torch.no_grad()
def attention_cpu_s(loaded: LoadedModel, slots: int, size: int) -> float:
    """Return the median CPU seconds of memory attention with all of its slots taken."""
    name = attention_name(slots)
    module = graph_module(loaded.model, name)
    inputs = example_inputs(FAMILY.graph(name).bind(loaded.dims(size)))
    inputs[-1] = torch.zeros_like(inputs[-1])
    module(*inputs)
    spent = []
    for _ in range(RUNS):
        begun = time.process_time()
        module(*inputs)
        spent.append(time.process_time() - begun)
    return round(statistics.median(spent), 3)


def main() -> None:
    """Measure all variants."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", help="a checkpoint of SAM 2; random weights of tiny without it")
    parser.add_argument("--size", type=int, default=256, help="input side, px")
    parser.add_argument("--smaller", type=int, default=192, help="the size that it changes to")
    parser.add_argument("--video", type=Path, help="clicked in its middle; else a generated clip")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.model:
        loaded = load_model(arguments.model)
    else:
        config = PUBLISHED["sam2.1_hiera_tiny"]
        loaded = HOST.untrained(build(config, 0), config)
    fused, size = loaded.fused(), arguments.size
    frames, prompts = frames_and_prompts(arguments.video)

    def constant(side: int) -> Iterator[int]:
        return iter([side] * len(frames))

    whole = followed(fused, frames, prompts, constant(size))
    rows = {"whole memory, 7 slots": {"cpu_s": attention_cpu_s(fused, FULL, size)}}
    for slots in (4, 2):
        # The loop has no setting for it: what is measured is a rule of runtimes.
        vars(reference_memory)["RECENT_FRAMES"] = slots - 1
        masks = followed(fused, frames, prompts, constant(size))
        cost = {"cpu_s": attention_cpu_s(fused, slots, size)}
        rows[f"{slots} slots"] = {**cost, **agreement(masks, whole)}
    vars(reference_memory)["RECENT_FRAMES"] = RECENT_FRAMES
    for name, reduce in (("pooled 2 x 2", pooled), ("a quarter of the cells", salient)):
        less = reduced(fused, reduce)
        masks = followed(less, frames, prompts, constant(size))
        cost = {"cpu_s": attention_cpu_s(less, FULL, size)}
        rows[name] = {**cost, **agreement(masks, whole)}
    half, small = len(frames) // 2, arguments.smaller
    changed = [size] * half + [small] * (len(frames) - half)
    rows[f"{small} px throughout"] = agreement(
        followed(fused, frames, prompts, constant(small)), whole, half
    )
    rows[f"{size} to {small} px at frame {half}"] = agreement(
        followed(fused, frames, prompts, iter(changed)), whole, half
    )
    result = {
        "machine": describe_machine(),
        "model": loaded.name,
        "trained": loaded.trained,
        "size": size,
        "frames": len(frames),
        "rows": rows,
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
