"""`sam2lite eval`: how well a model or a bundle follows objects, beside the baselines."""

import json
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sam2lite.cli import prompted_video
from sam2lite.cli.bundles import Backend
from sam2lite.cli.export import options
from sam2lite.cli.given import refuse_beside, refuse_without
from sam2lite.cli.json_output import ToJson, put_json
from sam2lite.cli.network.eval_coco import CocoRun, score_coco, show_coco_results
from sam2lite.cli.progress import progress_bar
from sam2lite.cli.prompted_video import warn
from sam2lite.cli.reports.eval_tables import print_by_source, print_tables
from sam2lite.cli.simulated import simulated_elsewhere
from sam2lite.contracts.provenance import UNTRAINED, provenance_line
from sam2lite.errors import ArgumentError
from sam2lite.files.staging import FolderKind, staged_folder
from sam2lite.runtimes.commands.settings import memory_settings
from sam2lite.targets.machine import allowed_cpus

if TYPE_CHECKING:
    from sam2lite.evaluation.report import RunScores
    from sam2lite.evaluation.sources import ClipReference
    from sam2lite.evaluation.workers import Task, TrackerRecipe

WORST_CASES = 6
SCORES = FolderKind(
    "the results of eval",
    "results.json",
    '"per_object"',
    ("results.json", "j_over_frames.png", "worst/*.png"),
)


# Options that are not for pictures, and not for scores that are there already.
_OF_CLIPS: tuple[str, ...] = ("set_name", "clips", "seed", "davis", "stills", "split", "skip_last")
_OF_CLIPS += ("policy", "tokens", "window")
_OF_NETWORKS: tuple[str, ...] = ("model", "variant", "bundle", "backend", "prompt", "rung", "rungs")
_OF_NETWORKS += ("coco", "workers", "no_baselines", "output", "force")


