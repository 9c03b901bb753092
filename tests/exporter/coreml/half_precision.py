"""What is asked of a graph for Core ML in FP16, whatever its family."""

from pathlib import Path

from sam2lite.contracts.input_sizes import SQUARE, Aspect
from sam2lite.exporter.coreml.convert import convert
from sam2lite.exporter.verify.parity import module_parity
from sam2lite.mil.archive import read_specification
from sam2lite.mil.inventory import read_inventory
from sam2lite.mil.package import load_package
from sam2lite.models.loaded import LoadedModel
from sam2lite.targets.registry import get_target

LEAST_DB = 50.0  # of every output, each FP16 tensor rounded
# What the Neural Engine has not, and what works on whole numbers.
FOREIGN = {"gather", "gather_along_axis", "scatter", "select", "topk", "pad", "upsample_bilinear"}


def check_in_half_precision(
    loaded: LoadedModel, graph: str, height: int, pinned: set[str], aspect: Aspect = SQUARE
) -> None:
    """Check a graph's operators, its image, what stays in FP32, and how near PyTorch it is.

    Args:
        loaded: the network.
        graph: its name.
        height: of the input, px.
        pinned: why operators stay in FP32, all the reasons.
        aspect: of the input.
    """
    target = get_target("ios17").coreml
    assert target is not None
    width = height * aspect.width // aspect.height
    spec = loaded.family.graph(graph).bind(loaded.with_aspect(aspect).dims(width))
    fused = loaded.fused()
    converted = convert(fused.module(graph), spec, target, form=fused.core_ml_form)
    assert set(converted.pinned.values()) == pinned
    package = Path(converted.model.package_path)
    for image in (each for each in read_specification(package).description.input if spec.image):
        size = image.type.imageType
        assert (size.width, size.height) == (width, height)
    assert not FOREIGN & set(read_inventory(package)["main"].ops)
    run = load_package(package).function().run
    parity = module_parity(loaded.module(graph), lambda feeds: run(feeds), spec)
    assert min(error.sqnr_db for error in parity.values()) >= LEAST_DB
