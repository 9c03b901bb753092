import pytest

from sam2lite.errors import ArgumentError
from sam2lite.targets.advice.fit import misfits
from sam2lite.targets.machine import Machine
from sam2lite.targets.precision import check_precision
from sam2lite.targets.registry import get_target, intel_host, list_targets


def machine(architecture: str, *flags: str, model: str = "a processor") -> Machine:
    return Machine(architecture, model, 4, frozenset(flags), ())


@pytest.mark.parametrize(
    ("found", "target"),
    [
        (machine("x86_64", "avx2", "avx_vnni", model="Intel(R) N100"), "intel-n100"),
        (machine("x86_64", "avx2", "avx_vnni", model="Intel(R) N97"), "intel-n100"),
        (machine("x86_64", "avx2", "avx_vnni", model="Intel(R) Core(TM) N1000"), "intel-cpu"),
        (machine("x86_64", "avx2", "avx512_vnni", "avx512_bf16"), "intel-cpu"),
        (machine("x86_64", "avx2", model="Intel(R) N100"), "intel-cpu-avx2"),  # in a machine that
        (machine("amd64"), "intel-cpu-avx2"),  # hides its flags, the careful choice
    ],
)
def test_the_host_of_openvino_is_found_by_its_marks(found: Machine, target: str) -> None:
    assert intel_host(found).id == target


def test_a_machine_that_is_not_x86_is_refused_with_what_works() -> None:
    with pytest.raises(ArgumentError, match=r"'aarch64'.*sam2lite-export ort") as caught:
        intel_host(machine("aarch64", "asimddp"))
    assert caught.value.exit_code == 2


def test_what_floats_are_computed_in_is_said_for_every_precision_that_is_served() -> None:
    profiles = [profile for profile in list_targets() if profile.openvino is not None]
    assert len(profiles) == 4
    for profile in profiles:
        assert profile.openvino is not None
        served = {entry.name for entry in profile.precisions if entry.served}
        assert served <= set(profile.openvino.float_types)
        assert profile.openvino.float_types["fp32"] == "f32"
        assert set(profile.openvino.to_json()["sources"]) == {"device", "float_types"}


def test_bf16_is_refused_where_no_chip_has_it() -> None:
    assert check_precision(get_target("intel-cpu"), "bf16").served
    for name in ("intel-n100", "intel-cpu-avx2", "intel-gpu"):
        with pytest.raises(ArgumentError, match=r"does not serve bf16.*--precision fp32"):
            check_precision(get_target(name), "bf16")


def test_int8_for_vnni_is_a_misfit_without_it() -> None:
    made_for = get_target("intel-cpu").to_json()
    (said,) = misfits(made_for, "int8", machine("x86_64", "avx2"))
    assert "saturate" in said
    assert not misfits(made_for, "int8", machine("x86_64", "avx_vnni"))
