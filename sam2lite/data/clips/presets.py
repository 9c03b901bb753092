"""The clips that networks are trained on, with every effect at every size; and that of the demo."""

from sam2lite.data.clips.config import ClipConfig, Effect

DEMO_SEED = 4  # of `demo_config`; found by looking
_NONE = Effect(0.0, 0.0)


def demo_config(height: int, width: int, frames: int) -> ClipConfig:
    """Return the configuration of a clip for people: few, plain things in front of a calm ground.

    Object 1 is hidden in the middle. With `DEMO_SEED`, at 540 x 960 px, it is dark and the ground
    is bright.

    Raises:
        ArgumentError: a side or the number of frames is out of its range.
    """
    return ClipConfig(
        height=height,
        width=width,
        frames=frames,
        objects=(2, 4),
        object_size=(0.2, 0.42),
        twin_probability=0.0,
        camouflage_probability=0.0,
        leave_probability=0.0,
        hide_object=True,
        spin=Effect(0.5, 2.0),
        shadow=Effect(1.0, 0.5),
        roll=Effect(0.4, 4.0),
        shake=_NONE,
        gain=_NONE,
        white_balance=_NONE,
        flicker=_NONE,
        vignette=_NONE,
        blur=Effect(1.0, 0.003),
        motion_blur=_NONE,
        noise=_NONE,
    )


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
