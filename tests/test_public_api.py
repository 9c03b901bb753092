import subprocess
import sys
from pathlib import Path

import pytest

import sam2lite
from sam2lite import errors


def test_public_names_resolve() -> None:
    for name in sam2lite.__all__:
        assert getattr(sam2lite, name) is not None
    assert sam2lite.errors is errors


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Segmenter'"):
        sam2lite.Segmenter  # noqa: B018


def test_importing_the_package_imports_nothing_else() -> None:
    code = (
        "import sys, sam2lite\n"
        "heavy = {'numpy', 'cv2', 'onnxruntime', 'torch', 'typer'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_an_extra_is_installed_from_where_the_package_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    checkout = Path(sam2lite.__file__).parent.parent
    assert errors.install_extra("export") == f"pip install -e '{checkout}[export]'"
    assert "sam2lite[" not in str(errors.DependencyError("torch", "export", "export"))
    monkeypatch.setattr(errors, "__file__", "/usr/lib/python3/sam2lite/errors.py")
    expected = "pip install '.[export,trt]' in a checkout of sam2lite"
    assert errors.install_extra("export,trt") == expected


def error_classes(root: type[errors.Sam2LiteError]) -> set[type[errors.Sam2LiteError]]:
    return {root}.union(*(error_classes(child) for child in root.__subclasses__()))


def test_every_error_stands_in_the_tree_of_the_docstring() -> None:
    assert errors.__doc__ is not None
    for error in error_classes(errors.Sam2LiteError):
        if not error.__name__.startswith("_"):  # such as are raised and caught in one file
            assert error.__name__ in errors.__doc__
        assert error.exit_code in {1, 2, 3, 4}


def test_readme_has_exactly_two_set_up_commands_at_its_top() -> None:
    lines = (Path(__file__).parent.parent / "README.md").read_text().splitlines()
    assert [line.split()[:2] for line in lines[2:4]] == [["make", "demo"], ["make", "test"]]
    assert lines[1] == lines[4] == ""
