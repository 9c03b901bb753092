"""SAM 2 and 2.1: their graphs, with static shapes and batch 1, and the numbers of their memory.

Symbols: H and W height and width of the input in px; H16, W16, H8, W8, H4, W4 those of the maps at
strides 16, 8 and 4; N tokens of a frame's memory; P prompt slots; Q object pointers.
`memory_attention` is there for several numbers of memory slots, which share their weights: Ns
memory tokens of s frames, Ks keys with the pointers' tokens. Feature maps and outputs have the
names of the image packages that people use (samexporter); `TensorInfo.aliases` has other packages'.

Families that are built on this one have the same graphs and rules but for what `SlotBankLayout`
says of theirs.
"""

from typing import Dict, Mapping, NamedTuple, Optional, Tuple

from sam2lite.contracts.family import Family
from sam2lite.contracts.input_sizes import SQUARE, Aspect
from sam2lite.contracts.loop import MASK_CANDIDATES, PROMPT_SLOTS
from sam2lite.contracts.tensors import GraphSpec, TensorSpec
from sam2lite.contracts.values import BIAS, FLAG, IMAGE, UNIT, XY, TensorInfo, Values

NAME = "sam2"

EMBED_CHANNELS = 256
MEMORY_CHANNELS = 64
POINTER_TOKENS = EMBED_CHANNELS // MEMORY_CHANNELS  # of memory, that a pointer is split into

RECENT_FRAMES = 6  # that memory attention sees beside the conditioning ones
CONDITIONING_FRAMES = 4  # that it sees at most; the published loops have no limit
TIME_ROWS = 7  # of the temporal table: rows 0..5 for 1..6 frames ago, the last for conditioning
POINTER_FRAMES = 16  # how far back pointers are looked at, the frame itself counted
POINTER_SLOTS = 20  # CONDITIONING_FRAMES and 15 others fit

MOST_FRAMES = CONDITIONING_FRAMES + RECENT_FRAMES  # that are seen at once

# A click and a box leave one slot for the token that ends every prompt (label 4).
PROMPT_TOKENS = PROMPT_SLOTS + 1

IMAGE_ENCODER = "image_encoder"
MASK_DOWNSAMPLE = "mask_downsample"
MASK_DECODER = "mask_decoder"
MEMORY_ENCODER = "memory_encoder"

_STRIDES = {"H": 1, "H16": 16, "H8": 8, "H4": 4}
_WIDTHS = {"W": 1, "W16": 16, "W8": 8, "W4": 4}

_TENSORS = {
    "image_bchw": TensorInfo("The frame stretched to the input, RGB.", IMAGE),
    "pix_feat": TensorInfo("Features at stride 16, as the neck gives them."),
    "image_embed": TensorInfo(
        "Features at stride 16 that a mask is decoded from: with the embedding for no memory from "
        "image_encoder, with what was remembered from memory_attention."
    ),
    "high_res_feats_1": TensorInfo("Features at stride 8."),
    "high_res_feats_0": TensorInfo("Features at stride 4."),
    "memory_features_bnc": TensorInfo("Memory of frames, slot after slot.", kept=True),
    "memory_time_bs": TensorInfo(
        "Row of the temporal table of each slot: frames ago less 1, or 6 for conditioning frames.",
        Values("label", labels=TIME_ROWS),
        kept=True,
    ),
    "object_pointers_bqc": TensorInfo("Pointers of earlier frames.", kept=True),
    "pointer_time_bq": TensorInfo(
        "How long ago each pointer's frame is, as a share of the frames looked back at.", UNIT
    ),
    "memory_bias_b11k": TensorInfo(
        "0 for keys that are seen, -10000 for those of empty slots; pointers' tokens come last.",
        BIAS,
    ),
    "prompt_xy_norm_bpc": TensorInfo("Clicks and box corners, x and y in 0 to 1 of the frame.", XY),
    "prompt_label_bp": TensorInfo(
        "0 background, 1 object, 2 top left, 3 bottom right of a box, 4 end of the prompt.",
        Values("label", labels=5),
    ),
    "prompt_bias_b11p": TensorInfo("0 for used prompt slots, -10000 for unused ones.", BIAS),
    "mask_input": TensorInfo("Logits of a mask to start from; zeros if there is none."),
    "has_mask_input": TensorInfo("1 if there is a mask to start from, else 0.", FLAG),
    "masks": TensorInfo("Logits of the mask candidates at stride 4; above 0 is the object."),
    "iou_predictions": TensorInfo("Predicted IoU of each candidate."),
    "object_score_logits": TensorInfo("Logit of presence; above 0 the object is there."),
    "object_pointers_bmc": TensorInfo(
        "Pointer of each candidate; that for no object where the score is not above 0."
    ),
    "mask_b1hw": TensorInfo("A user's mask, 1 on the object.", UNIT),
    "high_res_mask": TensorInfo("Logits of the chosen mask at the input's size."),
    "binarize": TensorInfo("1 on prompted frames, whose mask is cut at 0, else 0.", FLAG),
}