def eval(  # noqa: A001 - commands are named like their functions
    context: typer.Context,
    model: Annotated[
        str | None,
        typer.Option(metavar="NAME|PATH", help="A size or a checkpoint, run by PyTorch."),
    ] = None,
    variant: options.Variant = None,
    bundle: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A bundle, run as users run it.")
    ] = None,
    backend: Backend = None,
    prompt: Annotated[
        str, typer.Option(help="On the first frame, made from its true mask: click, box or mask.")
    ] = "click",
    rung: Annotated[
        list[int] | None,
        typer.Option(help="Input side of the network, px. Repeatable.", show_default="the largest"),
    ] = None,
    rungs: Annotated[bool, typer.Option("--rungs", help="Score every rung.")] = False,
    set_name: Annotated[
        str | None,
        typer.Option("--set", help="A frozen set of generated clips.", show_default="eval-v1"),
    ] = None,
    clips: Annotated[
        int | None, typer.Option(help="So many generated clips like eval-v1's, in no frozen set.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Of the first of --clips.", show_default="0")
    ] = None,
    davis: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A folder in the layout of DAVIS.")
    ] = None,
    stills: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="A folder of photographs with masks and real clips."),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="Of --stills: val, val-moving, train, val-clips or train-clips.",
            show_default="val",
        ),
    ] = None,
    coco: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Images with COCO's instances, or the JSON file: mean IoU by size."
        ),
    ] = None,
    coco_results: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="Scores of --coco -o or of nanosam2, shown again. Repeatable."
        ),
    ] = None,
    category: Annotated[
        str | None,
        typer.Option(metavar="NAME|ID", help="Of --coco: only objects of it."),
    ] = None,
    policy: prompted_video.Policy = None,
    tokens: prompted_video.Tokens = None,
    window: prompted_video.Window = None,
    skip_last: Annotated[
        bool, typer.Option("--skip-last", help="Leave out the last frame, as DAVIS's toolkit does.")
    ] = False,
    no_baselines: Annotated[
        bool, typer.Option("--no-baselines", help="Only the network; about a third less time.")
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Processes of one thread each.", show_default="one per core"),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="DIR", help="Folder for JSON, plot and worst cases."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the folder.")] = False,
    as_json: ToJson = None,
) -> None:
    """Score how well objects are followed, beside baselines.

    Objects are prompted on the first frame of every clip and tracked, and their masks scored.
    J, F and their mean are those of DAVIS 2017, averaged over objects; the first frame counts only
    in its own column. Objects are followed that cover 0.3 % of the first frame or more. The
    baselines need no network, and each has the prompt it can use. With --coco, every object of a
    picture is prompted by itself, and the mean IoU is told by size. docs/evaluation.md defines
    every number.
    """
    refuse_without(context, "force", "--output", output is not None or bool(coco_results))
    if coco_results:
        refuse_beside(context, "--coco-results", (*_OF_CLIPS, *_OF_NETWORKS))
        show_coco_results(coco_results, category, as_json)
        return
    if coco is not None:
        refuse_beside(context, "--coco", _OF_CLIPS)
        recipe, known_rungs, check_size = _tracker(model, variant, bundle, backend, {})
        chosen_rungs = _rungs(known_rungs, check_size, rung, rungs)
        processes = workers or allowed_cpus()
        run = CocoRun(recipe, chosen_rungs, coco, prompt, category, not no_baselines, processes)
        score_coco(run, output, force, as_json)
        return
    if category is not None:
        raise ArgumentError(f"--category {category} is of objects of COCO; give --coco as well")
    from sam2lite.data.process_pool import each_in_processes
    from sam2lite.evaluation.charts import require_matplotlib
    from sam2lite.evaluation.evaluate import EvaluationSettings
    from sam2lite.evaluation.first_prompts import check_prompt_kind
    from sam2lite.evaluation.report import SCHEMA_VERSION, gather, scores_by_source
    from sam2lite.evaluation.workers import Task

    check_prompt_kind(prompt)
    if output is not None:
        require_matplotlib("--output, which draws a chart,")
    memory = memory_settings(policy, tokens, window)
    recipe, known_rungs, check_size = _tracker(model, variant, bundle, backend, memory)
    chosen_rungs = _rungs(known_rungs, check_size, rung, rungs)
    references, source = _clips(set_name, clips, seed, davis, stills, split)
    if recipe.weights == UNTRAINED:
        warn(f"the weights of {recipe.source!r} are untrained; its scores mean nothing")
    task = Task(recipe, chosen_rungs, EvaluationSettings(prompt, skip_last, not no_baselines))
    with nullcontext() if output is None else staged_folder(output, force, SCORES) as folder:
        with progress_bar() as bar:
            scored = each_in_processes(task.worker, references, workers or allowed_cpus())
            scores = gather(list(bar.track(scored, len(references), description="clips")))
        report = {
            "schema_version": SCHEMA_VERSION,
            **recipe.describe(),
            "source": source,
            "prompt": prompt,
            "seed": (seed or 0) if clips is not None else None,
            "memory": memory,
            "skip_last": skip_last,
            **scores.to_json(),
        }
        if stills is not None:
            report["by_source"] = scores_by_source(scores)
        if folder is not None:
            _write_folder(folder, report, scores, task, references)
    unscored = scores.main.objects - scores.main.scored
    if unscored:
        warn(
            f"{unscored} of {scores.main.objects} objects have no mask after the first frame; they "
            "count in first_frame_j alone"
        )
    if put_json(as_json, report):
        return
    typer.echo(f"weights: {provenance_line(recipe.weights)}")
    print_tables(f"{recipe.kind} {recipe.source}", source, prompt, scores)
    if stills is not None:
        print_by_source(report["by_source"])
    if output is not None:
        typer.echo(f"written: {output}")


