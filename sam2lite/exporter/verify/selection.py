"""Compare graphs that end in a TopK: which candidates were kept is a set, and ties happen.

Two backends may order equal rows differently, and swap two candidates whose scores differ by less
than rounding. So rows are first matched to the candidates they are, then compared with them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sam2lite.errors import VerificationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn

Arrays = dict[str, np.ndarray]

# A candidate whose score is this near to the last kept one's may be kept or not.
TIE = 1e-3


class Ranking(NamedTuple):
    """Scores of all candidates, best first, and how many of them a graph keeps."""

    scores_n: np.ndarray
    kept: int


class Match(NamedTuple):
    """Which candidate each kept row is; see `match_rows`."""

    candidate_k: np.ndarray
    ties: int
    wrong: int


def run_unpruned(
    module: nn.Module, inputs: Sequence[Tensor]
) -> tuple[list[Tensor], Ranking | None]:
    """Run a module with its TopK widened to keep every candidate.

    Its outputs then hold a row for each candidate, best first, and rows that TopK had no part in
    after them. The ranking is None if the module has no TopK.

    Raises:
        VerificationError: the module calls TopK more than once.
    """
    import torch
    from torch.overrides import TorchFunctionMode

    rankings: list[Ranking] = []

    class Unpruned(TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            if func is not torch.topk:
                return func(*args, **(kwargs or {}))
            scores_bn, kept = args
            ranked = func(scores_bn, scores_bn.shape[1], dim=1)
            rankings.append(Ranking(ranked.values[0].numpy(), int(kept)))
            return ranked

    with torch.no_grad(), Unpruned():
        outputs = list(module.eval()(*inputs))
    if len(rankings) > 1:
        raise VerificationError(
            f"{type(module).__name__} calls TopK {len(rankings)} times; parity can follow only one"
        )
    return outputs, rankings[0] if rankings else None


def match_rows(identity_kc: np.ndarray, identity_nc: np.ndarray, ranking: Ranking) -> Match:
    """Find which candidate each kept row is: the nearest one.

    `ties` counts the rows that are not among PyTorch's, but whose scores are so near the cut that
    they may be. `wrong` counts what no rounding explains: candidates kept or left out although
    their scores are farther from the cut than `TIE`, and rows that are there twice.

    Shape: `[k, c]` and `[n, c]`, any numbers that tell the candidates apart.
    """
    distance_kn = np.abs(identity_kc[:, None] - identity_nc[None]).max(axis=-1)
    candidate_k = distance_kn.argmin(axis=1)
    kept = set(candidate_k.tolist())
    swapped = kept ^ set(range(ranking.kept))
    cut = ranking.scores_n[ranking.kept - 1]
    # Written so that a NaN is wrong, too.
    wrong = sum(not abs(ranking.scores_n[n] - cut) <= TIE for n in swapped)
    twice = len(candidate_k) - len(kept)
    return Match(candidate_k, len(kept - set(range(ranking.kept))), wrong + twice)
