"""The results of an ablation study as a table, for terminals and for Markdown."""

from collections.abc import Sequence
from statistics import fmean

from sam2lite.bench.ablations.ablation import FULL, VARIANTS, Results

HEADINGS = ("Variant", "Steps", "J&F", "First-frame J", "Last-4 J", "J&F, to full")


def cells(results: Results) -> list[list[str]]:
    """Return the table's rows under `HEADINGS`, as text: means over runs, and their spread.

    The last column is of differences between runs of the same seed.
    """
    by_variant: dict[str, dict[int, Results]] = {}
    for run in results["runs"]:
        by_variant.setdefault(run["variant"], {})[run["seed"]] = run
    full = by_variant.get(FULL, {})
    rows = []
    for name, variant in VARIANTS.items():
        own = by_variant.get(name, {})
        if not own:
            continue
        steps = [run["steps"] for run in own.values() if run["steps"] is not None]
        apart = [own[seed]["jf"] - full[seed]["jf"] for seed in own if name != FULL]
        rows.append(
            [
                variant.label,
                f"{fmean(steps):.0f}" if steps else "",
                *(
                    _spread([run[score] for run in own.values()])
                    for score in ("jf", "first_frame_j", "j_last4")
                ),
                _spread(apart, sign="+"),
            ]
        )
    return rows


def caption(results: Results) -> str:
    """Return what the table was measured on, as sentences."""
    settings = results["settings"]
    runs = len({run["seed"] for run in results["runs"]})
    length = (
        f"{settings['minutes']:g} minutes" if settings["steps"] is None
        else f"{settings['steps']} steps"
    )  # fmt: skip
    errors = [run["jf_stderr"] for run in results["runs"] if run["jf_stderr"] is not None]
    over_clips = (
        f" The standard error of one run's J&F over clips is {fmean(errors):.1f}." if errors else ""
    )
    spread = "; ± is half the distance between the lowest and the highest" if runs > 1 else ""
    return (
        f"{settings['clips']} held-out generated clips, one {settings['prompt']} on the first "
        f"frame, {settings['rung']} px, memory's window without limit. Every training is {length} "
        f"of stage 1, from {settings['start'] or 'random weights'}; rows without steps score the "
        f"full run's weights again. {runs} {'run' if runs == 1 else 'runs'} of each variant, the "
        f"same seeds for all{spread}.{over_clips}"
    )


def markdown(results: Results) -> str:
    """Return the content of `results.json` as a Markdown table and the sentences about it."""
    lines = [list(HEADINGS), ["-"] * len(HEADINGS), *cells(results)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{table}\n\n{caption(results)}"


def _spread(values: Sequence[float], sign: str = "") -> str:
    """Return the mean, and half the distance from the lowest to the highest if there are two."""
    if not values:
        return ""
    mean = f"{fmean(values):{sign}.1f}"
    return mean if len(values) == 1 else f"{mean} ± {0.5 * (max(values) - min(values)):.1f}"
