"""Which graphs an export makes, and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sam2lite.contracts.backends import get_backend
from sam2lite.contracts.tensors import GraphSpec

if TYPE_CHECKING:
    from sam2lite.models.loaded import LoadedModel


@dataclass(frozen=True)
class ExportJob:
    """What to export: graph keys with their bound specs and input sizes, in the order of making."""

    keys: dict[str, tuple[GraphSpec, int]]

    @classmethod
    def of(cls, loaded: LoadedModel, rungs: Sequence[int], backend: str) -> ExportJob:
        """List the graphs of the input sizes and those that all sizes share.

        Args:
            loaded: the network.
            rungs: input widths, px.
            backend: that the graphs are for, as in the manifest.

        Raises:
            ArgumentError: a size that the network does not take.
        """
        for rung in rungs:
            loaded.check_size(rung)
        dtype = get_backend(backend).image_dtype
        keys = {
            key: (graph.with_image(dtype).bind(loaded.dims(rung)), rung)
            for key, (graph, rung) in loaded.family.keyed(rungs).items()
        }
        return cls(keys)

    @property
    def rungs(self) -> tuple[int, ...]:
        """Input widths of the graphs, ascending, px."""
        return tuple(sorted({rung for _, rung in self.keys.values()}))
