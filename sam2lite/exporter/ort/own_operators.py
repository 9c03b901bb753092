"""ONNX Runtime's own operators, which no standard has."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

ORT_DOMAIN = "com.microsoft"


def import_own_operators(model: onnx.ModelProto) -> None:
    """Have a model say that it uses them, in place."""
    if all(entry.domain != ORT_DOMAIN for entry in model.opset_import):
        model.opset_import.add(domain=ORT_DOMAIN, version=1)
