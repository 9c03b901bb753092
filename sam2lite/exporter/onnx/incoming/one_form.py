"""Old and unusual ways to write a model, brought into the one form that the passes read."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from sam2lite.errors import ExportError
from sam2lite.exporter.onnx.skeleton import skeleton
from sam2lite.exporter.onnx.walk import graphs_of

if TYPE_CHECKING:
    import onnx

DEFAULT = "ai.onnx"  # the default domain, spelled out
ANY_OPSET = 13
FIRST_WITHOUT_WEIGHT_INPUTS = 4  # of the versions of ONNX's file format


def one_form(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy that says the same in the form of today.

    The default domain has the empty name; local functions stand where they are called; weights are
    no inputs, as they had to be up to the third version of the format; outputs that a node may
    leave out and that nobody reads are left out.

    Raises:
        ExportError: a local function cannot be put in its place, there is no opset, a name is no
            text, or the model is not valid ONNX.
    """
    import onnx

    _require_text(model)
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    _shorten_domain(copy)
    _say_opset(copy)
    if copy.functions:
        copy = _inlined(copy)
    _drop_weight_inputs(copy)
    _drop_unread_outputs(copy)
    _require_valid(copy)
    return copy


def _require_text(model: onnx.ModelProto) -> None:
    """Raise unless every name is UTF-8; protobuf lets other bytes through."""
    try:
        for graph in graphs_of(model.graph):
            tensors = (*graph.input, *graph.output, *graph.value_info, *graph.initializer)
            names = [graph.name, *(tensor.name for tensor in tensors)]
            for node in graph.node:
                names += [node.name, node.op_type, node.domain, *node.input, *node.output]
                names += [attribute.name for attribute in node.attribute]
            for name in names:
                name.encode()  # bytes have none, and half a pair of code points cannot be written
    except (UnicodeError, AttributeError) as error:
        raise ExportError(
            "the ONNX model is damaged: a name in it is not UTF-8; export or copy it again"
        ) from error


def _require_valid(model: onnx.ModelProto) -> None:
    """Raise unless ONNX's checker takes a model; shape inference may crash on one that is not."""
    import onnx

    checked = skeleton(model)
    for value in (*checked.graph.input, *checked.graph.output):
        if value.type.HasField("tensor_type"):
            value.type.tensor_type.shape.SetInParent()  # a shape that is not said can be inferred
    try:
        onnx.checker.check_model(checked)
    except (onnx.checker.ValidationError, UnicodeError) as error:
        raise ExportError(
            f"onnxruntime cannot run the graph: it is not valid ONNX ({_first_line(error)}); "
            "export it again"
        ) from error


def _shorten_domain(model: onnx.ModelProto) -> None:
    for nodes in (*(g.node for g in graphs_of(model.graph)), *(f.node for f in model.functions)):
        for node in nodes:
            if node.domain == DEFAULT:
                node.domain = ""
    for holder in (model, *model.functions):
        imports = {
            ("" if e.domain == DEFAULT else e.domain): e.version for e in holder.opset_import
        }
        del holder.opset_import[:]
        for domain, version in imports.items():
            holder.opset_import.add(domain=domain, version=version)


def _say_opset(model: onnx.ModelProto) -> None:
    """Name a version of the default domain where only others are named, and used."""
    if any(not entry.domain for entry in model.opset_import):
        return
    if any(not node.domain for graph in graphs_of(model.graph) for node in graph.node):
        raise ExportError(
            f"{model.graph.name} has operators of ONNX's default domain and does not say of which "
            "opset; export it again"
        )
    model.opset_import.add(domain="", version=ANY_OPSET)


def _inlined(model: onnx.ModelProto) -> onnx.ModelProto:
    from onnx import inliner

    try:
        flat: onnx.ModelProto = inliner.inline_local_functions(model)
    except Exception as error:  # its C++ raises whatever it likes
        names = ", ".join(f"{f.domain}::{f.name}" for f in model.functions)
        raise ExportError(
            f"the local functions {names} cannot be written out where they are called: "
            f"{_first_line(error)}; export without functions"
        ) from error
    called = {node.domain for graph in graphs_of(flat.graph) for node in graph.node}
    kept = [entry for entry in flat.opset_import if entry.domain in called | {""}]
    del flat.opset_import[:]
    flat.opset_import.extend(kept)
    return flat


def _drop_weight_inputs(model: onnx.ModelProto) -> None:
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    model.ir_version = max(model.ir_version, FIRST_WITHOUT_WEIGHT_INPUTS)


def _drop_unread_outputs(model: onnx.ModelProto) -> None:
    import onnx

    opset = next((e.version for e in model.opset_import if not e.domain), 1)
    read = Counter(value.name for value in model.graph.output)
    for graph in graphs_of(model.graph):
        read.update(value.name for value in graph.output)
        for node in graph.node:
            read.update(node.input)
    for graph in graphs_of(model.graph):
        for node in graph.node:
            if len(node.output) < 2 or node.domain or node.op_type == "BatchNormalization":
                continue  # an older BatchNormalization says by its outputs that it trains
            try:
                outputs = onnx.defs.get_schema(node.op_type, opset, "").outputs
            except onnx.defs.SchemaError:
                continue
            optional = onnx.defs.OpSchema.FormalParameterOption.Optional
            for index in range(1, min(len(node.output), len(outputs))):
                if not read[node.output[index]] and outputs[index].option == optional:
                    node.output[index] = ""
            while node.output and not node.output[-1]:
                node.output.pop()


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
