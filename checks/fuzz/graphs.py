"""Bundles with a broken graph or broken weights, whose hashes fit: whoever made them meant it.

A graph is changed in its bytes, or field by field in its nodes, weights and where these lie. Each
bundle is opened and tracks two frames if it opens.
"""

import hashlib
import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
from fuzz.kind import CORRECT, Kind
from fuzz.manifests import MANIFEST, linked, prepare, rewritten, use

_WEIGHTS = "graphs/weights.bin"
_LOCATIONS = (
    "*/_ORT_MEM_ADDR_/*",
    "/etc/passwd",
    "../manifest.json",
    "../../../canary.onnx",
    "./weights.bin",
    "mask_decoder@240.onnx",
    "",
    "\x1b[31m",
    "weights.bin\0",
)
_NUMBERS = ("-1", "0", "1", "7", "1337087", "99999999999999999999", "0x10", "", "64 ")
_OPERATORS = (
    "Relu",
    "Identity",
    "Transpose",
    "Shape",
    "MatMul",
    "Softmax",
    "NonZero",
    "EPContext",
    "Loop",
    "Nothing",
)
_DIMS = (-1, 0, 1, 2, 33, 1 << 20)


def _mutate(base: Path, rng: random.Random, folder: Path) -> Path:
    path = linked(base, folder)
    manifest = json.loads((path / MANIFEST).read_text())
    file = rng.choice([*sorted(entry["file"] for entry in manifest["graphs"].values()), _WEIGHTS])
    raw = (path / file).read_bytes()
    if file == _WEIGHTS:
        raw = _other_weights(raw, rng)
    elif rng.random() < 0.4:
        raw = _other_bytes(raw, rng)
    else:
        raw = _other_fields(raw, rng)
    rewritten(path / file, raw)
    manifest["files"][file] = {"sha256": hashlib.sha256(raw).hexdigest(), "bytes": len(raw)}
    rewritten(path / MANIFEST, json.dumps(manifest).encode())
    return path


def _other_bytes(raw: bytes, rng: random.Random) -> bytes:
    changed = bytearray(raw)
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        at = rng.randrange(len(changed))
        change = rng.randrange(4)
        if change == 0:
            del changed[at : at + rng.randrange(1, 9)]
        elif change == 1:
            changed[at:at] = rng.randbytes(rng.randrange(1, 9))
        else:
            changed[at] ^= 1 << rng.randrange(8)
        if not changed:
            break
    return bytes(changed[: rng.randrange(len(changed))] if rng.random() < 0.05 else changed)


def _other_weights(raw: bytes, rng: random.Random) -> bytes:
    values = np.frombuffer(raw, np.float32).copy()
    for _ in range(rng.choice((1, 100))):
        at = rng.randrange(len(values))
        values[at : at + rng.choice((1, 1000))] = rng.choice((np.nan, np.inf, -np.inf, 1e38, 0.0))
    changed = values.tobytes()
    return changed[: rng.randrange(len(changed))] if rng.random() < 0.1 else changed


def _other_fields(raw: bytes, rng: random.Random) -> bytes:
    import onnx

    model = onnx.ModelProto.FromString(raw)
    for _ in range(rng.choice((1, 1, 2, 4))):
        rng.choice(_CHANGES)(model.graph, rng)
    return bytes(model.SerializeToString())


def _place(graph: object, rng: random.Random) -> None:
    outside = [tensor for tensor in graph.initializer if tensor.external_data]  # type: ignore[attr-defined]
    if not outside:
        return
    tensor = rng.choice(outside)
    entry = rng.choice(list(tensor.external_data))
    entry.value = rng.choice(_LOCATIONS if entry.key == "location" else _NUMBERS)
    if rng.random() < 0.2:
        tensor.external_data.add(key=rng.choice(("location", "basepath", "x")), value="/etc/passwd")


def _dims(graph: object, rng: random.Random) -> None:
    tensor = rng.choice(graph.initializer)  # type: ignore[attr-defined]
    if tensor.dims:
        tensor.dims[rng.randrange(len(tensor.dims))] = rng.choice(_DIMS)


def _type(graph: object, rng: random.Random) -> None:
    rng.choice(graph.initializer).data_type = rng.randrange(24)  # type: ignore[attr-defined]


def _operator(graph: object, rng: random.Random) -> None:
    rng.choice(graph.node).op_type = rng.choice(_OPERATORS)  # type: ignore[attr-defined]


def _wire(graph: object, rng: random.Random) -> None:
    node, other = rng.choice(graph.node), rng.choice(graph.node)  # type: ignore[attr-defined]
    if node.input and other.output:
        node.input[rng.randrange(len(node.input))] = rng.choice((other.output[0], "", "nowhere"))


def _attribute(graph: object, rng: random.Random) -> None:
    nodes = [node for node in graph.node if node.attribute]  # type: ignore[attr-defined]
    if not nodes:
        return
    attribute = rng.choice(rng.choice(nodes).attribute)
    attribute.i = rng.choice((-1, 0, 1, 7, 1 << 31, (1 << 63) - 1, -(1 << 63)))
    if attribute.ints:
        attribute.ints[rng.randrange(len(attribute.ints))] = attribute.i


def _removed(graph: object, rng: random.Random) -> None:
    del graph.node[rng.randrange(len(graph.node))]  # type: ignore[attr-defined]


def _end(graph: object, rng: random.Random) -> None:
    end = rng.choice([*graph.input, *graph.output])  # type: ignore[attr-defined]
    tensor = end.type.tensor_type
    change = rng.randrange(3)
    if change == 0:
        end.name = rng.choice(("other", "", "\x1b[31m", graph.output[0].name))  # type: ignore[attr-defined]
    elif change == 1:
        tensor.elem_type = rng.randrange(1, 17)
    elif tensor.shape.dim:
        rng.choice(tensor.shape.dim).dim_value = rng.choice(_DIMS)


def _constant_output(graph: object, rng: random.Random) -> None:
    """Let an output be what no graph of ours gives: of its type and shape, with any values."""
    from onnx import helper, numpy_helper

    output = rng.choice(graph.output)  # type: ignore[attr-defined]
    tensor = output.type.tensor_type
    dtype = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
    shape = [dim.dim_value for dim in tensor.shape.dim]
    if np.prod(shape) > 1 << 20 or dtype.kind not in "fiu":
        return
    value = rng.choice((-1, 7, 1 << 30) if dtype.kind in "iu" else (np.nan, np.inf, -1e30, 0.0))
    with np.errstate(over="ignore", invalid="ignore"):
        array = np.full(shape, value).astype(dtype)
    for node in graph.node:  # type: ignore[attr-defined]
        for index, name in enumerate(node.output):
            if name == output.name:
                node.output[index] = name + "_before"
    made = numpy_helper.from_array(array)
    graph.node.append(helper.make_node("Constant", [], [output.name], value=made))  # type: ignore[attr-defined]


_CHANGES: tuple[Callable[[object, random.Random], None], ...] = (
    _place,
    _dims,
    _type,
    _operator,
    _wire,
    _attribute,
    _removed,
    _end,
    _constant_output,
)


def _attempt(base: Path, path: Path) -> str:
    use(path)
    return CORRECT


KIND = Kind("graphs", 1000, prepare, _mutate, _attempt)
