"""Parts of a network that a recipe can leave in float, whatever the family."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sam2lite.calibration.assignment import PrecisionAssignment
    from sam2lite.models.loaded import LoadedModel

_BLOCK = re.compile(r"(?P<stack>.*?)\.(?P<index>\d+)\.")


def without_skipped(
    plan: PrecisionAssignment, loaded: LoadedModel, skips: Collection[str]
) -> PrecisionAssignment:
    """Return an assignment that keeps parts of the network in float.

    Args:
        plan: so far.
        loaded: the network.
        skips: of `SKIPS`.
    """
    for skip in skips:
        plan = plan.without(skipped(loaded, skip), f"quant.wgts.skip_{skip}")
    return plan


def skipped(loaded: LoadedModel, skip: str) -> list[str]:
    """Return the paths of the layers of a part, of all that may be lowered.

    Args:
        loaded: the network.
        skip: one of `SKIPS`.
    """
    from sam2lite.calibration.quant.settings import DECODER, FIRST, PATCH_EMBED

    paths = loaded.quantizable_paths()
    family = loaded.family
    if skip == DECODER:
        makers = [g.name for g in family.graphs if family.object_score in g.output_names]
        return [path for path in paths if path.split(".")[0] in makers]
    encoder = [path for path in paths if path.startswith(f"{family.image_encoder.name}.")]
    if skip == PATCH_EMBED:
        return encoder[:1]
    blocks = _blocks(encoder)
    return blocks[0 if skip == FIRST else -1] if blocks else []


def _blocks(paths: Sequence[str]) -> list[list[str]]:
    """Return the layers of each block of the stack with the most layers, in its order."""
    stacks: dict[str, dict[int, list[str]]] = {}
    for path in paths:
        found = _BLOCK.match(path)
        if found is not None:
            stack = stacks.setdefault(found["stack"], {})
            stack.setdefault(int(found["index"]), []).append(path)
    if not stacks:
        return []
    longest = max(stacks.values(), key=lambda stack: sum(map(len, stack.values())))
    return [longest[index] for index in sorted(longest)]
