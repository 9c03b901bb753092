"""Pass `einsum`."""

from __future__ import annotations

from collections import Counter
from math import prod
from string import ascii_letters
from typing import TYPE_CHECKING, NamedTuple

from sam2lite.exporter.tensorrt.passes.rewriting import Replacement, replace

if TYPE_CHECKING:
    from collections.abc import Iterable

    import onnx


def einsum(model: onnx.ModelProto) -> onnx.ModelProto:
    """Write Einsum with Transpose, Reshape, MatMul and ReduceSum.

    Every form, and up to the version that takes every form: the parser hands the equation on as it
    is (builtin_op_importers.cpp at 8.2-GA), sides of 1 do not broadcast (docs/operators.md there),
    and the layer takes two inputs (pytorch/TensorRT#1439). MatMul has kernels in every version.

    **Given:**

        %y: float32[2, 7, 3, 5] = Einsum(%q: float32[2, 5, 3, 4], %k: float32[2, 7, 3, 4]),
            equation="bqhc,bkhc->bkhq"

    **Result:**

        %a: float32[6, 5, 4] = Reshape(Transpose(%q))
        %b: float32[6, 4, 7] = Reshape(Transpose(%k))
        %p: float32[2, 3, 5, 7] = Reshape(MatMul(%a, %b))
        %y = Transpose(%p)

    More than two inputs are taken pair by pair. An index that is twice in one input (a diagonal)
    is left as it is.

    Parity: to rounding, 1e-7 of the largest value.
    """
    return replace(model, "Einsum", _expand)


class _Term(NamedTuple):
    """A value, and its index letters with their sides, in the order of its axes."""

    name: str
    sides: dict[str, int]

    @property
    def shape(self) -> list[int]:
        return list(self.sides.values())


class _Equation(NamedTuple):
    """Letters of every input, and of the output, with those that stand for an ellipsis."""

    inputs: list[str]
    output: str


def _expand(new: Replacement) -> bool:
    shapes = [new.shape(name) for name in new.node.input]
    equation = _read(new.attribute("equation", ""), shapes)
    if equation is None:
        return False
    terms = [
        _squeezed(new, _Term(name, dict(zip(letters, shape, strict=True))), equation)
        for name, letters, shape in zip(new.node.input, equation.inputs, shapes, strict=True)
        if shape is not None
    ]
    while len(terms) > 1:
        wanted = set(equation.output).union(*(term.sides for term in terms[2:]))
        left, right = (_summed(new, term, terms, equation) for term in terms[:2])
        terms[:2] = [_product(new, left, right, wanted)]
    last = _transposed(new, _without(new, terms[0], set(equation.output)), equation.output)
    shape = [last.sides.get(letter, 1) for letter in equation.output]
    new.reshape(last.name, shape, new.node.output[0])
    return True


def _read(text: str, shapes: list[list[int] | None]) -> _Equation | None:
    """Return an equation with its ellipses spelt out; None if it cannot be written here."""
    left, arrow, right = text.replace(" ", "").partition("->")
    parts = left.split(",")
    if len(parts) != len(shapes) or any(shape is None for shape in shapes):
        return None
    ranks = [len(shape) for shape in shapes if shape is not None]
    hidden = [rank - len(part.replace("...", "")) for part, rank in zip(parts, ranks, strict=True)]
    free = [letter for letter in ascii_letters if letter not in text]
    spelt = free[: max([n for p, n in zip(parts, hidden, strict=True) if "..." in p], default=0)]
    # An ellipsis of fewer axes stands for the last ones, as in broadcasting.
    inputs = [
        part.replace("...", "".join(spelt[len(spelt) - count :])) if "..." in part else part
        for part, count in zip(parts, hidden, strict=True)
    ]
    if not arrow:
        counts = Counter(left.replace(".", "").replace(",", ""))
        ellipsis = "..." if "..." in left else ""
        right = ellipsis + "".join(sorted(c for c, n in counts.items() if n == 1))
    fits = all(len(set(p)) == len(p) == rank for p, rank in zip(inputs, ranks, strict=True))
    return _Equation(inputs, right.replace("...", "".join(spelt))) if fits else None


def _squeezed(new: Replacement, term: _Term, equation: _Equation) -> _Term:
    """Drop axes of side 1 that broadcast, or that another input has as well."""
    others = Counter("".join(equation.inputs))
    kept = {c: side for c, side in term.sides.items() if side != 1 or others[c] == 1}
    if len(kept) == len(term.sides):
        return term
    return _Term(new.reshape(term.name, list(kept.values())), kept)


def _summed(new: Replacement, term: _Term, terms: list[_Term], equation: _Equation) -> _Term:
    """Sum over the letters that nothing else has."""
    others = (other.sides for other in terms if other is not term)
    return _without(new, term, set(equation.output).union(*others))


def _without(new: Replacement, term: _Term, wanted: set[str]) -> _Term:
    axes = [index for index, letter in enumerate(term.sides) if letter not in wanted]
    if not axes:
        return term
    name = new.reduce("ReduceSum", term.name, axes, keep=False)
    return _Term(name, {c: side for c, side in term.sides.items() if c in wanted})


def _transposed(new: Replacement, term: _Term, letters: Iterable[str]) -> _Term:
    order = [letter for letter in letters if letter in term.sides]
    present = list(term.sides)
    if order == present:
        return term
    name = new.add("Transpose", [term.name], perm=[present.index(c) for c in order])
    return _Term(name, {c: term.sides[c] for c in order})


def _product(new: Replacement, a: _Term, b: _Term, wanted: set[str]) -> _Term:
    """Multiply two terms as `[batch, m, k] @ [batch, k, n]`."""
    both = [c for c in a.sides if c in b.sides]
    batch, summed = [c for c in both if c in wanted], [c for c in both if c not in wanted]
    rows, columns = [c for c in a.sides if c not in both], [c for c in b.sides if c not in both]
    left = _matrices(new, a, batch, rows, summed)
    right = _matrices(new, b, batch, summed, columns)
    sides = {c: (a.sides | b.sides)[c] for c in (*batch, *rows, *columns)}
    product = new.add("MatMul", [left, right])
    if all(len(group) == 1 for group in (batch, rows, columns)):
        return _Term(product, sides)
    return _Term(new.reshape(product, list(sides.values())), sides)


def _matrices(new: Replacement, term: _Term, *groups: list[str]) -> str:
    turned = _transposed(new, term, [c for group in groups for c in group])
    if all(len(group) == 1 for group in groups):
        return turned.name
    return new.reshape(turned.name, [prod(term.sides[c] for c in group) for group in groups])
