"""A model family on the host: it builds networks, recognises checkpoints, and loads them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from torch import nn

from sam2lite.models.checkpoint import state_sha256
from sam2lite.models.loaded import LoadedModel
from sam2lite.models.networks import Config, Networks


class HostFamily(Networks):
    """A family: what `Networks` says of its networks, and where they come from.

    The `host` of a `contracts.family.Family` names an instance, so that nothing is imported before
    it is asked for.

    Attributes:
        published: millions of parameters, by the names under which users ask for its networks.
    """

    published: Mapping[str, float] = MappingProxyType({})

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

    @abstractmethod
    def build(self, name: str, seed: int) -> LoadedModel:
        """Return a published network with random weights; the same seed gives the same."""

    def untrained(self, network: nn.Module, config: Config) -> LoadedModel:
        """Return a network with random weights as if it had been loaded."""
        digest = state_sha256(network.state_dict())
        return LoadedModel(network, config, "Apache-2.0", False, digest, self)
