"""Where a graph runs in OpenVINO, and in which arithmetic: chosen, and checked."""

from typing import TYPE_CHECKING, Any, Mapping, NamedTuple, Optional

from sam2lite.contracts.fields import one_of, record, table, word
from sam2lite.errors import BundleError, SessionError

if TYPE_CHECKING:
    from sam2lite.runtimes.bundle import Bundle

CPU = "CPU"
FLOAT_TYPES = ("f32", "f16", "bf16")
# What a device must be able to do for a type; FP32 is taken everywhere.
_CAPABILITIES = {"f16": "FP16", "bf16": "BF16"}
_TARGET = record(
    {
        "openvino": record(
            {"device": word, "float_types": table(one_of(FLOAT_TYPES), most=256)}, others=True
        )
    },
    others=True,
)


class Placement(NamedTuple):
    """Where a graph runs, and how.

    Attributes:
        device: as OpenVINO calls it: `CPU`, `GPU`, `GPU.1`, `NPU`.
        float_type: what is not in INT8 is computed in, as OpenVINO calls it.
    """

    device: str
    float_type: str


def placement_of(bundle: "Bundle", key: str, provider: Optional[str], core: Any) -> Placement:
    """Return where a graph is to run here.

    Types below FP32 are for the image encoder alone, which is most of the work. In BF16, OpenVINO
    2026.4 computes mask decoders and memory encoders that have nothing to do with those in FP32.

    Args:
        bundle: that it is of.
        key: of the graph in the manifest.
        provider: the device, or device and type, as in `GPU` and `CPU:bf16`; those of the bundle's
            target if not given.
        core: OpenVINO's.

    Raises:
        BundleError: the manifest does not say where its graphs may run.
        SessionError: the device is not here, or does not compute in the type that was asked for.
    """
    entry = bundle.manifest.graphs[key]
    own = _of_target(bundle.manifest.target, entry.precision)
    device, _, asked = (provider or own.device).partition(":")
    if asked and asked not in FLOAT_TYPES:
        raise SessionError(
            "{!r} is not what OpenVINO computes in; choose {}".format(asked, ", ".join(FLOAT_TYPES))
        )
    _check_device(device, core)
    wanted = "f32" if entry.spec.image is None else asked or own.float_type
    needed = _CAPABILITIES.get(wanted)
    if needed is None or needed in core.get_property(device, "OPTIMIZATION_CAPABILITIES"):
        return Placement(device, wanted)
    if asked:
        raise SessionError("{} does not compute in {}; leave it out".format(device, asked))
    return Placement(device, "f32")


def _of_target(target: Mapping[str, Any], precision: str) -> Placement:
    try:
        _TARGET(target, "target")
        own = target["openvino"]
        return Placement(own["device"], own["float_types"][precision])
    except (KeyError, ValueError) as error:
        raise BundleError(
            "the manifest does not say where its graphs may run in OpenVINO ({}); export the "
            "bundle again".format(error)
        ) from None


def _check_device(device: str, core: Any) -> None:
    """Refuse what is not here; names that stand for several devices are not taken either."""
    here = list(core.available_devices)
    if not any(name == device or name.startswith(device + ".") for name in here):
        driver = "" if device == CPU else ", or install its driver"
        raise SessionError(
            "OpenVINO has no {!r} here, only {}; choose one of these{}".format(
                device, ", ".join(here) or "nothing", driver
            )
        )
