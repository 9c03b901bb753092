"""Filters that OpenCV does not have, in NumPy."""
