"""Families that put image encoders of their own before the heads of other networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn

from sam2lite.models.loaded import LoadedModel


class Fold(Protocol):
    """A convolution, and what beside it goes into it for inference."""

    @property
    def conv(self) -> nn.Conv2d:
        """The convolution."""

    @property
    def norm(self) -> nn.Module:
        """A batch norm before or behind it, of its own."""

    def folded(self) -> tuple[Tensor, Tensor]:
        """Return weight and bias of the one convolution, with gradients to what they are made of.

        Shape: that of the convolution's weight, and `[out]`.
        """


@runtime_checkable
class Grafting(Protocol):
    """What training an image encoder asks of such a family."""

    @property
    def encoder_names(self) -> tuple[str, ...]:
        """The names under which users ask for its image encoders."""

    def check_teacher(self, teacher: LoadedModel) -> None:
        """Check that a network has heads that its image encoders fit.

        Raises:
            ArgumentError: it has not.
        """

    def grafted(
        self, teacher: LoadedModel, encoder: str, size: int | None, seed: int
    ) -> LoadedModel:
        """Return a teacher's heads behind an image encoder that is to be trained.

        Args:
            teacher: that `check_teacher` takes.
            encoder: one of `encoder_names`.
            size: side of the input, px; the usual one of the encoder if not given.
            seed: of the weights of trunk and neck; heads are the teacher's.

        Raises:
            ArgumentError: the networks do not take the size.
        """

    def trained_part(self, network: nn.Module) -> nn.Module:
        """Return the image encoder of a network, of the teacher's or of the graft."""

    def maps(self, network: nn.Module, image_bchw: Tensor) -> list[Tensor]:
        """Return what image encoders are compared by, finest first, `[B, 256, H, W]` each.

        Args:
            network: the teacher's or the graft.
            image_bchw: RGB, 0..255.
        """

    def folds(self, network: nn.Module) -> Sequence[Fold]:
        """Return what goes into convolutions of the graft's image encoder for inference."""

    def exported_ranges(
        self, ranges: Mapping[str, tuple[float, float]]
    ) -> dict[str, tuple[float, float]]:
        """Return ranges of layers of the graft by the paths that they have in the inference form.

        Args:
            ranges: least and greatest input, by the path of the layer.
        """

    def description(self, student: LoadedModel) -> dict[str, Any]:
        """Return the `config.json` of a trained graft, beside its tensors by their own names."""
