"""Training of the SAM2-Lite family: samples, losses, the batched frame loop, stages."""
