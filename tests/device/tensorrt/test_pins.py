from types import SimpleNamespace

import onnx
import pytest
from onnx import helper

from sam2lite.device.tensorrt.pins import is_node, node_of

LONG = "/encoder" * 30  # the length takes two bytes in a protobuf
NODES = ("/Add", "/Add_1", LONG)


@pytest.fixture(scope="module")
def onnx_file() -> bytes:
    chain = [helper.make_node("Relu", ["x"], ["/Add_2"], name=name) for name in NODES]
    model: onnx.ModelProto = helper.make_model(helper.make_graph(chain, "g", [], []))
    return model.SerializeToString()


@pytest.mark.parametrize("name", NODES)
def test_nodes_are_found_by_name(name: str, onnx_file: bytes) -> None:
    assert is_node(onnx_file, name)
    assert not is_node(onnx_file, name[:-1])


def test_a_tensor_is_no_node(onnx_file: bytes) -> None:
    assert not is_node(onnx_file, "/Add_2")


@pytest.mark.parametrize(
    ("name", "metadata", "node"),
    [
        ("/Add", None, "/Add"),
        ("/Add_1", None, "/Add_1"),
        ("/Add_2", None, "/Add"),
        ("/Add_2", "", "/Add"),
        ("/Add_2", "[ONNX Layer: /Add_1]", "/Add_1"),
        ("/Add_2", "[ONNX Layer: /Add | Local Function: f]", "/Add"),
        ("(Unnamed Layer* 3) [Shuffle]", None, "(Unnamed Layer* 3) [Shuffle]"),
    ],
)
def test_a_layer_has_a_node(name: str, metadata: str | None, node: str, onnx_file: bytes) -> None:
    layer = SimpleNamespace(name=name, **({} if metadata is None else {"metadata": metadata}))
    assert node_of(layer, {"/Add"}, onnx_file) == node
