"""Weights outside a graph: only in listed files, however the bytes of the graph say it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import AttributeProto, TensorProto, helper

from sam2lite.contracts.manifest import FileEntry
from sam2lite.errors import BundleError
from sam2lite.runtimes.backends.onnx_external import MESSAGES, check_external
from sam2lite.runtimes.backends.onnx_wire import fields

FILES = {
    "graphs/weights.bin": FileEntry("0" * 64, 4096),
    "graphs/*/_ORT_MEM_ADDR_/*": FileEntry("0" * 64, 4096),
    "weights.bin": FileEntry("0" * 64, 4096),
}


def tensor(*entries: tuple[str, str], external: bool = True) -> TensorProto:
    made = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4])
    if external:
        made.data_location = TensorProto.EXTERNAL
    for key, value in entries:
        made.external_data.add(key=key, value=value)
    return made


def at(location: str, offset: str = "0", length: str = "16") -> TensorProto:
    return tensor(("location", location), ("offset", offset), ("length", length))


def in_initializer(weights: TensorProto) -> onnx.ModelProto:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [4])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [4])
    node = helper.make_node("Add", ["x", "w"], ["y"])
    return helper.make_model(helper.make_graph([node], "g", [x], [y], [weights]))


def in_constant(weights: TensorProto) -> onnx.ModelProto:
    model = in_initializer(tensor(external=False))
    model.graph.node.append(helper.make_node("Constant", [], ["c"], value=weights))
    return model


def in_list(weights: TensorProto) -> onnx.ModelProto:
    model = in_initializer(tensor(external=False))
    model.graph.node[0].attribute.add(name="a", type=AttributeProto.TENSORS).tensors.append(weights)
    return model


def in_sparse_values(weights: TensorProto) -> onnx.ModelProto:
    model = in_initializer(tensor(external=False))
    model.graph.sparse_initializer.add().values.CopyFrom(weights)
    return model


def in_sparse_attribute(weights: TensorProto) -> onnx.ModelProto:
    model = in_initializer(tensor(external=False))
    model.graph.node[0].attribute.add(name="a").sparse_tensor.indices.CopyFrom(weights)
    return model


def in_branch(weights: TensorProto) -> onnx.ModelProto:
    model = in_initializer(tensor(external=False))
    model.graph.node[0].attribute.add(name="then").g.CopyFrom(in_constant(weights).graph)
    return model


def in_branches(weights: TensorProto) -> onnx.ModelProto:
    model = in_initializer(tensor(external=False))
    model.graph.node[0].attribute.add(name="a").graphs.append(in_branch(weights).graph)
    return model


def in_function(weights: TensorProto) -> onnx.ModelProto:
    model = in_initializer(tensor(external=False))
    model.functions.add(name="f", domain="d").node.extend(in_branch(weights).graph.node)
    return model


def in_function_default(weights: TensorProto) -> onnx.ModelProto:
    model = in_initializer(tensor(external=False))
    model.functions.add(name="f", domain="d").attribute_proto.add(name="a").t.CopyFrom(weights)
    return model


def in_training(weights: TensorProto) -> onnx.ModelProto:
    model = in_initializer(tensor(external=False))
    model.training_info.add().algorithm.CopyFrom(in_constant(weights).graph)
    return model


PLACES = [
    in_initializer,
    in_constant,
    in_list,
    in_sparse_values,
    in_sparse_attribute,
    in_branch,
    in_branches,
    in_function,
    in_function_default,
    in_training,
]


def check(folder: Path, model: onnx.ModelProto | bytes, file: str = "graphs/g.onnx") -> None:
    path = folder / "g.onnx"
    path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
    check_external(str(path), file, FILES)


@pytest.mark.parametrize("place", PLACES)
def test_listed_weights_are_taken_wherever_a_tensor_may_be(
    place: Callable[[TensorProto], onnx.ModelProto], tmp_path: Path
) -> None:
    check(tmp_path, place(at("weights.bin", "4080")))
    check(tmp_path, place(tensor(("location", "weights.bin"))))
    check(tmp_path, place(at("weights.bin")), "g.onnx")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", ["other.bin", "../weights.bin", "/etc/passwd"])
def test_any_other_file_is_refused_wherever_a_tensor_may_be(
    place: Callable[[TensorProto], onnx.ModelProto], name: str, tmp_path: Path
) -> None:
    with pytest.raises(BundleError, match=r"graphs/g\.onnx"):
        check(tmp_path, place(at(name)))


@pytest.mark.parametrize(
    "weights",
    [
        at("*/_ORT_MEM_ADDR_/*", str(1 << 46)),
        at("./weights.bin"),
        at("graphs/weights.bin"),
        at(""),
        at("weights.bin", "4081"),
        at("weights.bin", "0", "4097"),
        at("weights.bin", "-1"),
        at("weights.bin", "0x10"),
        at("weights.bin", "9" * 30),
        at("weights.bin", "1", "\u0663"),
        tensor(),
        tensor(("offset", "0")),
        tensor(("location", "weights.bin"), ("location", "/etc/passwd")),
        tensor(("location", "weights.bin"), ("basepath", "/etc")),
        tensor(("location", "/etc/passwd"), external=False),
    ],
)
def test_every_other_way_to_say_it_is_refused(weights: TensorProto, tmp_path: Path) -> None:
    with pytest.raises(BundleError):
        check(tmp_path, in_initializer(weights))


def test_halves_that_a_parser_would_merge_are_refused(tmp_path: Path) -> None:
    whole = in_constant(at("weights.bin")).SerializeToString()
    check(tmp_path, whole)
    more = onnx.ModelProto()
    more.graph.node.add()
    with pytest.raises(BundleError, match="field 7 of ModelProto is there twice"):
        check(tmp_path, whole + more.SerializeToString())


def test_the_place_may_be_said_by_any_number_that_is_not_zero(tmp_path: Path) -> None:
    # protobuf cuts the number to 32 bits, which makes this one EXTERNAL.
    weights = tensor(("location", "/etc/passwd"), external=False).SerializeToString()
    cut = weights + b"\x70\x81\x80\x80\x80\x10"
    graph = b"\x2a" + bytes([len(cut)]) + cut
    with pytest.raises(BundleError, match="passwd', which the manifest does not list"):
        check(tmp_path, b"\x3a" + bytes([len(graph)]) + graph)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x3a\x05ab",
        b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\x38\x01",
        b"\x0b\x0c",
        b"\x00\x01",
        b"\x0d\x00",
        b"no graph at all",
    ],
)
def test_what_is_no_message_is_refused(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no ONNX graph"):
        check(tmp_path, data)


def test_a_graph_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    whole = in_initializer(at("weights.bin")).SerializeToString()
    for length in range(1, len(whole)):
        try:
            onnx.ModelProto.FromString(whole[:length])
        except Exception:  # protobuf's own
            with pytest.raises(BundleError):
                check(tmp_path, whole[:length])


def test_graphs_that_nest_deep_are_refused(tmp_path: Path) -> None:
    def wrapped(number: int, data: bytes) -> bytes:
        length, varint = len(data), b""
        while length > 0x7F:
            varint += bytes((length & 0x7F | 0x80,))
            length >>= 7
        return bytes((number << 3 | 2,)) + varint + bytes((length,)) + data

    data = b""
    for _ in range(2000):
        data = wrapped(1, wrapped(5, wrapped(6, data)))
    with pytest.raises(BundleError, match="nest deeper than 100"):
        check(tmp_path, wrapped(7, data))


@pytest.mark.parametrize("name", ["graphs/g.ort", "graphs/g", "graphs/g.onnx.ort", "weights.bin"])
def test_a_graph_has_the_name_of_one(name: str, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"which ends in \.onnx"):
        check(tmp_path, in_initializer(at("weights.bin")), name)


def test_compiled_code_is_refused(tmp_path: Path) -> None:
    model = in_initializer(at("weights.bin"))
    model.graph.node.append(helper.make_node("EPContext", [], ["e"], domain="com.microsoft"))
    with pytest.raises(BundleError, match="compiled code"):
        check(tmp_path, model)


def test_what_ends_the_process_of_a_runtime_is_refused(tmp_path: Path) -> None:
    model = in_initializer(at("weights.bin"))
    model.graph.node.append(helper.make_node("Clip", ["x", "w", ""], ["c"]))
    check(tmp_path, model)
    model.graph.node.append(helper.make_node("LayerNormalization", ["x", "w", ""], ["n"]))
    with pytest.raises(BundleError, match="LayerNormalization leaves an input out"):
        check(tmp_path, model)


def test_the_bytes_of_a_large_graph_are_not_gone_through(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 256, 4 << 20, dtype=np.uint8)
    weights = TensorProto(name="w", data_type=TensorProto.UINT8, dims=[len(values)])
    weights.raw_data = values.tobytes()
    path = tmp_path / "g.onnx"
    path.write_bytes(in_initializer(weights).SerializeToString())
    raw = path.read_bytes()
    top = list(fields(raw, 0, len(raw)))
    graph = next(field for field in top if field[0] == 7)
    assert len(top) + len(list(fields(raw, graph[2], graph[3]))) < 20
    check_external(str(path), "graphs/g.onnx", FILES)


def test_the_table_is_that_of_onnx() -> None:
    """Every way to a tensor that ONNX has is in the table: computed from its own description."""
    ways: dict[str, dict[int, str]] = {}
    seen = [onnx.ModelProto.DESCRIPTOR]
    messages = {}
    while seen:
        message = seen.pop()
        messages[message.name] = message
        seen += [
            field.message_type
            for field in message.fields
            if field.message_type and field.message_type.name not in messages
        ]
    leads = {"TensorProto"}
    while True:
        more = {
            name
            for name, message in messages.items()
            if any(
                field.message_type and field.message_type.name in leads for field in message.fields
            )
        }
        if more <= leads:
            break
        leads |= more
    for name in leads:
        ways[name] = {
            field.number: field.message_type.name
            for field in messages[name].fields
            if field.message_type and field.message_type.name in leads
        }
    assert ways == {name: dict(known) for name, known in MESSAGES.items()}
