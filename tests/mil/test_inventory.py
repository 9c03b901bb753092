"""What reports say of a package."""

from collections import Counter

import numpy as np

from sam2lite.mil.inventory import read_inventory
from sam2lite.mil.live_bytes import peak_live_bytes
from sam2lite.mil.neural_engine import obstacles
from sam2lite.mil.package import load_package
from tests.mil.conftest import Packages
from tests.mil.mil import one_op, simulated


def test_an_inventory_counts_what_runs(packages: Packages) -> None:
    half, full = (packages("memory_select", precision) for precision in ("float16", "float32"))
    inventory = read_inventory(half)["main"]
    steps = load_package(half).function().program.steps
    assert inventory.ops == Counter(step.op for step in steps)
    assert inventory.float32_ops == 0
    everything = read_inventory(full)["main"]
    of_integers = ("expand_dims", "tile", "cast")
    assert everything.float32_ops == sum(
        count for op, count in everything.ops.items() if op not in of_integers
    )
    # Biases are stored, too, but small constants are part of the program.
    assert 1.9 < everything.weight_bytes / inventory.weight_bytes < 2.1


def test_obstacles_are_those_of_operators_that_are_there(packages: Packages) -> None:
    ops = read_inventory(packages("memory_select"))["main"].ops
    met = [counts for _, counts in obstacles(ops)]
    assert met == [{"gather_along_axis": 2}, {"topk": 1}]
    assert obstacles({"conv": 3}) == []


def test_memory_counts_what_is_alive_at_once() -> None:
    x = np.zeros((1, 1000), np.float16)
    relu = simulated(one_op("relu", {"x": x}, {}, "iOS17"))
    assert peak_live_bytes(relu) == 2 * 2000
    split = simulated(one_op("split", {"x": x}, {"num_splits": 2, "axis": 1}, "iOS17"))
    assert peak_live_bytes(split) == 2 * 2000
    cast = simulated(one_op("cast", {"x": x}, {"dtype": "fp32"}, "iOS17"))
    assert peak_live_bytes(cast) == 2000 + 4000
