"""Pass `branch_names`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sam2lite.exporter.onnx.walk import graphs_of

if TYPE_CHECKING:
    import onnx


def branch_names(model: onnx.ModelProto) -> onnx.ModelProto:
    """Give the outputs of an If's second branch names that the first one does not use.

    ONNX lets both branches call a value the same; the parser of 8.2 keeps one table of names.

    **Given:**

        %y = If(%c), then_branch: %t = Relu(%x), else_branch: %t = Neg(%x)

    **Result:**

        %y = If(%c), then_branch: %t = Relu(%x), else_branch: %t:else = Neg(%x)

    Parity: exact, nothing is computed.
    """
    for graph in list(graphs_of(model.graph)):
        for node in graph.node:
            branches = {a.name: a.g for a in node.attribute if node.op_type == "If"}
            if {"then_branch", "else_branch"} <= set(branches):
                taken = {value.name for value in branches["then_branch"].output}
                for value in branches["else_branch"].output:
                    if value.name in taken:
                        _rename(branches["else_branch"], value.name, f"{value.name}:else")
    return model


def _rename(branch: onnx.GraphProto, old: str, new: str) -> None:
    for tensor in (*branch.initializer, *branch.output, *branch.value_info):
        if tensor.name == old:
            tensor.name = new
    for graph in graphs_of(branch):
        for node in graph.node:
            for names in (node.input, node.output):
                names[:] = [new if name == old else name for name in names]
