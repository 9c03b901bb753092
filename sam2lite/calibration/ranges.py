"""Activation ranges and where they come from, as `ranges.json`."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sam2lite.contracts.arguments import shown, whole_number
from sam2lite.contracts.input_sizes import SQUARE, Aspect
from sam2lite.errors import ArgumentError, CalibrationError
from sam2lite.files.atomic import replacing
from sam2lite.files.json_reading import read_json
from sam2lite.files.reading import printable

SCHEMA_VERSION = 1
_LARGEST = 3.4e38  # of float32


@dataclass(frozen=True)
class Provenance:
    """What ranges were made from.

    Attributes:
        model: the network's name.
        checkpoint_sha256: of its weights.
        rungs: input sides that were observed, px.
        observer: name in `observers.OBSERVERS`, or `training` for ranges that were learned.
        source: of the frames: the last part of what the user named.
        data_sha256: of frames and prompts.
        frames: how many.
        seed: of what was drawn.
        sam2lite_version: that made them.
        aspect: form of the inputs, `1:1` for squares; rungs are their widths.
    """

    model: str
    checkpoint_sha256: str
    rungs: tuple[int, ...]
    observer: str
    source: str
    data_sha256: str
    frames: int
    seed: int
    sam2lite_version: str
    aspect: str = SQUARE.text


@dataclass(frozen=True)
class ActivationRanges:
    """Least and greatest value by `<module path>:input` or `:output`, the same at every rung."""

    spans: Mapping[str, tuple[float, float]]
    provenance: Provenance

    def save(self, path: Path, force: bool = True) -> None:
        """Write `ranges.json`; without `force` an older one is refused.

        Raises:
            OutputError: it is, or there is something that is no file.
            OSError: it cannot be written.
        """
        data = {
            "schema_version": SCHEMA_VERSION,
            "provenance": dataclasses.asdict(self.provenance),
            "ranges": {key: list(span) for key, span in sorted(self.spans.items())},
        }
        with replacing(str(path), force) as partial:
            Path(partial).write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")

    def check_fits(
        self, checkpoint_sha256: str, rungs: Collection[int], aspect: Aspect = SQUARE
    ) -> None:
        """Check that the ranges are of a network, and were observed at the rungs it gets.

        Raises:
            CalibrationError: they are of other weights, of inputs of another form, or of other
                rungs.
        """
        made = self.provenance
        if made.checkpoint_sha256 != checkpoint_sha256:
            raise CalibrationError(
                f"the ranges are of {made.model} with weights {made.checkpoint_sha256[:12]}, but "
                f"the model has {checkpoint_sha256[:12]}; calibrate this model"
            )
        if made.aspect != aspect.text:
            raise CalibrationError(
                f"the ranges were observed on inputs of the form {printable(made.aspect)}, not "
                f"{aspect.text}; calibrate at the sizes of the bundle"
            )
        missing = sorted(set(rungs) - set(made.rungs))
        if missing:
            raise CalibrationError(
                f"the ranges were observed at rungs {_listed(made.rungs)}, not at "
                f"{_listed(missing)}; calibrate with all rungs of the bundle, or export with "
                f"--rungs {_listed(made.rungs, ',')}"
            )


def load_ranges(path: Path) -> ActivationRanges:
    """Read `ranges.json`.

    Raises:
        CalibrationError: the file is missing, damaged, or of another schema version.
    """
    data = read_json(str(path), CalibrationError, "calibrate again")
    try:
        if data["schema_version"] != SCHEMA_VERSION:
            raise CalibrationError(
                f"{printable(path)} has schema version {shown(data['schema_version'])}, this "
                "release reads "
                f"{SCHEMA_VERSION}; calibrate again"
            )
        return ActivationRanges(_spans(data["ranges"]), _provenance(data["provenance"]))
    except (
        ArgumentError,
        ArithmeticError,
        AttributeError,
        KeyError,
        TypeError,
        ValueError,
    ) as error:
        raise CalibrationError(
            f"{printable(path)} is damaged or holds no ranges ({printable(repr(error)[:200])}); "
            "calibrate again"
        ) from None


def _provenance(data: Mapping[str, Any]) -> Provenance:
    made = Provenance(**{**data, "rungs": tuple(data["rungs"])})
    for name, value in (("frames", made.frames), ("seed", made.seed)):
        whole_number(name, value, 0)
    for rung in made.rungs:
        whole_number("a rung", rung, 1)
    for field in dataclasses.fields(made):
        if field.type == "str" and not isinstance(getattr(made, field.name), str):
            raise TypeError(f"{field.name} is no text")
    return made


def _spans(data: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    spans = {}
    for key, (least, greatest) in data.items():
        if not all(type(end) in (int, float) and math.isfinite(end) for end in (least, greatest)):
            raise ValueError(f"{key} is no pair of numbers")
        if not -_LARGEST <= least <= 0.0 <= greatest <= _LARGEST:
            raise ValueError(f"{key} is {least}..{greatest}, which does not hold zero")
        spans[key] = (float(least), float(greatest))
    return spans


def _listed(rungs: Collection[int], separator: str = ", ") -> str:
    return separator.join(str(rung) for rung in rungs)
