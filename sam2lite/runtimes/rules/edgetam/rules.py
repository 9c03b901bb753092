"""EdgeTAM's frame rules: SAM 2's, with another memory of frames."""

from sam2lite.contracts.families.edgetam import LAYOUT
from sam2lite.runtimes.rules.sam2.rules import SlotBankRules


class PerceiverBankRules(SlotBankRules):
    """See `SlotBankRules`; as tokens stand for the same cells at all sizes, none is resampled."""

    layout = LAYOUT
