"""A student learns the masks of a network of any family, as its own frame loop gives them."""

import csv
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional as F
from typer.testing import CliRunner

from sam2lite.cli.main import app
from sam2lite.contracts import family
from sam2lite.contracts.provenance import OWN
from sam2lite.errors import ArgumentError
from sam2lite.models.loaded import LoadedModel
from sam2lite.models.registry import load_model
from sam2lite.models.sam2lite.checkpoint import save_checkpoint
from sam2lite.models.sam2lite.network import Sam2Lite
from sam2lite.runtimes.prompts import Prompt
from sam2lite.training import validation
from sam2lite.training.batches import Batch, BatchShape, make_batch
from sam2lite.training.distillation.cache import OutputCache
from sam2lite.training.distillation.other_family import size_for
from sam2lite.training.distillation.teacher import Teacher, load_teacher
from sam2lite.training.losses import LossWeights
from sam2lite.training.prompts import BOX, CENTRE_CLICK, MASK
from sam2lite.training.run import schedule, trainer
from sam2lite.training.run.schedule import Phase
from tests.doubles.toy_family import STRIDE, TOY, Toy

ALL = LossWeights(attention=0.3, readout=0.2, teacher_mask=1.0)
CPU = torch.device("cpu")
SIDE = 96
SHAPE = BatchShape(SIDE, 3, 2, 2)


