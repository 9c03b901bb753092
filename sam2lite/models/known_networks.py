"""Networks that people have files of, told by the names of their tensors: data, and one question.

A family that is added takes its own lines out of the table: it is asked before.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple


class Known(NamedTuple):
    """A kind of file.

    Attributes:
        title: what it is.
        signs: patterns, each of which the beginning of some name of a tensor must match.
        remedy: what to do about it.
    """

    title: str
    signs: tuple[str, ...]
    remedy: str


_OTHER = (
    "SAM2-Lite takes networks of its own, SAM 2 and 2.1 with their memory, EdgeTAM and EfficientTAM"
)
_VIDEO = (
    "memory_attention and memory_encoder are missing, which follow an object from frame to frame; "
    "take the checkpoint for video: Meta's .pt, or a folder with model_type sam2_video"
)
_BASE = "load the network that it belongs to, merge it into that, and save the whole"

# The first that fits is meant, so what is special comes before what is general.
KNOWN = (
    Known("an adapter (LoRA), not a network", (r".*(lora_[AB]|lora_(up|down)|\.lora)",), _BASE),
    Known(
        "the state of a training run of SAM2-Lite",
        (r"model/mask_decoder\.", r"average/"),
        "give the folder `checkpoint` beside it",
    ),
    Known(
        "the state of an optimiser, not a network",
        (r"(optimi[sz]er/|optimi[sz]er\.|state\.\d+\.exp_avg|exp_avg)",),
        "give the weights that were saved with it",
    ),
    Known(
        "a network with EdgeTAM's memory behind another trunk",
        (r"spatial_perceiver\.", r"(image_encoder\.trunk|vision_encoder)\."),
        _OTHER,
    ),
    Known(
        "a checkpoint of EdgeTAM for single images, in the layout of Hugging Face",
        (r"vision_encoder\.backbone\.timm_model\.", r"mask_decoder\."),
        "memory_attention and spatial_perceiver are missing, which follow an object from frame to "
        "frame; take the checkpoint for video: Meta's .pt, or a folder with model_type "
        "edgetam_video",
    ),
    Known(
        "a checkpoint of SAM 3 in the layout of Hugging Face",
        (r"(detector_model\.|tracker_model\.|vision_encoder\.neck\.fpn_layers\.)",),
        _OTHER,
    ),
    Known(
        "a checkpoint of SAM 2 for single images, in the layout of Hugging Face",
        (r"vision_encoder\.backbone\.blocks\.", r"mask_decoder\."),
        _VIDEO,
    ),
    Known(
        "a checkpoint of SAM 2 for single images",
        (r"image_encoder\.trunk\.blocks\.", r"sam_mask_decoder\."),
        _VIDEO,
    ),
    Known(
        "a checkpoint of MobileSAM",
        (r"image_encoder\.patch_embed\.seq\.", r"mask_decoder\.iou_token"),
        _OTHER,
    ),
    Known(
        "a checkpoint of HQ-SAM",
        (r"mask_decoder\.(hf_token|hq_token)\.",),
        _OTHER,
    ),
    Known(
        "a checkpoint of EfficientSAM",
        (r"image_encoder\.blocks\.\d+\.", r"mask_decoder\.final_output_upscaling_layers"),
        _OTHER,
    ),
    Known(
        "a checkpoint of SAM (the first one)",
        (r"image_encoder\.blocks\.\d+\.", r"mask_decoder\.iou_token"),
        _OTHER,
    ),
    Known(
        "a checkpoint of SAM (the first one) in the layout of Hugging Face",
        (r"vision_encoder\.layers\.", r"shared_image_embedding\."),
        _OTHER,
    ),
    Known(
        "a checkpoint of SAM 3",
        (r"(detector|tracker|sam3_model|sam2_predictor)\.",),
        _OTHER,
    ),
    Known("a checkpoint of Cutie", (r"pixel_encoder\.", r"object_transformer\."), _OTHER),
    Known("a checkpoint of XMem or STCN", (r"key_encoder\.", r"value_encoder\."), _OTHER),
    Known(
        "a YOLO network of Ultralytics",
        (r"(model\.)?model\.\d+\.(conv|cv1|m|bn)\.",),
        _OTHER,
    ),
    Known("a CLIP network", (r"(visual|vision_model)\.", r"(transformer|text_model)\."), _OTHER),
    Known("a detector of torchvision", (r"backbone\.body\.", r"(rpn|roi_heads|head)\."), _OTHER),
    Known("a ResNet for classes of images", (r"layer1\.0\.", r"(conv1|stem)\.", r"fc\."), _OTHER),
    Known("a ResNet without its head", (r"layer1\.0\.", r"(conv1|stem)\."), _OTHER),
    Known("a vision transformer alone", (r"cls_token$", r"(blocks|encoder)\."), _OTHER),
    Known("a network for classes of images", (r"features\.\d+\.", r"classifier\."), _OTHER),
    Known("a language model", (r"(model\.)?(layers|embed_tokens|h|wte)\b", r"lm_head\."), _OTHER),
)

# Modules whose objects a pickle holds beside, or instead of, weights.
PICKLED = {
    b"ultralytics": "a whole YOLO object of Ultralytics",
    b"pytorch_lightning": "a checkpoint of PyTorch Lightning with more than weights",
    b"lightning": "a checkpoint of Lightning with more than weights",
    b"omegaconf": "a training checkpoint with its configuration (OmegaConf)",
    b"torchvision": "a whole network object of torchvision",
    b"timm": "a whole network object of timm",
    b"torch.jit": "a TorchScript archive",
    b"argparse": "a training checkpoint with its arguments",
}

# Files that are no checkpoints, by suffix.
OTHER_FILES = {
    ".onnx": "a graph; what is exported is a checkpoint: see `sam2lite-export lower` for graphs",
    ".engine": "an engine of TensorRT, which is made from a bundle and not the other way",
    ".plan": "an engine of TensorRT, which is made from a bundle and not the other way",
    ".tflite": "a graph of LiteRT",
    ".gguf": "a language model's file",
    ".npz": "a file of arrays",
    ".zip": "an archive; unpack it",
    ".tar": "an archive; unpack it",
    ".gz": "an archive; unpack it",
}


def recognised(keys: Collection[str]) -> Known | None:
    """Return what tensors of these names belong to, None where nobody knows."""
    for known in KNOWN:
        if all(any(re.match(sign, key) for key in keys) for sign in known.signs):
            return known
    return None
