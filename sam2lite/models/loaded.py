"""A network and where it comes from, whatever its family."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from sam2lite.contracts.family import Family
from sam2lite.contracts.input_sizes import SQUARE, Aspect
from sam2lite.contracts.provenance import UNTRAINED
from sam2lite.errors import ArgumentError
from sam2lite.models.networks import Choice, Config, Networks, Reference


@dataclass(frozen=True)
class LoadedModel:
    """A network and where it comes from.

    Attributes:
        model: the network, in FP32 and on the CPU; in evaluation mode when it was loaded. Its class
            is its family's own.
        config: what it was built from.
        licence: SPDX identifier of the weights' licence.
        weights: where they come from, a word of `contracts.provenance`.
        sha256: of the file of weights, or of the state dict where there is no file.
        host: its family.
        activation_ranges: least and greatest input by module path; None if it has none.
        aspect: form of the inputs that it is run with; sizes are their widths.
    """

    model: Any
    config: Config
    licence: str
    weights: str
    sha256: str
    host: Networks
    activation_ranges: dict[str, tuple[float, float]] | None = None
    aspect: Aspect = SQUARE

    @property
    def trained(self) -> bool:
        """Whether the weights are anything but random."""
        return self.weights != UNTRAINED

    @property
    def family(self) -> Family:
        """The data of its family."""
        return self.host.family

    @property
    def name(self) -> str:
        """Of the network."""
        return self.config.name

    @property
    def sizes(self) -> tuple[int, ...]:
        """Input widths that it is exported for unless others are asked for, ascending, px."""
        return self.config.rungs

    def with_aspect(self, aspect: Aspect) -> LoadedModel:
        """Return it with inputs of another form.

        Raises:
            ArgumentError: the family does not take them.
        """
        self.family.check_aspect(aspect)
        return dataclasses.replace(self, aspect=aspect)

    def check_size(self, size: int) -> None:
        """Check that the network takes an input size; see `Networks.check_size`.

        Args:
            size: width of the input, px.

        Raises:
            ArgumentError: it does not; the message names sizes that it takes.
        """
        if self.aspect == SQUARE:
            self.host.check_size(self.config, size)
            return
        refusals = []
        for side in (size, self.aspect.height_at(size)):
            try:
                self.host.check_size(self.config, side)
            except ArgumentError as error:
                refusals.append(str(error))
        if refusals:
            raise ArgumentError(f"{self.aspect.sides_text(size)}: {'; '.join(refusals)}")

    @property
    def parameters(self) -> dict[str, int]:
        """The number of parameters of each module, and their `total`."""
        return self.host.parameters(self.model)

    def dims(self, size: int) -> dict[str, int]:
        """Return the numbers behind the graphs' symbols at one input width, px."""
        return self.config.dims(size, self.aspect)

    def memory(self) -> dict[str, Any]:
        """Return the layout of the memory, as manifests have it."""
        return self.config.memory()

    def fused(self) -> LoadedModel:
        """Return it with a copy of the network for inference, which is what is exported."""
        return dataclasses.replace(self, model=self.host.fused(self.model))

    def module(self, graph: str) -> nn.Module:
        """Return the module that a graph is traced from."""
        return self.host.module(self.model, graph)

    def quantized_layers(self) -> dict[str, nn.Module]:
        """Return the layers that may run in INT8, by path."""
        return self.host.quantized_layers(self.model)

    def quantizable_paths(self) -> list[str]:
        """Return the paths of the layers of its copy for inference that may run in INT8."""
        return list(self.host.quantized_layers(self.host.fused(self.model)))

    def reference(self, choose: Choice | None = None, **settings: Any) -> Reference:
        """Return the network's frame loop in PyTorch; see `Networks.reference`."""
        return self.host.reference(self.model, choose, **settings)

    def core_ml_form(self, module: nn.Module, inputs: Sequence[Tensor]) -> nn.Module:
        """Return what of a graph's module Core ML takes; see `Networks.core_ml_form`."""
        return self.host.core_ml_form(module, inputs)
