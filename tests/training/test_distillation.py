import csv
import dataclasses
import json
import os
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from typer.testing import CliRunner

from sam2lite.cli.main import app
from sam2lite.contracts.loop import MASKED_BIAS
from sam2lite.contracts.provenance import OWN
from sam2lite.errors import ArgumentError, ModelError, TrainingError, UnknownNameError
from sam2lite.models.loaded import LoadedModel
from sam2lite.models.sam2lite.checkpoint import save_checkpoint
from sam2lite.models.sam2lite.family import HOST
from sam2lite.models.sam2lite.network import Sam2Lite, build
from sam2lite.training import validation
from sam2lite.training.bank import Gate
from sam2lite.training.batches import Batch, BatchShape
from sam2lite.training.distillation.cache import OutputCache
from sam2lite.training.distillation.matching import (
    attention_matching,
    mask_matching,
    readout_matching,
)
from sam2lite.training.distillation.reading import MemoryReading, recorded
from sam2lite.training.distillation.teacher import Teacher, load_teacher
from sam2lite.training.losses import LossWeights
from sam2lite.training.rollout import rollout
from sam2lite.training.run import schedule, trainer
from sam2lite.training.run.options import RunOptions, check_options
from sam2lite.training.run.schedule import Phase
from sam2lite.training.run.trainer import train
from sam2lite.training.validation import UNAIDED

ALL = LossWeights(attention=0.3, readout=0.2, teacher_mask=1.0)
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def one_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the cores are busy, two threads of a run would mostly wait for each other."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0})


def loaded(model: Sam2Lite) -> LoadedModel:
    return dataclasses.replace(HOST.untrained(model, model.config), weights=OWN)


@pytest.fixture
def wide(mini: Sam2Lite) -> Sam2Lite:
    """Another width, another number of decoder layers, and every object is seen."""
    config = dataclasses.replace(mini.config, name="wide", attention_dim=32, decoder_layers=2)
    return build(config, seed=8)


def softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))
    normalised: NDArray[np.float64] = e / e.sum(axis=-1, keepdims=True)
    return normalised


def reading(ages: list[int], hidden: list[int], width: int, seed: int) -> MemoryReading:
    """One object, two layers, three image tokens; `hidden` tokens are masked."""
    generator = torch.Generator().manual_seed(seed)
    draw = partial(torch.randn, generator=generator)
    bias_nm = torch.zeros(1, len(ages))
    bias_nm[0, hidden] = MASKED_BIAS
    count = len(ages)
    return MemoryReading(
        draw(2, 1, 3, width), draw(1, count, width), draw(1, count, width), bias_nm,
        torch.tensor([ages]),
    )  # fmt: skip


def numpy_attention(own: MemoryReading) -> NDArray[np.float64]:
    """[L, heads, I, M] of the only object, with two heads."""
    query, key = (t.double().numpy() for t in (own.query_lnic[:, 0], own.key_nmc[0]))
    half = key.shape[-1] // 2
    heads = [
        query[..., part] @ key[:, part].T / np.sqrt(half) + own.bias_nm[0].numpy()
        for part in (slice(0, half), slice(half, None))
    ]
    return softmax(np.stack(heads, axis=1))


def numpy_share(own: MemoryReading, bins: int) -> NDArray[np.float64]:
    attention, ages = numpy_attention(own).mean(axis=1), own.age_nm[0].numpy()
    return np.stack([attention[..., ages == a].sum(axis=-1) for a in range(bins)], axis=-1)


def test_attention_of_unequal_token_sets_equals_numpy() -> None:
    # The student has forgotten the frame 2 frames ago, the teacher cannot see the one 3 ago.
    student = reading([0, 1, 1, 3], [], 4, seed=1)
    teacher = reading([0, 1, 2, 2, 1, 3], [5], 8, seed=2)
    shared = student.held_nb(4) & teacher.held_nb(4)
    assert shared.tolist() == [[True, True, False, False]]
    q, p = numpy_share(student, 4)[..., :2], numpy_share(teacher, 4)[..., :2]
    ratio = (p / p.sum(-1, keepdims=True)) / (q / q.sum(-1, keepdims=True))
    expected = (p * np.log(ratio)).sum(axis=-1).mean()
    loss = attention_matching(student.share_lnib(4), teacher.share_lnib(4), shared)
    assert float(loss) == pytest.approx(expected, rel=1e-4)
    assert float(loss) > 0.0


def test_attention_by_hand() -> None:
    student = torch.tensor([0.5, 0.5]).reshape(1, 1, 1, 2)
    teacher = torch.tensor([0.9, 0.1]).reshape(1, 1, 1, 2)
    both = torch.tensor([[True, True]])
    loss = attention_matching(student, teacher, both)
    assert float(loss) == pytest.approx(0.9 * np.log(1.8) + 0.1 * np.log(0.2), rel=1e-5)
    assert float(attention_matching(student, teacher, torch.tensor([[True, False]]))) == 0.0


