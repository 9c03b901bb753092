"""Pass `opset_down`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from sam2lite.errors import ExportError
from sam2lite.exporter.onnx.graph_facts import GraphFacts
from sam2lite.exporter.onnx.skeleton import check_model, skeleton
from sam2lite.exporter.onnx.trace import opset_of
from sam2lite.exporter.onnx.walk import graphs_of
from sam2lite.exporter.tensorrt.passes.rewriting import DEFAULT_DOMAINS

if TYPE_CHECKING:
    import onnx

# Same names, same attributes, but the newer one means something else.
OTHER_MEANING = {"GroupNormalization": 21, "RoiAlign": 16}
# About formats that no older opset has: nothing is lost with them.
OF_NEW_TYPES = {"saturate"}


def opset_down(model: onnx.ModelProto, opset: int) -> onnx.ModelProto:
    """Declare an older opset, and write each operator in the form that it has there.

    onnx.version_converter was no help: of onnx 1.23, it has no way from Relu, Add, Mul or Reshape
    of opset 14 to those of 13, and where it has one, it leaves newer attributes on the nodes. But
    between 13 and 24 most versions of an operator differ in the types they take, and in
    attributes whose default is what was before.

    **Given:**

        %y = ReduceMean(%x, axes)
        %z = Reshape(%y, shape), allowzero=0
        opset 18

    **Result:**

        %y = ReduceMean(%x), axes=[2, 3]
        %z = Reshape(%y, shape)
        opset 13

    Parity: exact.

    Raises:
        ExportError: an operator, an attribute or its value, or the form of one, is not there in the
            older opset; `model` may have been changed by then.
    """
    import onnx

    newer = opset_of(model)
    facts = GraphFacts(model, newer)
    for graph in graphs_of(model.graph):
        for node in graph.node:
            if node.domain in DEFAULT_DOMAINS:
                _rewrite(node, facts, newer, opset)
    for entry in model.opset_import:
        if entry.domain in DEFAULT_DOMAINS:
            entry.version = opset
    known = onnx.helper.find_min_ir_version_for(list(model.opset_import), ignore_unknown=True)
    model.ir_version = min(model.ir_version, known)
    del model.graph.value_info[:]
    try:
        check_model(model)
        onnx.shape_inference.infer_shapes(skeleton(model), check_type=True, strict_mode=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportError(
            f"opset {opset} does not have the graph's types: {str(error).strip().splitlines()[0]}"
        ) from error
    return model


def _rewrite(node: onnx.NodeProto, facts: GraphFacts, newer: int, opset: int) -> None:
    import onnx

    try:
        now = onnx.defs.get_schema(node.op_type, newer, "")
        then = onnx.defs.get_schema(node.op_type, opset, "")
    except onnx.defs.SchemaError as error:
        raise _refused(node, opset, f"there is no {node.op_type}") from error
    _require_values(node, then, opset)
    if now.since_version == then.since_version:
        return
    if then.since_version < OTHER_MEANING.get(node.op_type, 0) <= now.since_version:
        raise _refused(node, opset, "it means something else")
    if "axes" in then.attributes and len(then.inputs) < len(now.inputs) and len(node.input) > 1:
        _axes_as_attribute(node, facts, opset)
    if node.op_type == "Split":
        _split_as_input(node, opset)
    for attribute in list(node.attribute):
        if attribute.name in then.attributes:
            continue
        if not _says_nothing(node, attribute, now, facts):
            raise _refused(node, opset, f"its attribute {attribute.name} is not there")
        node.attribute.remove(attribute)
    if len([name for name in node.input if name]) > len(then.inputs) and not _variadic(then):
        raise _refused(node, opset, f"it has no input '{now.inputs[len(then.inputs)].name}'")
    for name, before in then.attributes.items():
        said = name in [attribute.name for attribute in node.attribute]
        other = (
            name in now.attributes and before.default_value != now.attributes[name].default_value
        )
        if other and not said:
            raise _refused(node, opset, f"its attribute {name} has another default")


def _require_values(node: onnx.NodeProto, then: Any, opset: int) -> None:
    """Raise if a node has a word as attribute that the older schema does not know.

    ONNX's checker looks at the types of attributes and not at their values. Which words there are
    stands in the descriptions of the schemas.
    """
    import onnx

    latest = onnx.defs.get_schema(node.op_type, onnx.defs.onnx_opset_version(), "")
    for attribute in node.attribute:
        if attribute.type != onnx.AttributeProto.STRING or attribute.name not in then.attributes:
            continue
        value = attribute.s.decode(errors="replace")
        if _speaks_of(latest, attribute.name, value) and not _speaks_of(
            then, attribute.name, value
        ):
            raise _refused(node, opset, f"its attribute {attribute.name} cannot be {value!r}")


def _speaks_of(schema: Any, attribute: str, value: str) -> bool:
    found = schema.attributes.get(attribute)
    return found is not None and bool(
        re.search(rf"(?<!\w){re.escape(value)}(?!\w)", found.description)
    )


def _axes_as_attribute(node: onnx.NodeProto, facts: GraphFacts, opset: int) -> None:
    import onnx

    axes = facts.constant(node.input[1])
    if axes is None:
        raise _refused(node, opset, "its axes must be constants")
    values = onnx.numpy_helper.to_array(axes).tolist()
    del node.input[1:]
    if values:
        node.attribute.append(onnx.helper.make_attribute("axes", values))


def _split_as_input(node: onnx.NodeProto, opset: int) -> None:
    """Opset 18 counts the parts; before, parts without sizes are equal and as many as outputs."""
    for attribute in list(node.attribute):
        if attribute.name == "num_outputs":
            if attribute.i != len(node.output):
                raise _refused(node, opset, "it has fewer outputs than parts")
            node.attribute.remove(attribute)


def _says_nothing(
    node: onnx.NodeProto, attribute: onnx.AttributeProto, schema: Any, facts: GraphFacts
) -> bool:
    """Say whether a node does the same without an attribute."""
    import onnx

    if attribute.name in OF_NEW_TYPES:
        return True
    value = onnx.helper.get_attribute_value(attribute)
    if attribute.name == "allowzero":
        shape = facts.constant(node.input[1])
        return not value or (
            shape is not None and bool(np.all(onnx.numpy_helper.to_array(shape) != 0))
        )
    if attribute.name == "dilations":
        return all(step == 1 for step in value)
    default = schema.attributes[attribute.name].default_value
    return bool(default.type) and value == onnx.helper.get_attribute_value(default)


def _variadic(schema: Any) -> bool:
    return any(given.option.name == "Variadic" for given in schema.inputs)


def _refused(node: onnx.NodeProto, opset: int, why: str) -> ExportError:
    where = node.name or node.output[0]
    return ExportError(f"{node.op_type} '{where}' cannot be written in opset {opset}: {why}")
