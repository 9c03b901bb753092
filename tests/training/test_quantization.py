import copy
import dataclasses
import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from sam2lite.errors import ModelError
from sam2lite.models.sam2lite.blocks import ConvBn, SelfAttention, attend, merge_heads, split_heads
from sam2lite.models.sam2lite.checkpoint import save_checkpoint
from sam2lite.models.sam2lite.family import HOST
from sam2lite.models.sam2lite.network import Sam2Lite
from sam2lite.models.sam2lite.quantizable import quantized_layers
from sam2lite.training import validation
from sam2lite.training.batches import Batch, BatchShape
from sam2lite.training.quantization import (
    WARM_UP_CALLS,
    SimulatedInt8,
    quantized_activation,
    quantized_weight,
)
from sam2lite.training.rollout import Simulation, rollout
from sam2lite.training.run import options as run_options
from sam2lite.training.run import trainer
from sam2lite.training.run.options import RunOptions
from sam2lite.training.run.schedule import PHASES, schedule_of
from sam2lite.training.run.state import STATE_FILE
from sam2lite.training.run.trainer import Report, train


@pytest.fixture
def worn(mini: Sam2Lite) -> Sam2Lite:
    """A network whose batch norms hold statistics, as after training."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for norm in mini.modules():
            if isinstance(norm, nn.BatchNorm2d):
                assert norm.running_mean is not None
                assert norm.running_var is not None
                norm.running_mean.normal_(0.0, 0.3, generator=generator)
                norm.running_var.uniform_(0.5, 1.5, generator=generator)
                norm.weight.uniform_(0.5, 1.5, generator=generator)
    return mini


@pytest.fixture
def image_bchw() -> Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.randint(0, 256, (2, 3, 96, 96), generator=generator, dtype=torch.uint8)


def run_batch(model: Sam2Lite, batch: Batch, bf16: bool = False) -> Tensor:
    torch.manual_seed(4)
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        output = rollout(model, batch, Simulation())
    return torch.stack([decoded.logits_nmhw.float().mean() for decoded in output.decoded]).sum()


def observed(model: Sam2Lite, batch: Batch) -> SimulatedInt8:
    """A simulation with the ranges of one batch; the network is in evaluation mode again."""
    simulation = SimulatedInt8(quantized_layers(model.train()))
    with simulation, torch.no_grad():
        run_batch(model, batch)
    model.eval()
    return simulation


def by_hand(x: Tensor, least: float, greatest: float) -> Tensor:
    """U8 with the arithmetic of ONNX's QuantizeLinear and DequantizeLinear."""
    scale = max((greatest - least) / 255.0, torch.finfo(torch.float32).eps)
    zero = round(-least / scale)
    return ((x / scale).round() + zero).clamp(0, 255).sub(zero) * scale


def test_quantized_activation_uses_256_codes_and_an_exact_zero() -> None:
    x = torch.cat([torch.zeros(1), torch.linspace(-2.0, 4.0, 5000)])
    y = quantized_activation(x, torch.tensor(-1.0), torch.tensor(3.0))
    assert y[0] == 0.0
    assert len(set(y.tolist())) == 256
    assert y.min() == pytest.approx(-1.0, abs=4 / 255)
    assert y.max() == pytest.approx(3.0, abs=4 / 255)
    assert torch.allclose(y, by_hand(x, -1.0, 3.0), atol=1e-6)


def test_an_empty_range_gives_zeros() -> None:
    zero = torch.tensor(0.0)
    assert quantized_activation(torch.zeros(3), zero, zero).tolist() == [0.0] * 3
    assert not quantized_weight(torch.zeros(2, 3)).any()


def test_quantized_weight_is_per_channel_and_symmetric() -> None:
    weight = torch.tensor([[1.0, -0.501, 0.0], [100.0, -30.0, 7.0]])
    codes = quantized_weight(weight) / torch.tensor([[1.0 / 127], [100.0 / 127]])
    assert torch.allclose(codes, torch.tensor([[127.0, -64.0, 0.0], [127.0, -38.0, 9.0]]))


