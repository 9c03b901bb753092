"""SAM 2's heads and memory behind other image encoders: its graphs, with the same shapes."""

from sam2lite.contracts.families.sam2 import LAYOUT

NAME = "backbones"

FAMILY = LAYOUT.family(
    NAME,
    "SAM 2 with another image encoder",
    rules="sam2lite.runtimes.rules.backbones.rules:BackboneBankRules",
    host="sam2lite.models.backbones.family:HOST",
)
