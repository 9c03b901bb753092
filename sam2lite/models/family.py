"""A model family on the host: it builds networks, recognises checkpoints, and loads them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from torch import nn

from sam2lite.contracts.provenance import UNTRAINED
from sam2lite.errors import ArgumentError
from sam2lite.files.reading import printable
from sam2lite.models.checkpoint import state_sha256
from sam2lite.models.loaded import LoadedModel
from sam2lite.models.networks import Config, Networks


class HostFamily(Networks):
    """A family: what `Networks` says of its networks, and where they come from.

    The `host` of a `contracts.family.Family` names an instance, so that nothing is imported before
    it is asked for.

    Attributes:
        published: millions of parameters, by the names under which users ask for its networks.
        has_variants: whether weights of the same names and shapes are of networks that compute
            differently, so that whoever brings a checkpoint must say which one it is of.
    """

    published: Mapping[str, float] = MappingProxyType({})
    has_variants = False

    @abstractmethod
    def recognises(self, keys: Collection[str], config: Mapping[str, Any] | None) -> bool:
        """Return whether a checkpoint is one of this family.

        Args:
            keys: names of its tensors; none where it has no file of weights.
            config: its `config.json`; None where it has none.
        """

    @abstractmethod
    def load(self, path: Path) -> LoadedModel:
        """Load a checkpoint that was recognised: a folder, or a file of weights.

        Raises:
            ModelError: it is damaged, or its weights do not fit its configuration.
        """

    def load_variant(self, path: Path, variant: str | None) -> LoadedModel:
        """Load a checkpoint that may be of one of several networks; see `load`.

        Args:
            path: of the checkpoint.
            variant: the name of the one that it is of; None where nobody said.

        Raises:
            ArgumentError: the family has no variants and one is named; or it has, and none is
                named, or one that these weights are not of. The message lists the choices.
        """
        if variant is not None:
            raise no_variants(self.family.title, variant)
        return self.load(path)

    @abstractmethod
    def build(self, name: str, seed: int) -> LoadedModel:
        """Return a published network with random weights; the same seed gives the same."""

    def untrained(self, network: nn.Module, config: Config) -> LoadedModel:
        """Return a network with random weights as if it had been loaded."""
        digest = state_sha256(network.state_dict())
        return LoadedModel(network, config, "Apache-2.0", UNTRAINED, digest, self)


def no_variants(title: str, variant: str) -> ArgumentError:
    """Return the error that a variant is named of what has none.

    Args:
        title: of the family.
        variant: that was named.
    """
    return ArgumentError(
        f"the variant {printable(repr(variant))[:80]} is named, and {title} has no variants: "
        "weights say which network they are of; leave it out"
    )