@pytest.fixture(autouse=True, scope="module")
def known() -> Iterator[None]:
    """Register the toy, for these tests alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(family, "_registered", {})
        family.register_family(TOY)
        yield


@pytest.fixture(scope="module")
def toy() -> LoadedModel:
    """Return one whose masks grow and shrink with what it sees, rather than staying as they are."""
    loaded = load_model("toy", seed=3)
    network = loaded.model
    assert isinstance(network, Toy)
    with torch.no_grad():
        network.brush.stroke.weight *= 20.0
    return dataclasses.replace(loaded, weights=OWN)


def batch_of(kind: int) -> Batch:
    return make_batch((7, kind), SHAPE, kind)


@pytest.mark.parametrize("kind", [CENTRE_CLICK, BOX, MASK])
def test_its_masks_are_those_of_its_own_loop(toy: LoadedModel, kind: int) -> None:
    batch, size = batch_of(kind), 64
    output = Teacher(toy, ALL, CPU, size=size).output(batch)
    assert output.logits_tnhw.shape == (3, len(batch.clip_n), SIDE // 4, SIDE // 4)
    assert (output.share_tlnib, output.readout_tlnic) == (None, None)
    assert bool(output.shown_tn[0].all()), "what is pointed at is there"

    last = len(batch.clip_n) - 1  # of the second clip: nothing of the first is left in it
    assert int(batch.clip_n[last]) == 1
    xy = batch.xy_norm_npc[last].double() * SIDE - 0.5
    if kind == CENTRE_CLICK:
        prompt = Prompt(points=xy[:1].numpy())
    elif kind == BOX:
        prompt = Prompt(box=xy[:2].clamp(0, SIDE).flatten().numpy())
    else:
        target_hw = batch.target_nthw[last, 0].numpy()
        prompt = Prompt(mask=np.kron(target_hw > 0.5 * target_hw.max(), np.ones((4, 4))) > 0)
    loop = toy.reference()
    for frame in range(3):
        image = F.interpolate(
            batch.image_ctchw[1, frame][None].float(), (size, size), mode="bilinear", antialias=True
        )
        loop.start_frame(image.round().to(torch.uint8))
        decided = loop.track(1) if frame else loop.prompt(1, prompt, SIDE, SIDE)
        assert decided.logits_hw.shape == (size // STRIDE,) * 2
        expected = F.interpolate(decided.logits_hw[None, None], (SIDE // 4,) * 2, mode="bilinear")
        torch.testing.assert_close(output.logits_tnhw[frame, last], expected[0, 0])
        assert bool(output.shown_tn[frame, last]) == decided.present
    # Something to learn: objects in the picture, and not everywhere.
    assert bool((output.logits_tnhw > 0).any())
    assert bool((output.logits_tnhw < 0).any())


def test_gradients_reach_the_student_only(mini: Sam2Lite, toy: LoadedModel) -> None:
    batch = batch_of(CENTRE_CLICK)
    rollout, terms = Teacher(toy, ALL, CPU, size=SIDE).teach(mini.train(), batch, None)
    assert len(rollout.decoded) == 3
    assert list(terms) == ["teacher_mask"], "how it reads memory has another form"
    assert float(terms["teacher_mask"].detach()) > 0.0
    terms["teacher_mask"].backward()
    gradient = mini.mask_decoder.hyper.last.weight.grad
    assert gradient is not None
    assert gradient.isfinite().all()
    assert gradient.any()
    assert all(parameter.grad is None for parameter in toy.model.parameters())


def test_a_lost_object_teaches_nothing(mini: Sam2Lite, toy: LoadedModel) -> None:
    broken = dataclasses.replace(toy, model=toy.host.fused(toy.model))
    broken.model.brush.stroke.bias.fill_(float("nan"))
    output = Teacher(broken, ALL, CPU, size=SIDE).output(batch_of(CENTRE_CLICK))
    assert bool(output.logits_tnhw.isfinite().all())


def test_the_cache_tells_sizes_apart(toy: LoadedModel, tmp_path: Path) -> None:
    batch = batch_of(CENTRE_CLICK)
    outputs = [
        Teacher(toy, ALL, CPU, OutputCache(tmp_path), size).output(batch) for size in (64, 64, 96)
    ]
    assert len(list(tmp_path.iterdir())) == 2
    assert torch.equal(outputs[0].logits_tnhw, outputs[1].logits_tnhw)
    assert not torch.equal(outputs[0].logits_tnhw, outputs[2].logits_tnhw)


def test_it_looks_at_the_students_largest_size_or_the_next(
    toy: LoadedModel, mini: Sam2Lite, tmp_path: Path
) -> None:
    assert [size_for(toy, side) for side in (480, 481, 20)] == [480, 488, 24]
    assert size_for(load_model("tiny"), 1000) == 480, "none of these: its largest"
    save_file(toy.model.state_dict(), tmp_path / "toy.safetensors")
    path = str(tmp_path / "toy.safetensors")
    assert load_teacher(path, mini.config)[1] == 480
    assert load_teacher(path, mini.config, 64)[1] == 64
    with pytest.raises(ArgumentError, match=r"does not take 60 px.*56 and 64"):
        load_teacher(path, mini.config, 60)


def test_the_command_takes_it(
    toy: LoadedModel, mini: Sam2Lite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phases = (Phase("clips", 1, 1.0, (BatchShape(SIDE, 3, 1, 2),)),)
    monkeypatch.setattr(schedule.schedule_of, "__defaults__", (phases,))
    monkeypatch.setattr(trainer, "LOG_EVERY_STEPS", 1)
    monkeypatch.setattr(validation, "SHAPE", BatchShape(SIDE, 5, 1, 1))
    monkeypatch.setattr(validation, "CLIPS", 1)
    save_file(toy.model.state_dict(), tmp_path / "toy.safetensors")
    save_checkpoint(mini, tmp_path / "student")
    output = tmp_path / "run"
    arguments = ["--teacher", tmp_path / "toy.safetensors", "--teacher-size", 64]
    arguments += ["--from", tmp_path / "student", "--stages", 1, "--steps", 1]
    arguments += ["--processes", 1, "-o", output]
    result = CliRunner().invoke(app, ["distill", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "of the family Toy: it teaches masks alone" in result.stderr
    with (output / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert all(float(row["teacher_mask"]) > 0.0 for row in rows)
    assert json.loads((output / "options.json").read_text())["teacher_size"] == 64
