"""A family of two graphs and a few thousand parameters, which the package knows nothing of.

It paints the mask of every frame from what the frame looks like and from the mask before it, which
is all its memory.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sam2lite.contracts.family import Family
from sam2lite.contracts.input_sizes import SQUARE, Aspect
from sam2lite.contracts.provenance import OWN
from sam2lite.contracts.tensors import GraphSpec, TensorSpec
from sam2lite.contracts.values import IMAGE, TensorInfo
from sam2lite.errors import UnknownNameError
from sam2lite.models.checkpoint import read_weights, state_sha256
from sam2lite.models.family import HostFamily
from sam2lite.models.input_sizes import check_multiple
from sam2lite.models.loaded import LoadedModel
from sam2lite.models.networks import Choice, Config
from sam2lite.runtimes.prompts import Prompt

STRIDE = 8
_FEATURES = TensorSpec("look_bchw", "float32", (1, "C", "H8", "H8"))
_MASK = TensorSpec("before_b1hw", "float32", (1, 1, "H8", "H8"))

TOY = Family(
    name="toy",
    title="Toy",
    graphs=(
        GraphSpec(
            "eye",
            (TensorSpec("picture_bchw", "uint8", (1, 3, "R", "R")),),
            (_FEATURES,),
            tensors={"picture_bchw": TensorInfo("The frame.", IMAGE)},
        ),
        GraphSpec(
            "brush",
            (_FEATURES, _MASK),
            (
                TensorSpec("mask_bmhw", "float32", (1, 1, "H8", "H8")),
                TensorSpec("iou_bm", "float32", (1, 1)),
                TensorSpec("score_b1", "float32", (1, 1)),
            ),
        ),
    ),
    object_score="score_b1",
    strides={"R": 1, "H8": STRIDE},
    mask_stride=STRIDE,
    keeps_memory_across_sizes=False,
    rules="tests.doubles.toy_rules:ToyRules",
    host="tests.doubles.toy_family:HOST",
)


@dataclass(frozen=True)
class ToyConfig:
    """What fixes a toy's parameters."""

    name: str = "toy"
    width: int = 16
    rungs: tuple[int, ...] = (32, 64)

    def dims(self, rung: int, aspect: Aspect = SQUARE) -> dict[str, int]:
        return {**TOY.sides(rung, aspect), "C": self.width}

    def memory(self) -> dict[str, Any]:
        return {"masks": 1}

    def to_json(self) -> dict[str, Any]:
        return {"model_type": "toy", "width": self.width}


class Eye(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, STRIDE, STRIDE)

    def forward(self, picture_bchw: Tensor) -> tuple[Tensor]:
        return (torch.relu(self.patches(picture_bchw.float() / 255.0)),)


class Brush(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.stroke = nn.Conv2d(width + 1, 1, 3, padding=1)

    def forward(self, look_bchw: Tensor, before_b1hw: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        seen = torch.cat([look_bchw, torch.tanh(before_b1hw)], dim=1)
        mask_b1hw = before_b1hw + self.stroke(seen)
        score_b1 = mask_b1hw.amax(dim=(2, 3)) + 1.0
        return mask_b1hw, torch.sigmoid(score_b1), score_b1


class Toy(nn.Module):
    def __init__(self, config: ToyConfig) -> None:
        super().__init__()
        self.eye, self.brush = Eye(config.width), Brush(config.width)


class Painted(NamedTuple):
    logits_hw: Tensor
    iou: Tensor
    object_score: Tensor
    present: bool
    lost: bool


class ToyReference:
    """See `models.networks.Reference`."""

    def __init__(self, network: Toy, first_logit: float = 10.0) -> None:
        self.network, self._first_logit = network.eval(), first_logit
        self.reset()

    def start_frame(self, image_bchw: Tensor) -> None:
        with torch.no_grad():
            (self._look,) = self.network.eye(image_bchw)
        self._now: dict[int, Painted] = {}

    def prompt(self, object_id: int, prompt: Prompt, width: int, height: int) -> Painted:
        hint = torch.full((1, 1, height, width), -self._first_logit)
        for x, y in prompt.points_xy:
            hint[..., int(y), int(x)] = self._first_logit
        if prompt.box_xyxy is not None:
            x1, y1, x2, y2 = (int(edge) for edge in prompt.box_xyxy)
            hint[..., y1 : y2 + 1, x1 : x2 + 1] = self._first_logit
        if prompt.mask_hw is not None:
            hint[..., torch.from_numpy(prompt.mask_hw)] = self._first_logit
        self._before[object_id] = F.adaptive_max_pool2d(hint, self._look.shape[-2:])
        return self._paint(object_id, prompted=True)

    def track(self, object_id: int) -> Painted:
        return self._now.get(object_id) or self._paint(object_id, prompted=False)

    def remove(self, object_id: int) -> None:
        del self._before[object_id]

    def reset(self) -> None:
        self._before: dict[int, Tensor] = {}

    def state(self) -> dict[str, Tensor]:
        return {str(object_id): before for object_id, before in self._before.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self._before = {int(name): before for name, before in state.items() if name.isdigit()}

    def _paint(self, object_id: int, prompted: bool) -> Painted:
        before = F.interpolate(self._before[object_id], self._look.shape[-2:])
        with torch.no_grad():
            mask, iou, score = self.network.brush(self._look, before)
        self._before[object_id] = mask
        present = prompted or bool(score > 0)
        self._now[object_id] = Painted(mask[0, 0], iou[0, 0], score[0, 0], present, False)
        return self._now[object_id]


class ToyFamily(HostFamily):
    """Recognised by the names of its tensors; a checkpoint is a single file, or a folder."""

    family = TOY
    published = MappingProxyType({"toy": 0.003})

    def recognises(self, keys: Collection[str], config: Mapping[str, Any] | None) -> bool:
        return {"eye.patches.weight", "brush.stroke.weight"} <= set(keys)

    def load(self, path: Path) -> LoadedModel:
        file = path / "model.safetensors" if path.is_dir() else path
        if file.suffix == ".pt":
            state = torch.load(file, weights_only=True)
        else:
            state, _ = read_weights(file)
        config = ToyConfig(width=len(state["eye.patches.weight"]))
        network = Toy(config).eval()
        network.load_state_dict(state)
        return LoadedModel(network, config, "MIT", OWN, state_sha256(state), self)

    def build(self, name: str, seed: int) -> LoadedModel:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self.untrained(Toy(ToyConfig()).eval(), ToyConfig())

    def check_size(self, config: Config, size: int) -> None:
        check_multiple(size, STRIDE, least=STRIDE)

    def fused(self, network: nn.Module) -> nn.Module:
        patches = network.get_submodule("eye.patches")
        assert isinstance(patches, nn.Conv2d)
        twin = Toy(ToyConfig(width=patches.out_channels))
        twin.load_state_dict(network.state_dict())
        return twin.eval().requires_grad_(False)

    def quantized_layers(self, network: nn.Module) -> dict[str, nn.Module]:
        return {p: m for p, m in network.named_modules() if isinstance(m, nn.Conv2d)}

    def reference(
        self, network: nn.Module, choose: Choice | None = None, **settings: Any
    ) -> ToyReference:
        for name in settings:
            if name != "first_logit":
                raise UnknownNameError("Toy setting", name, ["first_logit"])
        assert isinstance(network, Toy)
        return ToyReference(network, **settings)


HOST = ToyFamily()
