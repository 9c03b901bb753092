"""Small functions with the tensors of SAM 2's graphs, which depend on every one of their inputs.

Attention is an attention: what is hidden by a bias does not count, and the order of slots means
nothing. Loops of their own, with as many tokens as there are, may call them, too.
"""

from typing import Any, Dict

import numpy as np

EMBED, MEMORY, SPLIT = 256, 64, 4
MASKS = 4
_RANDOM = np.random.RandomState(7)


def _weights(*shape: int) -> np.ndarray:
    scale = 1.0 / np.sqrt(shape[0])
    return (scale * _RANDOM.standard_normal(shape)).astype(np.float32)


_LOOK = _weights(3, EMBED)
_NO_MEMORY = 3 * _weights(1, EMBED)[0]
_HIGH = {2: _weights(3, EMBED // 4), 4: _weights(3, EMBED // 8)}
_QUERY, _OUT = _weights(EMBED, MEMORY), _weights(MEMORY, EMBED)
_TIMES = _weights(7, MEMORY)
_POINTER_TIMES = _weights(2, MEMORY)
_LABELS = 5 * _weights(5, EMBED)
_XY = 4 * _weights(2, EMBED)
_HYPER = _weights(EMBED, MASKS)
_HYPER_1, _HYPER_0 = _weights(EMBED // 4, MASKS), _weights(EMBED // 8, MASKS)
_IOU = 4 * _weights(EMBED, MASKS)
_SCORE = _weights(EMBED, 1)[:, 0]
_POINTERS = 4 * _weights(EMBED, MASKS * EMBED)
NO_POINTER = _weights(1, EMBED)[0]
_REMEMBER, _STROKE = _weights(EMBED, MEMORY), _weights(1, MEMORY)[0]
OCCLUDED = _weights(1, MEMORY)[0]

Arrays = Dict[str, Any]


def _pooled(planes_chw: np.ndarray, side: int) -> np.ndarray:
    channels, height, _ = planes_chw.shape
    step = height // side
    return planes_chw.reshape(channels, side, step, side, step).mean((2, 4))


def _mixed(weights: np.ndarray, planes_chw: np.ndarray) -> np.ndarray:
    return np.einsum("ck,chw->khw", weights, planes_chw)


def _enlarged(planes_chw: np.ndarray, times: int) -> np.ndarray:
    return planes_chw.repeat(times, 1).repeat(times, 2)


def _sigmoid(values: Any) -> Any:
    return 1.0 / (1.0 + np.exp(-np.clip(values, -60, 60)))


def image_encoder(inputs: Arrays) -> Arrays:
    picture = inputs["image_bchw"][0].astype(np.float32) / 128 - 1
    side = picture.shape[1] // 16
    pix = np.tanh(2 * _mixed(_LOOK, _pooled(picture, side)))
    return {
        "pix_feat": pix[np.newaxis],
        "image_embed": pix[np.newaxis] + _NO_MEMORY[:, np.newaxis, np.newaxis],
        "high_res_feats_1": _mixed(_HIGH[2], _pooled(picture, 2 * side))[np.newaxis],
        "high_res_feats_0": _mixed(_HIGH[4], _pooled(picture, 4 * side))[np.newaxis],
    }


def memory_attention(inputs: Arrays) -> Arrays:
    """Takes any numbers of slots and pointers; without a bias, all of them are seen."""
    pix = inputs["pix_feat"][0]
    memory = inputs["memory_features_bnc"][0]
    rows = inputs["memory_time_bs"][0]
    pointers = inputs["object_pointers_bqc"][0]
    ago = inputs["pointer_time_bq"][0]
    query = np.einsum("chw,ck->hwk", pix, _QUERY)
    times = _TIMES[rows].repeat(len(memory) // len(rows), 0)
    sines = np.stack([np.sin(3 * ago), np.cos(3 * ago)], 1).dot(_POINTER_TIMES)
    values = np.concatenate([memory, pointers.reshape(-1, MEMORY)])
    keys = values + np.concatenate([times, sines.repeat(SPLIT, 0)])
    scores = query.dot(keys.T)
    if "memory_bias_b11k" in inputs:
        scores = scores + inputs["memory_bias_b11k"][0, 0, 0]
    shares = np.exp(scores - scores.max(-1, keepdims=True))
    shares = shares / shares.sum(-1, keepdims=True)
    seen = shares.dot(values).dot(_OUT)
    return {"image_embed": (pix + 2 * seen.transpose(2, 0, 1))[np.newaxis].astype(np.float32)}


def mask_downsample(inputs: Arrays) -> Arrays:
    mask = inputs["mask_b1hw"][0]
    return {"mask_input": (7 * _pooled(mask, mask.shape[1] // 4) - 3)[np.newaxis]}


def mask_decoder(inputs: Arrays) -> Arrays:
    """Takes any number of prompt tokens; without a bias, all of them are used."""
    embed = inputs["image_embed"][0]
    xy, labels = inputs["prompt_xy_norm_bpc"][0], inputs["prompt_label_bp"][0]
    places = np.where(labels[:, np.newaxis] == 4, 0, np.sin(6 * xy.dot(_XY)))
    used = np.exp(inputs["prompt_bias_b11p"][0, 0, 0]) if "prompt_bias_b11p" in inputs else 1.0
    tokens = (places + _LABELS[labels]) * np.reshape(used, (-1, 1))
    prompt = np.tanh(tokens.sum(0) / 3)
    dense = inputs["has_mask_input"][0, 0, 0, 0] * inputs["mask_input"][0]
    coarse = embed * (1 + prompt)[:, np.newaxis, np.newaxis]
    coarse = coarse + 0.1 * _pooled(dense, embed.shape[1])
    masks = (
        4 * _enlarged(_mixed(_HYPER, coarse), 4)
        + _enlarged(_mixed(_HYPER_1, inputs["high_res_feats_1"][0]), 2)
        + _mixed(_HYPER_0, inputs["high_res_feats_0"][0])
        + 0.05 * dense
    )
    mean = coarse.mean((1, 2))
    score = float(4 * mean.dot(_SCORE)) + 0.5
    pointers = np.tanh(mean.dot(_POINTERS)).reshape(MASKS, EMBED)
    if score <= 0:
        pointers = np.broadcast_to(NO_POINTER, pointers.shape)
    return {
        "masks": masks[np.newaxis].astype(np.float32),
        "iou_predictions": _sigmoid(mean.dot(_IOU))[np.newaxis].astype(np.float32),
        "object_score_logits": np.full((1, 1), score, np.float32),
        "object_pointers_bmc": pointers[np.newaxis].astype(np.float32),
    }


def memory_encoder(inputs: Arrays) -> Arrays:
    logits = inputs["high_res_mask"][0]
    cut = inputs["binarize"][0, 0, 0, 0]
    mask = 20 * (cut * (logits > 0) + (1 - cut) * _sigmoid(logits)) - 10
    pix = inputs["pix_feat"][0]
    cells = pix.shape[1] * pix.shape[2]
    stroke = 0.1 * _pooled(mask, pix.shape[1]).reshape(cells, 1) * _STROKE
    memory = pix.reshape(EMBED, cells).T.dot(_REMEMBER) + stroke
    if inputs["object_score_logits"][0, 0] <= 0:
        memory = memory + OCCLUDED
    return {"memory_features_bnc": memory[np.newaxis].astype(np.float32)}


def run(graph: str, inputs: Arrays) -> Arrays:
    """Run a graph by its name in the contract."""
    if graph.startswith("memory_attention_"):
        return memory_attention(inputs)
    found: Arrays = globals()[graph](inputs)
    return found
