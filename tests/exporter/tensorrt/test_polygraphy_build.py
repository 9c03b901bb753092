"""The real loaders of polygraphy, over a double of TensorRT that has whatever is asked of it."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest

from sam2lite.contracts.build_plan import GraphPlan
from sam2lite.device.tensorrt.builder import Request
from sam2lite.errors import SessionError
from sam2lite.exporter.tensorrt.polygraphy_build import build_with_polygraphy

VERSION = "10.3.0"
FLAGS = ("FP16", "INT8", "TF32", "OBEY_PRECISION_CONSTRAINTS")
LAYERS = ("/Softmax", "/Add")


class Members(dict[str, Any]):
    """An enumeration: `__members__`, and the members as attributes."""

    def __init__(self, *names: str) -> None:
        super().__init__({name: number for number, name in enumerate(names)})
        self.__members__ = self

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


@pytest.fixture
def tensorrt(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A module `tensorrt` whose builder gives an engine; all of it is a mock underneath."""
    module = MagicMock(name="tensorrt")
    module.__version__ = VERSION
    module.__spec__ = module.__file__ = None
    severity = SimpleNamespace(INTERNAL_ERROR=0, ERROR=1, WARNING=2)
    module.ILogger = type("ILogger", (), {"Severity": severity})
    module.BuilderFlag = Members(*FLAGS)
    module.NetworkDefinitionCreationFlag = Members("EXPLICIT_BATCH", "STRONGLY_TYPED")
    module.MemoryPoolType = Members("WORKSPACE")
    module.TacticSource = module.PreviewFeature = module.QuantizationFlag = Members()
    module.DataType = SimpleNamespace(FLOAT="float", HALF="half")
    builder = module.Builder.return_value
    network = builder.create_network.return_value
    network.num_inputs = network.num_outputs = 0
    network.num_layers = len(LAYERS)
    layers = [_layer(name) for name in LAYERS]
    network.get_layer.side_effect = layers.__getitem__
    network.__iter__.side_effect = lambda: iter(layers)
    config = builder.create_builder_config.return_value
    config.DLA_core, config.num_optimization_profiles, config.int8_calibrator = -1, 1, None
    config.set_flag.side_effect = lambda flag: None
    config.get_memory_pool_limit.return_value = 1 << 20
    cache = config.get_timing_cache.return_value
    cache.serialize.side_effect = _buffer
    module.OnnxParser.return_value.num_errors = 0
    builder.build_serialized_network.return_value = bytearray(b"engine")
    module.parts = SimpleNamespace(builder=builder, network=network, config=config, layers=layers)
    monkeypatch.setitem(sys.modules, "tensorrt", module)
    _forget_tensorrt(monkeypatch)
    return module


