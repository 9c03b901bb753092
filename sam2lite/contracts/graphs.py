"""The four graphs of SAM2-Lite, with static shapes and batch 1.

Symbols: R side of the square input in px; H16, H8, H4 sides of the maps at strides 16, 8 and 4;
D, C8, C4 their channels; B memory budget in tokens; K tokens per frame; P prompt slots; M mask
candidates; C memory channels.
"""

from typing import Dict

from sam2lite.contracts.loop import (
    MASK_CANDIDATES,
    MEMORY_CHANNELS,
    META_COLUMNS,
    PROMPT_SLOTS,
    TOKENS_PER_FRAME,
)
from sam2lite.contracts.tensors import GraphSpec, TensorSpec

_FEATURES = (
    TensorSpec("features_s16_bchw", "float32", (1, "D", "H16", "H16")),
    TensorSpec("features_s8_bchw", "float32", (1, "C8", "H8", "H8")),
    TensorSpec("features_s4_bchw", "float32", (1, "C4", "H4", "H4")),
)
_MEMORY = (
    TensorSpec("memory_key_bnc", "float32", (1, "B", "C")),
    TensorSpec("memory_value_bnc", "float32", (1, "B", "C")),
)
_TOKENS = (
    TensorSpec("token_key_bnc", "float32", (1, "K", "C")),
    TensorSpec("token_value_bnc", "float32", (1, "K", "C")),
)

IMAGE = "image_bchw"  # the one input whose type depends on the backend
IMAGE_ENCODER = GraphSpec(
    "image_encoder",
    inputs=(TensorSpec(IMAGE, "uint8", (1, 3, "R", "R")),),  # RGB, 0..255
    outputs=_FEATURES,
)
MASK_DECODER = GraphSpec(
    "mask_decoder",
    inputs=(
        *_FEATURES,
        *_MEMORY,
        TensorSpec("memory_age_bn", "float32", (1, "B")),  # normalised, 0..1
        TensorSpec("memory_bias_b11n", "float32", (1, 1, 1, "B")),  # 0 seen, -1e4 not
        TensorSpec("prompt_xy_norm_bpc", "float32", (1, "P", 2)),  # x, y in 0..1 of the frame
        TensorSpec("prompt_label_bp", "int32", (1, "P")),  # contracts.loop.LABEL_*
        TensorSpec("prompt_bias_b11p", "float32", (1, 1, 1, "P")),  # 0 used, -1e4 not
        TensorSpec("mask_prompt_b1hw", "float32", (1, 1, "H4", "H4")),  # logits
        TensorSpec("mask_prompt_flag_b111", "float32", (1, 1, 1, 1)),  # 1 given, 0 not
    ),
    outputs=(
        TensorSpec("mask_logits_bmhw", "float32", (1, "M", "H4", "H4")),
        TensorSpec("iou_bm", "float32", (1, "M")),  # predicted, 0..1
        TensorSpec("object_score_b1", "float32", (1, 1)),  # logit; > 0 is present
        TensorSpec("object_pointer_bmc", "float32", (1, "M", "C")),
    ),
)
MEMORY_ENCODER = GraphSpec(
    "memory_encoder",
    inputs=(
        _FEATURES[0],
        TensorSpec("mask_logits_b1hw", "float32", (1, 1, "H4", "H4")),  # of the chosen candidate
        TensorSpec("object_pointer_bc", "float32", (1, "C")),  # of the chosen candidate
    ),
    outputs=(*_TOKENS, TensorSpec("token_uncertainty_bn", "float32", (1, "K"))),
)
MEMORY_SELECT = GraphSpec(
    "memory_select",
    inputs=(
        *_MEMORY,
        *_TOKENS,
        TensorSpec("candidate_meta_bnc", "float32", (1, "B+K", META_COLUMNS)),
    ),
    outputs=(
        TensorSpec("kept_key_bnc", "float32", (1, "B", "C")),
        TensorSpec("kept_value_bnc", "float32", (1, "B", "C")),
        TensorSpec("kept_index_bn", "int32", (1, "B")),  # into bank + new tokens
        TensorSpec("candidate_score_bn", "float32", (1, "B+K")),  # what was ranked
    ),
)

RUNG_GRAPHS = (IMAGE_ENCODER, MASK_DECODER, MEMORY_ENCODER)
GRAPHS = (*RUNG_GRAPHS, MEMORY_SELECT)

# TensorRT 8.2 has no uint8 inputs, and its later releases nothing to gain from one.
IMAGE_DTYPES = {"onnx": "uint8", "ort": "uint8", "trt": "float32", "coreml": "uint8"}


def graph_for(graph: GraphSpec, backend: str) -> GraphSpec:
    """Return a graph as a backend takes it: images in its type, still 0 to 255.

    Args:
        graph: one of `GRAPHS`.
        backend: as in the manifest.
    """
    dtype = IMAGE_DTYPES[backend]
    return graph._replace(
        inputs=tuple(
            spec._replace(dtype=dtype) if spec.name == IMAGE else spec for spec in graph.inputs
        )
    )


def graph_dims(rung: int, d: int, c8: int, c4: int, budget: int) -> Dict[str, int]:
    """Return the numbers behind the symbols.

    Args:
        rung: side of the square input, px.
        d: channels of the stride-16 features.
        c8: channels of the stride-8 features.
        c4: channels of the stride-4 features.
        budget: tokens in the memory bank.
    """
    return {
        "R": rung,
        "H16": rung // 16,
        "H8": rung // 8,
        "H4": rung // 4,
        "D": d,
        "C8": c8,
        "C4": c4,
        "B": budget,
        "K": TOKENS_PER_FRAME,
        "B+K": budget + TOKENS_PER_FRAME,
        "P": PROMPT_SLOTS,
        "M": MASK_CANDIDATES,
        "C": MEMORY_CHANNELS,
    }


def graph_key(name: str, rung: int) -> str:
    """Return a graph's key in a bundle: `mask_decoder@480`, but plain `memory_select`."""
    return name if name == MEMORY_SELECT.name else "{}@{}".format(name, rung)
