"""Meta's own predictor, where its package is installed: `pip install sam2`, or its source."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from sam2lite.contracts.families.sam2 import CONDITIONING_FRAMES
from sam2lite.models.sam2.config import HieraConfig
from sam2lite.models.sam2.network import Sam2
from tests.oracles import meta_parts
from tests.oracles.feature_noise import changed
from tests.oracles.hugging_face import prepared
from tests.oracles.memory_types import memories_in
from tests.oracles.scenarios import Record, Scenario, Step, played


def meta_predictor(network: Sam2, size: int, corrections: str = "conditioning") -> Any:
    """Return Meta's predictor with a network's weights, as its own function builds it.

    Args:
        network: its tensors have Meta's names.
        size: input side, px.
        corrections: `conditioning` or `in-place`.
    """
    from sam2.modeling import memory_attention, memory_encoder, position_encoding
    from sam2.modeling.sam import transformer
    from sam2.sam2_video_predictor import SAM2VideoPredictor

    config = network.config
    predictor = SAM2VideoPredictor(
        image_encoder=_image_encoder(config.trunk),
        memory_attention=meta_parts.memory_attention(memory_attention, transformer, size),
        memory_encoder=meta_parts.memory_encoder(memory_encoder, position_encoding),
        image_size=size,
        no_obj_embed_spatial=config.occlusion_embedding,
        use_high_res_features_in_sam=True,
        add_tpos_enc_to_obj_ptrs=config.pointer_time,
        proj_tpos_enc_in_obj_ptrs=config.pointer_time,
        use_signed_tpos_enc_to_obj_ptrs=config.pointer_time,
        max_cond_frames_in_attn=CONDITIONING_FRAMES,
        add_all_frames_to_correct_as_cond=corrections == "conditioning",
        **meta_parts.OPTIONS,
    )
    predictor.load_state_dict(network.state_dict())
    return predictor.eval()


def _image_encoder(trunk: HieraConfig) -> Any:
    from sam2.modeling.backbones.hieradet import Hiera
    from sam2.modeling.backbones.image_encoder import FpnNeck, ImageEncoder
    from sam2.modeling.position_encoding import PositionEmbeddingSine

    hiera = Hiera(
        embed_dim=trunk.embed_dim,
        num_heads=trunk.heads,
        stages=trunk.blocks,
        window_spec=trunk.windows,
        global_att_blocks=trunk.global_blocks,
        window_pos_embed_bkg_spatial_size=trunk.background,
    )
    neck = FpnNeck(
        position_encoding=PositionEmbeddingSine(num_pos_feats=256),
        d_model=256,
        backbone_channel_list=hiera.channel_list,
        fpn_top_down_levels=[2, 3],
        fpn_interp_model="nearest",
    )
    return ImageEncoder(trunk=hiera, neck=neck, scalp=1)


def run_meta(
    predictor: Any,
    frames: Sequence[Tensor],
    scenario: Scenario,
    memory_dtype: str = "bfloat16",
    draw: int | None = None,
) -> list[Record]:
    """Return what is decided at every step; the predictor knows the length of every video.

    Args:
        predictor: see `meta_predictor`; or one of a family whose code is made from Meta's.
        frames: uint8 `[1, 3, S, S]`.
        scenario: what is done.
        memory_dtype: what memory is stored in; the predictor has no choice but bfloat16.
        draw: which change of features, see `changed`; none if not given.
    """
    module = sys.modules[type(predictor).__module__]
    side = int(frames[0].shape[-1])
    images = torch.cat([prepared(frame) for frame in frames])
    with (
        mock.patch.object(module, "load_video_frames", return_value=(images, side, side)),
        mock.patch.object(module, "tqdm", lambda steps, **_: steps),
        memories_in(memory_dtype, module),
        _ious_kept(predictor),
        _features_changed(predictor, draw),
    ):
        state = predictor.init_state("a clip")
        return played(
            scenario,
            partial(_do, predictor, state),
            lambda: state["obj_ids"],
            partial(_record, state),
        )


def _do(predictor: Any, state: Any, step: Step) -> None:
    frame_index, object_id, prompt = step
    if object_id is None or prompt is None:
        for _ in predictor.propagate_in_video(state, frame_index, 0):
            pass
    elif prompt.mask_hw is not None:
        predictor.add_new_mask(state, frame_index, object_id, prompt.mask_hw)
    else:
        predictor.add_new_points_or_box(
            state,
            frame_index,
            object_id,
            prompt.points_xy.astype("float32"),
            prompt.labels,
            box=None if prompt.box_xyxy is None else prompt.box_xyxy.astype("float32"),
        )


def _record(state: Any, frame_index: int, object_id: int, prompted: bool) -> Record:
    index = state["obj_id_to_idx"][object_id]
    found = next(
        state[owner][index][store][frame_index]
        for owner in ("temp_output_dict_per_obj", "output_dict_per_obj")
        for store in ("cond_frame_outputs", "non_cond_frame_outputs")
        if frame_index in state[owner][index][store]
    )
    return Record(
        frame_index,
        object_id,
        prompted,
        found["pred_masks"][0, 0].numpy().copy(),
        float(found["object_score_logits"]),
        found["iou"],
        found["obj_ptr"][0].numpy().copy(),
    )


@contextmanager
def _ious_kept(predictor: Any) -> Iterator[None]:
    """Let outputs have the predicted IoU of their mask."""
    heads, drawn, whole = (
        getattr(predictor, name)
        for name in ("_forward_sam_heads", "_use_mask_as_output", "_run_single_frame_inference")
    )
    last = [0.0]

    def kept(function: Any) -> Any:
        def called(*args: Any, **kwargs: Any) -> Any:
            found = function(*args, **kwargs)
            last[0] = float(found[2].max())
            return found

        return called

    def with_iou(*args: Any, **kwargs: Any) -> Any:
        output, shown = whole(*args, **kwargs)
        return {**output, "iou": last[0]}, shown

    with (
        mock.patch.object(predictor, "_forward_sam_heads", kept(heads)),
        mock.patch.object(predictor, "_use_mask_as_output", kept(drawn)),
        mock.patch.object(predictor, "_run_single_frame_inference", with_iou),
    ):
        yield


@contextmanager
def _features_changed(predictor: Any, draw: int | None) -> Iterator[None]:
    whole, maps = predictor.forward_image, changed(draw)

    def called(image: Tensor) -> Any:
        found = whole(image)
        return {**found, "backbone_fpn": [maps(each) for each in found["backbone_fpn"]]}

    with mock.patch.object(predictor, "forward_image", called):
        yield
