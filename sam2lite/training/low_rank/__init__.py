"""Low-rank updates: a few parameters beside the weights of some layers (LoRA)."""
