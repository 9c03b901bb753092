"""Graph passes: one file each, run in the order that `pipeline.PASSES` shows."""
