"""The training loop of one process: batches in, checkpoints out."""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack, closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import torch
from torch import Tensor

from sam2lite.contracts.provenance import OWN
from sam2lite.data.spawning import hear_interrupts
from sam2lite.errors import TrainingError
from sam2lite.models.sam2lite.checkpoint import save_checkpoint
from sam2lite.models.sam2lite.network import Sam2Lite, build
from sam2lite.models.sam2lite.quantizable import quantized_layers
from sam2lite.training.bank import Gate
from sam2lite.training.batches import Batch, BatchShape
from sam2lite.training.distillation.cache import OutputCache
from sam2lite.training.distillation.teacher import Teacher, load_teacher
from sam2lite.training.feed import Feed
from sam2lite.training.losses import WEIGHT_NAMES, loss_weights, rollout_loss
from sam2lite.training.low_rank.file import LORA_FILE, Origin, save_updates
from sam2lite.training.low_rank.update import attach, merged, stand_still
from sam2lite.training.optimise import CLIP_NORM, MovingAverage, average_gradients, make_optimiser
from sam2lite.training.quantization import SimulatedInt8
from sam2lite.training.rollout import Simulation, rollout
from sam2lite.training.run.logs import CsvLog
from sam2lite.training.run.options import RunOptions, first_model, schedule_for
from sam2lite.training.run.schedule import Moment, learning_rate
from sam2lite.training.run.state import Progress, load_state, save_state
from sam2lite.training.validation import Score, validate, validation_batches

CHECKPOINT_FOLDER = "checkpoint"
LOG_FILE = "log.csv"
SCORES_FILE = "scores.csv"
SAVE_EVERY_S = 60.0
VALIDATE_EVERY_S = 300.0
VALIDATION_SHARE = 0.05  # of the time, at most: on a busy machine it comes less often
LOG_EVERY_STEPS = 20
_LOG_COLUMNS = ["step", "minutes", "phase", "lr", "frames_per_s", "waited", "loss", *WEIGHT_NAMES]
_SCORE_COLUMNS = ["step", "minutes", "phase", *Score._fields]


@dataclass(frozen=True)
class Report:
    """What a run tells while it goes on."""

    step: int
    moment: Moment
    elapsed_s: float
    loss: float
    frames_per_s: float
    score: Score | None


def train(
    options: RunOptions,
    folder: Path,
    *,
    resume: bool,
    rank: int = 0,
    world: int = 1,
    report: Callable[[Report], None] = lambda report: None,
) -> Score:
    """Train until the time or the steps are used up, or the process is asked to stop.

    `folder` gets `state.safetensors` (to resume), `checkpoint/` (the averaged weights) and two CSV
    logs. SIGINT and SIGTERM end the run after the current step, saved. All processes of a run call
    this with their own rank; they need torch.distributed to be set up if there are several.

    Args:
        options: of the run.
        folder: that exists.
        resume: go on from the folder's state.
        rank: of this process.
        world: processes in all.
        report: is called now and then, in the process of rank 0.

    Returns:
        The last validation score.

    Raises:
        TrainingError: the loss is not finite, or the state cannot be written or read.
    """
    return _Run(options, folder, resume, rank, world, report).go()


