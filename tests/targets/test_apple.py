"""The targets for Core ML: what an iOS has, what it lacks, and that coremltools agrees."""

import pytest

from sam2lite.errors import ArgumentError
from sam2lite.exporter.coreml.compress import PRECISIONS
from sam2lite.mil.coremltools_import import import_coremltools
from sam2lite.mil.package import MINIMUM_OS
from sam2lite.targets.apple import APPLE_TARGETS
from sam2lite.targets.precision import check_backend, check_precision
from sam2lite.targets.profile import CoreMl, TargetProfile
from sam2lite.targets.registry import get_target

LACKING = {"ios16": {"w8a8", "int4"}, "ios17": {"int4"}, "ios18": set()}


def coreml(profile: TargetProfile) -> CoreMl:
    assert profile.coreml is not None
    return profile.coreml


@pytest.mark.parametrize("profile", APPLE_TARGETS, ids=lambda profile: profile.id)
def test_specification_and_opset_are_coremltools_own(profile: TargetProfile) -> None:
    ct = import_coremltools()
    found = coreml(profile)
    assert ct.target[found.deployment_target].value == found.specification
    assert MINIMUM_OS[found.specification] == profile.os
    assert ct.target[found.deployment_target].name == f"iOS{profile.id[3:]}"
    program = ct.converters.mil.mil.Builder.program(
        input_specs=[], opset_version=ct.target[found.deployment_target]
    )(lambda: ct.converters.mil.mil.Builder.const(val=1.0))
    (function,) = program.functions.values()
    assert function.opset_version.value == found.specification
    assert profile.opset == found.specification - 1


@pytest.mark.parametrize("profile", APPLE_TARGETS, ids=lambda profile: profile.id)
def test_every_fact_of_core_ml_has_a_source(profile: TargetProfile) -> None:
    found = coreml(profile)
    assert set(found.sources) == set(CoreMl._fields) - {"sources"}
    assert set(found.compute_units) == {"ranks", "others"}
    units = import_coremltools().ComputeUnit.__members__
    assert set(found.compute_units.values()) <= set(units)


@pytest.mark.parametrize(("name", "lacking"), LACKING.items())
def test_what_an_ios_lacks_is_refused_with_what_works(name: str, lacking: set[str]) -> None:
    profile = get_target(name)
    for precision in PRECISIONS:
        if precision in lacking:
            with pytest.raises(ArgumentError, match=f"'{name}'.*from iOS 1[78] on.*int8"):
                check_precision(profile, precision)
        else:
            assert check_precision(profile, precision).served
    with pytest.raises(ArgumentError, match=r"Neural Engine has no FP32.*--precision fp16"):
        check_precision(profile, "fp32")


@pytest.mark.parametrize("backend", ["ort", "trt"])
def test_other_exports_refuse_an_iphone(backend: str) -> None:
    with pytest.raises(ArgumentError, match="sam2lite-export coreml --target ios17"):
        check_backend(get_target("ios17"), backend)