def _forget_tensorrt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Polygraphy keeps the module that it imported first; give it a fresh start."""
    for name in [name for name in sys.modules if name.split(".")[0] == "polygraphy"]:
        monkeypatch.delitem(sys.modules, name)


@contextmanager
def _buffer() -> Iterator[bytes]:
    yield b"measured"


def _layer(name: str) -> Any:
    layer = MagicMock(name=name)
    layer.name, layer.metadata = name, f"[ONNX Layer: {name}]"
    layer.num_inputs = layer.num_outputs = 1
    layer.precision_is_set = False
    layer.get_output.return_value = SimpleNamespace(dtype="float", is_shape_tensor=False)
    layer.output_type_is_set.return_value = False
    return layer


@pytest.fixture
def request_for(tmp_path: Path) -> Callable[..., Request]:
    file = tmp_path / "g.onnx"
    file.write_bytes(b"an ONNX graph")

    def make(plan: GraphPlan, typed: bool, timings: bytes = b"") -> Request:
        return Request("g@240", plan, str(file), None, typed, 64, timings)

    return make


def flags_of(tensorrt: Any) -> set[str]:
    names = {number: name for name, number in tensorrt.BuilderFlag.items()}
    return {names[call.args[0]] for call in tensorrt.parts.config.set_flag.call_args_list}


def test_types_in_the_graph(tensorrt: Any, request_for: Callable[..., Request]) -> None:
    request = request_for(GraphPlan("g.onnx"), True, b"old")
    built = build_with_polygraphy(tensorrt, request)
    assert bytes(built.engine) == b"engine"
    assert built.timing_cache == b"measured"
    assert built.notes == ()
    parts = tensorrt.parts
    assert parts.builder.create_network.call_args.kwargs == {"flags": 1 << 1}
    tensorrt.OnnxParser.return_value.parse_from_file.assert_called_once_with(request.onnx_path)
    assert flags_of(tensorrt) == set()
    parts.config.clear_flag.assert_called_once_with(tensorrt.BuilderFlag.TF32)
    parts.config.set_memory_pool_limit.assert_called_once_with(0, 64 << 20)
    assert parts.config.create_timing_cache.call_args_list[0].args == (b"old",)
    assert not any(layer.set_output_type.called for layer in parts.layers)


def test_flags_and_pins(tensorrt: Any, request_for: Callable[..., Request]) -> None:
    plan = GraphPlan("g.onnx", ("FP16",), ("/Softmax", "/Gone"))
    built = build_with_polygraphy(tensorrt, request_for(plan, False))
    assert flags_of(tensorrt) == {"FP16", "OBEY_PRECISION_CONSTRAINTS"}
    softmax, add = tensorrt.parts.layers
    assert softmax.precision == "float"
    softmax.set_output_type.assert_called_once_with(0, "float")
    add.set_output_type.assert_not_called()
    assert "no layer of 1 of the 2 nodes" in built.notes[0]
    assert "/Gone" in built.notes[0]


def test_int8_with_its_scales_in_the_graph(
    tensorrt: Any, request_for: Callable[..., Request]
) -> None:
    build_with_polygraphy(tensorrt, request_for(GraphPlan("g.onnx", ("INT8", "FP16")), False))
    assert flags_of(tensorrt) == {"INT8", "FP16"}


def test_nothing_is_printed(
    tensorrt: Any, request_for: Callable[..., Request], capfd: pytest.CaptureFixture[str]
) -> None:
    build_with_polygraphy(tensorrt, request_for(GraphPlan("g.onnx"), True))
    tensorrt.parts.builder.build_serialized_network.return_value = None
    with pytest.raises(SessionError):
        build_with_polygraphy(tensorrt, request_for(GraphPlan("g.onnx"), True))
    assert capfd.readouterr() == ("", "")


def test_what_tensorrt_said_is_the_reason(
    tensorrt: Any, request_for: Callable[..., Request]
) -> None:
    heard: list[str] = []

    def fail(network: object, config: object) -> None:
        logger = tensorrt.Builder.call_args.args[0]
        logger.log(2, "slow")
        logger.log(1, "Requested amount of GPU memory could not be allocated")

    tensorrt.parts.builder.build_serialized_network.side_effect = fail
    request = request_for(GraphPlan("g.onnx"), True)
    with pytest.raises(SessionError) as caught:
        build_with_polygraphy(tensorrt, request, heard.append)
    assert "g@240: TensorRT 10.3.0 built no engine (Requested amount of GPU" in str(caught.value)
    assert "ran out of memory" in str(caught.value)
    assert heard[0] == "TensorRT: slow"
    # The next build does not blame what the last one met.
    tensorrt.parts.builder.build_serialized_network.side_effect = [None]
    with pytest.raises(SessionError) as caught:
        build_with_polygraphy(tensorrt, request)
    assert "Requested amount" not in str(caught.value)
    assert len(heard) == 2


def test_a_graph_that_the_parser_refuses(
    tensorrt: Any, request_for: Callable[..., Request]
) -> None:
    parser = tensorrt.OnnxParser.return_value

    def refuse(path: str) -> bool:
        tensorrt.Builder.call_args.args[0].log(1, "In node 3 (Mod): UNSUPPORTED_NODE")
        parser.num_errors = 1
        return False

    parser.parse_from_file.side_effect = refuse
    with pytest.raises(SessionError, match="In node 3"):
        build_with_polygraphy(tensorrt, request_for(GraphPlan("g.onnx"), True))
