"""Hugging Face's SAM 2 told by axis how large its input is.

Its parts take any grid; what knows one side alone is told the other: where points lie, and how
large masks are.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from torch import Tensor
from torch.nn import functional as F
from transformers.models.sam2_video import modeling_sam2_video

from sam2lite.models.sam2.network import Sam2
from tests.oracles.hugging_face import HuggingFaceModel, hugging_face_config
from tests.oracles.names import hugging_face_state


@contextmanager
def formed_model(network: Sam2, height: int, width: int) -> Iterator[HuggingFaceModel]:
    """Give Hugging Face's model with a network's weights, to be used within the context alone.

    Args:
        network: with the weights.
        height: of the input, px.
        width: of the input, px.
    """
    config = hugging_face_config(network.config, width)
    vision: Any = config.vision_config
    vision.backbone_feature_sizes = [[height // stride, width // stride] for stride in (4, 8, 16)]
    config.memory_attention_rope_feat_sizes = [width // 16, height // 16]
    model = HuggingFaceModel(config).eval().requires_grad_(False)
    model.load_state_dict(hugging_face_state(network.state_dict()))
    prompts = model.prompt_encoder
    prompts.image_embedding_size = (height // 16, width // 16)
    prompts.mask_input_size = (height // 4, width // 4)
    position, resize = modeling_sam2_video.Sam2VideoPositionalEmbedding.forward, F.interpolate

    def placed(self: Any, coordinates: Tensor, square: Any = None) -> Tensor:
        found: Tensor = position(self, coordinates, square and (height, width))
        return found

    def resized(image: Tensor, size: Any = None, **how: Any) -> Tensor:
        return resize(image, size=(height, width) if size == (width, width) else size, **how)

    with (
        mock.patch.object(modeling_sam2_video.Sam2VideoPositionalEmbedding, "forward", placed),
        mock.patch.object(F, "interpolate", resized),
    ):
        yield model