def test_layers_are_aligned_from_the_last() -> None:
    student = torch.tensor([[0.3, 0.7], [0.6, 0.4]]).reshape(2, 1, 1, 2)
    both = torch.tensor([[True, True]])
    assert float(attention_matching(student, student[1:], both)) == pytest.approx(0.0, abs=1e-7)
    assert float(attention_matching(student, student[:1], both)) > 0.1
    tokens = torch.randn(2, 1, 3, 4, generator=torch.Generator().manual_seed(0))
    assert float(readout_matching(tokens[1:], tokens)) == 0.0
    assert float(readout_matching(tokens[:1], tokens)) > 0.01


def test_readout_of_unequal_widths_equals_numpy() -> None:
    student = reading([0, 1, 1, 3], [], 4, seed=1)
    teacher = reading([0, 1, 2, 2, 1, 3], [5], 8, seed=2)
    cosines = []
    for own in (student, teacher):
        value = own.value_nmc[0].double().numpy()
        half = value.shape[-1] // 2
        attention = numpy_attention(own)
        read = np.concatenate(
            [attention[:, 0] @ value[:, :half], attention[:, 1] @ value[:, half:]], axis=-1
        )
        read /= np.linalg.norm(read, axis=-1, keepdims=True)
        cosines.append(read @ read.transpose(0, 2, 1))
    expected = ((cosines[0] - cosines[1]) ** 2).mean()
    loss = readout_matching(student.readout_lnic(), teacher.readout_lnic())
    assert float(loss) == pytest.approx(expected, rel=1e-4)


def test_the_candidate_nearest_to_the_teacher_is_taught() -> None:
    teacher = torch.tensor([2.0, -1.0]).reshape(1, 1, 2)
    logits = torch.stack([-teacher, teacher + 0.5], dim=1).requires_grad_()
    counted = torch.tensor([True])
    loss = mask_matching(logits, teacher, counted)
    value = float(loss.detach())
    p, q = (1.0 / (1.0 + np.exp(-np.array(z))) for z in ([2.0, -1.0], [2.5, -0.5]))
    assert value == pytest.approx(
        (p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))).mean(), rel=1e-4
    )
    (gradient,) = torch.autograd.grad(loss, logits)
    assert not gradient[0, 0].any()
    assert gradient[0, 1].all()
    assert float(mask_matching(logits, teacher, ~counted).detach()) == 0.0


def test_what_is_recorded_is_what_the_decoder_reads(mini: Sam2Lite, clip_batch: Batch) -> None:
    with recorded(mini.mask_decoder) as readings, torch.no_grad():
        rollout(mini, clip_batch, UNAIDED)
    assert [int(own.age_nm.max()) for own in readings] == [1, 2]
    last = readings[-1]
    assert len(last.query_lnic) == mini.config.decoder_layers
    # 32 tokens of each of two frames, and the null token.
    assert last.age_nm[0].bincount().tolist() == [1, 32, 32]
    torch.testing.assert_close(
        last.share_lnib(3).sum(dim=-1), torch.ones(last.query_lnic.shape[:3])
    )
    assert not mini.mask_decoder._forward_hooks
    assert not mini.mask_decoder.memory_key._forward_hooks


def test_a_student_equal_to_its_teacher_has_nothing_to_learn(
    mini: Sam2Lite, clip_batch: Batch
) -> None:
    _, terms = Teacher(loaded(mini), ALL, CPU).teach(mini, clip_batch, None)
    assert set(terms) == {"teacher_mask", "attention", "readout"}
    for value in terms.values():
        assert float(value.detach()) == pytest.approx(0.0, abs=1e-5)


@pytest.mark.parametrize("gate", [None, Gate(40, 0.5)])
def test_gradients_reach_the_student_only(
    mini: Sam2Lite, wide: Sam2Lite, clip_batch: Batch, gate: Gate | None
) -> None:
    output, terms = Teacher(loaded(wide), ALL, CPU).teach(mini.train(), clip_batch, gate)
    assert len(output.decoded) == 3
    reached = {
        "teacher_mask": mini.mask_decoder.hyper.last.weight,
        "attention": mini.mask_decoder.memory_key.weight,
        "readout": mini.mask_decoder.memory_value.weight,
    }
    for name, parameter in reached.items():
        assert float(terms[name].detach()) > 0.0
        (gradient,) = torch.autograd.grad(terms[name], parameter, retain_graph=True)
        assert gradient.isfinite().all()
        assert gradient.any()
    assert all(parameter.grad is None for parameter in wide.parameters())


@pytest.mark.parametrize("name", ["attention", "readout", "teacher_mask"])
def test_a_term_of_weight_zero_is_left_out(
    mini: Sam2Lite, wide: Sam2Lite, clip_batch: Batch, name: str
) -> None:
    teacher = Teacher(loaded(wide), dataclasses.replace(ALL, **{name: 0.0}), CPU)
    _, terms = teacher.teach(mini, clip_batch, None)
    assert {*terms, name} == {"teacher_mask", "attention", "readout"}
    assert name not in terms
    assert (teacher.output(clip_batch).readout_tlnic is None) == (name == "readout")
    assert (teacher.output(clip_batch).share_tlnib is None) == (name == "attention")


