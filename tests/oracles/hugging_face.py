"""Hugging Face's SAM 2 for videos, run frame by frame without its processors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import Sam2HieraDetConfig, Sam2VideoConfig, Sam2VideoModel, Sam2VisionConfig
from transformers.models.sam2_video import modeling_sam2_video
from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession

from sam2lite.models.sam2.config import Sam2Config
from sam2lite.models.sam2.network import Sam2
from sam2lite.runtimes.prompts import Prompt
from tests.oracles.feature_noise import changed
from tests.oracles.memory_types import memories_in
from tests.oracles.names import hugging_face_state
from tests.oracles.scenarios import Record, Scenario, Step, played

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Watched:
    """Goes before a model: it encodes frames once, and tells predicted IoUs."""

    get_image_features: Callable[..., Any]
    modeling: ModuleType  # where the model is from
    session: type[Any] = Sam2VideoInferenceSession
    meta_like = False

    def __init__(self, config: Any) -> None:
        super().__init__(config)  # type: ignore[call-arg]
        self._iou = 0.0  # of the last mask
        self._encoded: dict[int, Any] = {}  # by the identity of the frame

    def encoded(self, frame: Tensor) -> dict[str, Any]:
        """Return the features of a frame as sessions keep them, uint8 `[1, 3, S, S]`."""
        if id(frame) not in self._encoded:
            found = self.get_image_features(prepared(frame), return_dict=True)
            kept = {
                "vision_feats": found.fpn_hidden_states,
                "vision_pos_embeds": found.fpn_position_encoding,
            }
            self._encoded[id(frame)] = frame, kept
        known: dict[str, Any] = self._encoded[id(frame)][1]
        return known

    def _single_frame_forward(self, *args: Any, **kwargs: Any) -> Any:
        found: Any = super()._single_frame_forward(*args, **kwargs)  # type: ignore[misc]
        self._iou = float(found.iou_scores.max())
        return found

    def _use_mask_as_output(self, *args: Any, **kwargs: Any) -> Any:
        found = super()._use_mask_as_output(*args, **kwargs)  # type: ignore[misc]
        self._iou = 1.0
        return found

    def _run_single_frame_inference(self, *args: Any, **kwargs: Any) -> Any:
        found = super()._run_single_frame_inference(*args, **kwargs)  # type: ignore[misc]
        return {**found, "iou": self._iou}


class HuggingFaceModel(Watched, Sam2VideoModel):
    """The model, which keeps objects apart."""

    modeling = modeling_sam2_video

    def _batch_encode_memories(
        self,
        inference_session: Any,
        frame_idx: int,
        objects_needing_memory_encoding: list[int],
        high_res_masks_for_memory: list[Tensor],
        object_score_logits_for_memory: list[Tensor],
        is_mask_from_pts_per_obj: list[bool],
    ) -> None:
        # One object at a time: together, a prompt for one changes the memory of all others.
        for object_idx, mask, score, prompted in zip(
            objects_needing_memory_encoding,
            high_res_masks_for_memory,
            object_score_logits_for_memory,
            is_mask_from_pts_per_obj,
            strict=True,
        ):
            super()._batch_encode_memories(
                inference_session, frame_idx, [object_idx], [mask], [score], [prompted]
            )


class KeepsPromptedFrames:
    """Goes before a session: prompted frames become conditioning ones, as Meta's may be told."""

    point_inputs_per_obj: dict[int, Any]
    mask_inputs_per_obj: dict[int, Any]
    output_dict_per_obj: dict[int, Any]

    def store_output(
        self,
        obj_idx: int,
        frame_idx: int,
        output_key: str | None = None,
        output_value: Any = None,
        is_conditioning_frame: bool = True,
    ) -> None:
        if output_key is None:
            inputs = (self.point_inputs_per_obj[obj_idx], self.mask_inputs_per_obj[obj_idx])
            is_conditioning_frame |= any(frame_idx in given for given in inputs)
            if is_conditioning_frame:
                self.output_dict_per_obj[obj_idx]["non_cond_frame_outputs"].pop(frame_idx, None)
        super().store_output(  # type: ignore[misc]
            obj_idx, frame_idx, output_key, output_value, is_conditioning_frame
        )


class _MetaLikeSession(KeepsPromptedFrames, Sam2VideoInferenceSession):
    pass


class MetaLike:
    """Goes before a watched model: it does what Meta's predictor does where the two differ.

    A user's mask is remembered as it is shown, with the pointer of the first candidate; a further
    click starts from what was decided; a frame that tracking has passed sees memory, its own too.
    """

    meta_like = True
    _drawing = False

    def _single_frame_forward(self, *args: Any, **kwargs: Any) -> Any:
        if self._drawing:
            kwargs["multimask_output"] = False
        return super()._single_frame_forward(*args, **kwargs)  # type: ignore[misc]

    def _use_mask_as_output(self, *args: Any, **kwargs: Any) -> Any:
        self._drawing = True
        found = super()._use_mask_as_output(*args, **kwargs)  # type: ignore[misc]
        self._drawing = False
        found.high_res_masks = F.interpolate(
            found.pred_masks, found.high_res_masks.shape[-2:], mode="bilinear"
        )
        return found

    def _run_single_frame_inference(self, *args: Any, **kwargs: Any) -> Any:
        session, frame_idx, obj_idx = (
            kwargs[name] for name in ("inference_session", "frame_idx", "obj_idx")
        )
        if kwargs["point_inputs"] is not None:
            for store in session.output_dict_per_obj[obj_idx].values():
                if frame_idx in store:
                    kwargs["prev_sam_mask_logits"] = store[frame_idx]["pred_masks"].clamp(-32, 32)
        return super()._run_single_frame_inference(*args, **kwargs)  # type: ignore[misc]


