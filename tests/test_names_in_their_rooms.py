"""No family and no backend is named outside its rooms and the registries."""

import ast
import re
from pathlib import Path

from sam2lite.contracts.backends import backend_names, get_backend
from sam2lite.contracts.family import Family, family_names, get_family
from tests.source_tree import BUILT_ON, PACKAGE, SOURCES, identifiers, imported, place, strings

# Families may be named in their registries, and where manifests of schema 1 are read, all of which
# are of the one family of their time. The trainer and the study of its memory are its own.
FAMILY_REGISTRIES = {"contracts/family.py", "contracts/schema_1.py", "models/registry.py"}
FAMILY_REGISTRIES |= {"models/known_networks.py"}  # of other people
FAMILY_ROOMS = ("contracts/families/{}.py", "runtimes/rules/{}/", "models/{}/")
OWN_STUDIES = {"sam2lite": ("training/", "cli/network/budget.py")}

# Backends may be named in the registry, by targets, and in their rooms.
BACKEND_REGISTRIES = ("contracts/backends.py", "targets/")
BACKEND_ROOMS = {
    "onnx": ("exporter/onnx/", "cli/export/onnx.py"),
    "ort": ("exporter/ort/", "runtimes/backends/ort/", "cli/export/ort.py"),
    "openvino": (
        "exporter/openvino/",
        "runtimes/backends/openvino/",
        "cli/export/openvino.py",
    ),
    "web": ("exporter/web/", "cli/export/web.py"),
    "trt": (
        "exporter/tensorrt/",
        "runtimes/backends/tensorrt/",
        "device/tensorrt/",
        "device/build.py",
        "cli/export/trt.py",
    ),
    "coreml": (
        "exporter/coreml/",
        "runtimes/backends/coreml/",
        "mil/",
        "cli/export/coreml.py",
        "cli/reports/coreml.py",
    ),
}


def own_words(family: Family) -> set[str]:
    """Return the names of graphs and tensors by which a family is known: not plain words."""
    tensors = {n for graph in family.graphs for n in graph.input_names + graph.output_names}
    return {graph.name for graph in family.graphs} | {name for name in tensors if "_" in name}


def rooms_of(name: str) -> tuple[str, ...]:
    return (*(room.format(name) for room in FAMILY_ROOMS), *OWN_STUDIES.get(name, ()))


def names_family(tree: ast.AST, family: Family) -> set[str]:
    """Return by which names a source knows a family."""
    graphs = {graph.name for graph in family.graphs}
    tensors = own_words(family) - graphs
    rooms = re.compile(
        rf"sam2lite\.(contracts\.families|runtimes\.rules|models)\.{family.name}(\.|$)"
    )
    found = {name for name in imported(tree, for_types=True) if rooms.match(name)}
    found |= (identifiers(tree) - set(dir(Family))) & graphs
    words = {word for text in strings(tree) for word in re.findall(r"\w+", text)}
    if family.name != PACKAGE.name:  # or its every mention of the package would count
        graphs = graphs | {family.name}
    return found | words & (graphs | tensors)


def outside(path: Path, rooms: tuple[str, ...]) -> bool:
    return not any(place(path).startswith(room) for room in rooms)


def test_no_family_is_named_outside_its_rooms() -> None:
    offenders = set()
    for path in SOURCES:
        if place(path) in FAMILY_REGISTRIES:
            continue
        tree = ast.parse(path.read_text())
        # Families share names of graphs and tensors, which each may use in its own rooms.
        used = [name for name in family_names() if not outside(path, rooms_of(name))]
        used += [BUILT_ON[name] for name in used if name in BUILT_ON]
        allowed = {word for name in used for word in own_words(get_family(name))}
        for name in set(family_names()) - set(used):
            if names_family(tree, get_family(name)) - allowed:
                offenders.add(place(path))
    assert not offenders


def test_a_family_that_is_built_on_another_is_mentioned_nowhere_else() -> None:
    """Not in a comment either: it costs its rooms and a line in each registry.

    However its name is spelt; but words that other signs part, as in `backbone: str`, are two.
    """
    for name in BUILT_ON.keys() & set(family_names()):
        mentioned = {
            place(path)
            for path in SOURCES
            if outside(path, rooms_of(name))
            and name in re.sub(r"(?<=\w)[-_ ](?=\w)|_", "", path.read_text()).lower()
        }
        assert mentioned <= FAMILY_REGISTRIES, name


def test_no_backend_is_named_outside_its_rooms() -> None:
    offenders = {
        place(path)
        for path in SOURCES
        for name in backend_names()
        if outside(path, BACKEND_REGISTRIES + BACKEND_ROOMS[name])
        and name in strings(ast.parse(path.read_text()))
    }
    assert not offenders


def test_every_backend_has_a_title_and_a_way_to_it() -> None:
    for name in backend_names():
        backend = get_backend(name)
        assert backend.title
        assert backend.exporter
        assert backend.adapter


def test_the_names_of_a_family_are_found() -> None:
    family = get_family("sam2lite")
    for source in (
        "from sam2lite.models.sam2lite.config import Config",
        "import sam2lite.contracts.families.sam2lite",
        "x = network.memory_encoder",
        "key = f'mask_decoder@{size}'",
        "feeds['memory_bias_b11n']",
        "run(iou_bm=1) or 'iou_bm'",
    ):
        assert names_family(ast.parse(source), family), source
    for source in (
        "from sam2lite.contracts.family import get_family",
        "get_family(name).image_encoder",
        "print('see sam2lite track')",
        'def f():\n    """As of mask_decoder."""',
    ):
        assert not names_family(ast.parse(source), family), source
