"""The runtime half of the package `tensorrt`, in either of its two dialects.

An engine is a name of a NumPy function that the test has registered, or the path of an ONNX graph,
which ONNX Runtime then runs. Attributes that a dialect lacks are missing here too. Every attribute
that the code under test uses is added to `recorded`, by its dotted name in the real package.

Written for Python 3.6, as the code that it tests.
"""

import json
from typing import Any, Callable, Dict, List, NamedTuple, Sequence, Set, Tuple

import numpy as np

from tests.doubles.cuda import FakeCuda

BINDINGS, NAMED = "8.2.1", "10.3.0"  # a version of each dialect

recorded: Set[str] = set()

_NUMPY = {
    "FLOAT": "float32",
    "HALF": "float16",
    "INT8": "int8",
    "INT32": "int32",
    "BOOL": "bool",
    "UINT8": "uint8",
    "INT64": "int64",
    "BF16": "uint16",
}
_FROM_ONNX = {
    "tensor(float)": "FLOAT",
    "tensor(uint8)": "UINT8",
    "tensor(int32)": "INT32",
}

Arrays = Dict[str, np.ndarray]


class Tensor(NamedTuple):
    """One tensor of an engine; dtype is a name of tensorrt.DataType."""

    name: str
    is_input: bool
    dtype: str
    shape: Tuple[int, ...]


class Graph(NamedTuple):
    """What an engine computes."""

    tensors: Sequence[Tensor]
    function: Callable[[Arrays], Arrays]


class Recorded:
    """Its public attributes go to `recorded` when they are used; missing ones do not."""

    def __getattribute__(self, name: str) -> Any:
        value = object.__getattribute__(self, name)
        if not name.startswith("_"):
            recorded.add("{}.{}".format(object.__getattribute__(self, "_dotted"), name))
        return value


class EnumMember(Recorded):
    def __init__(self, enum: str, name: str) -> None:
        self._dotted = "{}.{}".format(enum, name)
        self.name = name


class Enum(Recorded):
    def __init__(self, dotted: str, names: Sequence[str]) -> None:
        self._dotted = dotted
        for name in names:
            setattr(self, name, EnumMember(dotted, name))


class ILogger:
    """Is subclassed by the code under test."""

    Severity = Enum("tensorrt.ILogger.Severity", ("INTERNAL_ERROR", "ERROR", "WARNING", "INFO"))

    def log(self, severity: Any, msg: str) -> None:
        raise NotImplementedError


class FakeTensorrt(Recorded):
    """Stands for the module.

    Attributes:
        contexts: made so far and not forgotten; the test may look into them.
    """

    def __init__(self, cuda: FakeCuda, version: str = BINDINGS) -> None:
        self._dotted = "tensorrt"
        self._cuda = cuda
        self._registered: Dict[str, Graph] = {}
        self._refuses = False
        self._no_context = False
        self.__version__ = version
        self.ILogger = ILogger
        if version != BINDINGS:
            self.TensorIOMode = Enum("tensorrt.TensorIOMode", ("NONE", "INPUT", "OUTPUT"))
        recorded.add("tensorrt.__version__")

    def Runtime(self, logger: ILogger) -> "Runtime":  # noqa: N802
        return Runtime(self, logger)

    def _engine_bytes(self, source: str) -> bytes:
        """Return an engine file for the path of an ONNX graph or the name of a function."""
        return json.dumps({"fake_engine": self.__version__, "source": source}).encode("utf-8")

    def _register(self, name: str, graph: Graph) -> bytes:
        """Name a graph and return its engine file."""
        self._registered[name] = graph
        return self._engine_bytes(name)


class Runtime(Recorded):
    _dotted = "tensorrt.Runtime"

    def __init__(self, module: FakeTensorrt, logger: ILogger) -> None:
        self._module = module
        self._logger = logger

    def deserialize_cuda_engine(self, serialized: bytes) -> Any:
        module = self._module
        try:
            plan = json.loads(serialized.decode("utf-8"))
            version, source = plan["fake_engine"], plan["source"]
        except (KeyError, ValueError):
            version, source = None, ""
        if version != module.__version__:
            self._logger.log(ILogger.Severity.WARNING, "Using an engine plan file")
            self._logger.log(
                ILogger.Severity.ERROR, "Serialization (Serialization assertion failed.)"
            )
            return None
        graph = module._registered.get(source) or onnx_graph(source)
        kind = NumberedEngine if module.__version__ == BINDINGS else NamedEngine
        return kind(module, graph, self._logger)


