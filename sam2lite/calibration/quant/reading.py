"""`quant` of a recipe: seed values with the names that DeepCompressor's recipes for SAM 2 have.

Every key has a reader, or stands in `refused.py` with the reason why nothing here follows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sam2lite.calibration.four_bits.gptq import GptqSettings
from sam2lite.calibration.four_bits.grid import Grid, SpanSearch
from sam2lite.calibration.four_bits.layer import FourBitSettings
from sam2lite.calibration.four_bits.low_rank import LowRankSettings
from sam2lite.calibration.four_bits.smoothing import SmoothSettings
from sam2lite.calibration.quant.refused import REFUSED
from sam2lite.calibration.quant.settings import SKIPS, Quantization
from sam2lite.contracts.arguments import shown
from sam2lite.errors import RecipeError

ROOT = "quant"
BLOCKS = (16, 32, 64, 128, 256)
RANKS = (1, 512)
_FOUR, _EIGHT = {"uint4": False, "sint4": True}, ("uint8", "int8", "sint8")


@dataclass(frozen=True)
class Read:
    """What `quant` says.

    Attributes:
        quantization: how.
        precision: that its types name; None where it names none.
    """

    quantization: Quantization
    precision: str | None


def read_quant(data: object) -> Read:
    """Read `quant`.

    Raises:
        RecipeError: a key is unknown, has no meaning here, or has a value that cannot be used; the
            message names it.
    """
    top = _Section(data, ROOT, ("calib", "wgts", "ipts", "rotation", "smooth", "opts"))
    calib = top.section("calib", ("num_samples", "batch_size"))
    wgts = top.section("wgts", _WGTS)
    ipts = top.section("ipts", _IPTS)
    smooth = _smooth(top)
    top.section("rotation", ("enabled",)).only("enabled", False)
    four_bits = FourBitSettings(
        grid=_grid(wgts),
        search=_search(wgts),
        gptq=_gptq(wgts),
        low_rank=_low_rank(wgts),
        smooth=smooth,
        correct_bias=wgts.flag("correct_bias", True),
    )
    found = Quantization(
        four_bits=four_bits,
        smooth=smooth,
        calib_frames=calib.whole("num_samples", None, 1, 1 << 20),
        skips=tuple(name for name in SKIPS if wgts.flag(f"skip_{name}", False)),
        rounded=wgts.section("kernel_gptq", _GPTQ).texts("skips"),
        branchless=wgts.section("low_rank", _LOW_RANK).texts("skips"),
    )
    precision = _precision(wgts, ipts)
    if precision == "int8":
        for name in ("group_shapes", "kernel_gptq", "low_rank", "calib_range", "correct_bias"):
            if wgts.has(name):
                raise wgts.error(name, "is about four bits, and `dtype` asks for eight")
    return Read(found, precision)


class _Section:
    """A mapping of a recipe, whose keys are named in errors as `quant.wgts.dtype`."""

    def __init__(self, data: object, name: str, known: tuple[str, ...]) -> None:
        if data is None:
            data = {}
        if not isinstance(data, Mapping):
            raise RecipeError(f"`{name}` is {shown(data)}; give a mapping of keys", ROOT)
        self._data, self._name = data, name
        for key in data:
            full = f"{name}.{key}"
            if full in REFUSED:
                raise RecipeError(f"`{full}` has no meaning here: {REFUSED[full]}", ROOT)
            if key not in known:
                keys = ", ".join(known)
                raise RecipeError(f"`{full}` is no key of a recipe; {name} has {keys}", ROOT)

    def has(self, key: str) -> bool:
        return self._data.get(key) is not None

    def error(self, key: str, what: str) -> RecipeError:
        return RecipeError(f"`{self._name}.{key}` {what}", ROOT)

    def section(self, key: str, known: tuple[str, ...]) -> _Section:
        return _Section(self._data.get(key), f"{self._name}.{key}", known)

    def is_null(self, key: str) -> bool:
        return key in self._data and self._data[key] is None

    def wrong(self, key: str, wanted: str) -> RecipeError:
        return self.error(key, f"is {shown(self._data[key])}; give {wanted}")

    def flag(self, key: str, usual: bool) -> bool:
        if not self.has(key):
            return usual
        value = self._data[key]
        if not isinstance(value, bool):
            raise self.wrong(key, "true or false")
        return value

    def whole(self, key: str, usual: Any, least: int, most: int) -> Any:
        if not self.has(key):
            return usual
        value = self._data[key]
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self.wrong(key, f"a whole number from {least} to {most}")
        return value

    def number(self, key: str, usual: float, least: float, most: float) -> float:
        if not self.has(key):
            return usual
        value = self._data[key]
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise self.wrong(key, f"a number from {least:g} to {most:g}")
        if not least <= value <= most:
            raise self.wrong(key, f"a number from {least:g} to {most:g}")
        return float(value)

    def word(self, key: str, usual: str | None, words: tuple[str, ...]) -> str | None:
        if not self.has(key):
            return usual
        value = self._data[key]
        if value not in words:
            raise self.wrong(key, " or ".join(words))
        return str(value)

    def only(self, key: str, value: object) -> None:
        """Take a key whose one value is what is done here anyway."""
        given = self._data.get(key)
        if given is not None and given != value:
            reason = REFUSED.get(f"{self._name}.{key}!", "nothing else is done here")
            raise self.error(key, f"is {shown(given)}: {reason}; leave it out")

    def texts(self, key: str) -> tuple[str, ...]:
        value = self._data.get(key) or []
        if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
            raise self.wrong(key, "a list of patterns of layers, such as ['*.qkv']")
        return tuple(value)

    def raw(self, key: str) -> Any:
        return self._data.get(key)


_WGTS = (
    "dtype",
    "zero_point",
    "static",
    "group_shapes",
    "scale_dtypes",
    "kernel_gptq",
    "low_rank",
    "calib_range",
    "correct_bias",
    *(f"skip_{name}" for name in SKIPS),
)
_GPTQ = ("damp_percentage", "block_size", "by_variance", "skips")
_LOW_RANK = ("rank", "compensate", "num_iters", "by_outputs", "exclusive", "skips")
_RANGE = ("objective", "strategy", "granularity", "degree", "num_grids", "max_shrink")
_IPTS = ("dtype", "zero_point", "static", "per_token", "group_shapes", "scale_dtypes")


def _grid(wgts: _Section) -> Grid:
    wgts.only("zero_point", "PostScale")
    wgts.only("static", True)
    wgts.only("scale_dtypes", ["torch.float16"])
    group = Grid().group
    if wgts.has("group_shapes"):
        shapes = wgts.raw("group_shapes")
        if shapes not in [[[1, size]] for size in BLOCKS]:
            sizes = ", ".join(f"[[1, {size}]]" for size in BLOCKS)
            raise wgts.wrong("group_shapes", f"one of {sizes}; kernels have no other")
        group = shapes[0][1]
    dtype = wgts.word("dtype", "uint4", (*_FOUR, *_EIGHT))
    return Grid(group, _FOUR.get(str(dtype), False))


def _search(wgts: _Section) -> SpanSearch:
    usual = SpanSearch()
    if wgts.is_null("calib_range"):
        return replace(usual, tried=1)
    section = wgts.section("calib_range", _RANGE)
    section.only("objective", "TensorError")
    section.only("strategy", "GridSearch")
    section.only("granularity", "Group")
    return SpanSearch(
        section.number("degree", usual.power, 1.0, 8.0),
        section.whole("num_grids", usual.tried, 1, 200),
        section.number("max_shrink", usual.least, 0.05, 1.0),
    )


def _gptq(wgts: _Section) -> GptqSettings | None:
    if wgts.is_null("kernel_gptq"):
        return None
    section, usual = wgts.section("kernel_gptq", _GPTQ), GptqSettings()
    return GptqSettings(
        section.number("damp_percentage", usual.damping, 1e-6, 1.0),
        section.whole("block_size", usual.block, 1, 8192),
        section.flag("by_variance", usual.by_variance),
    )


def _low_rank(wgts: _Section) -> LowRankSettings | None:
    section, usual = wgts.section("low_rank", _LOW_RANK), LowRankSettings()
    section.only("exclusive", True)
    if not wgts.has("low_rank"):
        return None
    return LowRankSettings(
        section.whole("rank", usual.rank, *RANKS),
        not section.flag("compensate", not usual.from_weight),
        section.whole("num_iters", usual.rounds, 1, 100),
        section.flag("by_outputs", usual.by_outputs),
    )


def _smooth(top: _Section) -> SmoothSettings | None:
    section = top.section("smooth", ("enabled", "alpha"))
    if not top.has("smooth") or not section.flag("enabled", True):
        return None
    given = section.raw("alpha")
    if given is None or given == "grid":
        return SmoothSettings()
    if isinstance(given, str):
        raise section.wrong("alpha", "a number from 0 to 1, or grid")
    return SmoothSettings((section.number("alpha", 0.5, 0.0, 1.0),))


def _precision(wgts: _Section, ipts: _Section) -> str | None:
    """Return the precision that the types of weights and activations name."""
    ipts.only("zero_point", "PostScale")
    ipts.only("per_token", True)
    ipts.only("scale_dtypes", ["torch.float16"])
    ipts.only("group_shapes", [[1, -1]])
    inputs = ipts.word("dtype", None, _EIGHT)
    if not wgts.has("dtype"):
        return None
    eight_bit_weights = wgts.raw("dtype") in _EIGHT
    if eight_bit_weights:
        if ipts.is_null("dtype"):
            raise ipts.error("dtype", "is null; weights in eight bits go with inputs in eight")
        ipts.only("static", True)
        return "int8"
    ipts.only("static", False)
    return "w4" if inputs is None else "w4a8"
