"""Checkpoints: Meta's names with another trunk, as nanosam2 and `distill-encoder` write them."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from sam2lite.contracts.families.backbones import NAME
from sam2lite.errors import ModelError
from sam2lite.files.reading import printable
from sam2lite.models.backbones.config import (
    BackboneConfig,
    CasVitConfig,
    Four,
    MobileNetConfig,
    ResNetConfig,
    TrunkConfig,
    config_of,
)
from sam2lite.models.backbones.network import BackboneNetwork
from sam2lite.models.backbones.reading.recognition import (
    CASVIT,
    FAKE_QUANTIZER,
    RESNET,
    TRUNK,
)
from sam2lite.models.checkpoint import CONFIG_FILE
from sam2lite.models.found import Found
from sam2lite.models.sam2.reading.checkpoint import NO_WEIGHTS, Checkpoint, Reader, read

_COUNTERS = ".num_batches_tracked"  # of batch norms, which training alone reads
_OF_2_1 = ("no_obj_embed_spatial", "obj_ptr_tpos_proj.weight")
_BOTTLENECK = f"{TRUNK}layer1.0.conv3.weight"
# By stage, from the names of tensors of its blocks; and one whose rows are the stage's channels.
_RESNET = re.compile(re.escape(TRUNK) + r"layer([1-4])\.(\d{1,3})\.conv1\.weight$")
_CASVIT = re.compile(re.escape(TRUNK) + r"network\.([0246])\.(\d{1,3})\.attn\.proj\.weight$")
_LARGEST = 2048  # px, of an input
_log = logging.getLogger("sam2lite")


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint; the tensors say what its trunk is, and of which version its heads are.

    What optimisers and fake quantizers keep beside the weights is left out; the latter is said.

    Args:
        path: see `sam2.reading.checkpoint.read`.

    Raises:
        ModelError: see there; or the trunk is of no kind that is known.
        DependencyError: safetensors is not installed.
    """
    return read(path, _READER)


def _by_meta_names(stored: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    return {
        name: tensor
        for name, tensor in stored.items()
        if not (NO_WEIGHTS.match(name) or name.endswith(_COUNTERS) or FAKE_QUANTIZER.match(name))
    }


def _told(found: Found, claims: Mapping[str, Tensor]) -> BackboneConfig:
    _tell_of_quantizers(found)
    of_2_1 = any(name in claims for name in _OF_2_1)
    return config_of(_trunk_of(claims, found.path), of_2_1, _sizes_said(found))


def _tell_of_quantizers(found: Found) -> None:
    quantizers = sorted(key for key in found.keys if FAKE_QUANTIZER.match(key))
    if quantizers:
        _log.warning(
            "%s was trained with INT8 simulated by PyTorch and holds no INT8: %d of its %d "
            "tensors (such as %s) are scales, ranges and switches of observers and fake "
            "quantizers, and are left out; the weights beside them are in float and were taken as "
            "they are; an INT8 bundle takes its ranges from footage (--calib)",
            printable(found.path),
            len(quantizers),
            len(found.keys),
            printable(quantizers[0]),
        )


def _sizes_said(found: Found) -> tuple[int, ...] | None:
    """Return the input sizes that a configuration of this family names."""
    if found.config is None or found.config.get("model_type") != NAME:
        return None
    sizes, step = found.config.get("sizes"), BackboneConfig.stride
    if not isinstance(sizes, list) or not sizes or not all(_sound(size) for size in sizes):
        raise ModelError(
            f"{printable(found.path / CONFIG_FILE)}: `sizes` is {sizes!r:.60}; it must be a list "
            f"of multiples of {step}"
        )
    return tuple(sorted(set(sizes)))


def _sound(size: object) -> bool:
    step = BackboneConfig.stride
    return type(size) is int and step <= size <= _LARGEST and size % step == 0


def _trunk_of(claims: Mapping[str, Tensor], path: Path) -> TrunkConfig:
    if any(name.startswith(RESNET) for name in claims):
        if _BOTTLENECK in claims:
            raise ModelError(
                f"{printable(path)}: the trunk is a ResNet with bottlenecks (50 layers or more); "
                "those with plain blocks are taken, such as resnet18"
            )
        return ResNetConfig(*_stages(_RESNET, claims, path))
    if any(name.startswith(CASVIT) for name in claims):
        return CasVitConfig(*_stages(_CASVIT, claims, path))
    return MobileNetConfig()


def _stages(sign: re.Pattern[str], claims: Mapping[str, Tensor], path: Path) -> tuple[Four, Four]:
    """Return channels and blocks of four stages, by tensors whose rows are the channels."""
    widths: dict[str, int] = {}
    blocks: dict[str, int] = {}
    for name, tensor in claims.items():
        found = sign.match(name)
        if found:
            stage = found[1]
            widths[stage] = int(tensor.shape[0]) if tensor.dim() == 4 else 0
            blocks[stage] = max(blocks.get(stage, 0), int(found[2]) + 1)
    if len(widths) != 4 or 0 in widths.values() or next(iter(widths.values())) % 2:
        raise ModelError(
            f"{printable(path)}: the trunk has stages of {list(widths.values())} channels; four "
            "are needed; take the whole checkpoint"
        )
    return _four(widths), _four(blocks)


def _four(by_stage: Mapping[str, int]) -> Four:
    first, second, third, fourth = (by_stage[stage] for stage in sorted(by_stage))
    return first, second, third, fourth


_READER = Reader(
    _by_meta_names, _told, BackboneNetwork, lambda config: f"SAM {config.version} behind a trunk"
)
