"""The sections of the page of `sam2lite features`."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from sam2lite.cli.reports.features.album import Album, pictures
from sam2lite.cli.reports.html.bars import Bar, Part, draw_bars
from sam2lite.cli.reports.html.markup import Html, table, tag
from sam2lite.diagnostics.maps import TokenMap
from sam2lite.diagnostics.pictures import by_rank, enlarged, heat, with_cross
from sam2lite.diagnostics.positions import components
from sam2lite.diagnostics.study import Seen, Study
from sam2lite.diagnostics.tokens import OUTLIER, Norms, likeness
from sam2lite.runtimes.video.overlay import draw_overlay

Section = tuple[str, Sequence[Html]]

WIDTH = 480  # px of a picture
_TABLE_SIDE = 320  # px of a position table's
_LEAST_SCALE = 0.01  # of differences: what is less is rounding, and stays dark
_BRIGHT = 99.0  # percentile of differences that is bright


def cuts(study: Study, album: Album) -> list[Section]:
    """Return the eigenvectors of each stage in each view, and where views differ."""
    parts: list[Html] = [
        tag(
            "p",
            "Tokens of one colour are held for the same thing. Red, green and blue are the second, "
            "third and fourth eigenvectors of the normalized cut, each by rank; those of later "
            "views are turned to meet the first one's. Beside them, where a view differs from the "
            "first: bright tokens have moved.",
        )
    ]
    compared = [
        (tag("code", stage), seen.view, *_figures(seen))
        for stage, views in study.stages.items()
        for seen in views
        if seen.agreement is not None
    ]
    if compared:
        heading = (
            "Stage",
            "View",
            "Mean cosine",
            "Smallest cosine",
            "Median error of features",
            "95th percentile",
        )
        parts += [
            tag(
                "p",
                "Agreement with the first view: cosines of the principal angles between the spaces "
                "of the eigenvectors, 1 for the same space.",
            ),
            table(heading, compared),
        ]
    for stage, views in study.stages.items():
        parts.append(tag("h3", stage))
        parts += [pictures(*_cut_figures(stage, seen, study, album)) for seen in views]
    return [("What the network tells apart", parts)]


def likenesses(study: Study, album: Album) -> list[Section]:
    """Return how much each token is like the one under the click; nothing without a click."""
    if study.point is None:
        return []
    parts: list[Html] = [
        tag("p", "Cosine of each token with the one under the cross; bright is 1, dark 0 or less.")
    ]
    for stage, views in study.stages.items():
        figures = []
        for seen in views:
            assert seen.likeness_n is not None
            picture = _shown(heat(seen.map.on_grid(seen.likeness_n), 0.0, 1.0), study)
            caption = f"{stage}: {seen.view}"
            figures.append(
                album.figure(_crossed(picture, study), caption, "like", stage, seen.view)
            )
        parts.append(pictures(*figures))
    return [("Tokens like the clicked one", parts)]


def lengths(study: Study, album: Album) -> list[Section]:
    """Return the norms of tokens, and of a network in PyTorch those of all blocks."""
    rows = [
        (tag("code", stage), seen.view, *_norm_cells(seen.norms))
        for stage, views in study.stages.items()
        for seen in views
    ]
    figures = []
    for stage, views in study.stages.items():
        for seen in views:
            top = OUTLIER * seen.norms.median
            picture = _shown(heat(seen.map.on_grid(seen.norms.norms_n), 0.0, top), study)
            caption = f"{stage}: {seen.view}; bright is {OUTLIER:g} times the median or more"
            figures.append(album.figure(picture, caption, "norm", stage, seen.view))
    heading = ("Stage", "View", "Median norm", "Largest", "Times the median", "Outliers")
    parts = [
        tag(
            "p",
            f"Tokens of more than {OUTLIER:g} times the median norm stretch the range that all "
            "share in INT8 and FP16.",
        ),
        table(heading, rows),
        pictures(*figures),
    ]
    if study.blocks:
        bars = [
            Bar(name, f"{found.median:.3g}, largest {found.largest:.3g}", _bar(found))
            for name, found in study.blocks.items()
        ]
        parts += [
            tag("h3", "Block by block in PyTorch"),
            tag("p", "Median norm of the tokens that a block gives, and up to the largest."),
            draw_bars(bars),
        ]
    return [("Norms of tokens", parts)]


def positions(study: Study, album: Album) -> list[Section]:
    """Return the position tables of a network in PyTorch; nothing where there are none."""
    if not study.tables:
        return []
    parts: list[Html] = []
    for name, found in study.tables.items():
        middle = (found.height // 2) * found.width + found.width // 2
        like = heat(found.on_grid(likeness(found, middle)), -1.0, 1.0)
        size = f"{found.height} x {found.width} of {found.channels} channels"
        parts.append(
            pictures(
                album.figure(
                    _squared(by_rank(components(found)), found),
                    f"{name}, {size}: three principal components by rank",
                    "position",
                    name,
                ),
                album.figure(
                    _squared(like, found),
                    f"{name}: cosine with the middle, dark -1, bright 1",
                    "position-like",
                    name,
                ),
            )
        )
    return [("Position tables", parts)]


def skips(study: Study, album: Album) -> list[Section]:
    """Return the masks of the click with and without the maps of high resolution."""
    if not study.ablated:
        return []
    rows, figures = [], []
    for view, masks in study.ablated.items():
        for found in masks:
            name = f"without {' and '.join(found.without)}" if found.without else "with all maps"
            rows.append((view, name, f"{found.iou:.4f}", f"{found.predicted_iou:.3f}"))
            picture = draw_overlay(study.frame_bgr, {1: found.mask_hw}, {1: f"{found.iou:.3f}"})
            shown = _crossed(shrunk(picture, study), study)
            figures.append(album.figure(shown, f"{view}, {name}", "skip", view, name))
    heading = ("View", "Decoded", "IoU with all maps", "Predicted IoU")
    parts = [
        tag("p", "The click's mask where the decoder gets zeros for maps of high resolution."),
        table(heading, rows),
        pictures(*figures),
    ]
    return [("Maps of high resolution left out", parts)]


def _figures(seen: Seen) -> tuple[str, str, str, str]:
    assert seen.agreement is not None
    cosines = seen.agreement.cosines_k
    errors = seen.errors_n
    if errors is None:
        return f"{cosines.mean():.4f}", f"{cosines.min():.4f}", "(other grid)", ""
    return (
        f"{cosines.mean():.4f}",
        f"{cosines.min():.4f}",
        f"{float(np.median(errors)):.4f}",
        f"{float(np.percentile(errors, 95)):.4f}",
    )


def _cut_figures(stage: str, seen: Seen, study: Study, album: Album) -> list[Html]:
    size = f"{seen.map.height} x {seen.map.width} tokens of {seen.map.channels}"
    found = [
        album.figure(
            _shown(by_rank(seen.cuts_hwk), study),
            f"{seen.view}: {size} ({seen.cut.method})",
            "ncut",
            stage,
            seen.view,
        )
    ]
    views = study.stages[stage]
    apart = [None if each.agreement is None else each.agreement.apart_n for each in views]
    index = list(views).index(seen)
    for kind, values, words in (
        ("ncut-apart", apart, "Where its eigenvectors differ"),
        ("error", [each.errors_n for each in views], "Where its features differ"),
    ):
        own = values[index]
        if own is None:
            continue
        top = _scale(values)
        caption = f"{words}: median {np.median(own):.4f} of a token's length; bright is {top:.3g}"
        picture = _shown(heat(views[0].map.on_grid(own), 0.0, top), study)
        found.append(album.figure(picture, caption, kind, stage, seen.view))
    return found


def _scale(values: Sequence[NDArray[np.floating] | None]) -> float:
    """Return what is bright in all of these pictures, so that they can be compared."""
    tops = [float(np.percentile(each, _BRIGHT)) for each in values if each is not None]
    return max([_LEAST_SCALE, *tops])


def _norm_cells(found: Norms) -> tuple[str, str, str, str]:
    ratio = found.largest / found.median if found.median else float("inf")
    return f"{found.median:.3g}", f"{found.largest:.3g}", f"{ratio:.2f}", str(found.outliers)


def _bar(found: Norms) -> list[Part]:
    return [Part(found.median, 1, "median"), Part(found.largest - found.median, 2, "largest")]


def _shown(picture: NDArray[np.uint8], study: Study) -> NDArray[np.uint8]:
    return enlarged(picture, WIDTH, _height(study))


def shrunk(picture: NDArray[np.uint8], study: Study) -> NDArray[np.uint8]:
    """Return a picture of the frame's size as large as the others are."""
    size = (WIDTH, _height(study))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))


def _height(study: Study) -> int:
    height, width = study.frame_bgr.shape[:2]
    return max(1, min(4 * WIDTH, round(WIDTH * int(height) / int(width))))


def _crossed(picture: NDArray[np.uint8], study: Study) -> NDArray[np.uint8]:
    assert study.point is not None
    height, width = study.frame_bgr.shape[:2]
    x, y = study.point
    rows, columns = picture.shape[:2]
    return with_cross(picture, (x + 0.5) * columns / width, (y + 0.5) * rows / height)


def _squared(picture: NDArray[np.uint8], found: TokenMap) -> NDArray[np.uint8]:
    return enlarged(picture, _TABLE_SIDE, max(1, _TABLE_SIDE * found.height // found.width))
