"""What a package says of itself in Xcode: author, licence, its tensors in words, provenance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import sam2lite

if TYPE_CHECKING:
    from collections.abc import Iterable

AUTHOR = "SAM2-Lite"

GRAPH_DESCRIPTIONS = {
    "image_encoder": "Features of one frame at strides 16, 8 and 4.",
    "mask_decoder": "Mask candidates, their predicted IoU, presence and pointers of one object.",
    "memory_encoder": "Turns a mask and the features under it into memory tokens.",
    "memory_select": "Keeps the best tokens of a memory bank and of a new frame.",
}
TENSOR_DESCRIPTIONS = {
    "image_bchw": "The frame stretched to the square, RGB.",
    "features_s16_bchw": "Features at stride 16.",
    "features_s8_bchw": "Features at stride 8.",
    "features_s4_bchw": "Features at stride 4.",
    "memory_key_bnc": "Keys of the memory bank.",
    "memory_value_bnc": "Values of the memory bank.",
    "memory_age_bn": "Age of each token, log(1 + min(frames, 255)) / log(256).",
    "memory_bias_b11n": "0 for tokens that are seen, -10000 for empty and unseen ones.",
    "prompt_xy_norm_bpc": "Clicks and box corners, x and y in 0 to 1 of the frame.",
    "prompt_label_bp": "0 background, 1 object, 2 top left, 3 bottom right of a box, 4 unused.",
    "prompt_bias_b11p": "0 for used prompt slots, -10000 for unused ones.",
    "mask_prompt_b1hw": "Logits of a mask to start from; zeros if there is none.",
    "mask_prompt_flag_b111": "1 if there is a mask to start from, else 0.",
    "mask_logits_bmhw": "Logits of the mask candidates at stride 4; above 0 is the object.",
    "iou_bm": "Predicted IoU of each candidate; the highest is chosen.",
    "object_score_b1": "Logit of presence; above 0 the object is there.",
    "object_pointer_bmc": "Pointer of each candidate, for the memory encoder.",
    "mask_logits_b1hw": "Logits of the chosen candidate.",
    "object_pointer_bc": "Pointer of the chosen candidate.",
    "token_key_bnc": "Keys of the new tokens.",
    "token_value_bnc": "Values of the new tokens.",
    "token_uncertainty_bn": "Entropy of the mask under each token, bits.",
    "candidate_meta_bnc": "Of old, then new tokens: age, motion, uncertainty, anchor, valid.",
    "kept_key_bnc": "Keys that stay, best first.",
    "kept_value_bnc": "Values that stay, best first.",
    "kept_index_bn": "Which candidates stay: old tokens count first, then new ones.",
    "candidate_score_bn": "What the candidates were ranked by.",
}


class Provenance(NamedTuple):
    """Where a package comes from.

    Attributes:
        model: name of the network.
        checkpoint_sha256: of its weights.
        licence: SPDX identifier of the weights' licence.
        graph: that the package holds.
        precision: of its weights.
    """

    model: str
    checkpoint_sha256: str
    licence: str
    graph: str
    precision: str


def describe(specification: Any, provenance: Provenance) -> None:
    """Write provenance and descriptions into a package's specification.

    What coremltools left there stays, apart from the date, which would differ at every export.

    Args:
        specification: the protobuf `Model`; changed in place.
        provenance: where the package comes from.
    """
    description = specification.description
    meta = description.metadata
    meta.author = AUTHOR
    meta.license = provenance.licence
    meta.versionString = sam2lite.__version__
    meta.shortDescription = (
        f"{provenance.graph} of {provenance.model}. {GRAPH_DESCRIPTIONS[provenance.graph]}"
    )
    for key in [key for key in meta.userDefined if key.endswith("conversion_date")]:
        del meta.userDefined[key]
    meta.userDefined["sam2lite.version"] = sam2lite.__version__
    for key, value in provenance._asdict().items():
        meta.userDefined[f"sam2lite.{key}"] = value
    for function in description.functions or [description]:
        _describe([*function.input, *function.output])


def _describe(features: Iterable[Any]) -> None:
    for feature in features:
        feature.shortDescription = TENSOR_DESCRIPTIONS[feature.name]
