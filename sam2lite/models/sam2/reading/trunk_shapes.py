"""The trunk of SAM 2's image encoder, told from its tensors.

Width, depth and the position table are in the shapes; heads, windows and the blocks that attend to
everything are not. The published sizes are told by width and depth. Of any other trunk they are
*assumed*, from what the published ones have in common:

* heads of the first stage: those of the published trunk of that width, else 1;
* windows: the first stage's is the side of the position table's window, the others are 4, 14, 7 as
  in three of the four published sizes;
* everything is attended to by three blocks of the third stage at equal distances: its last, and
  two before it, every 0.27 times its depth, rounded, or every block.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from sam2lite.errors import ModelError
from sam2lite.files.reading import printable
from sam2lite.models.sam2.config import PUBLISHED, HieraConfig

_TRUNK = "image_encoder.trunk."
_BLOCK = re.compile(re.escape(_TRUNK) + r"blocks\.(\d{1,3})\.")
_STAGES = 4
_LATER_WINDOWS = (4, 14, 7)
_GLOBAL_SHARE, _GLOBAL_BLOCKS = 0.27, 3
_log = logging.getLogger("sam2lite")


def trunk_of(state: Mapping[str, Tensor], path: Path) -> HieraConfig:
    """Return the trunk that tensors belong to; what is assumed is logged as a warning.

    Args:
        state: tensors by Meta's names; their shapes alone count.
        path: of the checkpoint, for messages.

    Raises:
        ModelError: what tells the trunk is missing, or it has not four stages.
    """
    width = _shape(state, "patch_embed.proj.weight", 4, path)[0]
    background = _shape(state, "pos_embed", 4, path)[2:]
    window = _shape(state, "pos_embed_window", 4, path)[3]
    blocks = _blocks(state, path)
    for config in PUBLISHED.values():
        if (config.trunk.embed_dim, config.trunk.blocks) == (width, blocks):
            return config.trunk
    heads = {config.trunk.embed_dim: config.trunk.heads for config in PUBLISHED.values()}
    trunk = HieraConfig(
        embed_dim=width,
        heads=heads.get(width, 1),
        blocks=blocks,
        windows=(window, *_LATER_WINDOWS),
        global_blocks=_global_blocks(blocks),
        background=(background[0], background[1]),
    )
    _log.warning(
        "%s has a trunk of no published size (width %d, blocks %s), and weights do not say how it "
        "attends; assumed: heads %d in the first stage, windows %s, all cells in blocks %s. Masks "
        "are wrong if that is wrong: a folder with the config.json of Hugging Face says it",
        printable(path),
        *(width, blocks, trunk.heads, trunk.windows, trunk.global_blocks),
    )
    return trunk


def _shape(state: Mapping[str, Tensor], name: str, dimensions: int, path: Path) -> tuple[int, ...]:
    tensor = state.get(_TRUNK + name)
    if tensor is None or tensor.dim() != dimensions or 0 in tensor.shape:
        found = "nothing" if tensor is None else str(list(tensor.shape))
        raise ModelError(
            f"{printable(path)}: {_TRUNK}{name} tells the size of a SAM 2 network by its "
            f"{dimensions} dimensions, found {found}; take the whole checkpoint"
        )
    return tuple(tensor.shape)


def _blocks(state: Mapping[str, Tensor], path: Path) -> tuple[int, int, int, int]:
    """Return how many blocks each stage has: a stage begins where a block has a shortcut."""
    numbers = {int(found[1]) for found in map(_BLOCK.match, state) if found}
    depth = max(numbers, default=-1) + 1
    begins = [n for n in sorted(numbers) if f"{_TRUNK}blocks.{n}.proj.weight" in state]
    ends = [*begins, depth]
    counts = [end - begin for begin, end in zip([0, *begins], ends, strict=True)]
    if len(counts) != _STAGES or 0 in counts:
        raise ModelError(
            f"{printable(path)} has a trunk of {depth} blocks in {len(counts)} stages (new ones "
            f"begin at {begins}); networks of SAM 2 have {_STAGES} stages"
        )
    return (counts[0], counts[1], counts[2], counts[3])


def _global_blocks(blocks: tuple[int, int, int, int]) -> tuple[int, ...]:
    begin, end = sum(blocks[:2]), sum(blocks[:3])
    step = max(1, round(_GLOBAL_SHARE * blocks[2]))
    return tuple(sorted(range(end - 1, begin - 1, -step)[:_GLOBAL_BLOCKS]))
