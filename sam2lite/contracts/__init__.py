"""Contracts between export, manifest, runtimes, tests and docs. Standard library only."""
