"""What `sam2lite features` writes: a page, its pictures as files, and the numbers as JSON."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from sam2lite import __version__
from sam2lite.cli.reports.features import sections
from sam2lite.cli.reports.features.album import Album, pictures
from sam2lite.cli.reports.html.document import document
from sam2lite.cli.reports.html.markup import tag
from sam2lite.diagnostics.study import Seen, Study
from sam2lite.diagnostics.tokens import Norms
from sam2lite.files.staging import FolderKind

PAGE_FILE = "features.html"
NUMBERS_FILE = "features.json"
FEATURES = FolderKind(
    "the pictures of features",
    NUMBERS_FILE,
    '"sam2lite_version"',
    (PAGE_FILE, NUMBERS_FILE, "*.png"),
)


def write_study(study: Study, subject: str, folder: Path) -> dict[str, Any]:
    """Write a study to a folder and return its numbers.

    Args:
        study: what was found.
        subject: the frame, for people.
        folder: that is there.
    """
    album = Album(folder)
    frame = album.figure(sections.shrunk(study.frame_bgr, study), subject, "frame")
    found = [
        *sections.cuts(study, album),
        *sections.likenesses(study, album),
        *sections.lengths(study, album),
        *sections.positions(study, album),
        *sections.skips(study, album),
    ]
    header = [tag("h1", "Features ", tag("small", subject)), pictures(frame)]
    header += [tag("p", remark, class_="note") for remark in study.remarks]
    text = document(f"Features: {subject}", header, found, f"Made by sam2lite {__version__}.")
    (folder / PAGE_FILE).write_text(text, "utf-8")
    numbers = {"sam2lite_version": __version__, "frame": subject, **numbers_of(study)}
    (folder / NUMBERS_FILE).write_text(json.dumps(numbers, indent=1) + "\n")
    return numbers


def numbers_of(study: Study) -> dict[str, Any]:
    """Return the numbers of a study as plain data."""
    return {
        "point": study.point,
        "stages": {stage: [_seen(seen) for seen in views] for stage, views in study.stages.items()},
        "blocks": {name: _norms(found) for name, found in study.blocks.items()},
        "position_tables": {
            name: [found.height, found.width, found.channels]
            for name, found in study.tables.items()
        },
        "ablation": {
            view: [
                {
                    "without": list(found.without),
                    "iou": round(found.iou, 4),
                    "predicted_iou": round(found.predicted_iou, 4),
                }
                for found in masks
            ]
            for view, masks in study.ablated.items()
        },
        "remarks": list(study.remarks),
    }


def _seen(seen: Seen) -> dict[str, Any]:
    agreement, errors = seen.agreement, seen.errors_n
    return {
        "view": seen.view,
        "grid": [seen.map.height, seen.map.width],
        "channels": seen.map.channels,
        "eigenvectors": seen.cut.method,
        "eigenvalues": [round(float(value), 5) for value in seen.cut.values_k],
        "cosines": None if agreement is None else [round(float(c), 5) for c in agreement.cosines_k],
        "mean_cosine": None if agreement is None else round(agreement.mean_cosine, 5),
        "median_error": None if errors is None else round(float(np.median(errors)), 5),
        "norms": _norms(seen.norms),
    }


def _norms(found: Norms) -> dict[str, float | int]:
    return {
        "median": round(found.median, 5),
        "largest": round(found.largest, 5),
        "outliers": found.outliers,
    }
