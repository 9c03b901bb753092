"""What to export, and how: the one argument of `sam2lite.export`."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sam2lite.contracts.backends import DEFAULT_BACKEND, get_backend
from sam2lite.contracts.input_sizes import InputSizes, read_sizes
from sam2lite.errors import RecipeError, UnknownNameError
from sam2lite.exporter.quantization.presets import preset_names, preset_path

if TYPE_CHECKING:
    from sam2lite.calibration.quant.settings import Quantization

LONGEST_SHOWN = 60  # characters of a value in an error message
MOST = 2**31 - 1  # of any number


@dataclass(frozen=True)
class Recipe:
    """An export. None, False and an empty list mean that a field is not given.

    A field that the backend, its target and the precision do not use is refused by `export`, and
    so is what contradicts another field. `docs/python.md` lists which fields go with what.

    Attributes:
        model: a name, a folder or file of a checkpoint, or an id of Hugging Face that is here.
        variant: of a checkpoint whose weights do not show it; where one is needed, the message
            without it lists the choices.
        backend: `ort`, `trt`, `coreml`, `openvino`, `web` or `onnx`.
        target: id of a device, as `sam2lite targets` lists them; `host` is this machine.
        precision: such as `fp32`, `fp16` or `int8`; the backend's usual one if not given.
        sizes: input sizes, px, as 480 for a square or `672x384` for width and height, all of one
            form; all of the network's if not given.
        output: folder to write.
        opset: of ONNX; the target's if not given.
        jetpack: release of a Jetson's system, as in `6.2`.
        tensorrt: version that is installed there, where it is not the release's.
        fallback: where the target lacks the precision, take the nearest that it has.
        device_app: add `device.pyz`, which runs the bundle where nothing is installed.
        calib: video, folder of pictures or data set to calibrate on; generated clips if not given.
        calib_frames: frames to calibrate on, in all.
        calib_seed: of the clips and prompts that are drawn.
        observer: how ranges are taken from what is observed.
        ranges: file of `sam2lite calibrate`, instead of observing.
        keep_float: patterns of layers to keep in float.
        quant: how weights are quantized, as a mapping; docs/quantization.md lists its keys. Its
            types name a precision where `precision` does not.
        max_drop: points of J&F that a precision may lose against FP32.
        accept_drop: keep a bundle that loses more.
        skip_passes: names of graph passes to leave out.
        runtime: file or folder of what runs graphs in a browser; see `sam2lite-export web`.
        check_for: id of a target with TensorRT whose parser is asked about plain graphs.
        force: replace the folder if it exists. It is no field of a file.
    """

    model: str = "tiny"
    variant: str | None = None
    backend: str = DEFAULT_BACKEND
    target: str | None = None
    precision: str | None = None
    sizes: Sequence[int | str] | None = None
    output: str | Path | None = None
    opset: int | None = None
    jetpack: str | None = None
    tensorrt: str | None = None
    fallback: bool = False
    device_app: bool = False
    calib: str | Path | None = None
    calib_frames: int | None = None
    calib_seed: int | None = None
    observer: str | None = None
    ranges: str | Path | None = None
    keep_float: Sequence[str] = ()
    quant: Mapping[str, Any] | None = None
    max_drop: float | None = None
    accept_drop: bool = False
    skip_passes: Sequence[str] = ()
    runtime: str | Path | None = None
    check_for: str | None = None
    force: bool = False

    def __post_init__(self) -> None:
        """Bring every field into its type: `sizes` ascending, sequences as tuples, paths as `Path`.

        Raises:
            RecipeError: a field has the wrong type or an impossible value, or two contradict each
                other.
            UnknownNameError: there is no such backend.
        """
        for name, read in _READERS.items():
            if self.is_given(name):
                object.__setattr__(self, name, read(name, getattr(self, name)))
        get_backend(self.backend)
        if self.quant is not None:
            from sam2lite.calibration.quant.reading import read_quant

            named = read_quant(self.quant).precision
            if named is not None and self.precision not in (None, named):
                raise RecipeError(
                    f"`precision` is {self.precision}, and `quant` has the types of {named}; leave "
                    "one out",
                    "precision",
                )
            object.__setattr__(self, "precision", self.precision or named)
        for name in ("calib", "observer"):
            if self.ranges is not None and self.is_given(name):
                raise RecipeError(
                    f"`{name}` is for observing ranges, and `ranges` names a file of them; leave "
                    "one out",
                    name,
                )

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Recipe:
        """Read a recipe from a YAML file; paths in it are taken from the working folder.

        Raises:
            RecipeError: the file cannot be read, is no YAML, is no mapping, or a field is at fault.
            UnknownNameError: there is no such field, or no such backend.
            DependencyError: PyYAML is not installed.
        """
        from sam2lite.exporter.recipe_yaml import read_fields

        given = read_fields(Path(path), FILE_FIELDS)
        try:
            return cls(**given)
        except RecipeError as error:
            raise error.inside(str(path)) from None

    @classmethod
    def named(cls, name: str) -> Recipe:
        """Read a recipe that comes with the package.

        Raises:
            UnknownNameError: there is none of that name; the message lists them.
            DependencyError: PyYAML is not installed.
        """
        path = preset_path(name)
        if path is None:
            raise UnknownNameError("recipe", name, preset_names())
        return cls.load(path)

    def save(self, path: str | PathLike[str], *, force: bool = False) -> None:
        """Write what is given to a YAML file, all but `force`.

        Raises:
            OutputError: the file exists and `force` is not set, or cannot be written.
            DependencyError: PyYAML is not installed.
        """
        from sam2lite.exporter.recipe_yaml import write_fields

        given = {"backend": self.backend, "model": self.model, **self.given()}
        write_fields(
            {name: given[name] for name in FILE_FIELDS if name in given}, Path(path), force
        )

    @property
    def input_sizes(self) -> InputSizes | None:
        """Widths and form of `sizes`; None where they are not given."""
        return None if self.sizes is None else read_sizes(self.sizes)

    @property
    def quantization(self) -> Quantization:
        """How weights are quantized: what `quant` says, or what is usual."""
        from sam2lite.calibration.quant.reading import read_quant

        return read_quant(self.quant or {}).quantization

    def is_given(self, name: str) -> bool:
        """Return whether a field differs from its default."""
        value = getattr(self, name)
        # 0 is given, and so is [].
        return type(value) is not type(_DEFAULTS[name]) or bool(value != _DEFAULTS[name])

    def given(self) -> dict[str, Any]:
        """Return the fields that are given, by name, in the order of the class."""
        return {name: getattr(self, name) for name in FIELDS if self.is_given(name)}


def _wrong(name: str, value: object, wanted: str) -> RecipeError:
    try:
        shown = repr(value)
    except ValueError:  # a number of thousands of digits
        shown = "a number beyond reason"
    if len(shown) > LONGEST_SHOWN:
        shown = f"{shown[:LONGEST_SHOWN]}..."
    return RecipeError(f"`{name}` is {shown}; give {wanted}", name)


def _text(name: str, value: object) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise _wrong(name, value, "text, in quotes")
    if not isinstance(value, str) or not value or "\0" in value:
        raise _wrong(name, value, "text")
    return value


def _name_or_path(name: str, value: object) -> str:
    return _text(name, str(value) if isinstance(value, PathLike) else value)


def _path(name: str, value: object) -> Path:
    return Path(_name_or_path(name, value))


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise _wrong(name, value, "true or false")
    return value


def _whole(least: int) -> Callable[[str, object], int]:
    def read(name: str, value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or value > MOST:
            raise _wrong(name, value, f"a whole number up to {MOST}")
        if value < least:
            raise RecipeError(f"`{name}` is {value}; choose {least} or more", name)
        return value

    return read


def _mapping(name: str, value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise _wrong(name, value, "a mapping of keys")
    return copy.deepcopy(dict(value))


def _points(name: str, value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or value > MOST:
        raise _wrong(name, value, f"a number up to {MOST}")
    if not value >= 0.0:
        raise RecipeError(f"`{name}` is {value:g}; give points, 0 or more", name)
    return float(value)


def _texts(name: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise _wrong(name, value, "a list of texts")
    return tuple(_text(name, text) for text in value)


def _sizes(name: str, value: object) -> tuple[int | str, ...]:
    if not isinstance(value, list | tuple) or not value:
        raise _wrong(name, value, "a list of whole numbers, px, as in [240, 480]")
    try:
        return read_sizes(
            size if isinstance(size, str) else _whole(1)(name, size) for size in value
        ).texts
    except ValueError as error:
        raise RecipeError(f"`{name}`: {error}", name) from None


_READERS: dict[str, Callable[[str, object], object]] = {
    "model": _name_or_path,
    "variant": _text,
    "backend": _text,
    "target": _text,
    "precision": _text,
    "sizes": _sizes,
    "output": _path,
    "opset": _whole(1),
    "jetpack": _text,
    "tensorrt": _text,
    "fallback": _flag,
    "device_app": _flag,
    "calib": _name_or_path,
    "calib_frames": _whole(1),
    "calib_seed": _whole(0),
    "observer": _text,
    "ranges": _path,
    "keep_float": _texts,
    "quant": _mapping,
    "max_drop": _points,
    "accept_drop": _flag,
    "skip_passes": _texts,
    "runtime": _path,
    "check_for": _text,
    "force": _flag,
}
_DEFAULTS = {field.name: field.default for field in dataclasses.fields(Recipe)}
FIELDS = tuple(_DEFAULTS)
# A file must not be able to ask for a folder to be replaced.
FILE_FIELDS = tuple(name for name in FIELDS if name != "force")
# Whatever the backend and the precision.
ALWAYS = frozenset(
    {"model", "variant", "backend", "target", "precision", "sizes", "output", "force"}
)
