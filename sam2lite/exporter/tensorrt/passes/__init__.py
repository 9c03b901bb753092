"""Rewrites for TensorRT's parsers, one file each; `table.py` has when each applies."""
