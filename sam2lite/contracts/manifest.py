"""The manifest of a bundle: what it holds, for what, made from what, and how it was verified.

A bundle is a directory with `manifest.json` and `graphs/`. Everything a runtime needs to run the
frame loop, and everything a person needs to trust it, is in this one file.
"""

import json
from types import MappingProxyType
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple

from sam2lite.contracts.fields import ascending
from sam2lite.contracts.input_sizes import SQUARE, Aspect
from sam2lite.contracts.manifest_fields import (
    ITEM_BYTES,
    MANIFEST,
    MAX_BUNDLE_BYTES,
    MAX_GRAPH_BYTES,
)
from sam2lite.contracts.provenance import UNTRAINED, provenance_line
from sam2lite.contracts.tensors import GraphSpec, TensorSpec
from sam2lite.errors import BundleError
from sam2lite.files.json_reading import parse_json
from sam2lite.files.reading import printable_data

SCHEMA_VERSION = 2
MANIFEST_FILE = "manifest.json"
GRAPHS_FOLDER = "graphs"


class ModelInfo(NamedTuple):
    """Where the weights come from, and the family whose rules the frame loop follows.

    `weights` is a word of `contracts.provenance`; None in bundles from before there were any, where
    they are trained.
    """

    family: str
    name: str
    checkpoint_sha256: str
    licence: str
    trained: bool
    parameters: int
    config: Dict[str, Any]
    weights: Optional[str] = None

    @property
    def provenance(self) -> str:
        """Where the weights come from, as one line for people."""
        return provenance_line(self.weights)


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
        aliases: what other packages call its tensors, by name.
    """

    file: str
    precision: str
    spec: GraphSpec
    function: Optional[str] = None
    aliases: Mapping[str, Tuple[str, ...]] = MappingProxyType({})


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
    def aspect(self) -> Aspect:
        """The form of its inputs; `rungs` are their widths."""
        return Aspect(*self.preprocess.get("aspect", SQUARE))

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

    def for_people(self) -> "Manifest":
        """Return the manifest with nothing in it that a terminal would act on."""
        return _parsed(printable_data(self.to_json()))

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
    # Bundles without functions and aliases are the same as before there were any.
    if entry.function is not None:
        data["function"] = entry.function
    if entry.aliases:
        data["aliases"] = {name: list(others) for name, others in entry.aliases.items()}
    return data


def loads(raw: bytes, where: str) -> Manifest:
    """Parse the bytes of a manifest; every field is of the type and within the bounds that it says.

    Raises:
        BundleError: it is not JSON, of another schema version, or lacks or misstates a field;
            `where` is named.
    """
    data = parse_json(raw, where, BundleError, "export the bundle again")
    if not isinstance(data, dict) or "schema_version" not in data:
        raise BundleError("{} is not a SAM2-Lite manifest: it has no schema_version".format(where))
    version = data["schema_version"]
    is_number = isinstance(version, int) and not isinstance(version, bool)
    if is_number and version == 1:
        from sam2lite.contracts.schema_1 import upgraded

        data = upgraded(data, where)
    elif not is_number or version != SCHEMA_VERSION:
        raise BundleError(
            "{} has schema version {}, this SAM2-Lite reads {}; {}".format(
                where,
                ascii(version)[:40],
                SCHEMA_VERSION,
                "upgrade sam2lite"
                if is_number and version > SCHEMA_VERSION
                else "export the bundle again",
            )
        )
    try:
        MANIFEST(data, "")
        _check_weights(data["model"])
        manifest = _parsed(data)
        _check_sums(manifest)
    except (BundleError, ValueError) as error:
        raise BundleError(
            "{} lacks or misstates a field ({}); export the bundle again".format(where, error)
        ) from None
    return manifest


def _parsed(data: Mapping[str, Any]) -> Manifest:
    fields = {name: data[name] for name in Manifest._fields}
    model = ModelInfo(**data["model"])
    # Older bundles do not say it in a word.
    weights = model.weights if model.trained else UNTRAINED
    fields["model"] = model._replace(weights=weights)
    fields["postprocess"] = Postprocess(**data["postprocess"])
    fields["stages"] = tuple(data["stages"])
    fields["rungs"] = tuple(data["rungs"])
    fields["files"] = {key: FileEntry(**entry) for key, entry in data["files"].items()}
    fields["graphs"] = {
        key: GraphEntry(
            entry["file"],
            entry["precision"],
            GraphSpec(
                entry["name"],
                _specs(entry["inputs"]),
                _specs(entry["outputs"]),
                per_size=entry["per_size"],
                ranks=entry["ranks"],
            ),
            entry.get("function"),
            {name: tuple(others) for name, others in entry.get("aliases", {}).items()},
        )
        for key, entry in data["graphs"].items()
    }
    return Manifest(**fields)


def _specs(entries: List[Mapping[str, Any]]) -> Tuple[TensorSpec, ...]:
    return tuple(TensorSpec.from_json(entry) for entry in entries)


def _check_weights(model: Mapping[str, Any]) -> None:
    """Raise ValueError if the two fields on training contradict each other."""
    weights, trained = model.get("weights"), model["trained"]
    if weights is not None and (weights != UNTRAINED) != trained:
        raise ValueError("model.trained is {}, model.weights is {}".format(trained, weights))


def _check_sums(manifest: Manifest) -> None:
    """Check what no field shows alone.

    Raises:
        ValueError: input sizes do not ascend or have no height in whole px, a graph has another key
            than its name gives, aliases are of no tensor or not of one alone, or files or tensors
            are too large.
    """
    ascending(list(manifest.rungs), "rungs")
    for rung in manifest.rungs:
        if rung * manifest.aspect.height % manifest.aspect.width:
            raise ValueError(
                "{} px of the form {} have no whole height".format(rung, manifest.aspect.text)
            )
    total = sum(entry.bytes for entry in manifest.files.values())
    if total > MAX_BUNDLE_BYTES:
        raise ValueError(
            "files have {} bytes, and no bundle has more than {}".format(total, MAX_BUNDLE_BYTES)
        )
    for key, entry in manifest.graphs.items():
        spec = entry.spec
        if key.partition("@")[0] != spec.name or ("@" in key) != spec.per_size:
            raise ValueError("graphs.{} is called {}".format(key, spec.name))
        _check_aliases(key, entry)
        size = sum(_bytes(tensor) for tensor in spec.inputs + spec.outputs)
        if size > MAX_GRAPH_BYTES:
            raise ValueError(
                "the tensors of graphs.{} have {} bytes, and no graph has more than {}".format(
                    key, size, MAX_GRAPH_BYTES
                )
            )


def _check_aliases(key: str, entry: GraphEntry) -> None:
    """Raise ValueError for an alias of no tensor of the graph, or of more than one."""
    taken = entry.spec.input_names + entry.spec.output_names
    for name, others in entry.aliases.items():
        if name not in taken:
            raise ValueError("graphs.{}.aliases has {}, which is no tensor".format(key, name))
        for other in others:
            if other in taken:
                raise ValueError("graphs.{}.aliases has {} twice".format(key, other))
            taken.append(other)


def _bytes(tensor: TensorSpec) -> int:
    size = ITEM_BYTES[tensor.dtype]
    for dim in tensor.shape:
        size *= int(dim)
    return size
