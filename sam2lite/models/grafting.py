"""Families that put image encoders of their own before the heads of other networks."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn

from sam2lite.models.loaded import LoadedModel


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

    def description(self, student: LoadedModel) -> dict[str, Any]:
        """Return the `config.json` of a trained graft, beside its tensors by their own names."""
