"""Keys of DeepCompressor's recipes that mean nothing here, and values that are not taken."""

_FLOATS = "layers hand on floats, and what takes them rounds its own inputs"
_LIVE = "scales of inputs are found while a bundle runs, or by the observer (`observer`)"

REFUSED = {
    "quant.opts": _FLOATS,
    "quant.calib.batch_size": "frames of a clip are followed one by one",
    "quant.ipts.calib_range": _LIVE,
    "quant.ipts.skips": "a layer that is in the precision takes rounded inputs",
    "quant.wgts.kernel_gptq.num_inv_tries": "damping is enough for an inverse, at once",
    "quant.wgts.kernel_gptq.hessian_block_size": "products of inputs are summed call by call",
    # Values other than the only one.
    "quant.wgts.zero_point!": "zero points are codes, as MatMulNBits takes them",
    "quant.wgts.static!": "weights do not change while a bundle runs",
    "quant.wgts.scale_dtypes!": "scales are stored in FP16",
    "quant.wgts.low_rank.exclusive!": "each layer has a branch of its own",
    "quant.rotation.enabled!": "no layer norm absorbs a rotation, for its scales stand in the way",
    "quant.ipts.static!": "w4a8 finds scales as it runs, and INT8 by calibration",
    "quant.ipts.per_token!": "each row of inputs has its own scales",
    "quant.ipts.group_shapes!": "inputs share a scale as the weights that they meet do",
}
