"""Low-rank updates: only they are trained; in the weights they cost and change nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import safetensors.torch
import torch
from typer.testing import CliRunner

from sam2lite.cli.main import app
from sam2lite.errors import ArgumentError, ModelError
from sam2lite.models.loaded import LoadedModel
from sam2lite.models.sam2lite.checkpoint import save_checkpoint
from sam2lite.models.sam2lite.family import HOST
from sam2lite.models.sam2lite.network import Sam2Lite, build
from sam2lite.training.batches import Batch
from sam2lite.training.low_rank.file import LORA_FILE, with_updates
from sam2lite.training.low_rank.update import attach, merged
from sam2lite.training.run import trainer
from sam2lite.training.run.folder import open_run
from sam2lite.training.run.options import RunOptions, check_options
from sam2lite.training.run.trainer import Report, train
from tests.conftest import MINI
from tests.training.test_trainer import short, start, tensors

__all__ = ["short", "start"]  # fixtures


def updated(model: Sam2Lite, rank: int = 3, targets: str = "qkv") -> Sam2Lite:
    """Give a network updates that change something."""
    attach(model, targets, rank, 6.0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("0.b"):
                parameter.normal_(0.0, 0.05)
    return model.eval()


def test_a_new_update_changes_nothing_and_is_all_that_is_trained(mini: Sam2Lite) -> None:
    image_bchw = torch.rand(1, 3, 96, 96)
    before = mini.eval().image_encoder(image_bchw)
    total = sum(parameter.numel() for parameter in mini.parameters())
    linear = mini.image_encoder.get_submodule("stages.3.blocks.0.attention.q")
    assert isinstance(linear, torch.nn.Linear)
    sides = linear.in_features + linear.out_features
    found = attach(mini, "image_encoder.*.attention.q", 2, 4.0)
    assert (found.trainable, found.total) == (2 * sides * len(found.layers), total)
    for now, then in zip(mini.image_encoder(image_bchw), before, strict=True):
        assert torch.equal(now, then)
    trained = [parameter for parameter in mini.parameters() if parameter.requires_grad]
    assert sum(parameter.numel() for parameter in trained) == found.trainable


def test_updates_in_the_weights_compute_the_same(mini: Sam2Lite) -> None:
    model = updated(mini, targets="all")
    plain = build(MINI).eval()
    plain.load_state_dict(merged(model.state_dict()))
    image_bchw = torch.rand(1, 3, 96, 96)
    pairs = zip(model.image_encoder(image_bchw), plain.image_encoder(image_bchw), strict=True)
    for with_update, without in pairs:
        assert (with_update - without).abs().max() <= 1e-5 * without.abs().max()
    first = build(MINI, 3).eval().image_encoder(image_bchw)[0]
    assert (plain.image_encoder(image_bchw)[0] - first).abs().max() > 1e-3 * first.abs().max()


def test_targets_and_ranks_that_do_not_fit_are_refused(mini: Sam2Lite) -> None:
    with pytest.raises(ArgumentError, match=r"--targets nothing matches no layer; take qkv, att"):
        attach(mini, "nothing", 2, 1.0)
    with pytest.raises(ArgumentError, match=r"--lora is 9999, but the layers of --targets qkv"):
        attach(mini, "qkv", 9999, 1.0)
    with pytest.raises(ArgumentError, match="--lora updates trained weights; name them with"):
        check_options(RunOptions(lora=4))
    with pytest.raises(ArgumentError, match="--lora is 0; choose 1 or more"):
        check_options(RunOptions(lora=0, start="tiny"))
    with pytest.raises(ArgumentError, match=r"--alpha is -1.0; it must be above 0"):
        check_options(RunOptions(lora=2, lora_alpha=-1.0, start="tiny"))


def test_ranks_that_save_nothing_are_told_apart(mini: Sam2Lite) -> None:
    layer = mini.image_encoder.get_submodule("stages.3.blocks.0.attention.q")
    assert isinstance(layer, torch.nn.Linear)
    half = layer.in_features // 2
    assert layer.in_features == layer.out_features == 2 * half
    assert attach(build(MINI), "*.attention.q", half - 1, 1.0).too_large == ()
    assert attach(build(MINI), "*.attention.q", half, 1.0).too_large != ()


def run(start: str, folder: Path, **values: object) -> RunOptions:
    options = RunOptions(start=start, stages=(1, 2), steps=6, **values)  # type: ignore[arg-type]
    return open_run(folder, options, resume=False, force=False)


def test_a_run_leaves_the_network_as_it_is_and_writes_its_updates_apart(
    start: str, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    options = run(start, folder, lora=2, learning_rate=0.05)
    train(options, folder, resume=False)
    first, trained = HOST.load(start), HOST.load(folder / "checkpoint")
    before, after = first.model.state_dict(), trained.model.state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    file = safetensors.torch.load_file(folder / LORA_FILE)
    assert moved == {f"{name.removesuffix('.b')}.weight" for name in file if name.endswith(".b")}
    for name, tensor in with_updates(first, folder / LORA_FILE).items():
        assert torch.equal(tensor, after[name])
    whole = folder / "checkpoint/model.safetensors"
    assert (folder / LORA_FILE).stat().st_size < whole.stat().st_size / 5


def test_a_run_with_updates_and_several_batches_a_step_goes_on_to_the_bit(
    start: str, tmp_path: Path
) -> None:
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    options = run(start, whole, lora=2, accumulate=2)
    train(options, whole, resume=False)

    def stop(report: Report) -> None:
        if report.step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(run(start, parted, lora=2, accumulate=2), parted, resume=False, report=stop)
    train(open_run(parted, RunOptions(), resume=True, force=False), parted, resume=True)
    first, second = tensors(whole), tensors(parted)
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name


def test_accumulated_gradients_are_the_mean_of_their_batches(
    start: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    brightness: list[float] = []
    gradients: list[float] = []

    def forward(run: trainer._Run, batch: Batch, moment: object) -> dict[str, torch.Tensor]:
        brightness.append(float(batch.image_ctchw.float().mean()))
        bias = run.model.mask_decoder.object_score.last.bias
        return {"bce": brightness[-1] * bias.sum()}

    def clip(parameters: object, norm: float) -> None:
        assert isinstance(parameters, Iterator)
        gradients.append(max(float(p.grad.max()) for p in parameters if p.grad is not None))

    monkeypatch.setattr(trainer._Run, "_forward", forward)
    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", clip)
    train(run(start, tmp_path / "run", accumulate=3), tmp_path / "run", resume=False)
    assert len(brightness) == 3 * len(gradients) == 18
    assert len(set(brightness)) == 18  # no batch comes twice
    for step, gradient in enumerate(gradients):
        assert gradient == pytest.approx(sum(brightness[3 * step : 3 * step + 3]) / 3)


@pytest.fixture
def adapter(start: str, tmp_path: Path) -> tuple[LoadedModel, Path]:
    folder = tmp_path / "run"
    options = RunOptions(start=start, stages=(1,), steps=1, lora=2)
    train(open_run(folder, options, resume=False, force=False), folder, resume=False)
    return HOST.load(start), folder / LORA_FILE


def test_files_of_other_networks_or_ranks_are_refused(
    adapter: tuple[LoadedModel, Path], tmp_path: Path
) -> None:
    loaded, path = adapter
    save_checkpoint(build(MINI, 8), tmp_path / "other")
    with pytest.raises(ModelError, match=r"was trained for other weights: .* give the checkpoint"):
        with_updates(HOST.load(tmp_path / "other"), path)
    with pytest.raises(ModelError, match="holds no low-rank updates of `sam2lite train --lora`"):
        with_updates(loaded, tmp_path / "other" / "model.safetensors")
    found = safetensors.torch.load_file(path)
    words = {"format": "sam2lite-lora-1", "model": "m", "sha256": loaded.sha256, "alpha": "2.0"}
    for change, message in (({"rank": "3"}, "at rank 3 it is"), ({"rank": "x"}, "is damaged")):
        safetensors.torch.save_file(found, tmp_path / "x.safetensors", {**words, **change})
        with pytest.raises(ModelError, match=message):
            with_updates(loaded, tmp_path / "x.safetensors")
    elsewhere = {f"nowhere.{name}": tensor for name, tensor in found.items()}
    safetensors.torch.save_file(elsewhere, tmp_path / "x.safetensors", {**words, "rank": "2"})
    with pytest.raises(ModelError, match=r"an update of nowhere\..*, which is no layer"):
        with_updates(loaded, tmp_path / "x.safetensors")
    (tmp_path / "x.safetensors").write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ModelError, match="copy it again"):
        with_updates(loaded, tmp_path / "x.safetensors")


def test_the_command_writes_what_the_run_has(
    adapter: tuple[LoadedModel, Path], start: str, tmp_path: Path
) -> None:
    _, path = adapter
    arguments = ["merge-lora", str(path), "--model", start, "-o", str(tmp_path / "merged")]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "merged/model.safetensors").read_bytes() == (
        path.parent / "checkpoint/model.safetensors"
    ).read_bytes()