def _tracker(
    model: str | None,
    variant: str | None,
    bundle: Path | None,
    backend: str | None,
    memory: dict[str, Any],
) -> tuple["TrackerRecipe", Sequence[int], Callable[[int], None]]:
    """Return what to evaluate, its rungs, ascending, and what refuses others.

    Raises:
        ArgumentError: not one of model and bundle is given, or the memory options do not fit it.
    """
    from sam2lite.evaluation.workers import TrackerRecipe
    from sam2lite.runtimes.bundle import open_bundle
    from sam2lite.runtimes.rules.interface import rules_for

    if model is not None and backend is not None:
        raise ArgumentError(f"--backend {backend} is for bundles; --model runs in PyTorch")
    if (model is None) == (bundle is None):
        raise ArgumentError(
            f"{'neither' if model is None else 'both'} of --model and --bundle given; give one: "
            "--model tiny for PyTorch, or --bundle DIR for what users run"
        )
    if bundle is not None:
        if variant is not None:
            raise ArgumentError(f"--variant {variant} is of a checkpoint; a bundle says what it is")
        opened = simulated_elsewhere(open_bundle(str(bundle), backend))
        manifest = opened.manifest
        rules_for(opened.family, manifest, memory)  # refuses what does not fit
        recipe = TrackerRecipe(
            "bundle",
            str(bundle),
            memory,
            backend,
            opened.simulate,
            weights=manifest.model.weights,
            bundle_sha256=opened.sha256,
        )
        return recipe, manifest.rungs, opened.check_rung
    from sam2lite.models.registry import load_model

    loaded = load_model(str(model), variant=variant)
    loaded.reference(**memory)  # refuses what does not fit
    recipe = TrackerRecipe("model", str(model), memory, variant=variant, weights=loaded.weights)
    return recipe, loaded.sizes, loaded.check_size


def _rungs(
    known: Sequence[int], check_size: Callable[[int], None], some: list[int] | None, every: bool
) -> Sequence[int]:
    if every and some:
        raise ArgumentError(
            f"--rungs scores every rung, and --rung {some[0]} one; give one of them"
        )
    if every:
        return known
    for rung in some or ():
        check_size(rung)
    return sorted(set(some or known[-1:]))


def _clips(
    set_name: str | None,
    count: int | None,
    seed: int | None,
    davis: Path | None,
    stills: Path | None,
    split: str | None,
) -> tuple[Sequence["ClipReference"], str]:
    """Return the clips and what to call them all together."""
    from sam2lite.evaluation.sources import DEFAULT_SET, folder_clips, fresh_clips, set_clips

    given = {"--set": set_name, "--clips": count, "--davis": davis, "--stills": stills}
    named = [flag for flag, value in given.items() if value is not None]
    if len(named) > 1:
        raise ArgumentError(f"{' and '.join(named)} each name clips; give one of them")
    if seed is not None and count is None:
        raise ArgumentError(f"--seed {seed} is of generated clips; say how many with --clips")
    if split is not None and stills is None:
        raise ArgumentError(f"--split {split} is of a folder of stills; name it with --stills")
    if stills is not None:
        from sam2lite.evaluation.sources import real_references

        split = split or "val"
        found, skipped = real_references(stills, split)
        if skipped:
            warn(skipped)
        return found, f"{stills}, {split}"
    if davis is not None:
        return folder_clips(davis), str(davis)
    if count is not None:
        return fresh_clips(count, seed or 0), f"{count} generated clips from seed {seed or 0}"
    return set_clips(set_name or DEFAULT_SET), set_name or DEFAULT_SET


def _write_folder(
    folder: Path,
    report: dict[str, Any],
    scores: "RunScores",
    task: "Task",
    references: Sequence["ClipReference"],
) -> None:
    """Write results.json, j_over_frames.png and worst/*.png."""
    from sam2lite.evaluation.plot import plot_j
    from sam2lite.evaluation.report import objects_to_json, worst_first
    from sam2lite.evaluation.worst_cases import worst_case_sheet
    from sam2lite.runtimes.video.opencv_files import write_picture

    whole = {**report, "per_object": objects_to_json(scores.main)}
    (folder / "results.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    curves = {"network": scores.main, **scores.by_baseline}
    plot_j(
        {name: found.object_scores for name, found in curves.items()},
        f"mean J over frames, {task.settings.prompt} prompt, {scores.clips} clips",
    ).savefig(folder / "j_over_frames.png")
    (folder / "worst").mkdir()
    by_name = {reference.name: reference for reference in references}
    tracker = task.recipe.make(max(task.rungs))
    try:
        for place, score in enumerate(worst_first(scores.main)[:WORST_CASES], 1):
            clip = by_name[score.clip].load()
            sheet = worst_case_sheet(tracker, clip, score, task.settings.prompt)
            name = f"{place:02d}_{score.clip.replace('/', '_')}_{score.object_id}.png"
            write_picture(folder / "worst" / name, sheet)
    finally:
        tracker.close()
