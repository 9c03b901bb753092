"""The frame loop of SAM 2 in PyTorch, which exports and runtimes are compared with."""
