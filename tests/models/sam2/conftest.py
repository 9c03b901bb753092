"""A small network of SAM 2, and the forms in which people have checkpoints of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from sam2lite.models.sam2.config import HieraConfig, Sam2Config
from sam2lite.models.sam2.network import Sam2, build
from tests.oracles.hugging_face import hugging_face_config
from tests.oracles.names import hugging_face_state

# What is assumed of a trunk of this width and depth, so that a file says as much as a folder.
TRUNK = HieraConfig(16, 1, (1, 1, 3, 1), (8, 4, 14, 7), (2, 3, 4))
NAMES = {True: "sam2.1_hiera_16x6", False: "sam2_hiera_16x6"}

State = dict[str, Tensor]
Write = Callable[[State, Path], Path]


def small(of_2_1: bool = True) -> Sam2:
    return build(Sam2Config(NAMES[of_2_1], TRUNK, of_2_1, of_2_1), seed=3)


@pytest.fixture(scope="session")
def network() -> Sam2:
    return small()


@pytest.fixture
def state(network: Sam2) -> State:
    """Tensors by Meta's names; the dict may be changed, the tensors not."""
    return dict(network.state_dict())


def pickle(content: object, folder: Path) -> Path:
    torch.save(content, folder / "weights.pt")
    return folder / "weights.pt"


def meta_file(state: State, folder: Path) -> Path:
    return pickle({"model": state}, folder)


def config_file(folder: Path, of_2_1: bool = True, trunk: HieraConfig = TRUNK) -> None:
    config = hugging_face_config(Sam2Config("", trunk, of_2_1, of_2_1), 1024)
    (folder / "config.json").write_text(config.to_json_string())


def safetensors(state: State, path: Path) -> None:
    save_file({name: tensor.clone() for name, tensor in state.items()}, path)


def huggingface_folder(state: State, folder: Path) -> Path:
    config_file(folder, "obj_ptr_tpos_proj.weight" in state)
    safetensors(hugging_face_state(state), folder / "model.safetensors")
    return folder