@torch.no_grad()
def test_simulation_equals_the_fused_network_with_quantized_weights(
    worn: Sam2Lite, clip_batch: Batch, image_bchw: Tensor
) -> None:
    simulation = observed(worn, clip_batch)
    ranges = simulation.ranges()
    fused = worn.fused()

    def quantize_input(path: str) -> Callable[..., tuple[Tensor]]:
        return lambda module, inputs: (by_hand(inputs[0], *ranges[path]),)

    for path, layer in fused.image_encoder.named_modules(prefix="image_encoder"):
        if isinstance(layer, nn.Conv2d | nn.Linear):
            scale = layer.weight.flatten(1).abs().amax(1) / 127.0
            scale = scale.reshape([-1] + [1] * (layer.weight.ndim - 1))
            layer.weight.copy_((layer.weight / scale).round() * scale)
            layer.register_forward_pre_hook(quantize_input(path))
    with simulation:
        simulated = worn.image_encoder(image_bchw)
    plain = worn.image_encoder(image_bchw)
    for ours, expected, unquantized in zip(
        simulated, fused.image_encoder(image_bchw), plain, strict=True
    ):
        effect = (ours - unquantized).abs().mean()
        assert effect > 0.0
        # Not bit for bit: a value half-way between two codes may go either way.
        assert (ours - expected).abs().mean() < 0.01 * effect


@torch.no_grad()
def test_folded_weights_are_those_of_the_export(worn: Sam2Lite, image_bchw: Tensor) -> None:
    layers = [layer for layer in worn.modules() if isinstance(layer, ConvBn)]
    assert any(layer.residual for layer in layers)
    span = torch.tensor(-3.0), torch.tensor(3.0)
    for layer in layers:
        simulation = SimulatedInt8(quantized_layers(nn.Sequential(layer).eval()))
        simulation.load_ranges({"0": (-3.0, 3.0)})
        x_bchw = torch.randn(1, layer.conv.weight.shape[1] * layer.conv.groups, 9, 9)
        fused = layer.fused()
        fused.weight.copy_(quantized_weight(fused.weight))
        with simulation:
            assert torch.equal(layer(x_bchw), fused(quantized_activation(x_bchw, *span)))


@pytest.mark.parametrize("bf16", [False, True])
def test_gradients_reach_every_quantized_layer(
    worn: Sam2Lite, clip_batch: Batch, bf16: bool
) -> None:
    statistics = {name: b.clone() for name, b in worn.named_buffers()}
    with SimulatedInt8(quantized_layers(worn.train())) as simulation:
        loss = run_batch(worn, clip_batch, bf16)
    loss.backward()
    layers = quantized_layers(worn)
    for path in simulation.ranges():
        if path.startswith(("image_encoder", "memory_encoder.b", "mask_decoder.upsampler")):
            layer = layers[path]
            weight = layer.conv.weight if isinstance(layer, ConvBn) else layer.weight
            assert weight.grad is not None
            assert weight.grad.abs().max() > 0.0, path
            assert weight.grad.dtype == torch.float32
    bn = worn.image_encoder.stem[0].bn
    assert isinstance(bn, nn.BatchNorm2d)
    assert bn.weight.grad is not None
    assert bn.weight.grad.abs().max() > 0.0
    assert all(torch.equal(b, statistics[name]) for name, b in worn.named_buffers())


@torch.no_grad()
def test_detaching_leaves_no_trace(worn: Sam2Lite, clip_batch: Batch, image_bchw: Tensor) -> None:
    before = {name: tensor.clone() for name, tensor in worn.state_dict().items()}
    plain = worn.image_encoder(image_bchw)
    simulation = observed(worn, clip_batch)
    with simulation:
        simulated = worn.image_encoder(image_bchw)
        assert list(worn.state_dict()) == list(before)
    after = worn.image_encoder(image_bchw)
    assert all(torch.equal(a, b) for a, b in zip(plain, after, strict=True))
    assert not torch.equal(plain[0], simulated[0])
    assert all(torch.equal(before[name], t) for name, t in worn.state_dict().items())
    copy.deepcopy(worn)


