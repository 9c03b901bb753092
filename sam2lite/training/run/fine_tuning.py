"""A schedule for going on from a trained checkpoint for hours: every size and length all the time.

The curriculum of `schedule.py` starts small, so a run that is stopped early never saw what users
run. Here any moment's average is worth a look: single frames, short and longer clips follow one
another at 160 to 336 px, and the last part is spent on the largest inputs.
"""

from __future__ import annotations

from collections.abc import Mapping

from sam2lite.training.batches import BatchShape
from sam2lite.training.run.schedule import PHASES, Phase

_IMAGES_AT_160 = BatchShape(160, 1, 16, 4)
_IMAGES_AT_240 = BatchShape(240, 1, 8, 4)
_IMAGES_AT_336 = BatchShape(336, 1, 4, 4)
_IMAGES_AT_480 = BatchShape(480, 1, 2, 4)
_CLIPS_OF_4 = BatchShape(160, 4, 3, 4)
_CLIPS_OF_8 = BatchShape(160, 8, 2, 4)
_CLIPS_AT_240 = BatchShape(240, 5, 2, 3)
_CLIPS_AT_336 = BatchShape(336, 4, 1, 4)
_CLIPS_AT_480 = BatchShape(480, 3, 1, 3)

FINE_TUNING = (
    Phase(
        "mixed",
        1,
        0.85,
        (
            _IMAGES_AT_240,
            _CLIPS_OF_4,
            _IMAGES_AT_160,
            _CLIPS_AT_240,
            _IMAGES_AT_336,
            _CLIPS_OF_8,
            _IMAGES_AT_240,
            _CLIPS_AT_240,
        ),
    ),
    Phase(
        "rungs",
        1,
        0.15,
        (_CLIPS_AT_240, _IMAGES_AT_480, _CLIPS_AT_336, _IMAGES_AT_336, _CLIPS_AT_480),
    ),
    *(phase for phase in PHASES if phase.stage > 1),
)
CURRICULUM = "curriculum"
SCHEDULES: Mapping[str, tuple[Phase, ...]] = {CURRICULUM: PHASES, "fine-tuning": FINE_TUNING}
