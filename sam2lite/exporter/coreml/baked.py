"""Position tables at the size that a rung needs: MIL has no bicubic resize, and needs none."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn


def with_baked_tables(module: nn.Module, inputs: Sequence[Tensor]) -> nn.Module:
    """Return a module whose position tables have the sizes that these inputs need.

    Args:
        module: of the network; stays as it is.
        inputs: of the rung.
    """
    import torch

    from sam2lite.models.sam2lite.image_encoder import Stage
    from sam2lite.models.sam2lite.positions import resized_table

    baked = copy.deepcopy(module)

    def bake(stage: nn.Module, given: tuple[Any, ...]) -> None:
        table = resized_table(stage.position_1chw, int(given[0].shape[-1]))  # type: ignore[arg-type]
        stage.position_1chw = torch.nn.Parameter(table.clone(), requires_grad=False)

    hooks = [
        part.register_forward_pre_hook(bake)
        for part in baked.modules()
        if isinstance(part, Stage) and part.position_1chw is not None
    ]
    if hooks:
        with torch.no_grad():
            baked(*inputs)
    for hook in hooks:
        hook.remove()
    return baked
