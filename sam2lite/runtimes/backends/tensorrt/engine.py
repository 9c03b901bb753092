"""An engine and its context in the dialect that the installed TensorRT speaks.

TensorRT 8.2 numbers the tensors of an engine ("bindings"); from 8.5 on they have names, and 10 took
the numbers away. What an engine has decides, not its version.
"""

from typing import Any, List, NamedTuple, Sequence, Tuple

from sam2lite.contracts.tensors import GraphSpec
from sam2lite.errors import SessionError

# Names of tensorrt.DataType and NumPy's. `tensorrt.nptype` fails where NumPy has lost `np.bool`.
_DTYPES = {
    "FLOAT": "float32",
    "HALF": "float16",
    "INT8": "int8",
    "INT32": "int32",
    "BOOL": "bool",
    "UINT8": "uint8",
    "INT64": "int64",
}


class EngineTensor(NamedTuple):
    """One input or output as the engine has it."""

    name: str
    is_input: bool
    dtype: str
    shape: Tuple[int, ...]


class BindingEngine:
    """An engine of numbered bindings: TensorRT 8.2.

    Attributes:
        tensors: inputs and outputs in the order in which `enqueue` takes their addresses.
    """

    def __init__(self, engine: Any, context: Any) -> None:
        self._context = context
        self.tensors: List[EngineTensor] = []
        for index in range(engine.num_bindings):
            self.tensors.append(
                EngineTensor(
                    engine.get_binding_name(index),
                    engine.binding_is_input(index),
                    _numpy_name(engine.get_binding_dtype(index)),
                    tuple(engine.get_binding_shape(index)),
                )
            )

    def enqueue(self, addresses: Sequence[int], stream: int) -> bool:
        """Put a run on the stream; return whether TensorRT took it."""
        return bool(self._context.execute_async_v2(list(addresses), stream))


class NamedEngine:
    """An engine of named tensors: TensorRT 8.5 and newer. Attributes as of `BindingEngine`."""

    def __init__(self, tensorrt: Any, engine: Any, context: Any) -> None:
        self._context = context
        self.tensors: List[EngineTensor] = []
        for index in range(engine.num_io_tensors):
            name = engine.get_tensor_name(index)
            self.tensors.append(
                EngineTensor(
                    name,
                    engine.get_tensor_mode(name) == tensorrt.TensorIOMode.INPUT,
                    _numpy_name(engine.get_tensor_dtype(name)),
                    tuple(engine.get_tensor_shape(name)),
                )
            )

    def enqueue(self, addresses: Sequence[int], stream: int) -> bool:
        """Put a run on the stream; return whether TensorRT took it."""
        for tensor, address in zip(self.tensors, addresses):
            if not self._context.set_tensor_address(tensor.name, address):
                return False
        return bool(self._context.execute_async_v3(stream))


def open_engine(tensorrt: Any, engine: Any) -> Any:
    """Return a deserialised engine in its dialect, with a context.

    Raises:
        SessionError: there is no memory for the context.
    """
    context = engine.create_execution_context()
    if context is None:
        raise SessionError(
            "there is no device memory for what the engine computes with; end other programs, or "
            "use a smaller rung"
        )
    if hasattr(engine, "num_io_tensors"):
        return NamedEngine(tensorrt, engine, context)
    return BindingEngine(engine, context)


def check_tensors(tensors: Sequence[EngineTensor], spec: GraphSpec, path: str) -> None:
    """Raise SessionError unless an engine has the tensors of the spec."""
    wanted = {
        tensor.name: EngineTensor(
            tensor.name, tensor in spec.inputs, tensor.dtype, tuple(int(d) for d in tensor.shape)
        )
        for tensor in spec.inputs + spec.outputs
    }
    found = {tensor.name: tensor for tensor in tensors}
    for name in sorted(set(wanted) | set(found)):
        if wanted.get(name) != found.get(name):
            raise SessionError(
                "{}: the engine has {}, {} takes {}; build it again from this bundle: python3 "
                "device.pyz build".format(
                    path, _text(name, found.get(name)), spec.name, _text(name, wanted.get(name))
                )
            )


def _text(name: str, tensor: Any) -> str:
    if tensor is None:
        return "no {}".format(name)
    kind = "input" if tensor.is_input else "output"
    return "the {} {} {} {}".format(kind, name, tensor.dtype, list(tensor.shape))


def _numpy_name(dtype: Any) -> str:
    name: str = dtype.name
    return _DTYPES.get(name, name)
