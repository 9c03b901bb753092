"""OpenVINO as its adapter uses it, computed by ONNX Runtime, where there is no OpenVINO."""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime

_TYPES = {"tensor(float)": "f32", "tensor(uint8)": "u8", "tensor(int32)": "i32"}
__version__ = "2026.4.1-22982-double"

compiled: list["Compiled"] = []


class Core:
    """Knows one processor with BF16, and a GPU beside another."""

    def __init__(self) -> None:
        self.available_devices = ["CPU", "GPU.0", "GPU.1"]

    def get_property(self, device: str, name: str) -> list[str]:
        assert name == "OPTIMIZATION_CAPABILITIES"
        return ["FP32", "INT8", "BF16"] if device == "CPU" else ["FP32", "INT8", "FP16"]

    def compile_model(self, model: "Model", device: str, settings: Mapping[str, str]) -> "Compiled":
        compiled.append(Compiled(model, device, settings))
        return compiled[-1]


class Model:
    """A graph that was read."""

    def __init__(self, path: str) -> None:
        if b"not a graph" in Path(path).read_bytes():
            raise RuntimeError("Exception from src/core.cpp:1:\n\nthis is no graph\nmore")
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        self.session = onnxruntime.InferenceSession(
            path, options, providers=["CPUExecutionProvider"]
        )


class Reader:
    """Reads ONNX."""

    def load(self, path: str) -> str:
        return path

    def convert(self, path: str) -> Model:
        return Model(path)


class FrontEndManager:
    """Has one reader."""

    def load_by_framework(self, name: str) -> Reader:
        assert name == "onnx"
        return Reader()


class Port:
    """An input or an output."""

    def __init__(self, found: Any) -> None:
        self._found = found

    def get_names(self) -> set[str]:
        return {self._found.name, "also:" + self._found.name}

    def get_element_type(self) -> Any:
        return SimpleNamespace(get_type_name=lambda: _TYPES[self._found.type])

    def get_partial_shape(self) -> list[Any]:
        return [
            SimpleNamespace(is_static=True, get_length=lambda side=side: side)
            for side in self._found.shape
        ]


class Compiled:
    """A graph on a device, with what it was compiled by."""

    def __init__(self, model: Model, device: str, settings: Mapping[str, str]) -> None:
        self.device, self.settings, self._session = device, settings, model.session
        self.inputs = [Port(each) for each in model.session.get_inputs()]
        self.outputs = [Port(each) for each in model.session.get_outputs()]

    def create_infer_request(self) -> "Request":
        return Request(self._session)


class Request:
    """Reads and writes the memory that it was given."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._tensors: dict[str, np.ndarray] = {}

    def set_tensor(self, name: str, tensor: "Tensor") -> None:
        self._tensors[name] = tensor.data

    def infer(self) -> None:
        names = [each.name for each in self._session.get_outputs()]
        feeds = {each.name: self._tensors[each.name] for each in self._session.get_inputs()}
        for name, value in zip(names, self._session.run(names, feeds), strict=True):
            self._tensors[name][...] = value


class Tensor:
    """Memory as it lies there: whole, and writeable."""

    def __init__(self, array: np.ndarray, shared_memory: bool) -> None:
        if not (shared_memory and array.flags.c_contiguous and array.flags.writeable):
            raise RuntimeError("array is not writeable")
        self.data = array


frontend = SimpleNamespace(FrontEndManager=FrontEndManager)
