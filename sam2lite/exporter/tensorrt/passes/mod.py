"""Pass `mod`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sam2lite.exporter.tensorrt.passes.rewriting import Replacement, replace

if TYPE_CHECKING:
    import onnx


def mod(model: onnx.ModelProto) -> onnx.ModelProto:
    """Write Mod with a division.

    ONNX divides integers by cutting off, so their remainder has the dividend's sign, as with
    fmod=1; the divisor's, as with fmod=0, comes of adding the divisor once and dividing again.
    Floats, which have fmod=1 alone, are cut off by Floor.

    **Given:**

        %y: int32 = Mod(%a, %b)
        %z: float32 = Mod(%c, %d), fmod=1

    **Result:**

        %r = Sub(%a, Mul(Div(%a, %b), %b))
        %s = Add(%r, %b)
        %y = Sub(%s, Mul(Div(%s, %b), %b))
        %q = Div(%c, %d)
        %z = Sub(%c, Mul(Mul(Sign(%q), Floor(Abs(%q))), %d))

    Parity: of integers exact, without a cast to float, as long as b + b fits their type. Of floats
    to rounding of the quotient, 1e-7 of the dividend; where the quotient is within rounding of a
    whole number, the result may be off by one divisor.
    """
    return replace(model, "Mod", _expand)


def _expand(new: Replacement) -> bool:
    from onnx import TensorProto

    a, b = new.input(0), new.input(1)
    dtype, output = new.dtype(a), new.node.output[0]
    if dtype in (TensorProto.INT32, TensorProto.INT64):
        if new.attribute("fmod", 0):
            _remainder(new, a, b, output)
        else:
            _remainder(new, new.add("Add", [_remainder(new, a, b), b]), b, output)
        return True
    if dtype in (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE):
        quotient = new.add("Div", [a, b])
        whole = new.add("Floor", [new.add("Abs", [quotient])])
        signed = new.add("Mul", [new.add("Sign", [quotient]), whole])
        new.add("Sub", [a, new.add("Mul", [signed, b])], output)
        return True
    return False


def _remainder(new: Replacement, a: str, b: str, output: str = "") -> str:
    return new.add("Sub", [a, new.add("Mul", [new.add("Div", [a, b]), b])], output)