@torch.no_grad()
def test_attention_is_in_float(worn: Sam2Lite) -> None:
    attention = worn.mask_decoder.layers[0].query_self
    assert isinstance(attention, SelfAttention)
    simulation = SimulatedInt8(quantized_layers(attention))
    simulation.load_ranges(dict.fromkeys(("q", "k", "v", "out"), (-4.0, 4.0)))
    x_bnc = torch.randn(2, 5, 32)

    def project(name: str, x: Tensor) -> Tensor:
        layer = getattr(attention, name)
        x = quantized_activation(x, torch.tensor(-4.0), torch.tensor(4.0))
        return nn.functional.linear(x, quantized_weight(layer.weight), layer.bias)

    q, k, v = (split_heads(project(name, x_bnc), attention.heads) for name in "qkv")
    expected = project("out", merge_heads(attend(q * attention.scale, k, v)))
    with simulation:
        assert torch.allclose(attention(x_bnc, x_bnc), expected, atol=1e-6)


def test_what_is_quantized(mini: Sam2Lite) -> None:
    paths = set(quantized_layers(mini))
    assert "image_encoder.stem.0" in paths
    assert "image_encoder.stem.0.conv" not in paths
    assert "mask_decoder.final_from_image.v" in paths
    assert "mask_decoder.final_from_image.k" not in paths
    assert not any(path.startswith("memory_select") for path in paths)
    assert paths == set(quantized_layers(mini.fused()))


def test_zeros_alone_give_no_range() -> None:
    layer = nn.Sequential(nn.Linear(2, 2)).train()
    x_bc = torch.ones(3, 2)
    plain = layer(x_bc)
    with SimulatedInt8(quantized_layers(layer)) as simulation:
        layer(torch.zeros(3, 2))
        assert simulation.ranges() == {}
        layer.eval()
        assert torch.equal(layer(x_bc), plain)


def test_every_quantized_layer_has_a_range(mini: Sam2Lite, clip_batch: Batch) -> None:
    assert observed(mini, clip_batch).ranges().keys() == quantized_layers(mini).keys()


def test_layers_without_a_range_stay_in_float(mini: Sam2Lite, image_bchw: Tensor) -> None:
    plain = mini.image_encoder(image_bchw)
    with SimulatedInt8(quantized_layers(mini)) as simulation:
        simulated = mini.image_encoder(image_bchw)
    assert torch.allclose(plain[0], simulated[0], atol=1e-4)  # but with folded weights
    assert simulation.ranges() == {}


def test_ranges_hold_zero_and_grow_faster_than_they_shrink() -> None:
    layer = nn.Sequential(nn.Linear(1, 1)).train()
    simulation = SimulatedInt8(quantized_layers(layer))

    def after(values: list[float], calls: int = 1) -> tuple[float, float]:
        with simulation:
            for _ in range(calls):
                layer(torch.tensor(values)[:, None])
        return simulation.ranges()["0"]

    assert after([1.0, 2.0]) == (0.0, 2.0)
    assert after([-1.0, 1.0], WARM_UP_CALLS - 1) == (-1.0, 2.0)
    least, greatest = after([-2.0, 1.0])
    assert least == pytest.approx(-1.1)
    assert 1.99 < greatest < 2.0
    assert after([float("nan")]) == (least, greatest)
    layer.eval()
    assert after([-9.0, 9.0]) == (least, greatest)