# By the names of square-zero-labs, of ailia and of Qualcomm; samexporter's are ours. Where layout,
# range or number of candidates differ, as of images, prompts and memory, there is no alias.
_ALIASES = {
    "pix_feat": ("feats2", "vision_features", "backbone_fpn_2"),
    "high_res_feats_1": ("feats1", "high_res_features2"),
    "high_res_feats_0": ("feats0", "high_res_features1"),
}
_ENCODED = dict(_ALIASES, image_embed=("feats2_no_mem", "image_embeddings"))
_REMEMBERED = {"image_embed": ("conditioned_feats",)}
_DECODED = dict(
    _ALIASES, image_embed=("feats2_cond", "image_embeddings"), iou_predictions=("iou_pred",)
)
_WRITTEN = {"pix_feat": ("feats2",)}


def _also_called(aliases: Mapping[str, Tuple[str, ...]]) -> Dict[str, TensorInfo]:
    """Return what the tensors are, with the names that others give them in one graph."""
    named = {name: _TENSORS[name]._replace(aliases=others) for name, others in aliases.items()}
    return dict(_TENSORS, **named)


_PIX_FEAT = TensorSpec("pix_feat", "float32", (1, EMBED_CHANNELS, "H16", "W16"))
_IMAGE_EMBED = TensorSpec("image_embed", "float32", (1, EMBED_CHANNELS, "H16", "W16"))
_HIGH_RES = (
    TensorSpec("high_res_feats_1", "float32", (1, EMBED_CHANNELS // 4, "H8", "W8")),
    TensorSpec("high_res_feats_0", "float32", (1, EMBED_CHANNELS // 8, "H4", "W4")),
)
_SCORE = TensorSpec("object_score_logits", "float32", (1, 1))
_MASK_INPUT = TensorSpec("mask_input", "float32", (1, 1, "H4", "W4"))
_MASK_DOWNSAMPLE = GraphSpec(
    MASK_DOWNSAMPLE,
    inputs=(TensorSpec("mask_b1hw", "float32", (1, 1, "H", "W")),),
    outputs=(_MASK_INPUT,),
    words="Turns a user's mask into the mask to start from.",
    tensors=_TENSORS,
    on_demand=True,
)


def attention_name(slots: int) -> str:
    """Return the name of the graph of memory attention for a number of slots."""
    return "memory_attention_{}".format(slots)


class SlotBankLayout(NamedTuple):
    """What SAM 2 and the families that are built on it differ in, as graphs and rules see it.

    Attributes:
        slots: numbers of frames that memory attention is exported for, ascending; a frame uses the
            smallest that holds what it sees, and the last one holds all that is ever seen.
        tokens: of a frame's memory, at every input size; None where each cell at stride 16 is one.
        pointer_time: whether memory attention is told how long ago each pointer's frame is.
        marks_absence: whether memory says of a frame that the object is not there.
        high_res: whether masks are decoded from features at strides 8 and 4, too.
    """

    slots: Tuple[int, ...] = (2, 4, 7, MOST_FRAMES)
    tokens: Optional[int] = None
    pointer_time: bool = True
    marks_absence: bool = True
    high_res: bool = True

    def sides(self, size: int, aspect: Aspect = SQUARE) -> Dict[str, int]:
        """Return the sides of maps by their symbols.

        Args:
            size: width of the input, px.
            aspect: of the input.
        """
        height = aspect.height_at(size)
        sides = {symbol: height // stride for symbol, stride in _STRIDES.items()}
        sides.update({symbol: size // stride for symbol, stride in _WIDTHS.items()})
        return sides

    def frame_tokens(self, size: int, aspect: Aspect = SQUARE) -> int:
        """Return the tokens of a frame's memory; see `sides` for the arguments."""
        sides = self.sides(size, aspect)
        return sides["H16"] * sides["W16"] if self.tokens is None else self.tokens

    def slots_for(self, frames: int) -> Tuple[str, int]:
        """Return the graph of memory attention for a number of frames that are seen, its slots."""
        slots = next(slots for slots in self.slots if slots >= frames)
        return attention_name(slots), slots

    def dims(self, size: int, aspect: Aspect = SQUARE) -> Dict[str, int]:
        """Return the numbers behind the symbols; see `sides` for the arguments."""
        tokens = self.frame_tokens(size, aspect)
        counts = {"N": tokens}
        for slots in self.slots:
            counts["N{}".format(slots)] = slots * tokens
            counts["K{}".format(slots)] = slots * tokens + POINTER_TOKENS * POINTER_SLOTS
        return dict(self.sides(size, aspect), **counts)

    def graphs(self) -> Tuple[GraphSpec, ...]:
        """Return the graphs in the order in which a frame uses them."""
        return (
            self._image_encoder(),
            *(self._memory_attention(slots) for slots in self.slots),
            _MASK_DOWNSAMPLE,
            self._mask_decoder(),
            self._memory_encoder(),
        )

    def family(
        self, name: str, title: str, rules: str, host: str, square_only: bool = True
    ) -> Family:
        """Return the family of this layout; for its words see `Family`."""
        return Family(
            name=name,
            title=title,
            graphs=self.graphs(),
            object_score=_SCORE.name,
            strides=_STRIDES,
            mask_stride=_STRIDES["H4"],
            keeps_memory_across_sizes=True,
            rules=rules,
            host=host,
            widths=_WIDTHS,
            square_only=square_only,
        )

    @property
    def fine_maps(self) -> Tuple[TensorSpec, ...]:
        """The features at strides 8 and 4, if there are any."""
        return _HIGH_RES if self.high_res else ()

    def _image_encoder(self) -> GraphSpec:
        finer = ", 8 and 4" if self.high_res else ""
        return GraphSpec(
            IMAGE_ENCODER,
            inputs=(TensorSpec("image_bchw", "uint8", (1, 3, "H", "W")),),  # RGB, 0..255
            outputs=(_PIX_FEAT, _IMAGE_EMBED, *self.fine_maps),
            words="Features of one frame at stride{} 16{}.".format("s" if finer else "", finer),
            tensors=_also_called(_ENCODED),
        )

    def _memory_attention(self, slots: int) -> GraphSpec:
        frames = (1, "N{}".format(slots), MEMORY_CHANNELS)
        times = (TensorSpec("pointer_time_bq", "float32", (1, POINTER_SLOTS)),)
        return GraphSpec(
            attention_name(slots),
            inputs=(
                _PIX_FEAT,
                TensorSpec("memory_features_bnc", "float32", frames),
                TensorSpec("memory_time_bs", "int32", (1, slots)),
                TensorSpec("object_pointers_bqc", "float32", (1, POINTER_SLOTS, EMBED_CHANNELS)),
                *(times if self.pointer_time else ()),
                TensorSpec("memory_bias_b11k", "float32", (1, 1, 1, "K{}".format(slots))),
            ),
            outputs=(_IMAGE_EMBED,),
            words="Features of a frame with what {} frames of memory say of the object.".format(
                slots
            ),
            tensors=_also_called(_REMEMBERED),
            on_demand=True,
        )

    def _mask_decoder(self) -> GraphSpec:
        return GraphSpec(
            MASK_DECODER,
            inputs=(
                _IMAGE_EMBED,
                *self.fine_maps,
                TensorSpec("prompt_xy_norm_bpc", "float32", (1, PROMPT_TOKENS, 2)),
                TensorSpec("prompt_label_bp", "int32", (1, PROMPT_TOKENS)),
                TensorSpec("prompt_bias_b11p", "float32", (1, 1, 1, PROMPT_TOKENS)),
                _MASK_INPUT,
                TensorSpec("has_mask_input", "float32", (1, 1, 1, 1)),
            ),
            outputs=(
                TensorSpec("masks", "float32", (1, MASK_CANDIDATES, "H4", "W4")),
                TensorSpec("iou_predictions", "float32", (1, MASK_CANDIDATES)),
                _SCORE,
                TensorSpec("object_pointers_bmc", "float32", (1, MASK_CANDIDATES, EMBED_CHANNELS)),
            ),
            words="Mask candidates, their predicted IoU, presence and pointers of one object.",
            tensors=_also_called(_DECODED),
        )

    def _memory_encoder(self) -> GraphSpec:
        return GraphSpec(
            MEMORY_ENCODER,
            inputs=(
                _PIX_FEAT,
                TensorSpec("high_res_mask", "float32", (1, 1, "H", "W")),
                TensorSpec("binarize", "float32", (1, 1, 1, 1)),
                *((_SCORE,) if self.marks_absence else ()),
            ),
            outputs=(TensorSpec("memory_features_bnc", "float32", (1, "N", MEMORY_CHANNELS)),),
            words="Turns a mask and the features under it into the memory of a frame.",
            tensors=_also_called(_WRITTEN),
        )


LAYOUT = SlotBankLayout()
FAMILY = LAYOUT.family(
    NAME,
    "SAM 2",
    rules="sam2lite.runtimes.rules.sam2.rules:SlotBankRules",
    host="sam2lite.models.sam2.family:HOST",
    square_only=False,
)
