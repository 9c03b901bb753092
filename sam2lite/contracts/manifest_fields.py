"""What the fields of a manifest may hold. Their meaning is described in docs/bundle.md.

Bounds are generous: many times what any export writes, and little enough that a manifest alone
cannot make its reader wait, or fill the memory.
"""

from typing import Any, Dict

from sam2lite.contracts.fields import (
    anything,
    digits,
    flag,
    items,
    number,
    one_of,
    or_none,
    record,
    table,
    text,
    whole,
    word,
)
from sam2lite.contracts.keys import MAX_SIDE, graph_key
from sam2lite.contracts.provenance import LINES
from sam2lite.errors import BundleError
from sam2lite.files.names import check_name

MAX_BYTES = 4 << 20  # of the file
MAX_FILES = 1000
MAX_GRAPHS = 512
MAX_RUNGS = 64
MAX_THREADS = 1024
MAX_BUNDLE_BYTES = 4 << 30  # of all files together, since all of them are hashed
MAX_GRAPH_BYTES = 256 << 20  # of all inputs and outputs of a graph together
ITEM_BYTES = {
    "float32": 4,
    "float16": 2,
    "int32": 4,
    "int64": 8,
    "uint8": 1,
    "int8": 1,
    "bool": 1,
}

_COUNT = whole(0, 1 << 53)
_FIGURE = or_none(number)


def _file(value: Any, where: str) -> None:
    check_name(value, where, BundleError)


TENSOR = record(
    {
        "name": word,
        "dtype": one_of(sorted(ITEM_BYTES)),
        "shape": items(whole(1, 1 << 24), most=8),
    }
)
_GRAPH = record(
    {
        "file": _file,
        "precision": word,
        "name": graph_key,
        "per_size": flag,
        "ranks": flag,
        "inputs": items(TENSOR, most=64),
        "outputs": items(TENSOR, most=64),
    },
    {
        "function": or_none(word),
        "aliases": table(items(word, least=1, most=16), key=word, most=128),
    },
)
_TARGET = record(
    {},
    {
        "id": word,
        "title": word,
        "os": word,
        "runtime": word,
        "python": word,
        "threads": or_none(whole(1, MAX_THREADS)),
        "arena": flag,
    },
    others=True,
)
_PREPROCESS = record({}, {"aspect": items(whole(1, MAX_SIDE), least=2, most=2)}, others=True)
_CALIBRATION = record(
    {},
    {
        "observer": word,
        "source": text,
        "frames": _COUNT,
        "int8_layers": items(text),
        "four_bit_layers": items(text),
        "float_layers": table(text),
    },
    others=True,
)
_CHOICES = table(
    record(
        {},
        {
            "made": _COUNT,
            "flipped": _COUNT,
            "tied": _COUNT,
            "smallest_flip": _FIGURE,
            "largest_flip": _FIGURE,
        },
        others=True,
    ),
    key=word,
    most=64,
)
_LOOP = record(
    {},
    {
        "frames": _COUNT,
        "objects": _COUNT,
        "max_logit_difference": number,
        "min_iou": number,
        "mean_iou": number,
        "present": _COUNT,
        "absent": _COUNT,
        "decisions_differ": _COUNT,
        "settings": table(anything, key=word),
        "choices": _CHOICES,
        "tied_choices": _COUNT,  # of older bundles
    },
    others=True,
)
_AGREED = {
    "frames": _COUNT,
    "decisions": _COUNT,
    "presence_differs": _COUNT,
    "masks": _COUNT,
    "mean_iou": _FIGURE,
    "lowest_iou": _FIGURE,
    "choices": _CHOICES,
}
_AGREEMENT = record(
    {},
    dict(
        _AGREED,
        source=text,
        split=word,
        rung=_COUNT,
        clips=items(record({}, dict(_AGREED, name=text), others=True)),
    ),
    others=True,
)
_SCORES = record({"jf": number, "first_frame_j": number}, others=True)
_MEMORY = record(
    {
        "target": word,
        "tensorrt": word,
        "workspace_mb": number,
        "all_rungs_mb": number,
        "libraries": record({"run_mb": number, "build_mb": number}, others=True),
        "rungs": items(
            record({"rung": _COUNT, "run_mb": number, "build_mb": number}, others=True),
            least=1,
            most=MAX_RUNGS,
        ),
        "sizes": items(
            record(
                {
                    "memory_mb": number,
                    "free_mb": number,
                    "run": table(text, most=MAX_RUNGS),
                    "build": table(text, most=MAX_RUNGS),
                    "all_rungs": text,
                },
                others=True,
            ),
            most=64,
        ),
        "warnings": items(text, most=MAX_RUNGS),
    },
    others=True,
)
_VERIFIED_GRAPH = record(
    {},
    {
        "nodes": _COUNT,
        "parity": table(record({"relative": _FIGURE}, others=True)),
        "passes": items(record({"name": word}, others=True)),
        "sqnr_db": table(_FIGURE),
        "pinned": table(text),
        "float_layers": table(text),
        "weight_bytes": _COUNT,
        "peak_live_bytes": _COUNT,
        "operators": table(_COUNT),
        "not_on_neural_engine": items(record({"operators": table(_COUNT)}, others=True)),
    },
    others=True,
)
_VERIFICATION = record(
    {},
    {
        "graphs": table(_VERIFIED_GRAPH, most=MAX_GRAPHS),
        "loop": _LOOP,
        "fp16_loop": _LOOP,
        "agreement": _AGREEMENT,
        "accuracy": record(
            {"clips": _COUNT, "rung": _COUNT, "before": _SCORES, "after": _SCORES}, others=True
        ),
        "simulation": record({"what": text}, others=True),
        "memory": _MEMORY,
    },
    others=True,
)

RUNGS = items(whole(1, MAX_SIDE), least=1, most=MAX_RUNGS)
_FIELDS: Dict[str, Any] = {
    "sam2lite_version": word,
    "model": record(
        {
            "family": word,
            "name": word,
            "checkpoint_sha256": word,
            "licence": word,
            "trained": flag,
            "parameters": _COUNT,
            "config": table(anything),
        },
        {"weights": or_none(one_of(sorted(LINES)))},
    ),
    "backend": word,
    "target": _TARGET,
    "opset": whole(1, 1000),
    "rungs": RUNGS,
    "graphs": table(_GRAPH, key=graph_key, most=MAX_GRAPHS),
    "dims": table(table(whole(1, 1 << 24), most=256), most=MAX_RUNGS),
    "stages": items(graph_key, least=1, most=256),
    "preprocess": _PREPROCESS,
    "postprocess": record(
        {
            "mask_stride": whole(0, MAX_SIDE),
            "mask_threshold": number,
            "object_score_threshold": number,
            "upsampling": word,
        }
    ),
    "memory": table(anything),
    "calibration": or_none(_CALIBRATION),
    "verification": _VERIFICATION,
    "tools": table(word, key=word),
    "files": table(
        record({"sha256": digits(64), "bytes": whole(0, MAX_BUNDLE_BYTES)}),
        key=_file,
        most=MAX_FILES,
    ),
    "status": word,
}
MANIFEST = record(_FIELDS, others=True)
