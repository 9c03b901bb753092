"""Which variant a checkpoint is of: whoever brings it must say so, for nothing in it does."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from sam2lite.errors import ArgumentError
from sam2lite.files.reading import printable
from sam2lite.models.efficienttam.config import PUBLISHED, EfficientTamConfig, VitConfig, variants

_log = logging.getLogger("sam2lite")


def chosen_variant(trunk: VitConfig, variant: str | None, path: Path) -> EfficientTamConfig:
    """Return the network that weights are said to be of.

    The name of the file is never taken for an answer, but where it contradicts one, that is logged
    as a warning.

    Args:
        trunk: of the weights.
        variant: what was said.
        path: of the checkpoint.

    Raises:
        ArgumentError: nothing was said, or what these weights cannot be of; the choices are listed.
    """
    choices = variants(trunk)
    named = path.stem if path.stem in choices else None
    if variant is None:
        hint = "" if named is None else f" (if it was not renamed, the file's name says {named})"
        raise ArgumentError(
            f"{printable(path)} is a checkpoint of EfficientTAM, and its weights do not show which "
            f"variant they are of; say it with --variant, in Python with `variant`{hint}: "
            f"{_listed(choices)}"
        )
    if variant not in choices:
        known = PUBLISHED.get(variant)
        what = (
            f"no variant {printable(repr(variant))[:80]}"
            if known is None
            else f"not {variant}, which has {known.trunk.width} channels"
        )
        raise ArgumentError(
            f"{printable(path)} is a checkpoint of EfficientTAM with {trunk.width} channels and "
            f"{trunk.blocks} blocks, and {what}; its variants are {_listed(choices)}"
        )
    if named not in (None, variant):
        _log.warning(
            "%s is read as %s, and its name says %s; masks are wrong, without any error, if that "
            "is wrong",
            *(printable(path), variant, named),
        )
    return choices[variant]


def _listed(choices: Mapping[str, EfficientTamConfig]) -> str:
    return ", ".join(
        f"{name} ({config.attention} attention to memory, {config.sizes[-1]} px)"
        for name, config in choices.items()
    )
