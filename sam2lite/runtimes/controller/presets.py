"""The settings of the controller, by name."""

from typing import NamedTuple, Type, Union

from sam2lite.runtimes.controller.last_frame import LastFrame
from sam2lite.runtimes.controller.pid import Gains
from sam2lite.runtimes.controller.time_model import TimeModel


class Preset(NamedTuple):
    """Settings of the controller."""

    gains: Gains
    normalised: bool  # error in shares of the budget; otherwise in ms
    model: Union[Type[TimeModel], Type[LastFrame]]
    hysteresis: float  # share of the budget by which a held rung may be late
    dwell: int  # frames


PRESETS = {
    "default": Preset(
        # Steps are shares of the frame time, so kp closes 70 % of the error a frame, and a step at
        # most halves the time. ki and kd are as published: docs/adr/0004-controller.md.
        Gains(kp=0.7, ki=0.01, kd=0.05, max_step=0.7, integral_zone=0.1),
        normalised=True,
        model=TimeModel,
        # Three standard deviations of the time model's estimate at 5 % noise.
        hysteresis=0.03,
        # As long as the time model needs to speak about a new rung; it learns nothing from less.
        dwell=3,
    ),
    # As published, to show what it does: it oscillates.
    "paper": Preset(
        Gains(kp=0.1, ki=0.01, kd=0.05, max_step=0.05, integral_zone=None),
        normalised=False,
        model=LastFrame,
        hysteresis=0.0,
        dwell=1,
    ),
}
