"""Would TensorRT's parser take a graph? Answered from tables, without TensorRT and a GPU."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sam2lite.contracts.manifest import Manifest
from sam2lite.exporter.onnx.graph_facts import GraphFacts, type_name
from sam2lite.exporter.onnx.incoming.older_opset import FIRST_OPSET
from sam2lite.exporter.onnx.incoming.value_sizes import value_sizes
from sam2lite.exporter.onnx.trace import opset_of
from sam2lite.exporter.onnx.walk import graphs_of
from sam2lite.exporter.tensorrt.preflight_limits import CHECKS
from sam2lite.exporter.tensorrt.preflight_values import attribute_limits, large_constants, odd_types
from sam2lite.targets.tensorrt.limits import Version
from sam2lite.targets.tensorrt.ops import (
    BORDER_TYPES,
    OPERATORS,
    REMEDIES,
    first_version_of_opset,
    limits_of,
    newest_opset,
    read_version,
)
from sam2lite.targets.tensorrt.types import INT64_SINCE

if TYPE_CHECKING:
    import onnx

DEFAULT_DOMAINS = ("", "ai.onnx")
FUNCTIONS_SINCE = (9, 0)  # docs/Changelog.md of 9.0 EA
BOUND_32 = "the nearest of 32 bits"
NO_COUNTERPART = "write it with operators that this version takes"


@dataclass(frozen=True)
class Finding:
    """One reason why a version of TensorRT would not take a graph as it is.

    Attributes:
        kind: `opset`, `type`, `shape`, `operator` or `limit`.
        where: name of the node, or of the input or output; of the graph for its opset.
        subject: the operator, the type, the shape or the opset.
        why: what the parser does or asks for.
        first_version: the first version that would take it; None where no newer one does.
        remedy: what to change.
    """

    kind: str
    where: str
    subject: str
    why: str
    first_version: str | None
    remedy: str

    def to_json(self) -> dict[str, Any]:
        """Return the fields as a plain dictionary."""
        return asdict(self)


def preflight(model: onnx.ModelProto, tensorrt: str) -> list[Finding]:
    """Return every reason why a version of TensorRT would not take a model, in the graph's order.

    Args:
        model: weights may be in another file; they are not read.
        tensorrt: the version, as in `8.2.1`.

    Raises:
        ArgumentError: the version is not one, or older than 8.2.
    """
    version = read_version(tensorrt)
    opset = opset_of(model)
    facts = GraphFacts(model, opset)
    findings = list(_opset_findings(model, opset, version))
    findings += _sparse_findings(model)
    weights = {tensor.name for tensor in model.graph.initializer}
    for value in (*model.graph.input, *model.graph.output):
        if value.name not in weights:  # old exporters list weights as inputs
            findings += _border_findings(value, version)
    border = {value.name for value in (*model.graph.input, *model.graph.output)}
    local = {(function.domain, function.name) for function in model.functions}
    bodies = [graph.node for graph in graphs_of(model.graph)]
    bodies += [function.node for function in model.functions]
    for body in bodies:
        for node in body:
            if (node.domain, node.op_type) in local:
                findings += _function_findings(node, version)
            else:
                findings += _node_findings(node, facts, version, border)
    findings += _constant_findings(model, version)
    absent = {finding.where for finding in findings if finding.kind == "operator"}
    findings += [found for found in _size_findings(model) if found.where not in absent]
    return findings


def preflight_folder(folder: Path, manifest: Manifest, tensorrt: str) -> dict[str, list[Finding]]:
    """Return the findings of every graph of a folder, by graph key; raises as `preflight`."""
    import onnx

    return {
        key: preflight(onnx.load(folder / entry.file, load_external_data=False), tensorrt)
        for key, entry in manifest.graphs.items()
    }


def _opset_findings(model: onnx.ModelProto, opset: int, version: Version) -> Iterator[Finding]:
    newest = newest_opset(version)
    if opset < FIRST_OPSET:
        yield Finding(
            "opset",
            model.graph.name,
            f"opset {opset}",
            f"the parser knows opsets from {FIRST_OPSET} on; before, operators say in attributes "
            "how they broadcast and whether they train",
            None,
            f"export again with --opset {newest}, or convert: "
            f"onnx.version_converter.convert_version(model, {newest})",
        )
    if opset > newest:
        yield Finding(
            "opset",
            model.graph.name,
            f"opset {opset}",
            f"the parser knows opsets up to {newest}",
            _text(first_version_of_opset(opset)),
            f"export with --opset {newest} or less; `sam2lite-export lower` rewrites most graphs",
        )


def _border_findings(value: onnx.ValueInfoProto, version: Version) -> Iterator[Finding]:
    form = value.type.WhichOneof("value")
    if form != "tensor_type":
        words = (form or "unknown_type").replace("_type", "")
        yield Finding(
            "type",
            value.name,
            words,
            "the parser takes tensors alone",
            None,
            "give every tensor an input or output of its own",
        )
        return
    tensor = value.type.tensor_type
    name = type_name(tensor.elem_type)
    entry = BORDER_TYPES.get(name)
    if entry is None:
        yield Finding(
            "type", value.name, name, "the parser has no type for it", None, "use float32 or int32"
        )
    elif entry.since is None or version < entry.since:
        yield Finding("type", value.name, name, entry.why, _text(entry.since), entry.remedy)
    if not tensor.HasField("shape"):
        yield _shape_finding(value.name, "unknown")
    elif not all(dim.dim_value > 0 for dim in tensor.shape.dim):
        sides = (str(dim.dim_value or dim.dim_param or "?") for dim in tensor.shape.dim)
        yield _shape_finding(value.name, f"[{', '.join(sides)}]")


def _shape_finding(name: str, shape: str) -> Finding:
    return Finding(
        "shape",
        name,
        shape,
        "a dimension that is no number needs an optimisation profile, and none is written",
        None,
        "export with static shapes, or fix them: onnxsim IN.onnx OUT.onnx "
        "--overwrite-input-shape NAME:1,3,512,512",
    )


def _sparse_findings(model: onnx.ModelProto) -> Iterator[Finding]:
    for graph in graphs_of(model.graph):
        for tensor in graph.sparse_initializer:
            yield Finding(
                "type",
                tensor.values.name,
                "sparse tensor",
                "the parser reads dense weights alone",
                None,
                "write the weights as dense tensors",
            )


def _function_findings(node: onnx.NodeProto, version: Version) -> Iterator[Finding]:
    if version < FUNCTIONS_SINCE:
        yield Finding(
            "operator",
            node.name or node.output[0],
            f"{node.domain}::{node.op_type}",
            "the parser knows no local functions",
            _text(FUNCTIONS_SINCE),
            "`sam2lite-export lower` writes them out where they are called",
        )


def _size_findings(model: onnx.ModelProto) -> Iterator[Finding]:
    for size in value_sizes(model.graph):
        yield Finding(
            "shape",
            size.where,
            size.operator,
            f"the size of its output depends on what the input '{size.source}' holds",
            None,
            "make that size a constant of the graph, one graph for each size",
        )


def _constant_findings(model: onnx.ModelProto, version: Version) -> Iterator[Finding]:
    for name, value in large_constants(model, version):
        yield Finding(
            "limit",
            name,
            "INT64",
            f"the constant holds {value}, and the parser makes it {BOUND_32} without asking",
            _text(INT64_SINCE),
            "keep constants within 32 bits",
        )


def _node_findings(
    node: onnx.NodeProto, facts: GraphFacts, version: Version, border: Collection[str]
) -> Iterator[Finding]:
    where = node.name or node.output[0]
    operator = node.op_type
    if node.domain not in DEFAULT_DOMAINS:
        yield Finding(
            "operator",
            where,
            f"{node.domain}::{operator}",
            "operators of other domains need a plugin",
            None,
            "write it with operators of ONNX's default domain",
        )
        return
    since = OPERATORS.get(operator)
    if since is None or version < since:
        yield Finding(
            "operator",
            where,
            operator,
            "the parser does not take it",
            _text(since),
            REMEDIES.get(operator, NO_COUNTERPART),
        )
        return
    for limit in limits_of(operator, version):
        if CHECKS[limit.check](node, facts, limit.argument):
            yield Finding("limit", where, operator, limit.why, _text(limit.until), limit.remedy)
    for attribute, value in attribute_limits(node, version):
        yield Finding(
            "limit",
            where,
            operator,
            f"{attribute.attribute}={value}: {attribute.why}",
            _text(attribute.until),
            attribute.remedy,
        )
    for odd in odd_types(node, facts, version, border):
        yield Finding("type", where, odd.subject, odd.why, _text(odd.first), odd.remedy)


def _text(version: Version | None) -> str | None:
    return None if version is None else f"{version[0]}.{version[1]}"
