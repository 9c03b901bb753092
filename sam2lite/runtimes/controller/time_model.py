"""What a frame takes at every level, learned from the frames that ran."""

import math
from bisect import bisect_right
from statistics import median
from typing import List, Optional, Sequence, Set, Tuple

from sam2lite.runtimes.controller.belief import Belief

# The first guess is time ~ scale ** exponent. A ladder measured at 14, 19, 26, 33, 42 and 52 ms for
# 240 to 480 px has 1.7 to 2.1: pixels grow with the square, fixed costs pull down.
EXPONENT = 1.8
EXPONENT_STD = 0.5
# How far a level may lie off that law, and over which log scale its neighbours share the deviation.
# A level differs from the next by 0.1 to 0.2 in log scale.
DEVIATION_STD = 0.1
DEVIATION_REACH = 0.2
LOAD_STD = 10.0  # of the log time before the first frame: nothing is known

# Per frame, of the load: heat, other processes. At 5 % noise the estimate then averages over some
# 16 frames and is good to 1 %, a third of the hysteresis.
DRIFT_STD = 0.003

MEDIAN_FRAMES = 5  # a spike passes only if three of five frames have one
FIRST_FRAMES = 3  # the shortest median that one spike cannot move
JUMP_SIGMAS = 3.5  # a median farther off means another load, not noise: 1 in 2000

NOISE_START = 0.05  # standard deviation of one frame's log time, until it is measured
NOISE_MIN = 0.015  # so that a quiet spell does not make every later frame a jump
NOISE_GAIN = 0.04  # of its running mean: 25 frames
NOISE_CLIP = 3.0  # times the noise; a spike or a jump is not noise
MEDIAN_NOISE = 0.6  # noise of a median of three to five frames, of one frame's
DEVIATION_TO_STD = 1.5  # from the mean deviation of the newest of five frames from their median

# Lessons go stale, and one learned while the load changed is wrong. After so many frames all but
# the level in use are forgotten, and a better one may be tried again. If it is still too slow, the
# attempt costs some 4 late frames in 600, which not even the 99th percentile sees.
LESSON_FRAMES = 600


class TimeModel:
    """Estimates the log time of every level, under the present load.

    The log times are one Gaussian vector, and a frame measures one component. On a level that is
    well known, a surprise is the load, which moves all levels alike; on a new one it is mostly that
    level's own ratio, and a little its neighbours'. Two things guard the estimate: a median against
    spikes, and a test for jumps, which would otherwise be averaged in slowly.

    Args:
        scales: the levels, ascending.
    """

    def __init__(self, scales: Sequence[float]) -> None:
        self._log_scales = [math.log(scale) for scale in scales]
        self._level = 0  # of the last frame
        self._base = 0  # the level that was learned from last
        self._recent: List[float] = []
        self._visited: Set[int] = set()
        self._noise = NOISE_START
        self._age_frames = 0
        self._belief = self._first_guess(0.0, LOAD_STD**2)

    @property
    def started(self) -> bool:
        """Whether enough frames have run to speak about any level."""
        return bool(self._visited)

    @property
    def ready(self) -> bool:
        """Whether enough frames have run at the present level to speak about it."""
        return len(self._recent) >= FIRST_FRAMES

    def observe(self, level: int, latency_ms: float) -> None:
        """Learn from one frame that ran at `level` and took `latency_ms` (above 0)."""
        if level != self._level:
            self._level = level
            self._recent = []
        self._recent = [*self._recent[1 - MEDIAN_FRAMES :], math.log(latency_ms)]
        if self.ready:
            self._forget_lessons()
            self._learn()
            self._visited.add(level)
            self._base = level

    def log_time(self, scale: float) -> float:
        """Return the log of the milliseconds at `scale`, which lies between the levels' bounds."""
        x = math.log(scale)
        above = bisect_right(self._log_scales, x)
        if above == len(self._log_scales):
            return self._hopeful(above - 1)
        low, high = self._log_scales[above - 1 : above + 1]
        share = (x - low) / (high - low)
        return (1.0 - share) * self._hopeful(above - 1) + share * self._hopeful(above)

    def move(self, scale: float, step: float) -> float:
        """Return the largest scale at which a frame takes `exp(step)` of its time at `scale`.

        Measured like this, the loop gain is one on every ladder, however steep.
        """
        target = self.log_time(scale) + step
        above: Optional[Tuple[float, float]] = None
        for level in reversed(range(len(self._log_scales))):
            time, x = self._hopeful(level), self._log_scales[level]
            if time <= target:
                if above is not None:
                    x += (above[1] - x) * (target - time) / (above[0] - time)
                return math.exp(x)
            above = (time, x)
        return math.exp(self._log_scales[0])

    def _hopeful(self, level: int) -> float:
        """Return a level's log time, one standard deviation low if it has never run.

        For a neighbour that is some 10 %. Without the benefit of the doubt, a level that fits but
        is guessed too slow would never be tried; trying one in vain costs three frames, once.
        """
        time = self._belief.mean[level]
        if level in self._visited:
            return time
        return time - self._belief.std_between(level, self._base)

    def _learn(self) -> None:
        level, belief = self._level, self._belief
        measured = median(self._recent)
        deviation = DEVIATION_TO_STD * abs(self._recent[-1] - measured)
        clipped = min(deviation, NOISE_CLIP * self._noise)
        self._noise = max(self._noise + NOISE_GAIN * (clipped - self._noise), NOISE_MIN)
        belief.loosen_all(DRIFT_STD**2)
        surprise = measured - belief.mean[level]
        expected = math.hypot(math.sqrt(belief.variance(level)), MEDIAN_NOISE * self._noise)
        if abs(surprise) > JUMP_SIGMAS * expected:
            if len(self._recent) > FIRST_FRAMES:
                belief.loosen_all(surprise**2)  # the level is the same, so the load has jumped
            else:
                # The level is new: blame it for what its neighbours cannot share.
                belief.measure(level, measured, self._noise**2)
                belief.loosen(level, surprise**2)
        belief.measure(level, measured, self._noise**2)

    def _forget_lessons(self) -> None:
        self._age_frames += 1
        if self._age_frames > LESSON_FRAMES:
            self._age_frames = 0
            self._visited.clear()
            belief = self._belief
            self._belief = self._first_guess(belief.mean[self._level], belief.variance(self._level))

    def _first_guess(self, log_time: float, variance: float) -> Belief:
        """Return the belief that follows from one level's time."""
        xs = self._log_scales
        mean = [log_time + EXPONENT * (x - xs[self._level]) for x in xs]
        belief = Belief(mean, [[_covariance(a, b) for a in xs] for b in xs])
        belief.measure(self._level, log_time, variance)
        return belief


def _covariance(a: float, b: float) -> float:
    """Return the covariance of two log times before any frame, given their log scales."""
    deviation = DEVIATION_STD**2 * math.exp(-abs(a - b) / DEVIATION_REACH)
    return LOAD_STD**2 + EXPONENT_STD**2 * a * b + deviation
