"""Hugging Face's SAM 2 on a CPU, for sam2_cpu.py: its loop with a full memory, and its parts.

The loop is `Sam2VideoModel` on a stream, a frame at a time. Frames are stretched and masks brought
back as ours are, so that both ends of a frame cost the same.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from sam2_cpu_loop import FullLoop
from transformers import AutoConfig

from sam2lite.contracts.families.sam2 import (
    EMBED_CHANNELS,
    MEMORY_CHANNELS,
    POINTER_FRAMES,
    POINTER_TOKENS,
)
from sam2lite.runtimes.geometry import network_input, source_mask

FAMILIES = {"sam2": "Sam2", "edgetam": "EdgeTam"}  # in the names of classes, by type of model
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
POINTER_KEYS = POINTER_FRAMES * POINTER_TOKENS


class HuggingFace(FullLoop):
    """The model and one object in it."""

    def __init__(
        self,
        folder: Path,
        frame_bgr: np.ndarray,
        attention: str,
        compiled: bool,
    ) -> None:
        """Load; no object is followed yet.

        Args:
            folder: of the model.
            frame_bgr: any of the video, uint8 [height, width, 3].
            attention: implementation of it, `sdpa` or `eager`.
            compiled: whether image encoder and memory attention go through torch.compile.
        """
        family = AutoConfig.from_pretrained(folder).model_type.removesuffix("_video")
        kinds = (f"{FAMILIES[family]}Video{kind}" for kind in ("Model", "InferenceSession"))
        model_class, session_class = (getattr(transformers, kind) for kind in kinds)
        model: Any = model_class.from_pretrained(folder, attn_implementation=attention)
        self._model = model.eval().requires_grad_(False)
        if compiled:
            self._model.vision_encoder.compile(dynamic=False)
            self._model.memory_attention.compile(dynamic=False)
        self._size = int(self._model.config.image_size)
        height, width = frame_bgr.shape[:2]
        self._session = session_class(None, height, width, dtype=torch.float32)

    @torch.inference_mode()
    def _tracked(self, frame_bgr: np.ndarray, index: int) -> np.ndarray:
        pixels = self._pixels(frame_bgr)
        found = self._model(self._session, frame_idx=index, frame=pixels)
        height, width = frame_bgr.shape[:2]
        return source_mask(found.pred_masks[0, 0].numpy(), width, height)

    def _pixels(self, frame_bgr: np.ndarray) -> torch.Tensor:
        image = torch.from_numpy(network_input(frame_bgr, self._size))
        mean, std = (torch.tensor(rows).reshape(1, 3, 1, 1) for rows in (MEAN, STD))
        return (image / 255.0 - mean) / std

    def _point(self, frame_bgr: np.ndarray, click: tuple[int, int]) -> None:
        """Do what the processor does with a click."""
        height, width = frame_bgr.shape[:2]
        index = self._session.obj_id_to_idx(1)
        scaled = [click[0] / width * self._size, click[1] / height * self._size]
        inputs = {
            "point_coords": torch.tensor([[[scaled]]]),
            "point_labels": torch.ones((1, 1, 1), dtype=torch.int32),
        }
        self._session.add_point_inputs(index, 0, inputs)
        self._session.obj_with_new_inputs.append(1)

    def _filled(self, following: int) -> tuple[int, int]:
        tracked = self._session.output_dict_per_obj[0]["non_cond_frame_outputs"]
        for index in range(2, following):
            tracked[index] = dict(tracked[1])
        memories = self._model._gather_memory_frame_outputs(self._session, 0, following)
        seen = [output for _, output in memories if output is not None]
        _, pointers, _ = self._model._get_object_pointers(
            self._session, 0, following, 1, torch.device("cpu"), streaming=True
        )
        return len(seen), len(pointers)

    def parts(self, frame_bgr: np.ndarray, slots: tuple[int, ...]) -> dict[str, Callable[[], Any]]:
        """See `FullLoop`."""
        model, size = self._model, self._size
        pixels = self._pixels(frame_bgr)
        with torch.inference_mode():
            encoded = model.get_image_features(pixels, return_dict=True)
        features, positions = encoded.fpn_hidden_states, encoded.fpn_position_encoding
        maps = [
            map_nbc.permute(1, 2, 0).reshape(1, -1, size // stride, size // stride)
            for map_nbc, stride in zip(features, (4, 8, 16), strict=True)
        ]
        mask = torch.randn(1, 1, size, size)

        def attention(count: int) -> Callable[[], Any]:
            keys = count * (size // 16) ** 2 + POINTER_KEYS
            memory, places = torch.randn(2, keys, 1, MEMORY_CHANNELS)
            return lambda: model.memory_attention(
                current_vision_features=features[-1],
                current_vision_position_embeddings=positions[-1],
                memory=memory,
                memory_posision_embeddings=places,
                num_object_pointer_tokens=POINTER_KEYS,
            )

        assert maps[-1].shape[1] == EMBED_CHANNELS
        parts: dict[str, Callable[[], Any]] = {
            "image_encoder": lambda: model.get_image_features(pixels, return_dict=True),
            **{f"memory_attention_{count}": attention(count) for count in slots},
            "mask_decoder": lambda: model._single_frame_forward(image_embeddings=maps),
            "memory_encoder": lambda: model._encode_new_memory(
                features[-1], mask, torch.ones(1, 1), False
            ),
        }
        return {name: torch.inference_mode()(part) for name, part in parts.items()}
