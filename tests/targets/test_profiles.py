import json

import pytest

from sam2lite.errors import ArgumentError, UnknownNameError
from sam2lite.targets import registry
from sam2lite.targets.precision import check_precision
from sam2lite.targets.profile import TargetProfile
from sam2lite.targets.registry import get_target, list_targets, register_target

CPU_IDS = ["x86-64-vnni", "x86-64", "raspberry-pi-5", "raspberry-pi-4", "arm64"]
JETSON_IDS = [
    "jetson-nano",
    "jetson-tx2",
    "jetson-xavier-nx",
    "jetson-agx-xavier",
    "jetson-orin-nano",
    "jetson-orin-nx",
    "jetson-agx-orin",
    "jetson-thor",
]
CUDA_IDS = [f"cuda-x86-sm{number}" for number in (75, 80, 86, 89, 90, 100, 120)]
INTEL_IDS = ["intel-n100", "intel-cpu", "intel-cpu-avx2", "intel-gpu"]
APPLE_IDS = ["ios18", "ios17", "ios16"]
IDS = [*CPU_IDS, *JETSON_IDS, *CUDA_IDS, *INTEL_IDS, *APPLE_IDS, "web"]
FIELDS = TargetProfile._fields
FACTS = FIELDS[FIELDS.index("chip") : FIELDS.index("sources")]


def test_targets_are_listed_by_id() -> None:
    assert [profile.id for profile in list_targets()] == IDS
    assert [get_target(name).id for name in IDS] == IDS


@pytest.mark.parametrize("name", ["raspberry-pi-6", "", "jetson-nana"])
def test_unknown_target_lists_the_known_ones(name: str) -> None:
    with pytest.raises(UnknownNameError) as caught:
        get_target(name)
    assert caught.value.exit_code == 2
    assert all(known in str(caught.value) for known in ["host", *IDS])


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("jetson-nana", "jetson-nano"),
        ("Jetson-Nanno", "jetson-nano"),
        ("orin-nanos", "jetson-orin-nano"),
        ("raspberrypie5", "raspberry-pi-5"),
        ("hosst", "host"),
    ],
)
def test_misspelt_target_is_recognised(name: str, meant: str) -> None:
    with pytest.raises(UnknownNameError, match=f"; did you mean {meant}"):
        get_target(name)


@pytest.mark.parametrize("name", ["toaster", "", 241])
def test_what_is_like_no_name_is_not_guessed(name: object) -> None:
    assert "did you mean" not in str(UnknownNameError("thing", name, [240, "jetson-nano"]))


@pytest.mark.parametrize("name", IDS)
def test_every_fact_has_a_source(name: str) -> None:
    profile = get_target(name)
    assert set(profile.sources) == set(FACTS)
    assert all(profile.sources.values())
    assert all(entry.source and entry.note for entry in profile.precisions)


@pytest.mark.parametrize("name", IDS)
def test_profile_survives_json(name: str) -> None:
    profile = get_target(name)
    data = json.loads(json.dumps(profile.to_json()))
    assert set(data) == set(TargetProfile._fields)
    more = {"coreml": ["w8a8", "int4", "palette6", "palette4"], "ort": ["w4", "w4a8"]}
    more["openvino"] = ["bf16"]
    assert [entry["name"] for entry in data["precisions"]] == [
        *("fp32", "fp16", "int8"),
        *more.get(profile.backend, []),
    ]
    assert data["qdq"]["weight_bits"] == profile.qdq.weight_bits
    assert data["sources"]["opset"] == profile.sources["opset"]


@pytest.mark.parametrize("name", CPU_IDS)
def test_fp16_is_said_to_be_storage_only(name: str) -> None:
    assert "storage only" in check_precision(get_target(name), "fp16").note


def test_what_is_not_served_is_refused_with_what_works_instead() -> None:
    profile = get_target("arm64")
    refused = profile.precisions[1]._replace(
        served=False, note="it has no such units", instead="fp32"
    )
    lacking = profile._replace(precisions=(profile.precisions[0], refused))
    with pytest.raises(ArgumentError) as caught:
        check_precision(lacking, "fp16")
    assert "arm64" in str(caught.value)
    assert "it has no such units" in str(caught.value)
    assert "--precision fp32" in str(caught.value)


@pytest.mark.parametrize("name", IDS)
def test_refused_precisions_point_at_one_that_is_served(name: str) -> None:
    profile = get_target(name)
    for entry in (entry for entry in profile.precisions if not entry.served):
        assert entry.instead is not None
        assert check_precision(profile, entry.instead).served


@pytest.mark.parametrize("precision", ["int4", "FP32", ""])
def test_unknown_precision_lists_the_known_ones(precision: str) -> None:
    with pytest.raises(UnknownNameError, match="fp32, fp16, int8"):
        check_precision(get_target("arm64"), precision)


@pytest.mark.parametrize(
    ("name", "assured"),
    [("x86-64-vnni", True), ("x86-64", False), ("raspberry-pi-4", False), ("arm64", False)],
)
def test_int8_says_where_a_speed_up_is_not_assured(name: str, assured: bool) -> None:
    entry = check_precision(get_target(name), "int8")
    assert ("not assured" not in entry.note) is assured


def test_int8_style_follows_the_instruction_set() -> None:
    styles = {name: get_target(name).qdq for name in CPU_IDS}
    # Without VNNI the sum of two products of U8 and S8 is kept in 16 bits.
    assert 2 * 255 * 2 ** (styles["x86-64"].weight_bits - 1) < 2**15
    assert styles["x86-64-vnni"].weight_bits == 8
    assert {styles[name].activation_dtype for name in CPU_IDS[:2]} == {"uint8"}
    assert {styles[name].activation_dtype for name in CPU_IDS[2:]} == {"int8"}
    assert {styles[name].activation_zero_point for name in CPU_IDS[2:]} == {0}


def test_small_boards_have_four_threads_and_others_all_cores() -> None:
    threads = {profile.id: profile.threads for profile in list_targets()}
    small = ("raspberry-pi-5", "raspberry-pi-4", "intel-n100")
    assert [threads.pop(name) for name in small] == [4, 4, 4]
    assert set(threads.values()) == {None}


def test_a_target_from_outside_is_known_once_it_is_registered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(registry, "_TARGETS", list_targets())
    mine = get_target("arm64")._replace(id="mine", title="A board of ours")
    register_target(mine)
    assert get_target("mine") is mine
    assert list_targets()[-1] is mine
    for known in ("mine", "host"):
        with pytest.raises(ArgumentError, match=f"there is a target '{known}' already"):
            register_target(mine._replace(id=known))
