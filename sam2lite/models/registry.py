"""From what a user calls a model to a network: the families are asked one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sam2lite.contracts.family import family_names, get_family, load
from sam2lite.errors import ModelError, UnknownNameError
from sam2lite.files.reading import printable
from sam2lite.models.family import HostFamily, no_variants
from sam2lite.models.found import Found, look_at
from sam2lite.models.grafting import Grafting
from sam2lite.models.hub import cached, is_hub_id
from sam2lite.models.known_networks import recognised
from sam2lite.models.loaded import LoadedModel
from sam2lite.models.weight_files import is_weight_file
from sam2lite.weights import SHIPPED

# What a model may be beside a name, for people.
_FORMS = ("a folder or file of a checkpoint", "an id of Hugging Face that is on this machine")


def hosts() -> Iterator[HostFamily]:
    """Yield every family that is known, with what it needs imported then."""
    for family in map(get_family, family_names()):
        if family.host:  # one that only runs bundles has none
            yield host_of(family.name)


def host_of(family: str) -> HostFamily:
    """Return a family by its name, as manifests have it.

    Raises:
        UnknownNameError: there is none of that name.
    """
    host: HostFamily = load(get_family(family).host)
    return host


def grafting_host(encoder: str) -> Grafting:
    """Return the family that has an image encoder for the heads of other networks.

    Raises:
        UnknownNameError: none has one of that name.
    """
    families: list[object] = list(hosts())
    grafting = [family for family in families if isinstance(family, Grafting)]
    for family in grafting:
        if encoder in family.encoder_names:
            return family
    names = [name for family in grafting for name in family.encoder_names]
    raise UnknownNameError("image encoder", encoder, names)


def published_names() -> list[str]:
    """Return the names under which users ask for networks.

    Those of families whose weights come with the package are first.
    """
    families = sorted(hosts(), key=lambda host: SHIPPED.keys().isdisjoint(host.published))
    return [name for host in families for name in host.published]


def load_model(
    name_or_path: str | Path, seed: int | None = None, variant: str | None = None
) -> LoadedModel:
    """Return what a user calls a model: a published name, or a checkpoint.

    A name (`tiny`) gives the weights that come with the package, or an untrained network where
    there are none; a folder of that name is `./tiny`. A checkpoint is of the family that recognises
    it by the names of its tensors and by its configuration. What has the form `owner/name` and is
    no path is looked for in the local cache of Hugging Face.

    Args:
        name_or_path: a name, the path of a checkpoint, or an id of Hugging Face.
        seed: of a published network: ask for random weights, of this seed, even where there are
            trained ones.
        variant: of a checkpoint whose weights do not show it: see `HostFamily.load_variant`.

    Raises:
        UnknownNameError: it is none of them.
        ArgumentError: a variant is missing, or is named of what has none.
        ModelError: it is a path or an id, and no checkpoint can be loaded from it; or no family
            knows it.
    """
    name = str(name_or_path)
    for host in hosts():
        if name in host.published:
            if variant is not None:
                raise no_variants(host.family.title, variant)
            if seed is None and name in SHIPPED:
                return host.load(SHIPPED[name])
            return host.build(name, seed or 0)
    path = Path(name_or_path)
    there = _exists(path)
    if not there and is_hub_id(name) and not is_weight_file(path):
        path, there = cached(name), True
    if there or len(path.parts) > 1 or is_weight_file(path):
        found = look_at(path)
        return _family_of(found).load_variant(path, variant)
    raise UnknownNameError("model", name, [*published_names(), *_FORMS])


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:  # a name that is too long, a folder that may not be looked into
        raise ModelError(f"cannot look at {printable(path)}: {error.strerror}") from None


def _family_of(found: Found) -> HostFamily:
    for host in hosts():
        if host.recognises(found.keys, found.config):
            return host
    other = recognised(found.keys)
    if other is not None:
        raise ModelError(
            f"{printable(found.path)} is {other.title}: it has {found.words}; {other.remedy}"
        )
    known = ", ".join(f"{host.family.name} ({host.family.title})" for host in hosts())
    raise ModelError(
        f"{printable(found.path)} is a checkpoint of no family that is known: it has "
        f"{found.words}; families: {known}"
    )
