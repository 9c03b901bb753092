"""Saved packages, read again and evaluated: how far they are from PyTorch, and what is in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sam2lite.errors import VerificationError
from sam2lite.exporter.verify.parity import ErrorStatistics, calls_parity
from sam2lite.mil.inventory import FunctionInventory, read_inventory
from sam2lite.mil.live_bytes import peak_live_bytes
from sam2lite.mil.neural_engine import FLOAT32, obstacles
from sam2lite.mil.package import load_package

if TYPE_CHECKING:
    from torch import nn

    from sam2lite.contracts.tensors import GraphSpec
    from sam2lite.exporter.verify.selection import Arrays
    from sam2lite.mil.dtypes import Precision
    from sam2lite.targets.profile import CoreMl


@dataclass(frozen=True)
class GraphReport:
    """What was found of one graph in its saved package.

    Attributes:
        exact: error of every output in FP32 maths.
        rounded: the same with every FP16 tensor rounded after its operator.
        inventory: of its function.
        peak_live_bytes: of its tensors, an estimate to compare functions by.
    """

    exact: dict[str, ErrorStatistics]
    rounded: dict[str, ErrorStatistics]
    inventory: FunctionInventory
    peak_live_bytes: int

    @property
    def worst_db(self) -> float:
        """SQNR of the worst output in FP16, dB."""
        return min(error.sqnr_db for error in self.rounded.values())

    def check(self, least_sqnr_db: float, where: str, float_layers: int = 0) -> None:
        """Raise VerificationError if an output is below a bound, named with what it has.

        Args:
            least_sqnr_db: the bound.
            where: graph and rung.
            float_layers: how many were left in FP16 to hold it.
        """
        tried = f", with the {float_layers} most sensitive layers in FP16" if float_layers else ""
        for name, error in self.rounded.items():
            if not error.sqnr_db >= least_sqnr_db:
                raise VerificationError(
                    f"{where}: {name} is at {error.sqnr_db:.1f} dB of PyTorch's, by simulation in "
                    f"FP16{tried}; {least_sqnr_db:g} dB are asked for. Export in another "
                    "--precision"
                )

    def to_json(self) -> dict[str, Any]:
        """Return plain data for the manifest's `verification.graphs`."""
        found = self.inventory
        return {
            "parity": {name: error.to_json() for name, error in self.exact.items()},
            "sqnr_db": {name: error.to_json()["sqnr_db"] for name, error in self.rounded.items()},
            "ties": max(error.ties for error in self.rounded.values()),
            "operators": dict(sorted(found.ops.items())),
            "weight_bytes": found.weight_bytes,
            "peak_live_bytes": self.peak_live_bytes,
            "not_on_neural_engine": _not_on_neural_engine(found),
        }


def verify_function(
    package: Path,
    function: str | None,
    module: nn.Module,
    spec: GraphSpec,
    target: CoreMl,
    calls: Sequence[Arrays],
) -> GraphReport:
    """Read a package from disk and compare one of its functions with PyTorch, in both modes.

    Args:
        package: its folder.
        function: name of the function; the only one if None.
        module: as it was trained, in evaluation mode.
        spec: its bound spec.
        target: whose specification version the package must have.
        calls: what both are run on; images are uint8.

    Raises:
        BundleError, SessionError: the package cannot be read or evaluated.
        VerificationError: it is for another iOS.
    """
    loaded = load_package(package, None if function is None else [function])
    if loaded.specification_version != target.specification:
        raise VerificationError(
            f"{package.name} has the specification version {loaded.specification_version} "
            f"({loaded.minimum_os}); {target.specification} was asked for"
        )
    evaluated = loaded.function(function)

    def parity(precision: Precision) -> dict[str, ErrorStatistics]:
        return calls_parity(module, lambda feeds: evaluated.run(feeds, precision), spec, calls)

    inventory = read_inventory(package)[function or "main"]
    return GraphReport(parity("fp32"), parity("fp16"), inventory, peak_live_bytes(evaluated))


def _not_on_neural_engine(found: FunctionInventory) -> list[dict[str, Any]]:
    """Return the operators that are known, or held, not to run there, with what it rests on."""
    listed = [
        {
            "operators": counts,
            "reason": obstacle.reason,
            "evidence": obstacle.evidence,
            "source": obstacle.source,
        }
        for obstacle, counts in obstacles(found.ops)
    ]
    if found.float32_ops:
        listed.append(
            {
                "operators": {"any in float32": found.float32_ops},
                "reason": FLOAT32.reason,
                "evidence": FLOAT32.evidence,
                "source": FLOAT32.source,
            }
        )
    return listed
