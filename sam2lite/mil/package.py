"""A saved Core ML package, opened for simulation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sam2lite.contracts.tensors import TensorSpec
from sam2lite.errors import BundleError, SessionError, UnknownNameError
from sam2lite.mil.archive import (
    blobs,
    operations,
    read_specification,
    weights_folder,
)
from sam2lite.mil.feeds import Feed
from sam2lite.mil.function import SimulatedFunction
from sam2lite.mil.program import ConstantPool, read_program, refuse_unknown
from sam2lite.mil.steps import Program

# What the versions of specifications with ML programs need; coremltools 9.0 names them likewise.
MINIMUM_OS = {6: "iOS 15", 7: "iOS 16", 8: "iOS 17", 9: "iOS 18", 10: "iOS 26"}

# Of the colour orders that Core ML has, those of three channels.
_COLOURS = ("RGB", "BGR")


@dataclass(frozen=True)
class SimulatedPackage:
    """A package whose functions can be evaluated here, for accuracy only.

    Attributes:
        path: of the package.
        specification_version: of Core ML's specification that it declares.
        minimum_os: first iOS that has this version.
        default_function: what is evaluated where no function is asked for.
        functions: by name; one, `main`, before iOS 18.
    """

    path: Path
    specification_version: int
    minimum_os: str
    default_function: str
    functions: Mapping[str, SimulatedFunction]

    def function(self, name: str | None = None) -> SimulatedFunction:
        """Return a function by name, or the default one.

        Raises:
            UnknownNameError: there is none of this name.
        """
        wanted = self.default_function if name is None else name
        if wanted not in self.functions:
            raise UnknownNameError(f"function of {self.path.name}", wanted, self.functions)
        return self.functions[wanted]


def load_package(path: Path, functions: Sequence[str] | None = None) -> SimulatedPackage:
    """Read a saved package: its program, its weights file, and what it says of itself.

    Args:
        path: of the folder, which ends in `.mlpackage`.
        functions: names of those to load, all by default.

    Raises:
        BundleError: it is no package, it is damaged, or it declares what cannot be simulated.
        DependencyError: coremltools is not installed.
        SessionError: coremltools is another version than the one that is relied on, or an operator
            of a function is unknown.
        UnknownNameError: a function that was asked for is not there.
    """
    specification = read_specification(path)
    version = int(specification.specificationVersion)
    if version not in MINIMUM_OS:
        raise BundleError(
            f"{path} has the specification version {version}; known: "
            f"{', '.join(map(str, MINIMUM_OS))}"
        )
    described = _descriptions(specification)
    for name in functions or ():
        if name not in described:
            raise UnknownNameError(f"function of {path.name}", name, described)
    pool = ConstantPool()
    return SimulatedPackage(
        path,
        version,
        MINIMUM_OS[version],
        specification.description.defaultFunctionName or "main",
        {
            name: _load_function(specification, name, described[name], path, pool)
            for name in (described if functions is None else functions)
        },
    )


def _descriptions(specification: Any) -> dict[str, Any]:
    """Return what describes inputs and outputs, by function."""
    description = specification.description
    return {entry.name: entry for entry in description.functions} or {"main": description}


def _load_function(
    specification: Any, name: str, described: Any, path: Path, pool: ConstantPool
) -> SimulatedFunction:
    message = specification.mlProgram.functions[name]
    listed = [(op.type, _operation_name(op)) for op in operations(message)]
    refuse_unknown(name, listed)
    blobs(message, path)
    program = read_program(_in_memory(specification, name, path), name, pool)
    feeds = tuple(_feed(feature, path) for feature in described.input)
    function = SimulatedFunction(
        name, feeds, tuple(_spec(feature, path) for feature in described.output), program
    )
    _check_ends(function, program, path)
    return function


def _operation_name(operation: Any) -> str:
    values = operation.attributes["name"].immediateValue.tensor.strings.values
    return str(values[0]) if values else "unnamed"


def _in_memory(specification: Any, name: str, path: Path) -> Any:
    """Return one function in coremltools' in-memory form, its weights read."""
    from coremltools.converters.mil.frontend.milproto.load import load

    alone = type(specification)()
    alone.CopyFrom(specification)
    for other in set(specification.mlProgram.functions) - {name}:
        del alone.mlProgram.functions[other]
    try:
        program = load(alone, specification.specificationVersion, str(weights_folder(path)))
    # Whatever its reader stumbles over: it checks with assertions, look-ups and native code.
    except Exception as error:
        raise BundleError(
            f"coremltools cannot read function {name!r} of {path}: {error}"
        ) from error
    return program.functions[name]


def _feed(feature: Any, path: Path) -> Feed:
    if feature.type.WhichOneof("Type") != "imageType":
        return Feed(_spec(feature, path))
    image = feature.type.imageType
    colours = image.ColorSpace.Name(image.colorSpace)
    if colours not in _COLOURS or image.WhichOneof("SizeFlexibility"):
        raise SessionError(
            f"image input {feature.name!r} of {path.name} is {colours} or of flexible size; only "
            f"{' and '.join(_COLOURS)} of one size can be simulated"
        )
    return Feed(TensorSpec(feature.name, "uint8", (1, 3, image.height, image.width)), colours)


def _spec(feature: Any, path: Path) -> TensorSpec:
    kind = feature.type.WhichOneof("Type")
    array = feature.type.multiArrayType
    if kind != "multiArrayType" or array.WhichOneof("ShapeFlexibility"):
        raise SessionError(
            f"{feature.name!r} of {path.name} is of the kind {kind} or of flexible shape; only "
            "arrays of one shape, and images as inputs, can be simulated"
        )
    dtype = array.ArrayDataType.Name(array.dataType).lower()
    return TensorSpec(feature.name, dtype, tuple(int(size) for size in array.shape))


def _check_ends(function: SimulatedFunction, program: Program, path: Path) -> None:
    """Raise BundleError unless the description and the program have the same inputs and outputs."""
    taken = {spec.name: spec for spec in program.inputs}
    for feed in function.feeds:
        described = feed.spec if feed.colours is None else feed.spec._replace(dtype="float32")
        if taken.get(feed.spec.name) != described:
            raise BundleError(
                f"{path} contradicts itself: it describes {described}, its function "
                f"{function.name!r} takes {taken.get(feed.spec.name)}; export it again"
            )
    given = {spec.name: spec for step in program.steps for spec in step.outputs}
    for spec in function.outputs:
        if spec.name not in program.outputs or given.get(spec.name, spec) != spec:
            raise BundleError(
                f"{path} contradicts itself: it describes {spec}, its function {function.name!r} "
                f"gives {given.get(spec.name)}; export it again"
            )
