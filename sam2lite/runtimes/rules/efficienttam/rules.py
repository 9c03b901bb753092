"""EfficientTAM's frame rules: SAM 2's, over its own graphs."""

from sam2lite.contracts.families.efficienttam import LAYOUT
from sam2lite.runtimes.rules.sam2.rules import SlotBankRules


class EfficientTamRules(SlotBankRules):
    """See `SlotBankRules`.

    Where variants pool memory, the rule of the attention changes with the second frame that is
    seen. A frame takes the smallest graph that holds what it sees, so it is the graph of one slot,
    and no other, that sees a single frame.
    """

    layout = LAYOUT
