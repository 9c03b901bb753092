import pytest

from sam2lite.errors import UnknownNameError
from sam2lite.targets.aliases import ALIASES, id_of
from sam2lite.targets.registry import get_target, list_targets

IDS = [profile.id for profile in list_targets()]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("rpi5", "raspberry-pi-5"),
        ("Pi 5", "raspberry-pi-5"),
        ("pi4", "raspberry-pi-4"),
        ("orin-nano", "jetson-orin-nano"),
        ("Orin_NX", "jetson-orin-nx"),
        ("iphone15", "ios17"),
        ("iPhone 16", "ios18"),
        ("RTX4090", "cuda-x86-sm89"),
        ("x86_64", "x86-64"),
        ("Jetson-Nano", "jetson-nano"),
    ],
)
def test_what_people_say_is_understood(name: str, expected: str) -> None:
    assert get_target(name).id == expected


def test_aliases_stand_for_one_target_that_there_is() -> None:
    assert set(ALIASES) <= set(IDS)
    names = [alias for aliases in ALIASES.values() for alias in aliases]
    assert len(names) == len(set(names))
    for known, aliases in ALIASES.items():
        assert {id_of(alias, IDS) for alias in (known, *aliases)} == {known}


def test_an_id_comes_before_an_alias() -> None:
    assert id_of("nano", ["nano", "jetson-nano"]) == "nano"
    assert id_of("nano", ["arm64"]) is None


def test_only_what_is_offered_is_suggested() -> None:
    with pytest.raises(UnknownNameError) as told:
        get_target("ios15", lambda profile: profile.backend == "coreml")
    assert str(told.value) == (
        "unknown target 'ios15'; known: ios18, ios17, ios16; did you mean ios18 or ios17 or ios16?"
    )
    with pytest.raises(UnknownNameError, match=r"known: host, x86-64-vnni, .*arm64$") as told:
        get_target("abacus", lambda profile: profile.backend == "ort")
    assert "jetson" not in str(told.value)
    with pytest.raises(UnknownNameError, match=r"known: host, .*jetson-nano.*ios16, web$"):
        get_target("abacus")
