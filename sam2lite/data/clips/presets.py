"""The clips that networks are trained on: every effect, at every size."""

from sam2lite.data.clips.config import ClipConfig, Effect


def training_config(side_px: int, frames: int) -> ClipConfig:
    """Return the configuration of square training clips, of `side_px` and `frames`.

    Its seed space is 0. Clips of evaluation have others.

    Raises:
        ArgumentError: the side or the number of frames is out of its range.
    """
    return ClipConfig(
        height=side_px,
        width=side_px,
        frames=frames,
        object_size=(0.06, 0.85),
        twin_probability=0.35,
        thin_probability=0.14,
        holed_probability=0.12,
        limbs_probability=0.22,
        patch_probability=0.25,
        rider_probability=0.15,
        meeting_probability=0.35,
        stuff_probability=0.15,
        bend=Effect(0.35, 0.30),
        swing=Effect(0.9, 40.0),
        shadow=Effect(0.5, 0.6),
        compression=Effect(0.25, 85.0),
    )
