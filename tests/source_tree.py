"""The package's sources as the tests of its architecture read them."""

import ast
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "sam2lite"
SOURCES = sorted(PACKAGE.rglob("*.py"))

# Families, and a backend, that are built on another one's rooms, which they import from.
BUILT_ON = {"backbones": "sam2", "edgetam": "sam2", "efficienttam": "sam2", "web": "ort"}


def place(path: Path) -> str:
    """Return where a source is in the package, as in `runtimes/bundle.py`."""
    return path.relative_to(PACKAGE).as_posix()


def module_name(path: Path) -> str:
    """Return the dotted name that a source is imported by."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Give all nodes but those under `if TYPE_CHECKING:`, which are never run."""
    yield tree
    children = list(ast.iter_child_nodes(tree))
    if isinstance(tree, ast.If) and "TYPE_CHECKING" in ast.unparse(tree.test):
        children = list(tree.orelse)
    for child in children:
        yield from nodes(child)


def imported(tree: ast.AST, known: Collection[str] = (), *, for_types: bool = False) -> set[str]:
    """Return the modules that a source imports, at its top or in a function.

    Args:
        tree: of the source.
        known: modules; `from package import module` is that of `package.module` if it is of these.
        for_types: whether what stands under `if TYPE_CHECKING:` counts.
    """
    names = set()
    for node in ast.walk(tree) if for_types else nodes(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            whole = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = whole & set(known)
            names |= modules if modules == whole else modules | {node.module}
    return names


def import_graph(sources: Collection[Path] = SOURCES) -> dict[str, set[str]]:
    """Return which modules of the package each module imports."""
    names = {module_name(path): path for path in sources}
    return {
        name: (imported(ast.parse(path.read_text()), names) & set(names)) - {name}
        for name, path in names.items()
    }


def circle(graph: Mapping[str, Collection[str]]) -> list[str]:
    """Return a way round a circle, its first module again at the end; nothing if there is none."""
    done: set[str] = set()

    def search(way: list[str]) -> list[str]:
        for following in sorted(graph[way[-1]]):
            if following in way:
                return [*way[way.index(following) :], following]
            if following not in done:
                found = search([*way, following])
                if found:
                    return found
        done.add(way[-1])
        return []

    return next((found for name in sorted(graph) if (found := search([name]))), [])


def numpy_names(tree: ast.AST) -> set[str]:
    """Return what a source uses of NumPy, as in `zeros` and `random.default_rng`."""
    bound: dict[str, str] = {}
    used: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            bound |= {a.asname or "numpy": "" for a in node.names if a.name == "numpy"}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "numpy":
            within = str(node.module).split(".")[1:]
            for alias in node.names:
                name = ".".join([*within, alias.name])
                bound[alias.asname or alias.name] = name
                used.add(name)
    for node in ast.walk(tree):
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.insert(0, node.attr)
            node = node.value
        if parts and isinstance(node, ast.Name) and node.id in bound:
            used.add(".".join([bound[node.id], *parts]).lstrip("."))
    return used


def strings(tree: ast.AST) -> set[str]:
    """Return the strings of a source but its docstrings."""
    told = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told
    }


def identifiers(tree: ast.AST) -> set[str]:
    """Return the names, attributes and keywords that a source uses."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.keyword | ast.arg) and node.arg:
            found.add(node.arg)
    return found
