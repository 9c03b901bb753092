"""Ids of Hugging Face are looked for in the local cache, and nowhere else."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from sam2lite.contracts import family
from sam2lite.errors import ModelError, UnknownNameError
from sam2lite.models.hub import cached, is_hub_id
from sam2lite.models.registry import load_model
from tests.doubles.toy_family import HOST, TOY

ID = "owner/toy-net.v1"
COMMIT, OLDER = "0123456789abcdef" * 2 + "01234567", "f" * 40


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No cache of the tester's own, and the toy family."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(family, "_registered", {"toy": TOY})
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


def download(cache: Path, commit: str = COMMIT, reference: str | None = COMMIT) -> Path:
    """Lay a model down as `hf download` does: files are links to blobs with the names of hashes."""
    stored = cache / f"models--{ID.replace('/', '--')}"
    snapshot, blobs = stored / "snapshots" / commit, stored / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir(exist_ok=True)
    state = HOST.build("toy", seed=4).model.state_dict()
    save_file(state, blobs / f"a{commit}")
    (blobs / f"b{commit}").write_text(json.dumps({"model_type": "toy"}))
    (snapshot / "model.safetensors").symlink_to(f"../../blobs/a{commit}")
    (snapshot / "config.json").symlink_to(f"../../blobs/b{commit}")
    if reference is not None:
        (stored / "refs").mkdir(exist_ok=True)
        (stored / "refs" / "main").write_text(reference)
    return snapshot


@pytest.mark.parametrize(
    ("variable", "value", "cache"),
    [
        (None, "", "home/.cache/huggingface/hub"),
        ("XDG_CACHE_HOME", "{}/xdg", "xdg/huggingface/hub"),
        ("HF_HOME", "~/hf", "home/hf/hub"),
        ("HF_HOME", "$HOME/hf", "home/hf/hub"),
        ("HUGGINGFACE_HUB_CACHE", "{}/old", "old"),
        ("HF_HUB_CACHE", "{}/new", "new"),
    ],
)
def test_the_cache_is_where_its_own_tools_have_it(
    variable: str | None,
    value: str,
    cache: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if variable is not None:
        monkeypatch.setenv(variable, value.format(tmp_path))
    snapshot = download(tmp_path / cache)
    assert cached(ID) == snapshot
    assert load_model(ID).host is HOST


def test_the_snapshot_that_was_fetched_last_is_taken(tmp_path: Path) -> None:
    cache = tmp_path / "home/.cache/huggingface/hub"
    download(cache, OLDER)
    newer = download(cache)
    assert cached(ID) == newer
    stored = newer.parents[1]
    (stored / "refs" / "main").write_text(OLDER + "\n")
    assert cached(ID).name == OLDER


def test_the_only_snapshot_needs_no_reference(tmp_path: Path) -> None:
    cache = tmp_path / "home/.cache/huggingface/hub"
    snapshot = download(cache, reference=None)
    assert cached(ID) == snapshot
    download(cache, OLDER, reference=None)
    with pytest.raises(ModelError, match="but no weights of it"):
        cached(ID)


def test_a_file_of_weights_alone_is_enough(tmp_path: Path) -> None:
    snapshot = download(tmp_path / "home/.cache/huggingface/hub")
    state = HOST.build("toy", seed=4).model.state_dict()
    for path in snapshot.iterdir():
        path.unlink()
    torch.save(state, snapshot / "toy.pt")
    (snapshot / "README.md").write_text("A toy.")
    assert cached(ID) == snapshot


def test_what_is_not_there_is_to_be_fetched(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        load_model("facebook/sam2.1-hiera-tiny")
    said = str(caught.value)
    assert "no path here, and no model in the local cache of Hugging Face" in said
    assert str(tmp_path / "home/.cache/huggingface/hub") in said
    assert "fetch it with `hf download facebook/sam2.1-hiera-tiny`, then run this again" in said


@pytest.mark.parametrize(
    "reference", ["", "main", "../../../../etc", "0" * 40, "\x1b[2J", "a" * 99]
)
def test_a_reference_leads_to_a_snapshot_or_nowhere(reference: str, tmp_path: Path) -> None:
    cache = tmp_path / "home/.cache/huggingface/hub"
    download(cache, reference=reference)
    download(cache, OLDER, reference=reference)
    with pytest.raises(ModelError, match=r"but no weights of it .*; fetch it with `hf download"):
        cached(ID)


def test_a_snapshot_without_weights_is_fetched_again(tmp_path: Path) -> None:
    snapshot = download(tmp_path / "home/.cache/huggingface/hub")
    (snapshot / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="but no weights of it"):
        load_model(ID)


def test_a_path_goes_before_an_id(tmp_path: Path) -> None:
    download(tmp_path / "home/.cache/huggingface/hub")
    Path(ID).mkdir(parents=True)
    with pytest.raises(ModelError, match=r"cannot read .*config.json"):
        load_model(ID)


@pytest.mark.parametrize(
    "name",
    [
        "../secrets",
        "owner/..",
        "./x",
        "a/b/c",
        "/etc",
        "owner/",
        "a--b/c",
        "a/b--c",
        "a/b..c",
        ".hidden/x",
        "owner/na me",
        "owner/name\n",
        "owner\\name",
        "o/" + "n" * 200,
        "",
    ],
)
def test_what_could_lead_out_of_the_cache_is_no_id(name: str) -> None:
    assert not is_hub_id(name)
    with pytest.raises((ModelError, UnknownNameError)) as caught:
        load_model(name)
    assert "hf download" not in str(caught.value)