class MetaLikeModel(MetaLike, HuggingFaceModel):
    """The model with Meta's rules."""

    session = _MetaLikeSession


def hugging_face_config(config: Sam2Config, size: int) -> Sam2VideoConfig:
    """Return what Hugging Face builds the same network from, for one input side, px."""
    trunk, stages = config.trunk, range(len(config.trunk.blocks))
    widths = [trunk.embed_dim << stage for stage in stages]
    hiera = Sam2HieraDetConfig(
        hidden_size=trunk.embed_dim,
        num_attention_heads=trunk.heads,
        blocks_per_stage=list(trunk.blocks),
        embed_dim_per_stage=widths,
        num_attention_heads_per_stage=[trunk.heads << stage for stage in stages],
        window_size_per_stage=list(trunk.windows),
        global_attention_blocks=list(trunk.global_blocks),
        window_positional_embedding_background_size=list(trunk.background),
        image_size=[size, size],
    )
    vision = Sam2VisionConfig(
        backbone_config=hiera.to_dict(),
        backbone_channel_list=widths[::-1],
        backbone_feature_sizes=[[size // stride] * 2 for stride in (4, 8, 16)],
    )
    return Sam2VideoConfig(
        vision_config=vision.to_dict(),
        image_size=size,
        prompt_encoder_config={"image_size": size},
        memory_attention_rope_feat_sizes=[size // 16] * 2,
        enable_occlusion_spatial_embedding=config.occlusion_embedding,
        enable_temporal_pos_encoding_for_object_pointers=config.pointer_time,
    )


def hugging_face_model(
    network: Sam2, size: int, kind: type[HuggingFaceModel] = HuggingFaceModel
) -> HuggingFaceModel:
    """Return Hugging Face's model with a network's weights, for one input side, px."""
    model = kind(hugging_face_config(network.config, size)).eval().requires_grad_(False)
    model.load_state_dict(hugging_face_state(network.state_dict()))
    return model


def prepared(frame: Tensor) -> Tensor:
    """Return a frame as the model takes it, float32, of uint8 `[1, 3, S, S]`."""
    mean, std = (torch.tensor(rows).reshape(1, 3, 1, 1) for rows in (_MEAN, _STD))
    return (frame / 255.0 - mean) / std


def run_hugging_face(
    model: Any,
    frames: Sequence[Tensor],
    scenario: Scenario,
    memory_dtype: str = "bfloat16",
    draw: int | None = None,
) -> list[Record]:
    """Return what is decided at every step.

    Args:
        model: see `hugging_face_model`; or another one that is `Watched`.
        frames: uint8 `[1, 3, H, W]`.
        scenario: what is done.
        memory_dtype: what memory is stored in; the model has no choice but bfloat16.
        draw: which change of features, see `changed`; none if not given.
    """
    height, width = frames[0].shape[2:]
    images = torch.cat([prepared(frame) for frame in frames])
    session = model.session(
        None if scenario.streaming else images,
        height,
        width,
        dtype=torch.float32,
        max_vision_features_cache_size=len(frames) + 1,
    )
    maps = changed(draw)
    for index, frame in enumerate(frames):
        known = model.encoded(frame)
        features = [maps(map_nbc) for map_nbc in known["vision_feats"]]
        session.cache.cache_vision_features(index, {**known, "vision_feats": features})

    def do(step: Step) -> None:
        frame_index, object_id, prompt = step
        if object_id is not None and prompt is not None:
            _give(session, frame_index, object_id, prompt)
        streamed = images[frame_index][None] if scenario.streaming else None
        model(session, frame_idx=frame_index, frame=streamed)
        if model.meta_like and prompt is None:
            for passed in session.frames_tracked_per_obj.values():
                passed[frame_index] = {"reverse": False}

    with torch.no_grad(), memories_in(memory_dtype, model.modeling):
        return played(scenario, do, lambda: session.obj_ids, partial(_record, session))


def _give(session: Any, frame_index: int, object_id: int, prompt: Prompt) -> None:
    """Do what the processor does, for a video of the network's own input size."""
    index = session.obj_id_to_idx(object_id)
    session.remove_point_inputs(index, frame_index)
    session.remove_mask_inputs(index, frame_index)
    if prompt.mask_hw is not None:
        mask_b1hw = torch.from_numpy(prompt.mask_hw)[None, None].float()
        session.add_mask_inputs(index, frame_index, mask_b1hw)
    else:
        corners = [] if prompt.box_xyxy is None else prompt.box_xyxy.reshape(2, 2).tolist()
        points = torch.tensor([[corners + prompt.points_xy.tolist()]], dtype=torch.float32)
        labels = torch.tensor([[[2, 3][: len(corners)] + prompt.labels.tolist()]])
        inputs = {"point_coords": points, "point_labels": labels.int()}
        session.add_point_inputs(index, frame_index, inputs)
    if object_id not in session.obj_with_new_inputs:
        session.obj_with_new_inputs.append(object_id)


def _record(session: Any, frame_index: int, object_id: int, prompted: bool) -> Record:
    stores = session.output_dict_per_obj[session.obj_id_to_idx(object_id)]
    conditioning = stores["cond_frame_outputs"].get(frame_index)
    found = conditioning or stores["non_cond_frame_outputs"][frame_index]
    return Record(
        frame_index,
        object_id,
        prompted,
        found["pred_masks"].reshape(found["pred_masks"].shape[-2:]).numpy().copy(),
        float(found["object_score_logits"]),
        found["iou"],
        found["object_pointer"].reshape(-1).numpy().copy(),
    )
