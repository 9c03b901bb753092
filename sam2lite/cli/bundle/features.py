"""`sam2lite features`: what the image encoder of a bundle tells apart, as pictures."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from sam2lite.cli.bundles import Backend, bundle_or_default
from sam2lite.cli.export import options
from sam2lite.cli.json_output import ToJson, put_json
from sam2lite.cli.progress import shown_progress
from sam2lite.cli.simulated import simulated_elsewhere
from sam2lite.diagnostics.ablation import ablate_skips
from sam2lite.diagnostics.bundle_view import bundle_view
from sam2lite.diagnostics.maps import View
from sam2lite.diagnostics.study import Seen, Study, chosen_stages, seen_stages
from sam2lite.diagnostics.tokens import norms
from sam2lite.errors import ArgumentError, PromptError, VideoError
from sam2lite.files.names import public_name
from sam2lite.files.staging import check_replaceable, staged_folder
from sam2lite.runtimes.bundle import Bundle
from sam2lite.runtimes.prompts import Prompt
from sam2lite.runtimes.video.source import open_source

if TYPE_CHECKING:
    from sam2lite.models.loaded import LoadedModel

_MOST_VIEWS = 6


def features(
    video: Annotated[
        str, typer.Option(metavar="FILE|FOLDER", help="A video, a folder of frames, or a picture.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for page and pictures.")
    ],
    bundle: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="Whose image encoder is looked at. Repeatable; others are compared with the "
            "first.",
            show_default="Tiny, made once",
        ),
    ] = None,
    model: options.MaybeModel = None,
    variant: options.Variant = None,
    frame: Annotated[int, typer.Option(min=0, metavar="N", help="Of the video, from 0.")] = 0,
    stage: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Map to look at: an output of the graph, or with --model the path of a module of "
            "the image encoder. Repeatable.",
            show_default="all that a graph gives",
        ),
    ] = None,
    rung: Annotated[
        list[int] | None,
        typer.Option(
            metavar="R",
            help="Input size, px. Repeatable; others are compared with the first.",
            show_default="the largest",
        ),
    ] = None,
    point: Annotated[
        str | None,
        typer.Option(
            metavar="X,Y",
            help="Pixel of the frame: which tokens are like it, and what its mask owes to the maps "
            "of high resolution.",
        ),
    ] = None,
    backend: Backend = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the folder.")] = False,
    as_json: ToJson = None,
) -> None:
    """Show what the image encoder tells apart.

    And where a precision or an input size changes it. Writes features.html, its pictures as PNG
    files, and features.json: eigenvectors of the normalized cut of every map, how far those of
    several bundles or input sizes agree and where they do not, norms of the tokens; with --point
    tokens like the clicked one, and its mask without the maps of high resolution; with --model
    norms of all blocks and the position tables.

    For every map the first bundle and size is what the others are compared with.
    """
    from sam2lite.cli.reports.features.page import FEATURES, PAGE_FILE, write_study

    check_replaceable(output.resolve(), force, FEATURES)
    frame_bgr = _frame(video, frame)
    click = None if point is None else _point(point, frame_bgr)
    loaded = None if model is None else options.load_model(model, variant)
    paths: Sequence[Path | None] = bundle or ([None] if loaded is None else [])
    bundles = [simulated_elsewhere(bundle_or_default(path, backend)) for path in paths]
    _check_count(len(bundles) + (loaded is not None), rung)
    views, ablated = [], {}
    for each in bundles:
        for size in rung or [each.manifest.rungs[-1]]:
            views.append(bundle_view(each, frame_bgr, size))
            if click is not None:
                ablated[views[-1].label] = ablate_skips(each, frame_bgr, click, size)
    told = _of_network(loaded, frame_bgr, rung, bundles, views)
    elsewhere = () if loaded else ("and with --model any module of the image encoder",)
    stages = chosen_stages(stage or (), _with_names(views, loaded, stage), elsewhere)
    count = sum(name in view.maps for name in stages for view in views)
    with shown_progress("eigenvectors") as progress:
        found = seen_stages(stages, views, frame_bgr, click, progress(count))
    remarks = _remarks(found, views, loaded, click, told)
    study = Study(frame_bgr, click, found, ablated=ablated, remarks=remarks, **told)
    subject = f"{public_name(video)}, frame {frame}"
    with staged_folder(output, force, FEATURES) as folder:
        numbers = write_study(study, subject, folder)
    if not put_json(as_json, numbers):
        _print(study)
        typer.echo(f"{output / PAGE_FILE}: {len(stages)} stages in {len(views)} views")


def _frame(video: str, index: int) -> NDArray[np.uint8]:
    """Return a frame of a video.

    Raises:
        VideoError: it cannot be read, or ends before.
    """
    count = 0
    with open_source(video) as source:
        if source.is_live:
            raise VideoError(f"'{public_name(video)}' is live; record it, or give a picture")
        for count, found in enumerate(islice(source, index + 1), 1):
            if count == index + 1:
                return np.array(found, np.uint8)
    raise VideoError(
        f"there is no frame {index}: '{public_name(video)}' has {count}, counted from 0"
    )


def _point(text: str, frame_bgr: NDArray[np.uint8]) -> tuple[float, float]:
    """Read a click and check it against its frame.

    Raises:
        PromptError: it is no pair of numbers, or lies outside.
    """
    try:
        x, y = map(float, text.split(","))
    except ValueError:
        raise PromptError(f"cannot read '{text}'; the form is --point X,Y") from None
    height, width = frame_bgr.shape[:2]
    inside = Prompt([(x, y)]).inside(width, height)
    return float(inside.points_xy[0, 0]), float(inside.points_xy[0, 1])


def _check_count(networks: int, rungs: Sequence[int] | None) -> None:
    if len(set(rungs or ())) != len(rungs or ()):
        raise ArgumentError("an input size is given twice; give each --rung once")
    count = networks * max(1, len(rungs or ()))
    if count > _MOST_VIEWS:
        raise ArgumentError(
            f"{count} views are asked for, and a page shows {_MOST_VIEWS}; give fewer --bundle or "
            "--rung"
        )


def _of_network(
    model: "LoadedModel | None",
    frame_bgr: NDArray[np.uint8],
    rungs: Sequence[int] | None,
    bundles: Sequence[Bundle],
    views: list[View],
) -> dict[str, Any]:
    """Add the views of a network in PyTorch; return its blocks and its position tables."""
    if model is None:
        return {}
    from sam2lite.diagnostics.network_view import block_names, network_view
    from sam2lite.diagnostics.positions import position_tables

    model = model.with_aspect(bundles[0].manifest.aspect) if bundles else model
    sizes = rungs or [bundles[0].manifest.rungs[-1] if bundles else model.sizes[-1]]
    own = [network_view(model, frame_bgr, size) for size in sizes]
    views += own
    maps = own[0].maps
    blocks = {name: norms(maps[name]) for name in block_names(model) if name in maps}
    return {"blocks": blocks, "tables": position_tables(model)}


def _with_names(
    views: Sequence[View], model: "LoadedModel | None", asked: Sequence[str] | None
) -> Sequence[View]:
    """Return the views whose maps may be shown: of a network alone, those that graphs give."""
    if model is None or asked:
        return views
    given = {tensor.name for tensor in model.family.image_encoder.outputs}
    return [
        View(view.label, {name: each for name, each in view.maps.items() if name in given})
        for view in views
    ]


def _remarks(
    found: dict[str, Any],
    views: Sequence[View],
    model: "LoadedModel | None",
    click: tuple[float, float] | None,
    told: dict[str, Any],
) -> list[str]:
    """Return what is not on the page, a sentence each."""
    remarks = []
    if model is None:
        remarks.append(
            "Blocks within the image encoder, and position tables, are no outputs of a graph; give "
            "--model to see them in PyTorch."
        )
    elif not told["tables"]:
        remarks.append(f"The image encoder of {model.name} has no learned position table.")
    if click is None:
        remarks.append(
            "Tokens like a point, and masks without the maps of high resolution, need a click: "
            "--point X,Y."
        )
    for stage, seen in found.items():
        missing = [view.label for view in views if stage not in view.maps]
        if missing:
            remarks.append(
                f"{stage} is no output of the graph of {' and '.join(missing)}, and is shown of "
                f"{' and '.join(each.view for each in seen)} alone."
            )
    return remarks


def _print(study: Study) -> None:
    for stage, views in study.stages.items():
        for seen in views:
            typer.echo(f"{stage}, {seen.view}: {'; '.join(_said(seen))}")
    for view, masks in study.ablated.items():
        for each in masks[1:]:
            typer.echo(f"{view}: without {' and '.join(each.without)} IoU {each.iou:.4f}")
    for remark in study.remarks:
        typer.echo(remark, err=True)


def _said(seen: Seen) -> list[str]:
    parts = [f"largest norm {seen.norms.largest / max(seen.norms.median, 1e-30):.2f} x median"]
    if seen.agreement is not None:
        cosines = seen.agreement.cosines_k
        parts.append(f"mean cosine {cosines.mean():.4f}, smallest {cosines.min():.4f}")
    if seen.errors_n is not None:
        parts.append(f"median error {np.median(seen.errors_n):.4f}")
    return parts
