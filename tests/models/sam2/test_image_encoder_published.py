"""The image encoder against Hugging Face's, for the trunks of all published sizes, narrower."""

import dataclasses

import pytest
import torch

from sam2lite.contracts.families.sam2 import IMAGE_ENCODER
from sam2lite.models.sam2.config import PUBLISHED, Sam2Config
from sam2lite.models.sam2.graphs import graph_module
from sam2lite.models.sam2.network import build
from tests.oracles.clip import random_clip
from tests.oracles.hugging_face import hugging_face_model, prepared

NARROW = 8  # channels a head


@pytest.mark.parametrize(
    ("published", "size"),
    [
        ("tiny", (128, 128)),
        ("tiny", (288, 288)),
        ("tiny", (128, 224)),
        ("small", (160, 160)),
        ("base_plus", (160, 160)),
        ("base_plus", (256, 256)),
        ("base_plus", (288, 160)),
        ("large", (192, 192)),
        ("large", (256, 256)),
    ],
)
def test_features(published: str, size: tuple[int, int]) -> None:
    trunk = PUBLISHED[f"sam2.1_hiera_{published}"].trunk
    narrow = dataclasses.replace(trunk, embed_dim=NARROW * trunk.heads)
    network = build(Sam2Config(published, narrow), seed=1)
    frame = random_clip(1, *size)[0]
    with torch.no_grad():
        pix_feat, image_embed, s8, s4 = graph_module(network, IMAGE_ENCODER)(frame)
        model = hugging_face_model(network, size[0])
        found = model.get_image_features(prepared(frame), return_dict=True).fpn_hidden_states
        no_memory = model.no_memory_embedding
    for actual, expected_nbc in zip(
        (s4, s8, pix_feat, image_embed), [*found, found[-1] + no_memory], strict=True
    ):
        expected = expected_nbc.permute(1, 2, 0).reshape(actual.shape)
        scale = float(expected.abs().max())
        assert scale > 1.0
        assert float((actual - expected).abs().max()) <= 1e-5 * scale
