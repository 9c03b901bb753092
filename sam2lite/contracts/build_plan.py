"""The build plan of a TensorRT bundle: what the board does with each graph to make its engine.

`plan.json` lies beside the manifest, which has its hash. Paths are relative to the bundle.
"""

import json
from typing import Any, Dict, NamedTuple, Optional, Tuple

from sam2lite.contracts.fields import flag, items, one_of, or_none, record, table, text, whole, word
from sam2lite.contracts.keys import graph_key
from sam2lite.errors import BundleError
from sam2lite.files.json_reading import parse_json

PLAN_VERSION = 1
PLAN_FILE = "plan.json"
MAX_PLAN_BYTES = 4 << 20
ENGINES_FOLDER = "engines"
NOT_BUILT = "engine: not built"  # the manifest's status; engines are outside its hashes

FP16, INT8 = "FP16", "INT8"


class GraphPlan(NamedTuple):
    """How the engine of one graph is built.

    Attributes:
        onnx: the graph's file.
        flags: builder flags, `FP16` or `INT8`; none where types stand in the graph.
        fp32_nodes: names of the ONNX nodes whose layers compute in FP32 whatever the flags say.
        calibration_cache: file with a scale for every tensor, for INT8 without Q/DQ; or None.
    """

    onnx: str
    flags: Tuple[str, ...] = ()
    fp32_nodes: Tuple[str, ...] = ()
    calibration_cache: Optional[str] = None


class BuildPlan(NamedTuple):
    """How the engines of a bundle are built, one graph at a time, in order.

    Attributes:
        tensorrt: the version that the graphs were lowered for.
        strongly_typed: whether TensorRT takes the types in the graphs as they are (10 and newer).
        workspace_mb: memory that TensorRT may try kernels in, MiB.
        graphs: the plan of each, by its key in the manifest.
    """

    tensorrt: str
    strongly_typed: bool
    workspace_mb: int
    graphs: Dict[str, GraphPlan]

    def to_json(self) -> Dict[str, Any]:
        """Return plain data."""
        return {
            "plan_version": PLAN_VERSION,
            "tensorrt": self.tensorrt,
            "strongly_typed": self.strongly_typed,
            "workspace_mb": self.workspace_mb,
            "graphs": {
                key: {
                    "onnx": plan.onnx,
                    "flags": list(plan.flags),
                    "fp32_nodes": list(plan.fp32_nodes),
                    "calibration_cache": plan.calibration_cache,
                }
                for key, plan in self.graphs.items()
            },
        }

    def dumps(self) -> str:
        """Return the text of `plan.json`."""
        return json.dumps(self.to_json(), indent=1) + "\n"


_FIELDS = record(
    {
        "plan_version": whole(0, 1 << 31),
        "tensorrt": word,
        "strongly_typed": flag,
        "workspace_mb": whole(1, 1 << 20),
        "graphs": table(
            record(
                {
                    "onnx": text,
                    "flags": items(one_of((FP16, INT8)), most=2),
                    "fp32_nodes": items(text),
                    "calibration_cache": or_none(text),
                }
            ),
            key=graph_key,
            most=1000,
        ),
    }
)


def loads(raw: bytes, where: str) -> BuildPlan:
    """Parse the bytes of a build plan.

    Raises:
        BundleError: it is not JSON, of another version, or lacks or misstates a field; `where` is
            named.
    """
    data = parse_json(raw, where, BundleError, "copy or export the bundle again")
    version = data.get("plan_version", PLAN_VERSION) if isinstance(data, dict) else PLAN_VERSION
    if version != PLAN_VERSION:
        raise BundleError(
            "{} has version {}, this SAM2-Lite reads {}; export the bundle again".format(
                where, ascii(version)[:40], PLAN_VERSION
            )
        )
    try:
        _FIELDS(data, "")
    except ValueError as error:
        raise BundleError(
            "{} is no build plan ({}); copy or export the bundle again".format(where, error)
        ) from None
    return BuildPlan(
        data["tensorrt"],
        data["strongly_typed"],
        data["workspace_mb"],
        {
            key: GraphPlan(
                entry["onnx"],
                tuple(entry["flags"]),
                tuple(entry["fp32_nodes"]),
                entry["calibration_cache"],
            )
            for key, entry in data["graphs"].items()
        },
    )
