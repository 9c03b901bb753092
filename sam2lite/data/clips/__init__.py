"""Procedural video clips with exact object masks, for training, calibration and tests.

`generate_clip(seed, ClipConfig())` draws a scene of textured, deforming objects before a moving
camera. The same seed and configuration give the same bytes on one machine and one set of library
versions, in whatever process and order the clips are made.
"""

from sam2lite.data.clips.clip import Clip, deepest_point, first_click
from sam2lite.data.clips.config import ClipConfig, Effect
from sam2lite.data.clips.generate import generate_clip
from sam2lite.data.clips.presets import training_config
from sam2lite.data.clips.writers import write_davis, write_video

__all__ = [
    "Clip",
    "ClipConfig",
    "Effect",
    "deepest_point",
    "first_click",
    "generate_clip",
    "training_config",
    "write_davis",
    "write_video",
]
