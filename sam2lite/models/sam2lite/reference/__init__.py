"""The frame loop in PyTorch, which exports and runtimes are compared with."""
