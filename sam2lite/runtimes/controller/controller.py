"""Keeps the frame time within a budget: measures, predicts, and chooses the next frame's rung."""

import math
from typing import NamedTuple, Optional, Sequence

from sam2lite.errors import ArgumentError, UnknownNameError
from sam2lite.runtimes.controller.ladder import Ladder
from sam2lite.runtimes.controller.levels import build_levels
from sam2lite.runtimes.controller.pid import Pid
from sam2lite.runtimes.controller.presets import PRESETS

HOLDING = "holding"
SETTLING = "settling"
SATURATED = "saturated"

LATENCY_LIMIT_MS = 3.6e6  # a frame of an hour is a machine that slept
LOG_RATIO_LIMIT = 20.0  # keeps the error finite; the step is limited long before


class ControllerState(NamedTuple):
    """What the next frame should run at.

    `status` is "holding", "settling" (a rung was changed or is not known yet) or "saturated" (even
    the lowest rung does not fit). `latency_ms` is the last frame that counted, 0 before the first.
    `scale` is the continuous wish behind the rung, as a share of the largest.
    """

    rung: int
    window: int
    status: str
    latency_ms: float
    scale: float


class FrameController:
    """Holds the highest rung whose time fits the budget.

    A PID moves a continuous scale until a frame at that scale would take exactly the budget; what
    it would take is the time model's answer, so that the gaps between rungs are no error and
    cannot wind up. A ladder rounds the scale down to a rung, with hysteresis and dwell.

    Args:
        budget_ms: time that a frame may take.
        rungs: input sides that the bundle holds, in px, in any order.
        preset: "default", or "paper" for the published law, which oscillates.
        windows: memory windows that the bundle has graphs of different size for, ascending, stored
            frames. If there are any, the window is the last thing to shrink and the first to grow
            back; if not, it stays at its maximum, for a smaller one would cost quality and save
            nothing.
        start_rung: rung of the first frame; the largest unless given.

    Raises:
        ArgumentError: a budget or rungs that are not positive, or windows that do not ascend.
        UnknownNameError: an unknown preset, or a start rung that the bundle does not hold.
    """

    def __init__(
        self,
        budget_ms: float,
        rungs: Sequence[int],
        preset: str = "default",
        windows: Sequence[int] = (),
        start_rung: Optional[int] = None,
    ) -> None:
        if not 0.0 < budget_ms < LATENCY_LIMIT_MS:
            raise ArgumentError(
                "the frame budget is {} ms; give one above 0, such as 33.3".format(budget_ms)
            )
        if preset not in PRESETS:
            raise UnknownNameError("controller preset", preset, sorted(PRESETS))
        settings = PRESETS[preset]
        self._levels = build_levels(rungs, windows)
        self._whole = self._levels[-1].window
        self._index = {(level.rung, level.window): i for i, level in enumerate(self._levels)}
        start = self._level_of(max(rungs) if start_rung is None else start_rung, self._whole)
        scales = [level.scale for level in self._levels]
        self._error_unit = 1.0 if settings.normalised else budget_ms
        self._log_budget = math.log(budget_ms)
        self._model = settings.model(scales)
        self._pid = Pid(settings.gains)
        self._scale = scales[start]
        self._ladder = Ladder(scales, start, settings.hysteresis, settings.dwell)
        self._status = SETTLING
        self._latency_ms = 0.0

    @property
    def rung(self) -> int:
        """Input side of the next frame, px."""
        return self._levels[self._ladder.level].rung

    @property
    def window(self) -> int:
        """Stored frames that the next frame's decoder may see, beside the anchors."""
        return self._levels[self._ladder.level].window

    @property
    def status(self) -> str:
        """One of "holding", "settling" and "saturated"."""
        return self._status

    @property
    def state(self) -> ControllerState:
        """All of it, for the next frame."""
        scale = max(self._scale, self._levels[0].rung / self._levels[-1].rung)
        return ControllerState(self.rung, self.window, self._status, self._latency_ms, scale)

    def observe(self, latency_ms: float, rung: Optional[int] = None) -> ControllerState:
        """Take in one processed frame and say what the next one should run at.

        Frames whose time says nothing (prompts, a rung's first use) are not observed. A time that
        is no number, not above 0 or longer than an hour is ignored.

        Args:
            latency_ms: what the frame took.
            rung: what it ran at, if that was not `self.rung`: a rung that is being loaded.

        Raises:
            UnknownNameError: a rung that the bundle does not hold.
        """
        ran = self._level_of(self.rung if rung is None else rung, self.window)
        if 0.0 < latency_ms < LATENCY_LIMIT_MS:
            self._latency_ms = latency_ms
            self._model.observe(ran, latency_ms)
            if self._model.started:
                self._act()
            self._status = self._judge(ran)
        return self.state

    def _act(self) -> None:
        low, high = self._levels[0].scale, self._levels[-1].scale
        error = -self._error_unit * self._late(self._scale)
        blocked = self._scale >= high if error > 0 else self._scale <= low
        step = self._pid.step(error, blocked)
        self._scale = min(max(self._model.move(self._scale, step), low), high)
        held = self._levels[self._ladder.level]
        self._ladder.step(self._scale, self._late(held.scale))

    def _late(self, scale: float) -> float:
        """Return the time at `scale` over the budget, less one."""
        log_ratio = self._model.log_time(scale) - self._log_budget
        return math.exp(min(log_ratio, LOG_RATIO_LIMIT)) - 1.0

    def _judge(self, ran: int) -> str:
        if self._ladder.saturated:
            return SATURATED
        return HOLDING if self._model.ready and ran == self._ladder.level else SETTLING

    def _level_of(self, rung: int, window: int) -> int:
        """Return the index of a rung's level; only the lowest rung has smaller windows."""
        lowest = self._levels[0].rung
        key = (rung, window if rung == lowest else self._whole)
        if key not in self._index:
            raise UnknownNameError("rung", rung, sorted({level.rung for level in self._levels}))
        return self._index[key]
