"""Equal constants of a function, once: coremltools writes every `False` and every axis anew.

Of the program of Tiny's mask decoder they are half: 75 of 150 KB a function, of which 40 remain.
"""

from __future__ import annotations

from typing import Any


def share_constants(specification: Any) -> None:
    """Make the operators of every function use the first of equal constants, and drop the others.

    Args:
        specification: of a package (the protobuf `Model`); changed in place.
    """
    for function in specification.mlProgram.functions.values():
        _share(function.block_specializations[function.opset])


def _share(block: Any) -> None:
    first: dict[bytes, str] = {}  # of those with a value
    instead: dict[str, str] = {}
    kept = []
    for operation in block.operations:
        for argument in operation.inputs.values():
            for binding in argument.arguments:
                if binding.WhichOneof("binding") == "name":
                    binding.name = instead.get(binding.name, binding.name)
        if operation.type == "const" and operation.outputs[0].name not in block.outputs:
            name = operation.outputs[0].name
            # Its type, and what it is or where it lies in the weights file.
            value = operation.attributes["val"].SerializeToString(deterministic=True)
            if first.setdefault(value, name) != name:
                instead[name] = first[value]
                continue
        kept.append(operation)
    shared = type(block)(operations=kept)
    del block.operations[:]
    block.operations.extend(shared.operations)
