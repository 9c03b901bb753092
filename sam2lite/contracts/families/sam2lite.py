"""SAM2-Lite: its four graphs, with static shapes and batch 1, and the numbers of its memory.

Symbols: R side of the square input in px; H16, H8, H4 sides of the maps at strides 16, 8 and 4;
D, C8, C4 their channels; B memory budget in tokens; K tokens per frame; P prompt slots; M mask
candidates; C memory channels. The rules that use them are in docs/architecture.md.
"""

from typing import Dict

from sam2lite.contracts.family import Family
from sam2lite.contracts.input_sizes import SQUARE, Aspect
from sam2lite.contracts.loop import LABEL_PAD, MASK_CANDIDATES, PROMPT_SLOTS
from sam2lite.contracts.tensors import GraphSpec, TensorSpec
from sam2lite.contracts.values import BIAS, FLAG, IMAGE, UNIT, XY, TensorInfo, Values

NAME = "sam2lite"

TOKENS_PER_FRAME = 32  # the last one is the object pointer
MEMORY_CHANNELS = 256

# Columns of `candidate_meta_bnc`, the input of memory_select.
META_AGE = 0  # normalised, see `normalised_age`
META_MOTION = 1  # 0..1
META_UNCERTAINTY = 2  # 0..1, entropy of the mask under the token, in bits
META_ANCHOR = 3  # 1 for tokens of prompted frames
META_VALID = 4  # 0 for empty slots
META_COLUMNS = 5

# memory_select ranks by  score + ANCHOR_BONUS * anchor + INVALID_PENALTY * (1 - valid).
ANCHOR_BONUS = 1.0e3
INVALID_PENALTY = -1.0e4

AGE_HORIZON_FRAMES = 255  # where the normalised age reaches 1

PRUNING_POLICY = "anchor-fifo"  # unless another is chosen: docs/adr/0007-pruning-policy.md

RUNGS = (240, 288, 336, 384, 432, 480)  # 0.5x to 1.0x of 480 in steps of 0.1

# No anchors and no empty slots: among those TopK would choose between exact ties.
_CANDIDATES = Values("unit", columns=((META_ANCHOR, 0.0), (META_VALID, 1.0)))

_TENSORS = {
    "image_bchw": TensorInfo("The frame stretched to the square, RGB.", IMAGE),
    "features_s16_bchw": TensorInfo("Features at stride 16."),
    "features_s8_bchw": TensorInfo("Features at stride 8."),
    "features_s4_bchw": TensorInfo("Features at stride 4."),
    "memory_key_bnc": TensorInfo("Keys of the memory bank.", kept=True),
    "memory_value_bnc": TensorInfo("Values of the memory bank.", kept=True),
    "memory_age_bn": TensorInfo(
        "Age of each token, log(1 + min(frames, 255)) / log(256).", UNIT, kept=True
    ),
    "memory_bias_b11n": TensorInfo(
        "0 for tokens that are seen, -10000 for empty and unseen ones.", BIAS, kept=True
    ),
    "prompt_xy_norm_bpc": TensorInfo("Clicks and box corners, x and y in 0 to 1 of the frame.", XY),
    "prompt_label_bp": TensorInfo(
        "0 background, 1 object, 2 top left, 3 bottom right of a box, 4 unused.",
        Values("label", labels=LABEL_PAD),
    ),
    "prompt_bias_b11p": TensorInfo("0 for used prompt slots, -10000 for unused ones.", BIAS),
    "mask_prompt_b1hw": TensorInfo(
        "Logits of a mask to start from; zeros if there is none.", kept=True
    ),
    "mask_prompt_flag_b111": TensorInfo(
        "1 if there is a mask to start from, else 0.", FLAG, kept=True
    ),
    "mask_logits_bmhw": TensorInfo(
        "Logits of the mask candidates at stride 4; above 0 is the object."
    ),
    "iou_bm": TensorInfo("Predicted IoU of each candidate; the highest is chosen."),
    "object_score_b1": TensorInfo("Logit of presence; above 0 the object is there."),
    "object_pointer_bmc": TensorInfo("Pointer of each candidate, for the memory encoder."),
    "mask_logits_b1hw": TensorInfo("Logits of the chosen candidate."),
    "object_pointer_bc": TensorInfo("Pointer of the chosen candidate."),
    "token_key_bnc": TensorInfo("Keys of the new tokens."),
    "token_value_bnc": TensorInfo("Values of the new tokens."),
    "token_uncertainty_bn": TensorInfo("Entropy of the mask under each token, bits."),
    "candidate_meta_bnc": TensorInfo(
        "Of old, then new tokens: age, motion, uncertainty, anchor, valid.", _CANDIDATES
    ),
    "kept_key_bnc": TensorInfo("Keys that stay, best first."),
    "kept_value_bnc": TensorInfo("Values that stay, best first."),
    "kept_index_bn": TensorInfo("Which candidates stay: old tokens count first, then new ones."),
    "candidate_score_bn": TensorInfo("What the candidates were ranked by."),
}

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

IMAGE_ENCODER = GraphSpec(
    "image_encoder",
    inputs=(TensorSpec("image_bchw", "uint8", (1, 3, "R", "R")),),  # RGB, 0..255
    outputs=_FEATURES,
    words="Features of one frame at strides 16, 8 and 4.",
    tensors=_TENSORS,
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
    words="Mask candidates, their predicted IoU, presence and pointers of one object.",
    tensors=_TENSORS,
)
MEMORY_ENCODER = GraphSpec(
    "memory_encoder",
    inputs=(
        _FEATURES[0],
        TensorSpec("mask_logits_b1hw", "float32", (1, 1, "H4", "H4")),  # of the chosen candidate
        TensorSpec("object_pointer_bc", "float32", (1, "C")),  # of the chosen candidate
    ),
    outputs=(*_TOKENS, TensorSpec("token_uncertainty_bn", "float32", (1, "K"))),
    words="Turns a mask and the features under it into memory tokens.",
    tensors=_TENSORS,
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
    per_size=False,
    ranks=True,
    words="Keeps the best tokens of a memory bank and of a new frame.",
    tensors=_TENSORS,
)

FAMILY = Family(
    name=NAME,
    title="SAM2-Lite",
    graphs=(IMAGE_ENCODER, MASK_DECODER, MEMORY_ENCODER, MEMORY_SELECT),
    object_score="object_score_b1",
    strides={"R": 1, "H16": 16, "H8": 8, "H4": 4},
    mask_stride=4,
    keeps_memory_across_sizes=True,
    rules="sam2lite.runtimes.rules.sam2lite.rules:TokenBankRules",
    host="sam2lite.models.sam2lite.family:HOST",
)


def graph_dims(
    rung: int, d: int, c8: int, c4: int, budget: int, aspect: Aspect = SQUARE
) -> Dict[str, int]:
    """Return the numbers behind the symbols.

    Args:
        rung: side of the square input, px.
        d: channels of the stride-16 features.
        c8: channels of the stride-8 features.
        c4: channels of the stride-4 features.
        budget: tokens in the memory bank.
        aspect: of the input; refused unless it is square.
    """
    return dict(
        FAMILY.sides(rung, aspect),
        **{
            "D": d,
            "C8": c8,
            "C4": c4,
            "B": budget,
            "K": TOKENS_PER_FRAME,
            "B+K": budget + TOKENS_PER_FRAME,
            "P": PROMPT_SLOTS,
            "M": MASK_CANDIDATES,
            "C": MEMORY_CHANNELS,
        },
    )
