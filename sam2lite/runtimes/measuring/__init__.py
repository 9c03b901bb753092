"""Times, their percentiles, and memory of this process."""
