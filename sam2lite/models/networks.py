"""What the rest of the package asks a family about a network of it, and nothing more."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn

from sam2lite.contracts.family import Family
from sam2lite.contracts.input_sizes import SQUARE, Aspect
from sam2lite.errors import UnknownNameError
from sam2lite.models.contest import Contest
from sam2lite.models.effort import Effort
from sam2lite.runtimes.prompts import Prompt

# To the index of the candidate that becomes the mask. A loop asks nothing where only one is left.
Choice = Callable[[Contest], int]


class Config(Protocol):
    """What a network was built from."""

    @property
    def name(self) -> str:
        """A published name, or any other."""

    @property
    def rungs(self) -> tuple[int, ...]:
        """Input sides that it is exported for unless others are asked for, ascending, px."""

    def dims(self, rung: int, aspect: Aspect = SQUARE) -> dict[str, int]:
        """Return the numbers behind the graphs' symbols at one input size.

        Args:
            rung: width of the input, px.
            aspect: of the input.

        Raises:
            ArgumentError: the family does not take it.
        """

    def memory(self) -> dict[str, Any]:
        """Return the layout of the memory, as the family's frame rules read it in a manifest."""

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""


class Decided(Protocol):
    """What a reference loop decides about one object on one frame."""

    @property
    def logits_hw(self) -> Tensor:
        """Of the mask, at the family's mask stride; to be shown only if `present`."""

    @property
    def iou(self) -> Tensor:
        """As the network predicts it, 0-d."""

    @property
    def object_score(self) -> Tensor:
        """Logit, 0-d; above 0 the object is judged present."""

    @property
    def present(self) -> bool:
        """Prompted or judged present, and not lost."""

    @property
    def lost(self) -> bool:
        """Something was not finite, so nothing was stored."""


class Reference(Protocol):
    """A family's frame loop in PyTorch, on frames that are prepared already."""

    def start_frame(self, image_bchw: Tensor) -> None:
        """Encode the next frame: RGB, uint8 `[1, 3, H, W]`; no object is processed on it yet."""

    def prompt(self, object_id: int, prompt: Prompt, width: int, height: int) -> Decided:
        """Decode an object with a prompt on the current frame.

        An unknown id makes a new object. One that was processed on this frame already is corrected.

        Args:
            object_id: any number.
            prompt: in source pixels.
            width: of the source frame, px.
            height: of the source frame, px.
        """

    def track(self, object_id: int) -> Decided:
        """Decode an object without a prompt; one processed on this frame keeps its output."""

    def remove(self, object_id: int) -> None:
        """Forget an object."""

    def reset(self) -> None:
        """Forget all objects and the current frame."""

    def state(self) -> dict[str, Tensor]:
        """Return what is remembered from one frame to the next, by name."""

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on, with the next frame, from what `state` returned; what was remembered is lost."""


@runtime_checkable
class Seeking(Protocol):
    """A reference loop whose frames have numbers, from 0, and may come again."""

    def seek(self, frame_index: int) -> None:
        """Give the next frame a number; what was tracked from that one on is forgotten."""


@runtime_checkable
class KeepingApart(Protocol):
    """A reference loop that says how its objects' masks are shown together."""

    @property
    def non_overlap(self) -> bool:
        """Whether they share no pixel: where they overlap, the highest logit wins."""


class Networks(ABC):
    """A family, asked about networks of it, fused or not.

    Attributes:
        family: its data.
        parity_settings: of its frame rules, that loops are compared under: those with which two
            exact loops agree to rounding.
        half_precision_db: SQNR that its graphs must have in FP16 at least, dB, where that is less
            than a precision asks for: each operator of a deep network rounds once more.
    """

    family: Family
    parity_settings: Mapping[str, Any] = MappingProxyType({})
    half_precision_db: float = math.inf

    def module(self, network: nn.Module, graph: str) -> nn.Module:
        """Return what is traced for a graph; its submodule of that name unless told otherwise."""
        return network.get_submodule(graph)

    def parameters(self, network: nn.Module) -> dict[str, int]:
        """Return the number of parameters of each module, and their `total`."""
        counts = {
            name: sum(parameter.numel() for parameter in module.parameters())
            for name, module in network.named_children()
        }
        return {**counts, "total": sum(counts.values())}

    def check_size(self, config: Config, size: int) -> None:
        """Check that a network takes an input size; only its `rungs` unless told otherwise.

        Where the input is not square, width and height are asked about one after the other.

        Args:
            config: of the network.
            size: side of the input, px.

        Raises:
            ArgumentError: it does not; the message names sizes that it takes.
        """
        if size not in config.rungs:
            raise UnknownNameError("rung", size, config.rungs)

    def effort(self, size: int) -> Effort:
        """Return how much of a network is run while it is exported.

        Args:
            size: side of the largest input, px.
        """
        return Effort()

    @abstractmethod
    def fused(self, network: nn.Module) -> nn.Module:
        """Return a copy for inference, in evaluation mode, that computes the same."""

    @abstractmethod
    def quantized_layers(self, network: nn.Module) -> dict[str, nn.Module]:
        """Return the layers that may run in INT8, by path: convolutions and linear layers."""

    @abstractmethod
    def reference(
        self, network: nn.Module, choose: Choice | None = None, **settings: Any
    ) -> Reference:
        """Return the frame loop in PyTorch, without objects; it puts the network in evaluation.

        Args:
            network: to run.
            choose: see `Choice`; by the family's rules if not given.
            settings: the family's own, as its frame rules have them.

        Raises:
            UnknownNameError: there is no such setting, or no such value of it.
            ArgumentError: a value is out of its range.
        """

    def core_ml_form(self, module: nn.Module, inputs: Sequence[Tensor]) -> nn.Module:
        """Return what of a graph's module Core ML takes, computing the same at one input size.

        Args:
            module: a copy that may be changed.
            inputs: of the size.
        """
        return module
