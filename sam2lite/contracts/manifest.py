"""The manifest of a bundle: what it holds, for what, made from what, and how it was verified.

A bundle is a directory with `manifest.json` and `graphs/`. Everything a runtime needs to run the
frame loop, and everything a person needs to trust it, is in this one file.
"""

import json
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple

from sam2lite.contracts.tensors import GraphSpec, TensorSpec
from sam2lite.errors import BundleError

SCHEMA_VERSION = 2
MANIFEST_FILE = "manifest.json"
GRAPHS_FOLDER = "graphs"


class ModelInfo(NamedTuple):
    """Where the weights come from, and the family whose rules the frame loop follows."""

    family: str
    name: str
    checkpoint_sha256: str
    licence: str
    trained: bool
    parameters: int
    config: Dict[str, Any]


class Postprocess(NamedTuple):
    """How logits become a mask of the frame.

    Attributes:
        mask_stride: px of the network's input that a cell of the logits covers.
        mask_threshold: a logit above it is the object's.
        object_score_threshold: the object is present where its score is above it.
        upsampling: from the logits to the frame.
    """

    mask_stride: int
    mask_threshold: float
    object_score_threshold: float
    upsampling: str


class GraphEntry(NamedTuple):
    """One graph.

    Attributes:
        file: its file or, for Core ML, the folder of its package; relative to the bundle.
        precision: that it computes in, or that its weights have.
        spec: its tensors.
        function: which of a package's functions it is; None where a file is one graph.
    """

    file: str
    precision: str
    spec: GraphSpec
    function: Optional[str] = None


class FileEntry(NamedTuple):
    """What a file must be."""

    sha256: str
    bytes: int


class Manifest(NamedTuple):
    """The parsed manifest. Fields are documented where docs/bundle.md describes the file."""

    sam2lite_version: str
    model: ModelInfo
    backend: str
    target: Dict[str, Any]
    opset: int
    rungs: Tuple[int, ...]
    graphs: Dict[str, GraphEntry]
    dims: Dict[str, Dict[str, int]]
    stages: Tuple[str, ...]
    preprocess: Dict[str, Any]
    postprocess: Postprocess
    memory: Dict[str, Any]
    calibration: Optional[Dict[str, Any]]
    verification: Dict[str, Any]
    tools: Dict[str, str]
    files: Dict[str, FileEntry]
    status: str

    @property
    def precision(self) -> str:
        """The precision of the bundle as one word: that of its image encoders."""
        encoder = self.stages[0]
        return "+".join(
            sorted({g.precision for g in self.graphs.values() if g.spec.name == encoder})
        )

    @property
    def megabytes(self) -> float:
        """Size of all files of the bundle, MB."""
        return sum(entry.bytes for entry in self.files.values()) / 1e6

    def to_json(self) -> Dict[str, Any]:
        """Return plain data in the order of the fields."""
        data = {"schema_version": SCHEMA_VERSION}  # type: Dict[str, Any]
        data.update(self._asdict())
        data["model"] = dict(self.model._asdict())
        data["rungs"] = list(self.rungs)
        data["stages"] = list(self.stages)
        data["postprocess"] = dict(self.postprocess._asdict())
        data["graphs"] = {key: _entry_json(entry) for key, entry in sorted(self.graphs.items())}
        data["files"] = {key: dict(entry._asdict()) for key, entry in sorted(self.files.items())}
        return data

    def dumps(self) -> str:
        """Return the text of `manifest.json`."""
        return json.dumps(self.to_json(), indent=1, ensure_ascii=False) + "\n"


def _entry_json(entry: GraphEntry) -> Dict[str, Any]:
    data = {
        "file": entry.file,
        "precision": entry.precision,
        "name": entry.spec.name,
        "per_size": entry.spec.per_size,
        "ranks": entry.spec.ranks,
        "inputs": [spec.to_json() for spec in entry.spec.inputs],
        "outputs": [spec.to_json() for spec in entry.spec.outputs],
    }  # type: Dict[str, Any]
    # Bundles without functions are the same as before there were any.
    return data if entry.function is None else dict(data, function=entry.function)


def loads(text: str, where: str) -> Manifest:
    """Parse the text of a manifest.

    Raises:
        BundleError: it is not JSON, of another schema version, or lacks a field; `where` is named.
    """
    try:
        data = json.loads(text)
    except ValueError as error:
        raise BundleError(
            "{} is not valid JSON ({}); export the bundle again".format(where, error)
        ) from None
    if not isinstance(data, dict) or "schema_version" not in data:
        raise BundleError("{} is not a SAM2-Lite manifest: it has no schema_version".format(where))
    version = data["schema_version"]
    if version == 1:
        from sam2lite.contracts.schema_1 import upgraded

        data = upgraded(data, where)
    elif version != SCHEMA_VERSION:
        raise BundleError(
            "{} has schema version {}, this SAM2-Lite reads {}; {}".format(
                where,
                version,
                SCHEMA_VERSION,
                "upgrade sam2lite"
                if isinstance(version, int) and version > SCHEMA_VERSION
                else "export the bundle again",
            )
        )
    try:
        return _parse(data)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BundleError(
            "{} lacks or misstates a field ({}: {}); export the bundle again".format(
                where, type(error).__name__, error
            )
        ) from None


def _parse(data: Mapping[str, Any]) -> Manifest:
    fields = {name: data[name] for name in Manifest._fields}
    fields["model"] = ModelInfo(**data["model"])
    fields["postprocess"] = _postprocess(**data["postprocess"])
    fields["stages"] = tuple(str(stage) for stage in data["stages"])
    fields["dims"] = {
        str(rung): {str(symbol): int(number) for symbol, number in dims.items()}
        for rung, dims in data["dims"].items()
    }
    fields["memory"] = dict(data["memory"])
    fields["preprocess"] = dict(data["preprocess"])
    fields["rungs"] = tuple(int(rung) for rung in data["rungs"])
    fields["opset"] = int(data["opset"])
    fields["files"] = {key: FileEntry(**entry) for key, entry in data["files"].items()}
    fields["graphs"] = {
        key: GraphEntry(
            str(entry["file"]),
            str(entry["precision"]),
            GraphSpec(
                str(entry["name"]),
                _specs(entry["inputs"]),
                _specs(entry["outputs"]),
                per_size=bool(entry["per_size"]),
                ranks=bool(entry["ranks"]),
            ),
            entry.get("function"),
        )
        for key, entry in data["graphs"].items()
    }
    return Manifest(**fields)


def _postprocess(
    mask_stride: Any, mask_threshold: Any, object_score_threshold: Any, upsampling: Any
) -> Postprocess:
    return Postprocess(
        int(mask_stride), float(mask_threshold), float(object_score_threshold), str(upsampling)
    )


def _specs(entries: List[Mapping[str, Any]]) -> Tuple[TensorSpec, ...]:
    return tuple(TensorSpec.from_json(entry) for entry in entries)
