"""Which checkpoints the family takes, and what its neighbours are called."""

import pytest
import torch
import transformers

from sam2lite.models.efficienttam.family import HOST as EFFICIENTTAM
from sam2lite.models.known_networks import recognised
from sam2lite.models.sam2.family import HOST
from tests.models.sam2.conftest import State
from tests.oracles.names import hugging_face_state

PLAIN_TRUNK = [
    "image_encoder.trunk.pos_embed",
    "image_encoder.trunk.blocks.0.attn.qkv.weight",
    "image_encoder.neck.convs.0.conv_3x3.weight",
    "memory_attention.layers.0.norm1.weight",
    "memory_encoder.out_proj.weight",
]


def keys_of(kind: str) -> list[str]:
    model = getattr(transformers, kind)
    with torch.device("meta"):
        return list(model(model.config_class()).state_dict())


def test_both_key_styles_are_taken(state: State) -> None:
    assert HOST.recognises(list(state), None)
    assert HOST.recognises(list(hugging_face_state(state)), {"model_type": "anything"})
    assert not HOST.recognises(list(state)[:1], {"model_type": "sam2_video"})


def test_a_configuration_alone_is_enough_to_say_what_is_missing() -> None:
    assert HOST.recognises([], {"model_type": "sam2_video"})
    assert not HOST.recognises([], {"model_type": "sam2"})
    assert not HOST.recognises([], None)


@pytest.mark.parametrize(
    ("kind", "title"),
    [
        ("Sam2Model", "a checkpoint of SAM 2 for single images, in the layout of Hugging Face"),
        ("EdgeTamVideoModel", "a network with EdgeTAM's memory behind another trunk"),
        ("Sam3TrackerVideoModel", "a checkpoint of SAM 3 in the layout of Hugging Face"),
        ("Sam3TrackerModel", "a checkpoint of SAM 3 in the layout of Hugging Face"),
        ("SamModel", "a checkpoint of SAM (the first one) in the layout of Hugging Face"),
        ("SamHQModel", "a checkpoint of HQ-SAM"),
    ],
)
def test_neighbours_are_named_and_not_taken(kind: str, title: str) -> None:
    keys = keys_of(kind)
    assert not HOST.recognises(keys, {"model_type": "sam2_video"})
    known = recognised(keys)
    assert known is not None
    assert known.title == title


def test_a_plain_trunk_has_blocks_of_the_same_names(state: State) -> None:
    assert not HOST.recognises(PLAIN_TRUNK, None)
    assert EFFICIENTTAM.recognises(PLAIN_TRUNK, None)
    assert not EFFICIENTTAM.recognises(list(state), None)
    assert not EFFICIENTTAM.recognises([], {"model_type": "efficienttam"})
