"""Hugging Face's EdgeTAM for videos; importing this needs timm and torchvision.

Either may be installed without what it depends on: `pip install --no-deps timm torchvision`.
"""

from __future__ import annotations

from transformers import EdgeTamVideoConfig, EdgeTamVideoModel, TimmWrapperConfig
from transformers.models.edgetam.configuration_edgetam import EdgeTamVisionConfig
from transformers.models.edgetam_video import modeling_edgetam_video

from sam2lite.models.edgetam.config import EdgeTamConfig
from sam2lite.models.edgetam.network import EdgeTam
from tests.oracles.edge_networks import edge_hugging_face_state
from tests.oracles.hugging_face import KeepsPromptedFrames, MetaLike, Watched

Session = modeling_edgetam_video.EdgeTamVideoInferenceSession


class EdgeModel(Watched, EdgeTamVideoModel):
    """The model."""

    modeling = modeling_edgetam_video
    session = Session


class _MetaLikeSession(KeepsPromptedFrames, Session):
    pass


class MetaLikeEdgeModel(MetaLike, EdgeModel):
    """The model with Meta's rules."""

    session = _MetaLikeSession


def edge_config(config: EdgeTamConfig, size: int) -> EdgeTamVideoConfig:
    """Return what Hugging Face builds the same network from, for one input side, px."""
    trunk = config.trunk
    backbone = TimmWrapperConfig(
        architecture="repvit_m1",
        model_args={
            "in_chans": 3,
            "features_only": True,
            "out_indices": [0, 1, 2, 3],
            "depth": list(trunk.blocks),
            "embed_dim": list(trunk.widths),
        },
    )
    vision = EdgeTamVisionConfig(
        backbone_config=backbone.to_dict(),
        backbone_channel_list=list(trunk.widths[::-1]),
        backbone_feature_sizes=[[size // stride] * 2 for stride in (4, 8, 16)],
    )
    return EdgeTamVideoConfig(
        vision_config=vision.to_dict(),
        image_size=size,
        prompt_encoder_config={"image_size": size},
        memory_attention_rope_feat_sizes=[size // 16] * 2,
        enable_occlusion_spatial_embedding=False,
        enable_temporal_pos_encoding_for_object_pointers=False,
    )


def edge_model(network: EdgeTam, size: int, kind: type[EdgeModel] = EdgeModel) -> EdgeModel:
    """Return Hugging Face's model with a network's weights, for one input side, px."""
    model: EdgeModel = kind(edge_config(network.config, size)).eval().requires_grad_(False)
    model.load_state_dict(edge_hugging_face_state(network.state_dict()))
    return model
