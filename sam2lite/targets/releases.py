"""A target under another JetPack, or with another TensorRT, than the one it is listed with."""

from itertools import takewhile
from typing import Dict, Iterable, Optional, Tuple

from sam2lite.errors import ArgumentError, UnknownNameError
from sam2lite.targets.jetpack import JETPACKS
from sam2lite.targets.profile import Fact, JetPack, TargetProfile, TensorRt
from sam2lite.targets.tensorrt.ops import export_opset, parser_opset, read_version


def release_facts(release: JetPack) -> Dict[str, Fact]:
    """Return the facts of a profile that follow from its JetPack, by field."""
    return {
        "os": Fact("JetPack " + span_of(release), release.source),
        "python": Fact(release.python, release.source),
    }


def span_of(release: JetPack) -> str:
    """Return the releases that have the same versions, as in `6.1 to 6.2.2`."""
    return "{} to {}".format(release.also[0], release.name) if release.also else release.name


def tensorrt_facts(version: Fact) -> Dict[str, Fact]:
    """Return the facts of a profile that follow from its TensorRT, by field."""
    return {
        "runtime": Fact("TensorRT " + version.value, version.source),
        "opset": export_opset(read_version(version.value)),
    }


def with_jetpack(
    profile: TargetProfile, name: str, tensorrt: Optional[str] = None
) -> TargetProfile:
    """Return a board's profile under one of its JetPacks.

    Args:
        profile: the board.
        name: of the release; `6` stands for the newest that it begins.
        tensorrt: a TensorRT that this release can have; None for the one it installs.

    Raises:
        UnknownNameError: there is no such release, or no such TensorRT for it.
        ArgumentError: the board never had it, or is none that JetPack is for.
    """
    sheet = _tensorrt_of(profile)
    if not sheet.jetpacks:
        raise ArgumentError(
            "JetPack is for Jetson boards and '{}' is none; leave --jetpack out".format(profile.id)
        )
    release = _find(name, sheet.jetpacks)
    if release is None:
        raise _no_jetpack(profile, sheet, name)
    moved = _replaced(profile, release_facts(release))._replace(
        tensorrt=sheet._replace(jetpack=release.name)
    )
    moved = _made_for(moved, Fact(release.tensorrt, release.source))
    return moved if tensorrt is None else with_tensorrt(moved, tensorrt)


def with_tensorrt(profile: TargetProfile, version: str) -> TargetProfile:
    """Return a profile with another TensorRT that its system can have.

    Args:
        profile: of a target with TensorRT; on a Jetson the choice is that of its JetPack.
        version: as in `10.7`; `11` stands for the newest that it begins.

    Raises:
        UnknownNameError: it cannot have this version; the message lists those it can.
        ArgumentError: it has no TensorRT.
    """
    sheet = _tensorrt_of(profile)
    release = _find(sheet.jetpack, sheet.jetpacks) if sheet.jetpack else None
    if release is None:
        choice, source = sheet.versions, sheet.sources["version"]
        owner = profile.id
    else:
        choice, source = tensorrts_of(release), release.source
        owner = "{} under JetPack {}".format(profile.id, sheet.jetpack)
    full = _complete(version, choice)
    if full is None:
        raise UnknownNameError("TensorRT of " + owner, version, choice)
    return _made_for(profile, Fact(full, source))


def with_installed(profile: TargetProfile, version: str) -> TargetProfile:
    """Return a profile as a machine has it, whether or not its TensorRT is one that is listed.

    Args:
        profile: of a target with TensorRT; on a Jetson, the JetPack with this TensorRT is taken.
        version: `tensorrt.__version__`.

    Raises:
        ArgumentError: it has no TensorRT, or nothing is known about this version.
    """
    sheet = _tensorrt_of(profile)
    full = _digits(version)
    for release in reversed(sheet.jetpacks):
        if read_version(full) in [read_version(known) for known in tensorrts_of(release)]:
            profile = with_jetpack(profile, release.name)
            break
    return _made_for(profile, Fact(full, "tensorrt.__version__ on this machine"))


def _digits(version: str) -> str:
    """Return a version without what is no number, as in `8.6.1` for `8.6.1.post1`."""
    parts = version.split(".")
    return ".".join(takewhile(str.isdigit, parts)) or version


def tensorrts_of(release: JetPack) -> Tuple[str, ...]:
    """Return the TensorRTs that a release can have, the one that it installs first."""
    other = release.other_tensorrt
    return (release.tensorrt,) if other is None else (release.tensorrt, other)


def _made_for(profile: TargetProfile, version: Fact) -> TargetProfile:
    sheet = _tensorrt_of(profile)
    parser = parser_opset(read_version(version.value))
    sheet = sheet._replace(
        version=version.value,
        parser_opset=parser.value,
        sources=dict(sheet.sources, version=version.source, parser_opset=parser.source),
    )
    return _replaced(profile, tensorrt_facts(version))._replace(tensorrt=sheet)


def _replaced(profile: TargetProfile, facts: Dict[str, Fact]) -> TargetProfile:
    sources = {field: fact.source for field, fact in facts.items()}
    values = {field: fact.value for field, fact in facts.items()}
    return profile._replace(sources=dict(profile.sources, **sources), **values)


def _tensorrt_of(profile: TargetProfile) -> TensorRt:
    if profile.tensorrt is None:
        raise ArgumentError(
            "target '{}' runs ONNX Runtime and has neither JetPack nor TensorRT; name a target of "
            "backend trt (`sam2lite targets` lists them)".format(profile.id)
        )
    return profile.tensorrt


def _find(name: str, releases: Iterable[JetPack]) -> Optional[JetPack]:
    """Return the release that a name means; None where there is none."""
    by_name = {entry: release for release in releases for entry in (*release.also, release.name)}
    return by_name.get(_complete(name, tuple(by_name)) or "")


def _complete(name: str, known: Tuple[str, ...]) -> Optional[str]:
    """Return the known version that is meant: itself, or the newest that it begins."""
    if name in known:
        return name
    begun = [entry for entry in known if entry.startswith(name + ".")]
    return begun[-1] if begun else None


def _no_jetpack(profile: TargetProfile, sheet: TensorRt, name: str) -> ArgumentError:
    names = [entry for release in sheet.jetpacks for entry in (*release.also, release.name)]
    elsewhere = _find(name, JETPACKS)
    if elsewhere is None:
        return UnknownNameError("JetPack of {}".format(profile.id), name, names)
    order = [release.name for release in JETPACKS]
    too_new = order.index(elsewhere.name) > order.index(sheet.jetpacks[-1].name)
    return ArgumentError(
        "JetPack {} is not for {}, which {} with JetPack {}; choose from {}".format(
            name,
            profile.title,
            "ends" if too_new else "begins",
            names[-1] if too_new else names[0],
            ", ".join(names),
        )
    )
