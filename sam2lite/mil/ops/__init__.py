"""One handler per MIL operator: a function of the operator's parameters, by MIL's names for them.

Tensors, single numbers included, come as torch tensors (`dtypes.storage` says of which type),
strings as `str`, tuples as lists, and an optional parameter that has no default in MIL as None when
it is absent. A handler returns a tensor, or a tuple of them; types and shapes are checked against
the declared ones outside.

What an operator means is taken from its documentation in coremltools 9.0
(`coremltools.converters.mil.mil.ops.defs`); `tests/mil/test_ops.py` compares every handler
with coremltools' own value inference where it has one, and with torch where not.
"""
