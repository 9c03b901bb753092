"""The builder half of the package `tensorrt`, as 8.2, 8.6, 10.3 or 11.4 has it.

What a release has is in checks/tensorrt_members.json, which `make trt-api` compares with the real
bindings; any other attribute is an AttributeError here too. What the code under test uses is added
to `recorded`, by its dotted name in the real package, and every call with its arguments to `calls`.

Written for Python 3.6 and the standard library, as the code that it tests.
"""

import hashlib
import json
import os
import signal
import types
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Set, Tuple

MEMBERS_FILE = Path(__file__).resolve().parents[2] / "checks" / "tensorrt_members.json"
VERSIONS = {"8.2": "8.2.1.8", "8.6": "8.6.1", "10.3": "10.3.0", "11.4": "11.4.0.106"}

recorded: Set[str] = set()


class Layer(NamedTuple):
    """A layer that the parser makes.

    Attributes:
        name: the layer's.
        node: of ONNX, for the metadata; none for what the parser adds.
        outputs: their types, names of DataType; `shape` is an int64 that is a shape.
        inputs: how many.
        typed: outputs whose type the parser set.
    """

    name: str
    node: str = ""
    outputs: Tuple[str, ...] = ("FLOAT",)
    inputs: int = 1
    typed: Tuple[int, ...] = ()


class Scenario(NamedTuple):
    """What happens. All of it is plain data, so that it can be handed to another process.

    Attributes:
        release: key of `VERSIONS`.
        layers: that the parser makes.
        parser_errors: node number, operator, name and reason of each; none if it takes the graph.
        logs: severity and text of what is logged while building.
        raises: text of what `build_serialized_network` raises; none if it does not.
        builds: whether an engine comes out.
        killed: whether the process is ended by a signal while building.
        signal: the number of that.
        timing_cache: `fits`, `unreadable` (create gives nothing) or `other` (set refuses).
        builder: whether a Builder can be made.
        takes_cache: whether it takes the calibration cache.
    """

    release: str = "8.2"
    layers: Tuple[Layer, ...] = ()
    parser_errors: Tuple[Tuple[int, str, str, str], ...] = ()
    logs: Tuple[Tuple[str, str], ...] = ()
    raises: str = ""
    builds: bool = True
    killed: bool = False
    signal: int = signal.SIGKILL
    timing_cache: str = "fits"
    builder: bool = True
    takes_cache: bool = True


class AbsentError(AttributeError):
    """What a release does not have was used; `dotted` is its name."""

    def __init__(self, release: str, dotted: str) -> None:
        AttributeError.__init__(self, "TensorRT {} has no {}".format(release, dotted))
        self.dotted = dotted


def to_json(scenario: Scenario) -> str:
    """Return a scenario as text for an environment variable."""
    return json.dumps(scenario._asdict())


def from_json(text: str) -> Scenario:
    """Read what `to_json` wrote."""
    fields = json.loads(text)
    fields["layers"] = tuple(Layer(*layer) for layer in fields["layers"])
    return Scenario(**fields)


def read_members() -> Dict[str, Dict[str, List[str]]]:
    """Return the members of classes, by release and class."""
    data = json.loads(MEMBERS_FILE.read_text(encoding="utf-8"))
    return {
        release: {name: members.split() for name, members in classes.items()}
        for release, classes in data.items()
    }


def make_module(scenario: Scenario) -> Any:
    """Return the module `tensorrt` for a scenario.

    Returns:
        a module; `calls` is a list of (dotted name, arguments), set attributes among them.
    """
    return _Module(scenario)


class _Recorded:
    """Has the members of a class of a release; the methods here say what some of them do."""

    _dotted = ""

    def __init__(self, world: "_World") -> None:
        self.__dict__["_world"] = world
        self.__dict__["_values"] = {}

    def __getattr__(self, name: str) -> Any:
        self._world.use(self._dotted, name)
        if name in self._values:
            return self._values[name]
        method = getattr(type(self), "do_" + name, None)
        if method is None:
            raise NotImplementedError("the double has no {}.{}".format(self._dotted, name))
        dotted = "{}.{}".format(self._dotted, name)

        def call(*arguments: Any) -> Any:
            self._world.calls.append((dotted, arguments))
            return method(self, *arguments)

        return call

    def __setattr__(self, name: str, value: Any) -> None:
        self._world.use(self._dotted, name)
        self._world.calls.append(("{}.{}".format(self._dotted, name), (value,)))
        self._values[name] = value


