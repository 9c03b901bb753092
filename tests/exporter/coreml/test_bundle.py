"""A bundle for Core ML: packages, functions, metadata, and what was verified."""

import json
import uuid
from pathlib import Path

import pytest

from sam2lite.contracts.families.sam2lite import FAMILY, IMAGE_ENCODER, MEMORY_SELECT
from sam2lite.errors import VerificationError
from sam2lite.exporter.coreml.packages import place_of
from sam2lite.exporter.coreml.verify import verify_function
from sam2lite.exporter.onnx.trace import example_inputs, feeds_of
from sam2lite.mil.archive import read_specification, weights_folder
from sam2lite.mil.inventory import read_inventory
from sam2lite.models.loaded import LoadedModel
from sam2lite.runtimes.bundle import open_bundle
from sam2lite.targets.registry import get_target

RUNG_GRAPHS = ("image_encoder", "mask_decoder", "memory_encoder")


def test_a_package_holds_a_graph_at_all_rungs(ios_bundle: Path) -> None:
    manifest = open_bundle(str(ios_bundle)).manifest
    assert manifest.backend == "coreml"
    assert manifest.preprocess["dtype"] == "uint8"
    places = {key: (entry.file, entry.function) for key, entry in manifest.graphs.items()}
    assert places == {
        **{
            f"{name}@{rung}": (f"graphs/{name}.mlpackage", f"r{rung}")
            for name in RUNG_GRAPHS
            for rung in (240, 336)
        },
        "memory_select": ("graphs/memory_select.mlpackage", None),
    }
    precisions = {key: entry.precision for key, entry in manifest.graphs.items()}
    assert precisions.pop("memory_select") == "fp32"
    assert set(precisions.values()) == {"int8"}


@pytest.mark.parametrize("name", ["image_encoder", "mask_decoder", "memory_encoder"])
def test_functions_share_their_weights(ios_bundle: Path, name: str) -> None:
    package = ios_bundle / "graphs" / f"{name}.mlpackage"
    functions = read_inventory(package)
    assert set(functions) == {"r240", "r336"}
    stored = (weights_folder(package) / "weight.bin").stat().st_size
    assert stored < 0.75 * sum(function.weight_bytes for function in functions.values())


def test_before_ios_18_every_rung_has_its_package() -> None:
    for name in ("ios16", "ios17"):
        target = get_target(name).coreml
        assert target is not None
        places = {place_of(IMAGE_ENCODER, rung, target) for rung in (240, 480)}
        assert {place.package for place in places} == {
            "graphs/image_encoder_240.mlpackage",
            "graphs/image_encoder_480.mlpackage",
        }
        assert {place.function for place in places} == {None}
        assert place_of(MEMORY_SELECT, 480, target).package == "graphs/memory_select.mlpackage"


def test_packages_say_what_they_are(ios_bundle: Path, mini_model: LoadedModel) -> None:
    for package in sorted((ios_bundle / "graphs").glob("*.mlpackage")):
        description = read_specification(package).description
        meta = description.metadata
        assert meta.license == "Apache-2.0"
        assert meta.author
        assert meta.userDefined["sam2lite.checkpoint_sha256"] == mini_model.sha256
        assert meta.userDefined["sam2lite.graph"] == package.stem
        assert not any("date" in key for key in meta.userDefined)
        for function in description.functions or [description]:
            for feature in (*function.input, *function.output):
                assert feature.shortDescription == MEMORY_SELECT.tensors[feature.name].words


def test_nothing_in_a_package_is_drawn_at_random(ios_bundle: Path) -> None:
    # The items of all packages have the same paths, and so the same identifiers.
    manifests = {file.read_text() for file in ios_bundle.glob("graphs/*.mlpackage/Manifest.json")}
    (manifest,) = map(json.loads, manifests)
    assert manifest["itemInfoEntries"][manifest["rootModelIdentifier"]]["name"] == "model.mlmodel"
    assert {uuid.UUID(item).version for item in manifest["itemInfoEntries"]} == {5}


def test_everything_in_the_contract_is_described() -> None:
    assert all(graph.words for graph in FAMILY.graphs)
    specs = {spec.name for graph in FAMILY.graphs for spec in (*graph.inputs, *graph.outputs)}
    assert {name for graph in FAMILY.graphs for name in graph.tensors} == specs


def test_the_manifest_says_how_it_was_verified(ios_bundle: Path) -> None:
    manifest = open_bundle(str(ios_bundle)).manifest
    found = manifest.verification
    assert "no Core ML" in found["simulation"]["what"]
    assert set(found["graphs"]) == set(manifest.graphs)
    for key, report in found["graphs"].items():
        assert set(report["sqnr_db"]) == set(manifest.graphs[key].spec.output_names)
        assert report["weight_bytes"] > 0
        assert report["peak_live_bytes"] > 0
    ranked = found["graphs"]["memory_select"]
    assert set(ranked["sqnr_db"].values()) == {None}  # equal
    reasons = [entry["operators"] for entry in ranked["not_on_neural_engine"]]
    assert {"topk": 1} in reasons
    assert found["graphs"]["mask_decoder@240"]["pinned"]["sin"] == "coordinates"
    assert found["loop"]["rungs"] == [336, 240]
    assert found["loop"]["non_empty"] > 0
    assert found["loop"]["mean_iou"] >= 0.98
    assert all(graph["float_layers"] == {} for graph in found["graphs"].values())
    assert (found["agreement"]["frames"], found["agreement"]["rung"]) == (3, 336)
    assert found["agreement"]["mean_iou"] >= 0.9


def test_verification_refuses_what_is_not_as_asked(
    ios_bundle: Path, mini_model: LoadedModel
) -> None:
    entry = open_bundle(str(ios_bundle)).manifest.graphs["memory_encoder@240"]
    module = mini_model.model.memory_encoder
    target, older = get_target("ios18").coreml, get_target("ios17").coreml
    assert target is not None
    assert older is not None
    package = ios_bundle / entry.file
    calls = [feeds_of(entry.spec, example_inputs(entry.spec, seed)) for seed in range(2)]
    report = verify_function(package, entry.function, module, entry.spec, target, calls)
    report.check(report.worst_db - 0.1, "memory_encoder@240")
    with pytest.raises(VerificationError, match=r"memory_encoder@240: token_.* dB are asked for"):
        report.check(report.worst_db + 0.1, "memory_encoder@240")
    with pytest.raises(VerificationError, match=r"version 9 \(iOS 18\); 8 was asked for"):
        verify_function(package, entry.function, module, entry.spec, older, calls)
