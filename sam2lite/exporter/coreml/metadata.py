"""What a package says of itself in Xcode: author, licence, its tensors in words, provenance."""

from __future__ import annotations

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
        graph: that the package holds.
        precision: of its weights.
    """

    model: str
    checkpoint_sha256: str
    licence: str
    graph: str
    precision: str


def describe(specification: Any, provenance: Provenance, spec: GraphSpec) -> None:
    """Write provenance and descriptions into a package's specification.

    What coremltools left there stays, apart from the date, which would differ at every export.

    Args:
        specification: the protobuf `Model`; changed in place.
        provenance: where the package comes from.
        spec: of the graph.
    """
    description = specification.description
    meta = description.metadata
    meta.author = AUTHOR
    meta.license = provenance.licence
    meta.versionString = sam2lite.__version__
    meta.shortDescription = f"{provenance.graph} of {provenance.model}. {spec.words}"
    for key in [key for key in meta.userDefined if key.endswith("conversion_date")]:
        del meta.userDefined[key]
    meta.userDefined["sam2lite.version"] = sam2lite.__version__
    for key, value in provenance._asdict().items():
        meta.userDefined[f"sam2lite.{key}"] = value
    for function in description.functions or [description]:
        for feature in (*function.input, *function.output):
            if feature.name in spec.tensors:
                feature.shortDescription = spec.tensors[feature.name].words