class _World:
    """What all objects of one module share."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.members = read_members()[scenario.release]
        self.calls: List[Tuple[str, Tuple[Any, ...]]] = []
        self.onnx_path = ""

    def use(self, owner: str, name: str) -> None:
        if name not in self.members.get(owner, ()):
            raise AbsentError(self.scenario.release, "{}.{}".format(owner, name))
        recorded.add(name if owner == "tensorrt" else "{}.{}".format(owner, name))


class _Value(int):
    """A member of an enumeration, equal to itself alone."""

    name = ""

    def __eq__(self, other: Any) -> bool:
        return self is other

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return self.name


class _Enum:
    def __init__(self, world: _World, dotted: str) -> None:
        self._world, self._dotted = world, dotted
        self._known: Dict[str, _Value] = {}
        for number, name in enumerate(world.members.get(dotted, ())):
            value = _Value(number)
            value.name = dotted + "." + name
            self._known[name] = value

    def __getattr__(self, name: str) -> Any:
        self._world.use(self._dotted, name)
        return self._known[name]


class _Module(types.ModuleType):
    def __init__(self, scenario: Scenario) -> None:
        types.ModuleType.__init__(self, "tensorrt")
        world = _World(scenario)
        self._world = world
        self.calls = world.calls
        severity = _Enum(world, "ILogger.Severity")

        class ILogger:
            Severity = severity

        class IInt8EntropyCalibrator2:
            pass

        self._parts = {
            "__version__": VERSIONS[scenario.release],
            "ILogger": ILogger,
            "IInt8EntropyCalibrator2": IInt8EntropyCalibrator2,
            "Builder": lambda logger: _make_builder(world, logger),
            "OnnxParser": lambda network, logger: _Parser(world, network, logger),
        }
        for name in ("BuilderFlag", "NetworkDefinitionCreationFlag", "MemoryPoolType", "DataType"):
            self._parts[name] = _Enum(world, name)
        world.data_type = self._parts["DataType"]  # type: ignore[attr-defined]
        world.severity = severity  # type: ignore[attr-defined]
        del self.__dict__["__loader__"], self.__dict__["__spec__"]

    def __getattr__(self, name: str) -> Any:
        self._world.use("tensorrt", name)
        return self._parts[name]


def _make_builder(world: _World, logger: Any) -> Any:
    if not world.scenario.builder:
        # What pybind11 says where CUDA does not start.
        raise TypeError("pybind11::init(): factory function returned nullptr")
    return _Builder(world, logger)


class _Builder(_Recorded):
    _dotted = "Builder"

    def __init__(self, world: _World, logger: Any) -> None:
        _Recorded.__init__(self, world)
        self.__dict__["_logger"] = logger

    def do_create_network(self, flags: int) -> Any:
        return _Network(self._world)

    def do_create_builder_config(self) -> Any:
        return _Config(self._world)

    def do_build_serialized_network(self, network: Any, config: Any) -> Optional[bytes]:
        scenario = self._world.scenario
        for severity, text in scenario.logs:
            self._logger.log(self._world.severity._known[severity], text)
        if scenario.killed:
            os.kill(os.getpid(), scenario.signal)
        if scenario.raises:
            raise RuntimeError(scenario.raises)
        calibrator = config._values.get("int8_calibrator")
        if calibrator is not None and not _calibrated(calibrator, scenario.takes_cache):
            return None
        if not scenario.builds:
            return None
        content = Path(self._world.onnx_path).read_bytes()
        return b"engine of " + hashlib.sha256(content).hexdigest().encode("ascii")


def _calibrated(calibrator: Any, takes_cache: bool) -> bool:
    """Do what TensorRT does with a calibrator; return whether it has its scales."""
    for name in ("get_batch_size", "read_calibration_cache"):
        recorded.add("IInt8EntropyCalibrator2." + name)
    assert calibrator.get_batch_size() == 1
    content = calibrator.read_calibration_cache()
    if takes_cache and content:
        calibrator.write_calibration_cache(content)
        return True
    assert calibrator.get_batch(["image_bchw"]) is None
    return False


class _Network(_Recorded):
    _dotted = "INetworkDefinition"

    def __init__(self, world: _World) -> None:
        _Recorded.__init__(self, world)
        self.__dict__["layers"] = [_Layer(world, layer) for layer in world.scenario.layers]
        self._values["num_layers"] = len(self.layers)

    def do_get_layer(self, index: int) -> Any:
        return self.layers[index]


class _Layer(_Recorded):
    _dotted = "ILayer"

    def __init__(self, world: _World, layer: Layer) -> None:
        _Recorded.__init__(self, world)
        self.__dict__["_layer"] = layer
        self._values.update(name=layer.name, num_inputs=layer.inputs)
        self._values["num_outputs"] = len(layer.outputs)
        self._values["metadata"] = "[ONNX Layer: {}]".format(layer.node) if layer.node else ""

    def do_get_output(self, index: int) -> Any:
        return _Tensor(self._world, self._layer.outputs[index])

    def do_output_type_is_set(self, index: int) -> bool:
        return index in self._layer.typed

    def do_set_output_type(self, index: int, dtype: Any) -> None:
        self._values.setdefault("output_types", {})[index] = dtype


class _Tensor(_Recorded):
    _dotted = "ITensor"

    def __init__(self, world: _World, dtype: str) -> None:
        _Recorded.__init__(self, world)
        known = "INT32" if dtype == "shape" else dtype
        self._values["dtype"] = world.data_type._known[known]  # type: ignore[attr-defined]
        self._values["is_shape_tensor"] = dtype == "shape"


class _Parser(_Recorded):
    _dotted = "OnnxParser"

    def __init__(self, world: _World, network: Any, logger: Any) -> None:
        _Recorded.__init__(self, world)
        self._values["num_errors"] = len(world.scenario.parser_errors)

    def do_parse_from_file(self, path: str) -> bool:
        assert Path(path).is_absolute()
        self._world.onnx_path = path
        return Path(path).is_file() and not self._world.scenario.parser_errors

    def do_get_error(self, index: int) -> Any:
        return _ParserError(self._world, self._world.scenario.parser_errors[index])


class _ParserError(_Recorded):
    _dotted = "ParserError"

    def __init__(self, world: _World, error: Tuple[int, str, str, str]) -> None:
        _Recorded.__init__(self, world)
        self.__dict__["_error"] = error

    def do_node(self) -> int:
        return self._error[0]

    def do_node_operator(self) -> str:
        return self._error[1]

    def do_node_name(self) -> str:
        return self._error[2]

    def do_desc(self) -> str:
        return self._error[3]


class _Config(_Recorded):
    _dotted = "IBuilderConfig"

    def do_set_flag(self, flag: _Value) -> None:
        assert flag.name.startswith("BuilderFlag.")

    def do_clear_flag(self, flag: _Value) -> None:
        assert flag.name == "BuilderFlag.TF32"

    def do_set_memory_pool_limit(self, pool: _Value, size: int) -> None:
        assert pool.name == "MemoryPoolType.WORKSPACE" and size > 0

    def do_create_timing_cache(self, content: bytes) -> Any:
        if content and self._world.scenario.timing_cache == "unreadable":
            return None
        return _TimingCache(self._world, content)

    def do_set_timing_cache(self, cache: Any, ignore_mismatch: bool) -> bool:
        if cache.content and self._world.scenario.timing_cache == "other":
            return False
        self._values["timing_cache"] = cache
        return True

    def do_get_timing_cache(self) -> Any:
        return self._values.get("timing_cache")


class _TimingCache(_Recorded):
    _dotted = "ITimingCache"

    def __init__(self, world: _World, content: bytes) -> None:
        _Recorded.__init__(self, world)
        self.__dict__["content"] = bytes(content)

    def do_serialize(self) -> bytes:
        """Return one byte more than it was made with, as if one kernel was measured."""
        return bytes(self.content + b"k")