class _Run:
    def __init__(
        self,
        options: RunOptions,
        folder: Path,
        resume: bool,
        rank: int,
        world: int,
        report: Callable[[Report], None],
    ) -> None:
        self.options, self.folder, self.rank, self.world = options, folder, rank, world
        self.report = report
        self.device = torch.device(
            f"cuda:{os.environ.get('LOCAL_RANK', rank)}" if options.device == "cuda" else "cpu"
        )
        first = first_model(options)
        model: Sam2Lite = first.model
        if options.lora is not None:
            attach(model, options.lora_targets, options.lora, options.alpha, options.seed)
            self.origin = Origin(first.name, first.sha256, options.lora, options.alpha)
        self.model = model.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimiser = make_optimiser(self.model)
        self.average = MovingAverage(self.model)
        self.int8 = SimulatedInt8(quantized_layers(self.model))
        self.schedule = schedule_for(options)
        self.weights = loss_weights(options.losses)
        self.teacher = self._load_teacher()
        self.step, self.elapsed_s = 0, 0.0
        if resume:
            progress = load_state(
                folder, self.model, self.optimiser, self.average.state, self.int8.observed
            )
            self.step, self.elapsed_s = progress.step, progress.elapsed_s
        self.stop_asked = False
        self.frames, self.waited_s = 0, 0.0  # since the last row of the log
        self.before_s = self.saved_s = self.validated_s = self.logged_s = self.elapsed_s
        self.validate_after_s = VALIDATE_EVERY_S
        self.score: Score | None = None

    def go(self) -> Score:
        with ExitStack() as stack:
            for number in (signal.SIGINT, signal.SIGTERM):
                stack.callback(signal.signal, number, signal.signal(number, self._ask_to_stop))
            hear_interrupts()
            if self.rank == 0:
                self.log, self.scores = (
                    stack.enter_context(closing(CsvLog(self.folder / name, columns, self.step)))
                    for name, columns in ((LOG_FILE, _LOG_COLUMNS), (SCORES_FILE, _SCORE_COLUMNS))
                )
                self.held_out = [batch.to(self.device) for batch in validation_batches()]
                if not self.step:
                    self._save()  # so that a run can be resumed however early it is killed
            feed = stack.enter_context(self._feed())
            self.started_s = time.perf_counter()
            stop = False
            while not stop and self._progress(self.step) < 1.0:
                asked_s = time.perf_counter()
                batches = [feed.next() for _ in range(self.options.accumulate)]
                self.waited_s += time.perf_counter() - asked_s
                stop = self._one_step(batches)
            if self.rank == 0:
                self._validate()
                self._save()
        return self.score or Score(0.0, 0.0, 0.0)

    def _feed(self) -> Feed:
        options = self.options
        period = options.cached_batches if options.cache else None
        first = self.step * options.accumulate
        return Feed(options.seed, self.rank, first, self._shape_of, period, options.data)

    def _progress(self, step: int) -> float:
        if self.options.steps is not None:
            return step / self.options.steps
        return self.elapsed_s / (60.0 * self.options.minutes)

    def _shape_of(self, index: int) -> BatchShape:
        """Return the shape of a batch, counted over all steps."""
        return self.schedule.at(self._progress(index // self.options.accumulate)).batch(index)

    def _one_step(self, batches: list[Batch]) -> bool:
        """Train on batches, whose gradients are averaged; return whether to stop."""
        progress = self._progress(self.step)
        moment = self.schedule.at(progress)
        rate = learning_rate(self.options.learning_rate, self.step, progress)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        # Each step has its own random state, so that a resumed run needs none.
        # (The hash of a tuple of whole numbers is the same in every process.)
        torch.manual_seed(hash((self.options.seed, self.rank, self.step)) % 2**63)
        self.optimiser.zero_grad(set_to_none=True)
        terms: dict[str, float] = {}
        for batch in batches:
            for name, value in self._backward(batch, moment, len(batches)).items():
                terms[name] = terms.get(name, 0.0) + value
        stop = self._agree()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), CLIP_NORM)
        self.optimiser.step()
        self.average.update(self.model, self.step)
        self.step += 1
        if self.rank == 0:
            self._keep_books(batches, moment, rate, terms)
        return stop

    def _backward(self, batch: Batch, moment: Moment, share: int) -> dict[str, float]:
        """Add a batch's gradients, divided by `share`; return its losses, divided likewise."""
        found = self._forward(batch.to(self.device), moment)
        terms = {name: term / share for name, term in found.items()}
        loss = torch.stack(list(terms.values())).sum()
        if not math.isfinite(float(loss.detach())):
            raise TrainingError(
                f"the loss is {float(loss.detach())} at step {self.step} ({moment.phase.name}); "
                f"the last good state, of at most {SAVE_EVERY_S:.0f} s before, is kept in "
                f"{self.folder}: go on with --resume, or start anew with a lower --learning-rate"
            )
        loss.backward()  # type: ignore[no-untyped-call]
        return {name: float(term.detach()) for name, term in terms.items()}

    def _forward(self, batch: Batch, moment: Moment) -> dict[str, Tensor]:
        self.model.train()
        if self.options.lora is not None:
            stand_still(self.model)
        gate = Gate(moment.phase.budget, moment.temperature()) if moment.phase.budget else None
        simulation = self.int8 if moment.phase.quantized else nullcontext()
        autocast = torch.autocast(self.device.type, torch.bfloat16, enabled=self.options.bf16)
        with simulation, autocast:
            output, matching = (
                self.teacher.teach(self.model, batch, gate)
                if self.teacher
                else (rollout(self.model, batch, Simulation(), gate), {})
            )
        return rollout_loss(output, self.weights, moment.phase.budget or 1) | matching

    def _agree(self) -> bool:
        """Share gradients, rank 0's clock, and whether anyone was asked to stop.

        All processes take the time from one clock, or they would end up in different phases.
        """
        now_s = self.before_s + time.perf_counter() - self.started_s
        if self.world == 1:
            self.elapsed_s = now_s
            return self.stop_asked
        clock_s = now_s * self.world if self.rank == 0 else 0.0
        self.elapsed_s, asked = average_gradients(self.model, [clock_s, float(self.stop_asked)])
        self.int8.average()
        return asked > 0.0

    def _keep_books(
        self, batches: list[Batch], moment: Moment, rate: float, terms: dict[str, float]
    ) -> None:
        """Log, validate and save, each in its own rhythm."""
        frames = sum(each.image_ctchw.shape[0] * each.image_ctchw.shape[1] for each in batches)
        self.frames += frames * self.world
        loss = sum(terms.values())
        due = self.elapsed_s - self.validated_s >= self.validate_after_s
        if due:
            self._validate()
        if self.elapsed_s - self.saved_s >= SAVE_EVERY_S:
            self._save()
        if not due and self.step % LOG_EVERY_STEPS:
            return
        passed_s = max(1e-9, self.elapsed_s - self.logged_s)
        speed, waited = self.frames / passed_s, self.waited_s / passed_s
        self.frames, self.waited_s, self.logged_s = 0, 0.0, self.elapsed_s
        row = {
            "step": self.step,
            "minutes": f"{self.elapsed_s / 60.0:.3f}",
            "phase": moment.phase.name,
            "lr": f"{rate:.3g}",
            "frames_per_s": f"{speed:.1f}",
            "waited": f"{waited:.4f}",  # share of the time, for the next batch
            "loss": f"{loss:.5f}",
            **{name: f"{term:.5f}" for name, term in terms.items()},
        }
        self.log.write(row)
        self.report(Report(self.step, moment, self.elapsed_s, loss, speed, self.score))

    def _validate(self) -> None:
        started_s = time.perf_counter()
        phase = self.schedule.at(self._progress(self.step)).phase
        model = self._averaged()
        int8 = SimulatedInt8(quantized_layers(model))
        int8.load_ranges(self.int8.ranges())
        with int8 if phase.quantized else nullcontext():
            self.score = validate(model, self.held_out)
        self.validated_s = self.elapsed_s
        taken_s = time.perf_counter() - started_s
        self.validate_after_s = max(VALIDATE_EVERY_S, taken_s / VALIDATION_SHARE)
        row = {"step": self.step, "minutes": f"{self.elapsed_s / 60.0:.3f}", "phase": phase.name}
        self.scores.write({**row, **{name: f"{v:.4f}" for name, v in self.score._asdict().items()}})

    def _save(self) -> None:
        progress = Progress(self.step, self.elapsed_s, self.options.to_json())
        save_state(
            self.folder,
            self.model,
            self.optimiser,
            self.average.state,
            self.int8.observed,
            progress,
        )
        save_checkpoint(
            self._averaged(),
            self.folder / CHECKPOINT_FOLDER,
            weights=OWN,
            force=True,
            activation_ranges=self.int8.ranges(),
        )
        if self.options.lora is not None:
            save_updates(self.folder / LORA_FILE, self.average.state, self.origin)
        self.saved_s = self.elapsed_s

    def _averaged(self) -> Sam2Lite:
        model = build(self.model.config).to(self.device)
        model.load_state_dict(merged(self.average.state))
        return model.eval()

    def _load_teacher(self) -> Teacher | None:
        options = self.options
        if options.teacher is None:
            return None
        loaded, size = load_teacher(options.teacher, self.model.config, options.teacher_size)
        cache = OutputCache(Path(options.cache)) if options.cache else None
        return Teacher(loaded, self.weights, self.device, cache, size)

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        self.stop_asked = True
