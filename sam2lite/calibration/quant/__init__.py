"""`quant` of a recipe: how weights are quantized."""
