"""Plain ONNX graphs of ONNX's own tests, mutated, given to `sam2lite-export lower`."""

import contextlib
import io
import random
import warnings
from pathlib import Path
from typing import Any

from fuzz.kind import CORRECT, Kind

TARGETS = ("8.2.1", "8.5.2", "8.6.1", "10.3.0")
LARGEST_BYTES = 20_000
# A trip count that is read from the graph may be any number, and a loop runs for as long.
ENDLESS = ("Loop", "Scan", "Range", "SequenceMap")


def prepare(folder: Path) -> list[bytes]:
    """Return the small models of ONNX's node tests."""
    from onnx.backend.test.case.node import collect_testcases

    from sam2lite.exporter.tensorrt.lower import lower

    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        cases = sorted(collect_testcases(None), key=lambda case: case.name)
    # What is imported at the first call is no part of an answer's time.
    first = next(case.model for case in cases if case.model is not None)
    lower(first, TARGETS[0])
    return [
        case.model.SerializeToString()
        for case in cases
        if case.model is not None
        and case.model.graph.node
        and case.model.ByteSize() <= LARGEST_BYTES
        and not any(node.op_type in ENDLESS for node in case.model.graph.node)
    ]


def mutate(base: list[bytes], rng: random.Random, folder: Path) -> Path:
    """Write a model with one to three of its parts changed."""
    import onnx

    model = onnx.ModelProto.FromString(rng.choice(base))
    for _ in range(rng.randint(1, 3)):
        rng.choice(MUTATIONS)(model, rng)
    path = folder / "model.onnx"
    raw = model.SerializeToString()
    if rng.random() < 0.1:
        position = rng.randrange(len(raw))
        raw = raw[:position] + bytes([rng.randrange(256)]) + raw[position + 1 :]
    path.write_bytes(raw)
    return path


def attempt(base: list[bytes], path: Path) -> str:
    """Read and lower the model; what is accepted has no findings and can be read again."""
    import onnx

    from sam2lite.exporter.onnx.file import read_onnx
    from sam2lite.exporter.tensorrt.lower import lower
    from sam2lite.exporter.tensorrt.preflight import preflight

    version = TARGETS[path.stat().st_size % len(TARGETS)]
    lowered = lower(read_onnx(path), version)
    if lowered.findings:
        return CORRECT
    written = onnx.ModelProto.FromString(lowered.model.SerializeToString())
    return CORRECT if not preflight(written, version) else "written with findings"


def _opset(model: Any, rng: random.Random) -> None:
    for entry in model.opset_import:
        entry.version = rng.choice([1, 5, 6, 7, 9, 11, 13, 14, 17, 18, 20, 21, 23, 99])


def _ir(model: Any, rng: random.Random) -> None:
    model.ir_version = rng.choice([0, 3, 4, 8, 10, 99])


def _domain(model: Any, rng: random.Random) -> None:
    rng.choice(model.graph.node).domain = rng.choice(["ai.onnx", "com.microsoft", "ai.onnx.ml", ""])


def _operator(model: Any, rng: random.Random) -> None:
    names = ["Relu", "TopK", "Reshape", "MatMul", "NonZero", "If", "Shape", "Unknown", "Dropout"]
    rng.choice(model.graph.node).op_type = rng.choice(names)


def _attribute(model: Any, rng: random.Random) -> None:
    attributes = [a for node in model.graph.node for a in node.attribute]
    if attributes:
        changed = rng.choice(attributes)
        changed.i = rng.choice([-(2**63), -1, 0, 1, 2, 7, 2**31, 2**63 - 1])
        changed.f = rng.choice([0.0, -1.0, float("nan"), float("inf")])
        if rng.random() < 0.3:
            changed.s = rng.choice([b"", b"wrap", b"cubic", b"\xff\xfe"])
        if rng.random() < 0.2:
            changed.type = rng.randrange(15)


def _border(model: Any, rng: random.Random) -> None:
    values = [*model.graph.input, *model.graph.output]
    if values:
        tensor = rng.choice(values).type.tensor_type
        if rng.random() < 0.5:
            tensor.elem_type = rng.randrange(0, 26)
        elif tensor.shape.dim:
            side = rng.choice(tensor.shape.dim)
            side.dim_value = rng.choice([-1, 0, 1, 2, 3, 1024])
        else:
            tensor.ClearField("shape")


def _wiring(model: Any, rng: random.Random) -> None:
    names = [name for node in model.graph.node for name in (*node.input, *node.output)]
    node = rng.choice(model.graph.node)
    if node.input and names:
        node.input[rng.randrange(len(node.input))] = rng.choice([*names, "", "nobody"])


def _constant(model: Any, rng: random.Random) -> None:
    """Make an input a constant, as a weight of a type and size of any kind."""
    import numpy as np
    from onnx import numpy_helper

    if model.graph.input:
        name = rng.choice(model.graph.input).name
        values = np.array(rng.choices([-1, 0, 1, 2, 2**40], k=rng.randint(0, 4)))
        dtype = rng.choice([np.int64, np.int32, np.float32, np.uint8, np.bool_])
        with np.errstate(all="ignore"):
            model.graph.initializer.append(numpy_helper.from_array(values.astype(dtype), name))


def _nodes(model: Any, rng: random.Random) -> None:
    nodes = list(model.graph.node)
    if rng.random() < 0.5:
        rng.shuffle(nodes)
    else:
        nodes.append(rng.choice(nodes))
    del model.graph.node[:]
    model.graph.node.extend(nodes)


MUTATIONS = (_opset, _ir, _domain, _operator, _attribute, _border, _wiring, _constant, _nodes)
KIND = Kind(name="lowered", count=600, prepare=prepare, mutate=mutate, attempt=attempt)
