"""Manifests of schema 1, from before there were families: all of them are SAM2-Lite's."""

from typing import Any, Dict

from sam2lite.contracts.families.sam2lite import FAMILY, graph_dims
from sam2lite.contracts.fields import anything, items, record, table, text, whole
from sam2lite.contracts.keys import graph_key
from sam2lite.contracts.manifest_fields import MAX_FILES, RUNGS, TENSOR
from sam2lite.errors import BundleError

# What is read here, before the whole is looked at as one of schema 2.
_READ = record(
    {
        "rungs": RUNGS,
        "graphs": table(
            record({"name": text, "outputs": items(TENSOR, most=256)}, others=True),
            key=graph_key,
            most=MAX_FILES,
        ),
        "memory": record({"budget": whole(1, 1 << 16)}, others=True),
        "model": table(anything),
    },
    others=True,
)


def upgraded(data: Dict[str, Any], where: str) -> Dict[str, Any]:
    """Return a manifest of schema 1 as one of schema 2.

    Args:
        data: as parsed.
        where: it was read, for the message.

    Raises:
        BundleError: it is no bundle of the one family of that time.
    """
    try:
        _READ(data, "")
        rungs = sorted(data["rungs"])
        graphs = {key: _graph(entry) for key, entry in data["graphs"].items()}
        encoder = graphs[FAMILY.image_encoder.key(rungs[0])]
        d, c8, c4 = [int(tensor["shape"][1]) for tensor in encoder["outputs"]]
        budget = data["memory"]["budget"]
        model = dict(data["model"], family=FAMILY.name)
    except (IndexError, KeyError, ValueError) as error:
        raise BundleError(
            "{} lacks or misstates a field ({}: {}); export the bundle again".format(
                where, type(error).__name__, error
            )
        ) from None
    return dict(
        data,
        model=model,
        graphs=graphs,
        dims={str(rung): graph_dims(rung, d, c8, c4, budget) for rung in rungs},
        stages=[graph.name for graph in FAMILY.graphs],
    )


def _graph(entry: Dict[str, Any]) -> Dict[str, Any]:
    known = [graph for graph in FAMILY.graphs if graph.name == entry["name"]]
    if not known:
        raise ValueError("unknown graph {!r}".format(entry["name"]))
    return dict(entry, per_size=known[0].per_size, ranks=known[0].ranks)
