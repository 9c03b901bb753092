"""What a graph file really is, against what the manifest says of it: told when it is opened."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sam2lite.errors import BundleError, SessionError
from sam2lite.runtimes.bundle import open_bundle
from sam2lite.runtimes.presence import always_present
from sam2lite.runtimes.segmenter import VideoSegmenter

FRAME = np.zeros((60, 80, 3), np.uint8)
Change = Callable[[onnx.GraphProto], object]


@pytest.fixture
def bundle(mini_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(mini_bundle, tmp_path / "b"))


def rewrite(bundle: Path, key: str, change: Change) -> None:
    """Change a graph, and let its hash fit."""
    file = f"graphs/{key}.onnx"
    model = onnx.load(bundle / file, load_external_data=False)
    change(model.graph)
    raw = model.SerializeToString()
    (bundle / file).write_bytes(raw)
    data = json.loads((bundle / "manifest.json").read_text())
    data["files"][file] = {"sha256": hashlib.sha256(raw).hexdigest(), "bytes": len(raw)}
    (bundle / "manifest.json").write_text(json.dumps(data))


def rename_output(graph: onnx.GraphProto) -> None:
    graph.node.append(helper.make_node("Identity", [graph.output[0].name], ["other"]))
    graph.output[0].name = "other"


def add_output(graph: onnx.GraphProto) -> None:
    graph.node.append(helper.make_node("Identity", [graph.output[0].name], ["more"]))
    graph.output.add().CopyFrom(graph.output[0])
    graph.output[-1].name = "more"


def add_input(graph: onnx.GraphProto) -> None:
    graph.input.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, [1]))


def free_input(graph: onnx.GraphProto) -> None:
    graph.input[0].type.tensor_type.shape.dim[1].dim_param = "n"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (rename_output, r"'kept_key_bnc' float32 \[1, 64, 256\], and it has no output"),
        (add_output, "the output 'more' float32"),
        (add_input, "no input 'more', and it has the input 'more' float32"),
        (free_input, r"'n'"),
    ],
)
def test_other_tensors_are_told_when_a_session_is_opened(
    bundle: Path, change: Change, named: str
) -> None:
    rewrite(bundle, "memory_select", change)
    opened = open_bundle(str(bundle))
    with pytest.raises(SessionError, match=rf"memory_select\.onnx: the manifest says .*{named}"):
        opened.open_session("memory_select", threads=1)


@pytest.mark.parametrize("location", ["other.bin", "../manifest.json", "*/_ORT_MEM_ADDR_/*"])
def test_weights_that_are_not_listed_are_never_opened(bundle: Path, location: str) -> None:
    (bundle / "graphs" / "other.bin").write_bytes(b"\0" * (2 << 20))

    def elsewhere(graph: onnx.GraphProto) -> None:
        tensor = next(tensor for tensor in graph.initializer if tensor.external_data)
        next(e for e in tensor.external_data if e.key == "location").value = location

    rewrite(bundle, "mask_decoder@240", elsewhere)
    opened = open_bundle(str(bundle))
    with pytest.raises(BundleError, match=r"mask_decoder@240\.onnx"):
        opened.open_session("mask_decoder@240", threads=1)


@pytest.mark.parametrize("index", [-1, 10_000, 3])
def test_what_memory_keeps_must_be_there_and_once(bundle: Path, index: int) -> None:
    def keep(graph: onnx.GraphProto) -> None:
        made = numpy_helper.from_array(np.full((1, 64), index, np.int32))
        for node in graph.node:
            for at, name in enumerate(node.output):
                if name == "kept_index_bn":
                    node.output[at] = "unused"
        graph.node.append(helper.make_node("Constant", [], ["kept_index_bn"], value=made))

    rewrite(bundle, "memory_select", keep)
    with (
        VideoSegmenter(always_present(open_bundle(str(bundle)))) as segmenter,
        pytest.raises(SessionError, match="kept candidates that are not there, or one twice"),
    ):
        segmenter.prompt(FRAME, points=[(40, 30)])


def test_a_budget_must_be_that_of_the_graphs(bundle: Path) -> None:
    data = json.loads((bundle / "manifest.json").read_text())
    data["memory"]["budget"] = 96
    (bundle / "manifest.json").write_text(json.dumps(data))
    with pytest.raises(BundleError, match=r"memory\.budget is 96 tokens, and its graphs take"):
        VideoSegmenter(open_bundle(str(bundle)))


@pytest.mark.parametrize("budget", [1 << 40, 0, -1, True, "64", None])
def test_a_budget_is_a_number_of_tokens(bundle: Path, budget: object) -> None:
    data = json.loads((bundle / "manifest.json").read_text())
    data["memory"]["budget"] = budget
    (bundle / "manifest.json").write_text(json.dumps(data))
    with pytest.raises(BundleError, match=r"memory\.budget is .*, not a whole number from 32 to"):
        VideoSegmenter(open_bundle(str(bundle)))
