"""EfficientTAM: SAM 2's graphs, with a light image encoder that has one map, at stride 16.

Its variants differ in how several frames of memory are attended to: to every cell, or to four at a
time. Those that pool do so from the second frame on, so there is a graph for one frame alone, and
every graph has one rule: what a frame sees decides on the graph, and nothing in a graph on the
rule.
"""

from sam2lite.contracts.families.sam2 import MOST_FRAMES, SlotBankLayout

NAME = "efficienttam"

LAYOUT = SlotBankLayout(
    slots=(1, 2, 4, 7, MOST_FRAMES), pointer_time=False, marks_absence=False, high_res=False
)
FAMILY = LAYOUT.family(
    NAME,
    "EfficientTAM",
    rules="sam2lite.runtimes.rules.efficienttam.rules:EfficientTamRules",
    host="sam2lite.models.efficienttam.family:HOST",
)
