"""`sam2lite budget`: what each pruning policy keeps of the accuracy at each memory budget."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from sam2lite.cli.app import share_threads
from sam2lite.cli.bundles import bundle_or_default
from sam2lite.cli.json_output import ToJson, put_json
from sam2lite.cli.progress import progress_bar
from sam2lite.cli.prompted_video import Rung, warn
from sam2lite.cli.simulated import require_times
from sam2lite.errors import ArgumentError
from sam2lite.runtimes.rules.sam2lite.pruning import POLICIES, Pruning

if TYPE_CHECKING:
    from sam2lite.bench.ablations.pruning_sweep import Row

_BUDGETS = (64, 128, 256)


def budget(
    bundle_path: Annotated[
        Path | None,
        typer.Option("--bundle", metavar="DIR", help="A bundle.", show_default="the default model"),
    ] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(help=f"{', '.join(POLICIES)}. Repeatable.", show_default="all"),
    ] = None,
    tokens: Annotated[
        list[int] | None,
        typer.Option(
            metavar="N",
            help="Memory budget of an object, tokens. Repeatable.",
            show_default=", ".join(map(str, _BUDGETS)),
        ),
    ] = None,
    window: Annotated[
        int, typer.Option(help="Stored frames kept beside the prompted one; 0 for no limit.")
    ] = 0,
    clips: Annotated[
        int, typer.Option(min=1, help="Clips of each kind: ordinary ones, and hiding ones.")
    ] = 8,
    frames: Annotated[int, typer.Option(help="Frames of each clip.")] = 40,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first clip.")] = 0,
    prompt: Annotated[
        str, typer.Option(help="click, box or mask, made from the truth of the first frame.")
    ] = "mask",
    rung: Rung = None,
    as_json: ToJson = None,
) -> None:
    """Compare pruning policies at several memory budgets.

    Ordinary clips score all objects. In the others one object is hidden for 8 frames or more, then
    returns: "hiding" is its J&F over the clip, "returned" its J&F once it is back in sight. The
    graphs are the bundle's own whatever the budget, so the latency shows what a policy costs, and
    not what smaller graphs would save.
    """
    from sam2lite.bench.ablations.pruning_sweep import (
        MIN_FRAMES,
        hiding_clips,
        ordinary_clips,
        sweep,
    )
    from sam2lite.evaluation.first_prompts import check_prompt_kind

    if frames < MIN_FRAMES:
        raise ArgumentError(
            f"--frames is {frames}; choose {MIN_FRAMES} or more, so that an object can hide for 8"
        )
    check_prompt_kind(prompt)
    bundle = bundle_or_default(bundle_path)
    require_times(bundle)
    manifest = bundle.manifest
    policies = policy or list(POLICIES)
    budgets = tokens or [size for size in _BUDGETS if size <= manifest.memory["budget"]]
    for name in policies:  # before the clips are made
        for size in budgets:
            Pruning(manifest.memory["budget"], name, size, window or None)
    if rung is not None:
        bundle.check_rung(rung)
    if not manifest.model.trained:
        warn(f"the weights of {bundle.path} are untrained; its scores mean nothing")
    share_threads(bundle, None)
    with progress_bar() as bar:
        task = bar.add_task("sweeping", total=len(policies) * len(budgets))
        rows = sweep(
            bundle,
            (ordinary_clips(clips, seed, frames), hiding_clips(clips, seed, frames)),
            policies,
            budgets,
            window=window or None,
            prompt=prompt,
            rung=rung,
            done=lambda: bar.advance(task),
        )
    report: dict[str, Any] = {
        "schema_version": 1,
        "bundle_sha256": bundle.sha256,
        "trained": manifest.model.trained,
        "rung": rung or manifest.rungs[-1],
        "window": window or None,
        "clips": clips,
        "frames": frames,
        "seed": seed,
        "prompt": prompt,
        "rows": [row.to_json() for row in rows],
    }
    if not put_json(as_json, report):
        _print_rows(rows)


def _print_rows(rows: "list[Row]") -> None:
    table = Table()
    table.add_column("Policy", no_wrap=True)
    for heading in ("Tokens", "Bank, KiB", "J&F", "Hiding", "Returned", "p50, ms"):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(
            row.policy,
            str(row.budget),
            f"{row.bank_bytes / 1024:.0f}",
            _with_error(row.jf, row.jf_stderr),
            _with_error(row.hidden_jf, row.hidden_jf_stderr),
            f"{row.returned_jf:.1f}",
            f"{row.latency_ms:.2f}",
        )
    console = Console(markup=False, highlight=False)
    console.print(table)
    console.print("Scores are 0 to 100, ± the standard error over clips; the bank is one object's.")


def _with_error(points: float, stderr: float) -> str:
    return f"{points:.1f}" if math.isnan(stderr) else f"{points:.1f} ± {stderr:.1f}"
