"""Checkpoints of SAM2-Lite: a folder with `config.json` and `model.safetensors`, written whole.

A network that was trained with INT8 simulated has `ranges.json` as well.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch

from sam2lite.contracts.provenance import LINES, OWN, UNTRAINED
from sam2lite.errors import ModelError, OutputError
from sam2lite.files.staging import FolderKind, staged_folder
from sam2lite.models.activation_ranges import RANGES_FILE, ranges_text, read_ranges
from sam2lite.models.checkpoint import (
    CONFIG_FILE,
    COPY_AGAIN,
    LAYOUT,
    WEIGHTS_FILE,
    check_finite,
    check_fit,
    need_safetensors,
    plain_names,
    read_object,
    read_weights,
)
from sam2lite.models.loaded import LoadedModel
from sam2lite.models.networks import Networks
from sam2lite.models.sam2lite.config import Sam2LiteConfig
from sam2lite.models.sam2lite.network import Sam2Lite, build
from sam2lite.models.tensor_files import claimed_tensors

CHECKPOINT = FolderKind(
    "a checkpoint", CONFIG_FILE, '"licence"', (CONFIG_FILE, WEIGHTS_FILE, RANGES_FILE)
)


def save_checkpoint(
    model: Sam2Lite,
    folder: str | Path,
    *,
    licence: str = "Apache-2.0",
    weights: str = UNTRAINED,
    force: bool = False,
    half: bool = False,
    activation_ranges: Mapping[str, tuple[float, float]] | None = None,
) -> None:
    """Write a network as a checkpoint.

    All its files appear together or not at all.

    Args:
        model: the network, not fused.
        folder: what to create; its parents are created too.
        licence: SPDX identifier of the weights' licence.
        weights: where they come from, a word of `contracts.provenance`.
        force: replace a checkpoint that is there already; nothing else is ever replaced.
        half: store matrices and kernels as FP16, which halves the file; the rest stays FP32.
        activation_ranges: least and greatest input by module path; no file is written for none.

    Raises:
        OutputError: `folder` exists, or cannot be written.
        DependencyError: safetensors is not installed.
    """
    safetensors = need_safetensors("writing a checkpoint")
    folder = Path(folder).resolve()
    if folder.exists() and not force:
        raise OutputError(f"{folder} exists; choose another folder, or replace it with --force")
    state = {name: tensor.cpu().contiguous() for name, tensor in model.state_dict().items()}
    if half:
        # Buffers stay: a running variance may not fit, and Fourier frequencies would be others.
        wide = {name for name, parameter in model.named_parameters() if parameter.ndim > 1}
        state = {name: t.half() if name in wide else t for name, t in state.items()}
    config = {**model.config.to_json(), "licence": licence, "trained": weights != UNTRAINED}
    if weights not in (UNTRAINED, OWN):
        config["weights"] = weights
    with staged_folder(folder, force, CHECKPOINT) as staging:
        (staging / WEIGHTS_FILE).write_bytes(safetensors.torch.save(state))
        (staging / CONFIG_FILE).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        if activation_ranges:
            (staging / RANGES_FILE).write_bytes(ranges_text(activation_ranges))


def read_checkpoint(folder: Path, host: Networks) -> LoadedModel:
    """Read a checkpoint; tensors stored in another floating-point type become FP32.

    Args:
        folder: of the checkpoint.
        host: the family, for what is returned.

    Raises:
        ModelError: a file is missing or damaged, the configuration is not one of a SAM2-Lite
            network, or the weights do not fit it; the message lists them by name and shape. Or the
            ranges are none, or of other modules.
        DependencyError: safetensors is not installed.
    """
    if folder.is_file():
        raise ModelError(f"{folder} is a file; {LAYOUT}, so give its folder")
    config, licence, weights = _read_config(folder / CONFIG_FILE)
    path = folder / WEIGHTS_FILE
    claimed, _ = claimed_tensors(path, ModelError, COPY_AGAIN)
    names = plain_names(claimed, path, say=False)
    try:
        # Without memory or time: a configuration can ask for more than there is.
        with torch.device("meta"):
            outline = build(config)
        check_fit(path, outline.state_dict(), {names[key]: t for key, t in claimed.items()})
        model = build(config)
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise ModelError(
            f"{folder / CONFIG_FILE} describes a network that cannot be built: {error!r}"
        ) from error
    state, sha256 = read_weights(path)
    check_fit(path, model.state_dict(), state)
    model.load_state_dict(state)
    check_finite(path, model.state_dict())
    ranges = read_ranges(folder, dict(model.named_modules()))
    return LoadedModel(model, config, licence, weights, sha256, host, ranges)


def _read_config(path: Path) -> tuple[Sam2LiteConfig, str, str]:
    values = read_object(path)
    licence, trained = values.pop("licence", None), values.pop("trained", None)
    weights = values.pop("weights", OWN if trained else UNTRAINED)
    config = Sam2LiteConfig.from_json(values)
    if not isinstance(licence, str) or not isinstance(trained, bool):
        raise ModelError(
            f"{path} has licence {licence!r} and trained {trained!r}; "
            "they must be a string and true or false"
        )
    if not isinstance(weights, str) or weights not in LINES or (weights != UNTRAINED) != trained:
        raise ModelError(
            f"{path} has weights {weights!r} and trained {trained}; weights are one of "
            f"{', '.join(LINES)}, and only {UNTRAINED!r} are not trained"
        )
    return config, licence, weights
