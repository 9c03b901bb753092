"""A PID law in the form that gives increments."""

from typing import NamedTuple, Optional


class Gains(NamedTuple):
    """Gains of the law, per unit of error.

    `integral_zone` is the largest error that is still summed up; None sums up everything, always,
    which is the published form.
    """

    kp: float
    ki: float
    kd: float
    max_step: float
    integral_zone: Optional[float]


class Pid:
    """Gives steps of `kp e + ki sum(e) + kd (e - e_before)`, at most `max_step` large.

    The steps are added up by whoever takes them, so that `kp` removes a constant error and `ki`
    one that grows steadily, such as the load of a board that heats up.

    Anti-windup is conditional integration (Astrom and Hagglund, Advanced PID Control, 3.5): no sum
    is built up far from the target or against a bound, where it could only cause overshoot later.
    """

    def __init__(self, gains: Gains) -> None:
        self._gains = gains
        self._sum = 0.0
        self._error: Optional[float] = None

    def step(self, error: float, blocked: bool) -> float:
        """Return the step for one frame's error.

        Args:
            error: finite; positive where the output should grow.
            blocked: whether the output is at the bound that the error pushes against.
        """
        gains = self._gains
        change = 0.0 if self._error is None else error - self._error
        total = self._sum + error
        self._error = error
        zone = gains.integral_zone
        if zone is None or (abs(error) <= zone and not blocked):
            self._sum = total
        step = gains.kp * error + gains.ki * total + gains.kd * change
        return min(max(step, -gains.max_step), gains.max_step)
