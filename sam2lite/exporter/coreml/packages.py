"""Saved packages: one a graph over all rungs where iOS has functions, else one a graph and rung.

Where iOS has functions, graphs that differ in shapes alone, with the same parameters, are functions
of one package: four graphs of memory attention would be a third of SAM 2 tiny otherwise.
"""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sam2lite.contracts.manifest import GRAPHS_FOLDER
from sam2lite.exporter.coreml.quiet import quiet
from sam2lite.runtimes.backends.coreml.package_check import MANIFEST_FILE, read_items

if TYPE_CHECKING:
    from torch import nn

    from sam2lite.contracts.tensors import GraphSpec
    from sam2lite.targets.profile import CoreMl

SUFFIX = ".mlpackage"
_SAME = 0.9  # of the parameters of either of two graphs, that share a package


class Place(NamedTuple):
    """Where a graph is: its package, relative to the bundle, and the function in it.

    Names are such that Xcode makes a class of them: `image_encoder_480`.
    """

    package: str
    function: str | None


def place_of(spec: GraphSpec, rung: int, target: CoreMl, shared: str | None = None) -> Place:
    """Return where a graph is kept at a rung.

    Args:
        spec: of the graph.
        rung: input side, px.
        target: whether its iOS has functions.
        shared: name of the package, from `shared_packages`; that of the graph if not given.
    """
    graph = spec.name
    if not spec.per_size:
        return Place(f"{GRAPHS_FOLDER}/{graph}{SUFFIX}", None)
    if not target.multifunction:
        return Place(f"{GRAPHS_FOLDER}/{graph}_{rung}{SUFFIX}", None)
    if shared in (None, graph):
        return Place(f"{GRAPHS_FOLDER}/{graph}{SUFFIX}", f"r{rung}")
    return Place(f"{GRAPHS_FOLDER}/{shared}{SUFFIX}", f"{graph}_r{rung}")


def shared_packages(modules: Mapping[str, nn.Module]) -> dict[str, str]:
    """Return the name of each graph's package: its own, or what the names of several begin with.

    Args:
        modules: of one network, by graph; those that share parameters hold the same ones.
    """
    groups: list[list[str]] = []
    for graph, module in modules.items():
        for group in groups:
            if _same(module, modules[group[0]]):
                group.append(graph)
                break
        else:
            groups.append([graph])
    return {graph: _beginning(group) for group in groups for graph in group}


def _beginning(names: list[str]) -> str:
    """Return what all names begin with, in whole words; the first name where that is nothing."""
    words = []
    for column in zip(*(name.split("_") for name in names), strict=False):
        if len(set(column)) > 1:
            break
        words.append(column[0])
    return "_".join(words) or names[0]


def _same(module: nn.Module, other: nn.Module) -> bool:
    sizes, others = (
        {id(parameter): parameter.numel() for parameter in each.parameters()}
        for each in (module, other)
    )
    both = sum(size for key, size in sizes.items() if key in others)
    return both > 0 and both >= _SAME * max(sum(sizes.values()), sum(others.values()))


def merge(functions: Mapping[str, Path], package: Path) -> None:
    """Join packages of one function each to one, in which equal weights are stored once.

    Args:
        functions: the packages by the name that their function gets; the last is the default.
        package: the new one.
    """
    from sam2lite.mil.coremltools_import import import_coremltools
    from sam2lite.mil.exact_passes import exact_passes

    ct = import_coremltools()
    descriptor = ct.utils.MultiFunctionDescriptor()
    for name, single in functions.items():
        descriptor.add_function(str(single), "main", name)
    descriptor.default_function_name = list(functions)[-1]
    with exact_passes(), quiet():
        ct.utils.save_multifunction(descriptor, str(package))
    for single in functions.values():
        shutil.rmtree(single)


def settle_identifiers(package: Path) -> None:
    """Give the items of a package identifiers by their paths: equal exports are equal files.

    coremltools draws them at random.
    """
    file = package / MANIFEST_FILE
    manifest = dict(read_items(str(package)))
    items = manifest["itemInfoEntries"]
    settled = {old: str(uuid.uuid5(uuid.NAMESPACE_URL, items[old]["path"])) for old in items}
    manifest["itemInfoEntries"] = {settled[old]: item for old, item in items.items()}
    manifest["rootModelIdentifier"] = settled[manifest["rootModelIdentifier"]]
    file.write_text(json.dumps(manifest, indent=4, sort_keys=True) + "\n", encoding="utf-8")
