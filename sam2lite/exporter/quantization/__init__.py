"""What a recipe says about how weights are quantized, and what all backends share of doing it."""
