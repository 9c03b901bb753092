"""The build plan of a TensorRT bundle: what the board does with each graph to make its engine.

`plan.json` lies beside the manifest, which has its hash. Paths are relative to the bundle.
"""

import json
from typing import Any, Dict, NamedTuple, Optional, Tuple

from sam2lite.errors import BundleError

PLAN_VERSION = 1
PLAN_FILE = "plan.json"
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


def loads(text: str, where: str) -> BuildPlan:
    """Parse the text of a build plan.

    Raises:
        BundleError: it is not JSON, of another version, or lacks a field; `where` is named.
    """
    try:
        data = json.loads(text)
        version = data["plan_version"]
        graphs = {
            str(key): GraphPlan(
                str(entry["onnx"]),
                tuple(str(flag) for flag in entry["flags"]),
                tuple(str(name) for name in entry["fp32_nodes"]),
                entry["calibration_cache"],
            )
            for key, entry in data["graphs"].items()
        }
        plan = BuildPlan(
            str(data["tensorrt"]), bool(data["strongly_typed"]), int(data["workspace_mb"]), graphs
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BundleError(
            "{} is no build plan ({}: {}); copy or export the bundle again".format(
                where, type(error).__name__, error
            )
        ) from None
    if version != PLAN_VERSION:
        raise BundleError(
            "{} has version {!r}, this SAM2-Lite reads {}; export the bundle again".format(
                where, version, PLAN_VERSION
            )
        )
    return plan
