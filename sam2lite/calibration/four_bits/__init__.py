"""Weights in four bits: grids, and how weights are put on them.

Nothing here knows a backend or ONNX: a weight is `[out, in]`, and what comes back are codes, scales
and zero points of groups along its inputs.
"""
