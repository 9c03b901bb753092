"""Passes that write down what goes without saying elsewhere."""
