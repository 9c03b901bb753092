"""Average the weights of checkpoints of one network that were trained on from one another.

Fine-tuned weights remember more of what they started from when both are averaged (Wortsman et al.
2022, "Robust fine-tuning of zero-shot models"). Statistics of batch norms are averaged, too; learned
activation ranges belong to one checkpoint and are left out.

    .venv/bin/python benchmarks/average_weights.py tiny=0.3 runs/a/checkpoint=0.3 runs/b/checkpoint=0.4 -o runs/averaged
"""  # noqa: E501 - one command, to be copied

from __future__ import annotations

import argparse
import math
from pathlib import Path

import torch
from torch import Tensor

from sam2lite.cli.app import run_app
from sam2lite.contracts.provenance import OWN
from sam2lite.errors import ArgumentError
from sam2lite.models.registry import load_model
from sam2lite.models.sam2lite.checkpoint import save_checkpoint


def shares(given: list[str]) -> list[tuple[str, float]]:
    """Return names and shares of MODEL=SHARE, which must add up to 1."""
    parts = [text.rpartition("=") for text in given]
    try:
        found = [(name, float(share)) for name, _, share in parts]
    except ValueError as error:
        raise ArgumentError(f"{error}; give MODEL=SHARE, such as tiny=0.5") from None
    total = math.fsum(share for _, share in found)
    if abs(total - 1.0) > 1e-6 or any(not name for name, _ in found):
        raise ArgumentError(f"{' '.join(given)}: shares add up to {total:g}; make it 1")
    return found


def averaged(states: list[tuple[dict[str, Tensor], float]]) -> dict[str, Tensor]:
    """Return the mean of state dicts, weighted; whole numbers are those of the first."""
    first = states[0][0]
    forms = [{name: value.shape for name, value in state.items()} for state, _ in states]
    if any(form != forms[0] for form in forms):
        raise ArgumentError("these are checkpoints of different networks; name those of one")
    return {
        name: torch.stack([share * state[name] for state, share in states]).sum(0)
        if value.is_floating_point()
        else value
        for name, value in first.items()
    }


def main() -> None:
    """Write a checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", metavar="MODEL=SHARE")
    parser.add_argument("-o", "--output", type=Path, required=True)
    given = parser.parse_args()
    loaded = [(load_model(name), share) for name, share in shares(given.models)]
    states = [(model.model.state_dict(), share) for model, share in loaded]
    first = loaded[0][0]
    first.model.load_state_dict(averaged(states))
    save_checkpoint(first.model, given.output, licence=first.licence, weights=OWN)
    print(given.output)


if __name__ == "__main__":
    run_app(main)