def values(terms: dict[str, Tensor]) -> dict[str, float]:
    return {name: float(value.detach()) for name, value in terms.items()}


def test_the_cache_changes_losses_by_rounding_only(
    mini: Sam2Lite, wide: Sam2Lite, clip_batch: Batch, tmp_path: Path
) -> None:
    def losses(cache: OutputCache | None, model: Sam2Lite = wide) -> dict[str, float]:
        teacher = Teacher(loaded(model), ALL, CPU, cache)
        return values(teacher.teach(mini, clip_batch, None)[1])

    cold, warm = losses(OutputCache(tmp_path)), losses(OutputCache(tmp_path))
    (file,) = tmp_path.glob("*")
    assert cold == warm
    assert losses(None) == pytest.approx(cold, rel=5e-3, abs=1e-5)

    file.write_bytes(file.read_bytes()[:100])
    assert losses(OutputCache(tmp_path)) == cold, "a damaged file is made anew"
    assert losses(OutputCache(tmp_path), mini) != cold, "another teacher has other outputs"
    assert len(list(tmp_path.iterdir())) == 2


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match="--cache"):
        OutputCache(tmp_path / "file")


def test_teachers_that_cannot_be_loaded(mini: Sam2Lite, tmp_path: Path) -> None:
    file = tmp_path / "teacher.pt"
    file.write_bytes(b"PK")
    with pytest.raises(ModelError, match=r"teacher\.pt is damaged"):
        load_teacher(str(file), mini.config)
    with pytest.raises(ModelError, match="nowhere"):
        load_teacher(str(tmp_path / "nowhere"), mini.config)
    with pytest.raises(UnknownNameError, match="nobody"):
        load_teacher("nobody", mini.config)
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.json").write_text(json.dumps({"model_type": "sam2_video"}))
    with pytest.raises(ModelError, match="no weights"):
        load_teacher(str(other), mini.config)
    (other / "config.json").write_text("[]")
    with pytest.raises(ModelError, match="JSON object"):
        load_teacher(str(other), mini.config)


def test_a_teacher_for_other_input_sizes(mini: Sam2Lite, tmp_path: Path) -> None:
    save_checkpoint(build(dataclasses.replace(mini.config, base_size=320)), tmp_path / "other")
    with pytest.raises(ArgumentError, match="320 px, the student one of 480 px"):
        load_teacher(str(tmp_path / "other"), mini.config)
    with pytest.raises(ArgumentError, match=r"of the student's own family.*--teacher-size 64 out"):
        load_teacher("tiny", mini.config, 64)
    with pytest.raises(ArgumentError, match="320 px"):
        check_options(RunOptions(teacher=str(tmp_path / "other")))
    with pytest.raises(ArgumentError, match="--cached-batches is 0"):
        check_options(RunOptions(cached_batches=0))


def test_the_command_needs_a_teacher(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["distill", "-o", str(tmp_path)])
    assert isinstance(result.exception, ArgumentError)
    assert "--teacher" in str(result.exception)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    phases = (Phase("clips", 1, 1.0, (BatchShape(96, 3, 1, 2),)),)
    monkeypatch.setattr(schedule.schedule_of, "__defaults__", (phases,))
    monkeypatch.setattr(trainer, "LOG_EVERY_STEPS", 1)
    monkeypatch.setattr(validation, "SHAPE", BatchShape(96, 5, 1, 1))
    monkeypatch.setattr(validation, "CLIPS", 1)


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "log.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.usefixtures("short")
def test_a_run_with_a_cache_and_its_resumption(
    mini: Sam2Lite, wide: Sam2Lite, tmp_path: Path
) -> None:
    save_checkpoint(mini, tmp_path / "student")
    save_checkpoint(wide, tmp_path / "teacher", weights=OWN)
    cache, output = tmp_path / "cache", tmp_path / "run"
    arguments = ["--teacher", tmp_path / "teacher", "--from", tmp_path / "student"]
    arguments += ["--cache", cache, "--cached-batches", 2, "--stages", 1, "--steps", 3]
    arguments += ["--processes", 1, "-o", output]
    result = CliRunner().invoke(app, ["distill", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    logged = rows(output)
    assert [row["step"] for row in logged] == ["1", "2", "3"]
    assert all(float(row[name]) > 0.0 for row in logged for name in ("attention", "readout"))
    assert len(list(cache.iterdir())) == 2, "the third step is on the first batch"

    options = RunOptions.from_json(json.loads((output / "options.json").read_text()))
    assert options.teacher == str(tmp_path / "teacher")
    longer = dataclasses.replace(options, steps=4)
    train(longer, output, resume=True)
    assert [row["step"] for row in rows(output)][-1] == "4"
    assert len(list(cache.iterdir())) == 2
