"""The frame rules behind another image encoder: SAM 2's, as heads and memory are."""

from sam2lite.runtimes.rules.sam2.rules import SlotBankRules


class BackboneBankRules(SlotBankRules):
    """See `SlotBankRules`."""
