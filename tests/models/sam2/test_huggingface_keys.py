"""Names of Hugging Face become those of Meta, all of them, and back."""

import pytest
import torch

from sam2lite.errors import ModelError
from sam2lite.models.sam2.config import PUBLISHED
from sam2lite.models.sam2.network import Sam2
from sam2lite.models.sam2.reading.huggingface_keys import meta_name, with_meta_names
from tests.models.sam2.conftest import State
from tests.oracles.hugging_face import Sam2VideoModel, hugging_face_config
from tests.oracles.names import hugging_face_state

SHARED = "shared_image_embedding.positional_embedding"
OF_PROMPTS = "prompt_encoder.shared_embedding.positional_embedding"
GAUSSIAN = "sam_prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"
TENSORS = {"tiny": 471, "small": 519, "base_plus": 615, "large": 903}  # of 2.1


def shapes(state: State) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_tensor_of_every_size_has_its_place_at_the_other(name: str) -> None:
    config = PUBLISHED[name]
    with torch.device("meta"):
        theirs = Sam2VideoModel(hugging_face_config(config, 1024)).state_dict()
        ours = Sam2(config).state_dict()
    assert shapes(with_meta_names(theirs, name)) == shapes(ours)
    assert shapes(hugging_face_state(ours)) == shapes(theirs)
    lacking = 0 if config.pointer_time else 3
    assert len(ours) == TENSORS[name.split("hiera_")[1]] - lacking


def test_values_come_back(state: State) -> None:
    theirs = hugging_face_state(state)
    again = with_meta_names(theirs, "here")
    assert again.keys() == state.keys()
    assert all(torch.equal(again[name], tensor) for name, tensor in state.items())


@pytest.mark.parametrize("left_out", [SHARED, OF_PROMPTS])
def test_either_copy_of_the_shared_matrix_will_do(state: State, left_out: str) -> None:
    theirs = hugging_face_state(state)
    del theirs[left_out]
    assert torch.equal(with_meta_names(theirs, "here")[GAUSSIAN], state[GAUSSIAN])


def test_two_copies_that_differ_are_refused(state: State) -> None:
    theirs = hugging_face_state(state)
    theirs[SHARED] = theirs[SHARED] + 1.0
    with pytest.raises(ModelError, match=f"here has {GAUSSIAN} .* twice, with different numbers"):
        with_meta_names(theirs, "here")


def test_what_is_not_known_keeps_its_name() -> None:
    assert meta_name("classifier.weight") == "classifier.weight"
    assert meta_name("backbone.vision_encoder.x") == "backbone.vision_encoder.x"