def test_ranges_round_trip(mini: Sam2Lite, clip_batch: Batch, tmp_path: Path) -> None:
    ranges = observed(mini, clip_batch).ranges()
    save_checkpoint(mini, tmp_path / "net", activation_ranges=ranges)
    loaded = HOST.load(tmp_path / "net")
    assert loaded.activation_ranges == ranges
    simulation = SimulatedInt8(quantized_layers(loaded.model))
    simulation.load_ranges(loaded.activation_ranges)
    assert simulation.ranges() == ranges
    save_checkpoint(mini, tmp_path / "net", force=True)  # of a later network, without ranges
    assert HOST.load(tmp_path / "net").activation_ranges is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 2}, "schema version 2"),
        ({"image_encoder.stem.7": [0.0, 1.0]}, "image_encoder.stem.7"),
        ({"image_encoder.stem.0": [1.0, 0.0]}, "finite and in order"),
        ({"image_encoder.stem.0": [0.0, float("nan")]}, "NaN is no JSON number"),
        ({"image_encoder.stem.0": [0, 10**400]}, "beyond 64 bits"),
        ({"image_encoder.stem.0": [0.0]}, "must be"),
        ({"image_encoder.stem.0": [False, True]}, "must be"),
        ({"image_encoder.stem.0": 1.0}, "must be"),
    ],
)
def test_bad_ranges_are_refused(
    mini: Sam2Lite, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    save_checkpoint(mini, tmp_path / "net", activation_ranges={"image_encoder.stem.0": (0.0, 1.0)})
    path = tmp_path / "net" / "ranges.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ModelError, match=message):
        HOST.load(tmp_path / "net")


@pytest.mark.parametrize("text", ["", "[]", "{}"])
def test_a_file_that_holds_no_ranges_is_refused(mini: Sam2Lite, tmp_path: Path, text: str) -> None:
    save_checkpoint(mini, tmp_path / "net")
    (tmp_path / "net" / "ranges.json").write_text(text)
    with pytest.raises(ModelError, match=r"ranges\.json"):
        HOST.load(tmp_path / "net")


def test_ranges_of_float_layers_are_refused(mini: Sam2Lite) -> None:
    with pytest.raises(ModelError, match="memory_select"):
        SimulatedInt8(quantized_layers(mini)).load_ranges({"memory_select": (0.0, 1.0)})


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Runs with small batches and short validation; handlers of signals are put back."""
    plan = tuple(
        dataclasses.replace(
            phase,
            batches=(BatchShape(64, min(3, phase.batches[0].frames), 1, 2),),
            share=1.0,
            budget=min(8, phase.budget),
        )
        for phase in PHASES
    )
    monkeypatch.setattr(run_options, "schedule_of", lambda stages: schedule_of(stages, plan))
    monkeypatch.setattr(trainer, "LOG_EVERY_STEPS", 1)
    monkeypatch.setattr(validation, "CLIPS", 1)
    monkeypatch.setattr(validation, "SHAPE", BatchShape(64, 2, 1, 1))
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


def options(mini: Sam2Lite, folder: Path, stages: tuple[int, ...], steps: int) -> RunOptions:
    save_checkpoint(mini, folder / "start", force=True)
    return RunOptions(start=str(folder / "start"), stages=stages, steps=steps)


@pytest.mark.usefixtures("short")
def test_a_run_of_stage_3_resumes_exactly(mini: Sam2Lite, tmp_path: Path) -> None:
    run = options(mini, tmp_path, (3,), steps=3)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir()
    parts.mkdir()
    train(run, whole, resume=False)

    def stop(report: Report) -> None:
        signal.raise_signal(signal.SIGTERM)

    train(run, parts, resume=False, report=stop)
    assert len((parts / "log.csv").read_text().splitlines()) < 4
    train(run, parts, resume=True)
    expected, resumed = load_file(whole / STATE_FILE), load_file(parts / STATE_FILE)
    assert {"range/image_encoder.stem.0", "range/memory_encoder.key"} <= expected.keys()
    assert expected.keys() == resumed.keys()
    assert all(torch.equal(expected[name], resumed[name]) for name in expected)
    start = mini.state_dict()
    name = "image_encoder.stem.0.conv.weight"
    assert not torch.equal(start[name], expected[f"model/{name}"])
    for name in start:
        if "running" in name or "num_batches" in name:
            assert torch.equal(start[name], expected[f"model/{name}"])
    ranges = HOST.load(whole / "checkpoint").activation_ranges
    assert ranges is not None
    assert ranges.keys() == quantized_layers(mini).keys()


@pytest.mark.usefixtures("short")
def test_a_run_passes_through_all_stages(mini: Sam2Lite, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    reports: list[Report] = []
    run = options(mini, tmp_path, (1, 2, 3), steps=2 * len(PHASES))
    train(run, folder, resume=False, report=reports.append)
    phases = [report.moment.phase.name for report in reports]
    assert list(dict.fromkeys(phases)) == [phase.name for phase in PHASES]
    assert HOST.load(folder / "checkpoint").activation_ranges is not None
    assert "quantization" in (folder / "scores.csv").read_text()


@pytest.mark.usefixtures("short")
def test_a_run_without_stage_3_has_no_ranges(mini: Sam2Lite, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    train(options(mini, tmp_path, (1,), steps=1), folder, resume=False)
    assert HOST.load(folder / "checkpoint").activation_ranges is None
    assert not any(name.startswith("range/") for name in load_file(folder / STATE_FILE))
