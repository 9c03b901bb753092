"""Rewrites for TensorRT's parsers; `exporter/lower.py` has the table of when each applies."""