class Engine(Recorded):
    """What both dialects have."""

    _dotted = "tensorrt.ICudaEngine"

    def __init__(self, module: FakeTensorrt, graph: Graph, logger: ILogger) -> None:
        self._module = module
        self._graph = graph
        self._logger = logger

    def create_execution_context(self) -> Any:
        if self._module._no_context:
            return None
        kind = NumberedContext if isinstance(self, NumberedEngine) else NamedContext
        return kind(self)


class NumberedEngine(Engine):
    """TensorRT 8.2: tensors have numbers."""

    @property
    def num_bindings(self) -> int:
        return len(self._graph.tensors)

    def get_binding_name(self, index: int) -> str:
        return self._graph.tensors[index].name

    def binding_is_input(self, index: int) -> bool:
        return self._graph.tensors[index].is_input

    def get_binding_dtype(self, index: int) -> EnumMember:
        return EnumMember("tensorrt.DataType", self._graph.tensors[index].dtype)

    def get_binding_shape(self, index: int) -> Tuple[int, ...]:
        return self._graph.tensors[index].shape


class NamedEngine(Engine):
    """TensorRT 10: tensors have names."""

    @property
    def num_io_tensors(self) -> int:
        return len(self._graph.tensors)

    def get_tensor_name(self, index: int) -> str:
        return self._graph.tensors[index].name

    def get_tensor_mode(self, name: str) -> EnumMember:
        modes = object.__getattribute__(self._module, "TensorIOMode")
        kind = "INPUT" if self._tensor(name).is_input else "OUTPUT"
        member: EnumMember = object.__getattribute__(modes, kind)
        return member

    def get_tensor_dtype(self, name: str) -> EnumMember:
        return EnumMember("tensorrt.DataType", self._tensor(name).dtype)

    def get_tensor_shape(self, name: str) -> Tuple[int, ...]:
        return self._tensor(name).shape

    def _tensor(self, name: str) -> Tensor:
        return next(tensor for tensor in self._graph.tensors if tensor.name == name)


class Context(Recorded):
    _dotted = "tensorrt.IExecutionContext"

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def _put(self, addresses: List[int], stream: int) -> bool:
        engine = self._engine
        if engine._module._refuses:
            engine._logger.log(ILogger.Severity.ERROR, "Cask (Cask convolution execution)")
            return False
        cuda, graph = engine._module._cuda, engine._graph

        def step() -> None:
            inputs = {}
            for tensor, address in zip(graph.tensors, addresses):
                if tensor.is_input:
                    raw = cuda.read(address, _size(tensor))
                    inputs[tensor.name] = raw.view(_NUMPY[tensor.dtype]).reshape(tensor.shape)
            outputs = graph.function(inputs)
            for tensor, address in zip(graph.tensors, addresses):
                if not tensor.is_input:
                    output = np.ascontiguousarray(outputs[tensor.name], _NUMPY[tensor.dtype])
                    assert output.shape == tensor.shape
                    cuda.write(address, output.tobytes())

        cuda.put(step, stream)
        return True


class NumberedContext(Context):
    def execute_async_v2(self, bindings: List[int], stream_handle: int) -> bool:
        assert len(bindings) == len(self._engine._graph.tensors)
        return self._put(bindings, stream_handle)


class NamedContext(Context):
    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._addresses: Dict[str, int] = {}

    def set_tensor_address(self, name: str, memory: int) -> bool:
        self._addresses[name] = memory
        return True

    def execute_async_v3(self, stream_handle: int) -> bool:
        names = [tensor.name for tensor in self._engine._graph.tensors]
        return self._put([self._addresses[name] for name in names], stream_handle)


def onnx_graph(path: str) -> Graph:
    """Return a graph that runs an ONNX file with ONNX Runtime, on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    tensors = [
        Tensor(value.name, is_input, _FROM_ONNX[value.type], tuple(value.shape))
        for is_input, values in ((True, session.get_inputs()), (False, session.get_outputs()))
        for value in values
    ]
    names = [tensor.name for tensor in tensors if not tensor.is_input]
    return Graph(tensors, lambda inputs: dict(zip(names, session.run(names, inputs))))


def _size(tensor: Tensor) -> int:
    return int(np.prod(tensor.shape)) * np.dtype(_NUMPY[tensor.dtype]).itemsize
