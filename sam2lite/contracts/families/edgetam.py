"""EdgeTAM: SAM 2's graphs with a memory of 512 tokens a frame at every input size.

A perceiver makes them of SAM 2's memory: first tokens that have seen all cells and have no place,
then one for each cell of a grid.
"""

from sam2lite.contracts.families.sam2 import SlotBankLayout

NAME = "edgetam"

GLOBAL_TOKENS = 256  # of a frame, without a place
GRID_SIDE = 16  # cells that the others stand for, at every input size

LAYOUT = SlotBankLayout(
    tokens=GLOBAL_TOKENS + GRID_SIDE * GRID_SIDE, pointer_time=False, marks_absence=False
)
FAMILY = LAYOUT.family(
    NAME,
    "EdgeTAM",
    rules="sam2lite.runtimes.rules.edgetam.rules:PerceiverBankRules",
    host="sam2lite.models.edgetam.family:HOST",
)
