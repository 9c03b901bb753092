"""What a package says of itself in Xcode: author, licence, its tensors in words, provenance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import sam2lite

if TYPE_CHECKING:
    from sam2lite.contracts.tensors import GraphSpec

AUTHOR = "SAM2-Lite"


class Provenance(NamedTuple):
    """Where a package comes from.

    Attributes:
        model: name of the network.
        checkpoint_sha256: of its weights.
        licence: SPDX identifier of the weights' licence.
        graph: that the package holds, or several, with commas.
        precision: of its weights.
    """

    model: str
    checkpoint_sha256: str
    licence: str
    graph: str
    precision: str


def describe(specification: Any, provenance: Provenance, specs: Sequence[GraphSpec]) -> None:
    """Write provenance and descriptions into a package's specification.

    What coremltools left there stays, apart from the date, which would differ at every export.

    Args:
        specification: the protobuf `Model`; changed in place.
        provenance: where the package comes from.
        specs: of the graphs; a tensor that several have is the same in all of them.
    """
    description = specification.description
    meta = description.metadata
    meta.author = AUTHOR
    meta.license = provenance.licence
    meta.versionString = sam2lite.__version__
    words = " ".join(spec.words for spec in specs)
    meta.shortDescription = f"{provenance.graph} of {provenance.model}. {words}"
    for key in [key for key in meta.userDefined if key.endswith("conversion_date")]:
        del meta.userDefined[key]
    meta.userDefined["sam2lite.version"] = sam2lite.__version__
    for key, value in provenance._asdict().items():
        meta.userDefined[f"sam2lite.{key}"] = value
    tensors = {name: info for spec in specs for name, info in spec.tensors.items()}
    for function in description.functions or [description]:
        for feature in (*function.input, *function.output):
            if feature.name in tensors:
                feature.shortDescription = tensors[feature.name].words
