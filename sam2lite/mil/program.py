"""Read a function of coremltools into steps.

Constants are read, and compressed ones decompressed, once: a step then refers to other steps'
results by name and holds everything else.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from sam2lite.contracts.tensors import TensorSpec
from sam2lite.errors import SessionError
from sam2lite.mil.checks import checked_results
from sam2lite.mil.dtypes import from_numpy, numpy_name
from sam2lite.mil.ops.table import CONSTANT_HANDLERS, HANDLERS
from sam2lite.mil.steps import Argument, Program, Ref, Step


@dataclass
class ConstantPool:
    """Tensors of constants by content, so that functions which share weights share them here."""

    tensors: dict[tuple[str, tuple[int, ...], bytes], Tensor] = field(default_factory=dict)

    def tensor(self, values: np.ndarray, dtype: str) -> Tensor:
        """Return the tensor that holds an array; the same one for equal arrays of a type."""
        digest = hashlib.blake2b(values.tobytes(), digest_size=16).digest()
        key = (dtype, values.shape, digest)
        if key not in self.tensors:
            self.tensors[key] = from_numpy(values, dtype)
        return self.tensors[key]

    def settled(self, tensor: Tensor, dtype: str) -> Tensor:
        """Return an equal tensor of the pool."""
        return self.tensor(tensor.numpy(), dtype)


def refuse_unknown(function: str, ops: list[tuple[str, str]]) -> None:
    """Raise SessionError for the first operator, of (type, name), that has no handler."""
    known = {"const", *HANDLERS, *CONSTANT_HANDLERS}
    for op, name in ops:
        if op not in known:
            raise SessionError(
                f"the simulation does not know the operator {op} ({name!r} in function "
                f"{function!r}); add a handler to sam2lite/mil/ops, or export without it"
            )


def read_program(function: Any, name: str, pool: ConstantPool) -> Program:
    """Turn a function of coremltools' in-memory form into steps.

    Args:
        function: `coremltools.converters.mil.mil.Function`.
        name: its name, for messages.
        pool: constants of functions that were read before.

    Raises:
        SessionError: an operator is unknown, has a flexible shape, or declares another shape or
            type than a compressed constant has.
    """
    ops = list(function.operations)
    refuse_unknown(name, [(op.op_type, op.name) for op in ops])
    reader = _Reader(name, pool)
    steps = []
    for op in ops:
        if op.op_type == "const":
            continue
        step = Step(
            op.op_type,
            op.name,
            {key: reader.argument(getattr(op, key)) for key in op.input_spec.input_types},
            tuple(reader.spec(var) for var in op.outputs),
        )
        if op.op_type in CONSTANT_HANDLERS:
            reader.decompress(step)
        else:
            steps.append(step)
    inputs = tuple(reader.spec(var) for var in function.inputs.values())
    outputs = {var.name: reader.result(var) for var in function.outputs}
    return Program(inputs, _with_dead(steps, outputs), outputs)


class _Reader:
    """Reads variables of one function."""

    def __init__(self, function: str, pool: ConstantPool) -> None:
        self.function = function
        self.pool = pool
        self.decompressed: dict[str, Tensor] = {}

    def spec(self, var: Any) -> TensorSpec:
        """Return what a variable is declared to be."""
        from coremltools.converters.mil.mil import types

        shape = tuple(var.shape)
        if not all(isinstance(size, int | np.integer) for size in shape):
            raise SessionError(
                f"{var.name!r} in function {self.function!r} has the flexible shape {shape}; only "
                "static shapes can be simulated"
            )
        dtype = numpy_name(types.builtin_to_string(var.dtype))
        return TensorSpec(var.name, dtype, tuple(int(size) for size in shape))

    def argument(self, var: Any) -> Argument:
        """Return a parameter's value; absent ones are None."""
        if var is None:
            return None
        if isinstance(var, list | tuple):
            return [self.argument(item) for item in var]
        return self.value(var)

    def value(self, var: Any) -> Tensor | str | Ref:
        """Return a constant, or a reference to what is computed."""
        if var.name in self.decompressed:
            return self.decompressed[var.name]
        # A default that the program leaves out has no operator; whatever is neither that nor a
        # constant is computed here, although coremltools may have computed it already.
        if var.op is not None and var.op.op_type != "const":
            return Ref(var.name)
        if var.val is None:
            return Ref(var.name)  # an input
        if isinstance(var.val, str):
            return var.val
        return self.pool.tensor(np.asarray(var.val), self.spec(var).dtype)

    def result(self, var: Any) -> Tensor | Ref:
        """Return where an output of the function comes from."""
        value = self.value(var)
        assert not isinstance(value, str)  # outputs are tensors
        return value

    def decompress(self, step: Step) -> None:
        """Keep the result of a compressed constant."""
        results = checked_results(
            step, self.function, CONSTANT_HANDLERS[step.op], step.arguments, round_fp16=True
        )
        for spec, tensor in zip(step.outputs, results, strict=True):
            self.decompressed[spec.name] = self.pool.settled(tensor, spec.dtype)


def _refs(argument: Argument) -> set[str]:
    if isinstance(argument, list):
        return set().union(*(_refs(item) for item in argument))
    return {argument.name} if isinstance(argument, Ref) else set()


def _with_dead(steps: list[Step], outputs: dict[str, Tensor | Ref]) -> tuple[Step, ...]:
    """Note at every step whose results it is the last to need."""
    needed = set().union(*(_refs(output) for output in outputs.values()))
    noted = []
    for step in reversed(steps):
        used = _refs(list(step.arguments.values())) | {spec.name for spec in step.outputs}
        noted.append(Step(step.op, step.name, step.arguments, step.outputs, tuple(used - needed)))
        needed |= used
    return tuple(reversed(noted))
