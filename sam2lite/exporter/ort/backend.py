"""Bundles for ONNX Runtime."""

from __future__ import annotations

from typing import ClassVar

from sam2lite.exporter.bundle.graph_exporter import GraphExporter
from sam2lite.exporter.onnx.passes.graph_pass import GraphPass
from sam2lite.exporter.ort.four_bits import FOUR_BITS
from sam2lite.exporter.ort.passes.attention import attention
from sam2lite.exporter.ort.passes.gelu import gelu
from sam2lite.exporter.ort.passes.moves import moves
from sam2lite.exporter.precision.fp16_storage import Fp16Storage
from sam2lite.exporter.precision.int8 import INT8_LAYERS, MAX_DROP, quantized, unmeasured
from sam2lite.exporter.precision.scheme import Float32
from sam2lite.exporter.precision.schemes import RANGES, Scheme
from sam2lite.targets.profile import TargetProfile
from sam2lite.targets.registry import HOST


class OrtExporter(GraphExporter):
    """Makes them: ONNX as it is, INT8 by Q/DQ in the style of the CPU."""

    name = "ort"
    schemes: ClassVar[tuple[Scheme, ...]] = (
        Scheme("fp32", lambda making: Float32(), exact=True),
        Scheme("fp16", lambda making: Fp16Storage()),
        Scheme(
            "int8",
            quantized,
            RANGES,
            trial=unmeasured,
            layers=INT8_LAYERS,
            max_drop=MAX_DROP,
            takes_quant=True,
        ),
        *FOUR_BITS,
    )
    default_target = HOST
    fields = GraphExporter.fields | {"opset", "device_app"}
    readme = """\
This folder is a bundle of SAM2-Lite and runs with Python 3.6 or newer; nothing is installed.
Check the board:  python3 device.pyz doctor   Measure it:  python3 device.pyz bench
Track an object:  python3 device.pyz track --video FILE --point X,Y -o DIR
"""

    def passes_for(self, target: TargetProfile) -> tuple[GraphPass, ...]:
        """See `BackendExporter`: what a CPU runs faster."""
        return (GraphPass(moves.__name__, moves),)

    def closing_passes(self) -> tuple[GraphPass, ...]:
        """See `BackendExporter`: attention and GELU as its own operators."""
        return tuple(GraphPass(each.__name__, each) for each in (attention, gelu))


EXPORTER = OrtExporter()
