"""`sam2lite eval --coco`: mean IoU on COCO's objects, by size and by input size."""

import json
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from sam2lite.cli.json_output import put_json
from sam2lite.cli.progress import progress_bar
from sam2lite.cli.prompted_video import warn
from sam2lite.cli.reports.coco_tables import print_coco_table
from sam2lite.contracts.provenance import UNTRAINED, provenance_line
from sam2lite.errors import UnknownNameError
from sam2lite.files.staging import FolderKind, staged_folder

if TYPE_CHECKING:
    from sam2lite.data.datasets.coco_instances import InstanceSet
    from sam2lite.evaluation.coco import InstanceRun, InstanceScore
    from sam2lite.evaluation.workers import TrackerRecipe

SCHEMA_VERSION = 1
SCORES = FolderKind(
    "the results of eval --coco",
    "results.json",
    '"by_size"',
    ("results.json", "coco_results_[0-9]*.json"),
)


@dataclass(frozen=True)
class CocoRun:
    """What is scored, and on what.

    Attributes:
        recipe: of the network.
        rungs: input sizes, px, ascending.
        path: of the data set, or of its file of instances.
        prompt: `box` or `click`.
        category: a name or an id; None for all.
        baselines: score the filled box too.
        workers: processes.
    """

    recipe: "TrackerRecipe"
    rungs: Sequence[int]
    path: Path
    prompt: str
    category: str | None
    baselines: bool
    workers: int


def score_coco(run: CocoRun, output: Path | None, force: bool, as_json: str | None) -> None:
    """Score a network, print a table or JSON, and write a folder of scores if one is named.

    Raises:
        UnknownNameError: there is no such prompt or category.
        VideoError: the data set is malformed or incomplete.
        OutputError: the folder exists.
    """
    from sam2lite.data.datasets.coco_instances import read_instances
    from sam2lite.data.process_pool import each_in_processes
    from sam2lite.evaluation.coco import PROMPTS, InstanceTask, gather

    if run.prompt not in PROMPTS:
        raise UnknownNameError("prompt", run.prompt, PROMPTS)
    found = read_instances(run.path)
    if run.category is not None:
        found = found.only(_category_id(run.category, found))
    if run.recipe.weights == UNTRAINED:
        warn(f"the weights of {run.recipe.source!r} are untrained; its scores mean nothing")
    task = InstanceTask(run.recipe, run.rungs, run.prompt, run.baselines)
    with nullcontext() if output is None else staged_folder(output, force, SCORES) as folder:
        with progress_bar() as bar:
            scored = each_in_processes(task.worker, found.images, run.workers)
            results = gather(list(bar.track(scored, len(found.images), description="images")))
        report = {
            "schema_version": SCHEMA_VERSION,
            **run.recipe.describe(),
            "source": str(run.path),
            "prompt": run.prompt,
            "category": run.category,
            "crowds": found.crowds,
            **results.to_json(),
        }
        if folder is not None:
            _write_folder(folder, report, results)
    _say_left_out(found.crowds, results.empty)
    if put_json(as_json, report):
        return
    columns = {
        **{f"{rung} px\n{run.prompt}": scores for rung, scores in results.by_rung.items()},
        **{f"{name.replace('_', ' ')}\nbox": each for name, each in results.by_baseline.items()},
    }
    typer.echo(f"weights: {provenance_line(run.recipe.weights)}")
    title = f"{run.recipe.kind} {run.recipe.source} on {run.path}: {results.images} images"
    print_coco_table(title, columns)
    if output is not None:
        typer.echo(f"written: {output}")


def show_coco_results(files: Sequence[Path], category: str | None, as_json: str | None) -> None:
    """Print the means of files of scores, a column each.

    Raises:
        UnknownNameError: a file has no object of the category.
        VideoError: one cannot be read.
    """
    from sam2lite.evaluation.coco import read_results
    from sam2lite.evaluation.coco.summary import mean_ious, means_to_json

    crowds = 0
    columns: dict[str, list[InstanceScore]] = {}
    for file in dict.fromkeys(files):
        read = read_results(file)
        crowds += read.crowds
        columns[str(file)] = read.scores if category is None else _of(category, read.scores)
    _say_left_out(crowds, 0)
    means = {name: {"by_size": means_to_json(mean_ious(columns[name]))} for name in columns}
    report = {"schema_version": SCHEMA_VERSION, "category": category, "files": means}
    if put_json(as_json, report):
        return
    # A table has no room for folders, unless they alone tell files apart.
    short = {name: Path(name).name for name in columns}
    told_apart = len(set(short.values())) == len(short)
    titled = {short[name] if told_apart else name: columns[name] for name in columns}
    print_coco_table("mean IoU", titled)


def _category_id(category: str, found: "InstanceSet") -> int:
    for key, name in found.categories.items():
        if category == name:
            return key
    used = {each.category_id for image in found.images for each in image.instances}
    if category.isdecimal() and int(category) in used:
        return int(category)
    names = [found.categories.get(key, str(key)) for key in sorted(used)]
    raise UnknownNameError("category", category, names)


def _of(category: str, scores: Iterable["InstanceScore"]) -> list["InstanceScore"]:
    scores = list(scores)
    found = [score for score in scores if str(score.category_id) == category]
    if not found:
        known = sorted({score.category_id for score in scores})
        raise UnknownNameError("category", category, known)
    return found


def _say_left_out(crowds: int, empty: int) -> None:
    if crowds:
        warn(f"left out, as in COCO's own evaluation: {crowds} annotations of crowds")
    if empty:
        warn(f"left out, as there is nothing to find: {empty} objects without a pixel")


def _write_folder(folder: Path, report: dict[str, Any], results: "InstanceRun") -> None:
    """Write results.json, and the scores of every object in a file for each input size."""
    from sam2lite.evaluation.coco import to_records

    (folder / "results.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    for rung, scores in results.by_rung.items():
        text = json.dumps(to_records(scores))
        (folder / f"coco_results_{rung}.json").write_text(text + "\n", encoding="utf-8")
