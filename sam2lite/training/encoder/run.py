"""Training an image encoder to give another network's maps."""

from __future__ import annotations

import logging
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from functools import cached_property
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from sam2lite.errors import TrainingError
from sam2lite.models.registry import grafting_host, load_model
from sam2lite.training.encoder.features import TeacherFeatures
from sam2lite.training.encoder.folder import (
    FEATURES_FOLDER,
    LOG_FILE,
    keep_checkpoint,
    start_anew,
)
from sam2lite.training.encoder.int8_stage import INT8_SHARE, Int8Stage
from sam2lite.training.encoder.levels import STRIDES, feature_loss, level_weights
from sam2lite.training.encoder.options import EncoderOptions, new_options, resumed_options
from sam2lite.training.encoder.pictures import open_pictures, views
from sam2lite.training.optimise import CLIP_NORM, make_optimiser
from sam2lite.training.run.folder import held_run
from sam2lite.training.run.launch import check_device
from sam2lite.training.run.logs import CsvLog
from sam2lite.training.run.state import Progress, load_state, read_progress, save_state

SAVE_EVERY_S = 60.0
VALIDATIONS = 10  # in a run, at equal distances
_WARM_UP_STEPS, _WARM_UP_SHARE = 20, 0.1  # whichever is less
_LAST_RATE = 0.03  # of the peak
_COLUMNS = ["step", "minutes", "lr", "loss", *(f"s{stride}" for stride in STRIDES), "validation"]
_GIGABYTE = 10**9
_log = logging.getLogger("sam2lite")


class Report(NamedTuple):
    """How a run is, after a step.

    Attributes:
        step: steps done.
        progress: share of the run that is done.
        loss: of the step.
        validation: loss on pictures that are kept apart; None where it was not computed.
        best: whether it is the lowest, and the checkpoint was written.
    """

    step: int
    progress: float
    loss: float
    validation: float | None
    best: bool


def distill_encoder(
    folder: Path,
    given: Mapping[str, Any],
    *,
    resume: bool = False,
    force: bool = False,
    report: Callable[[Report], None] = lambda _: None,
) -> float:
    """Train an image encoder; the folder becomes a checkpoint with the best weights.

    Args:
        folder: of the run.
        given: options by name; see `EncoderOptions`.
        resume: go on with the run that is there; what is given must be what it was started with.
        force: forget the run that is there.
        report: called after every step.

    Returns:
        the lowest loss on pictures that are kept apart.

    Raises:
        ArgumentError: an option cannot be used, or the teacher's heads do not fit.
        ModelError: the teacher cannot be loaded.
        TrainingError: there are no pictures, there is a run already or none to resume, or another
            teacher or other pictures lie where those of the run lay.
    """
    if resume:
        kept = read_progress(folder).options
        options = resumed_options(kept.get("options", {}), given)
    else:
        kept, options = {}, new_options(given)
    check_device(options.device)
    run = _Run(folder, options)
    if resume:
        run.check_same(kept)
    else:
        start_anew(folder, force)
    with held_run(folder):
        return run.train(resume, report)


class _Run:
    """What a run works with."""

    def __init__(self, folder: Path, options: EncoderOptions) -> None:
        self._folder, self._options = folder, options
        self._device = torch.device(options.device)
        self._host = grafting_host(options.backbone)
        self._teacher = load_model(options.teacher)
        self._host.check_teacher(self._teacher)
        self._student = self._host.grafted(
            self._teacher, options.backbone, options.size, options.seed
        )
        (self._size,) = self._student.sizes
        self._pictures = open_pictures(Path(options.images))
        self._weights = level_weights(options.weights)
        self._best, self._validated, self._in_int8 = math.inf, 0, False
        self._stop = False

    def check_same(self, kept: Mapping[str, Any]) -> None:
        """Check that teacher and pictures are those that a run was started with."""
        for what, before, now in (
            ("the teacher", kept.get("teacher_sha256"), self._teacher.sha256),
            ("the pictures", kept.get("pictures_sha256"), self._pictures.sha256),
        ):
            if before != now:
                raise TrainingError(
                    f"{what} of the run in {self._folder} changed since it was started; put them "
                    "back, or start anew with --force"
                )
        self._best = float(kept.get("best", math.inf))
        self._validated = int(kept.get("validated", 0))
        self._in_int8 = bool(kept.get("in_int8", False))

    def train(self, resume: bool, report: Callable[[Report], None]) -> float:
        """See `distill_encoder`."""
        network = self._student.model.to(self._device)
        encoder = self._host.trained_part(network)
        encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimiser = make_optimiser(encoder)
        step, before_s = 0, 0.0
        if resume:
            progress = load_state(self._folder, encoder, optimiser, {}, self._int8.observed)
            step, before_s = progress.step, progress.elapsed_s
        started = saved = time.perf_counter()
        with ExitStack() as stack:
            log = stack.enter_context(closing(CsvLog(self._folder / LOG_FILE, _COLUMNS, step)))
            self._hear_interrupts(stack)
            while not self._stop:
                elapsed_s = before_s + time.perf_counter() - started
                share = self._share(step, elapsed_s)
                if share >= 1.0:
                    break
                rate = self._rate(step, share)
                with self._int8.at(share):
                    loss, levels = self._step(step, rate, encoder, optimiser)
                step += 1
                elapsed_s = before_s + time.perf_counter() - started
                at, share = share, min(1.0, self._share(step, elapsed_s))
                validation, best = None, False
                if int(VALIDATIONS * share) > self._validated:
                    self._validated = int(VALIDATIONS * share)
                    with self._int8.at(at):
                        validation = self._validate(encoder)
                    best = self._keep_best(validation, at)
                values = (step, elapsed_s / 60, rate, loss, *levels)
                row: dict[str, object] = dict(zip(_COLUMNS, values, strict=False))
                log.write(row if validation is None else {**row, "validation": validation})
                if validation is not None or time.perf_counter() - saved > SAVE_EVERY_S:
                    self._save(encoder, optimiser, step, elapsed_s)
                    saved = time.perf_counter()
                report(Report(step, share, loss, validation, best))
            elapsed_s = before_s + time.perf_counter() - started
            self._save(encoder, optimiser, step, elapsed_s)
        if self._int8.asked and not self._in_int8:
            _log.warning(
                "the run ended before its last %.0f %%, which compute in INT8; go on with "
                "--resume, or give more time",
                100 * INT8_SHARE,
            )
        return self._best

    def _keep_best(self, validation: float, share: float) -> bool:
        """Write the checkpoint if none before had a lower loss; return whether it was written."""
        if self._int8.begun(share) and not self._in_int8:
            self._best, self._in_int8 = math.inf, True  # from now on it is that in INT8
        if validation >= self._best:
            return False
        self._best = validation
        student = self._student
        config, ranges = self._host.description(student), self._int8.ranges()
        keep_checkpoint(self._folder, student.model.state_dict(), config, ranges)
        return True

    def _share(self, step: int, elapsed_s: float) -> float:
        if self._options.steps is not None:
            return step / self._options.steps
        return elapsed_s / (60.0 * self._options.minutes)

    def _rate(self, step: int, share: float) -> float:
        # Runs of few steps have warmed up after a share of them.
        warmth = min(1.0, max((step + 1) / _WARM_UP_STEPS, share / _WARM_UP_SHARE))
        cosine = 0.5 * (1.0 + math.cos(math.pi * share))
        return self._options.learning_rate * warmth * (_LAST_RATE + (1.0 - _LAST_RATE) * cosine)

    def _step(
        self, step: int, rate: float, encoder: torch.nn.Module, optimiser: torch.optim.Optimizer
    ) -> tuple[float, list[float]]:
        drawn = list(self._drawn(step))
        view_bchw = views(
            self._pictures,
            [name for name, _ in drawn],
            [number for _, number in drawn],
            self._size,
            self._options.seed,
        )
        encoder.train()
        loss, levels = self._loss(view_bchw)
        if not bool(torch.isfinite(loss)):
            raise TrainingError(
                f"the loss is {float(loss)} at step {step}; lower --learning-rate, then start anew "
                "with --force"
            )
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(encoder.parameters(), CLIP_NORM)
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.step()
        return float(loss.detach()), [float(level) for level in levels]

    def _loss(self, view_bchw: Tensor) -> tuple[Tensor, Tensor]:
        taught = [each.to(self._device) for each in self._features.of(view_bchw)]
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._options.bf16):
            given = self._host.maps(self._student.model, view_bchw.to(self._device))
        return feature_loss(given, taught, self._options.loss, self._weights)

    @torch.no_grad()
    def _validate(self, encoder: torch.nn.Module) -> float:
        """Return the mean loss on whole pictures that are kept apart."""
        encoder.eval()
        names = self._pictures.kept_apart
        losses = [
            float(self._loss(views(self._pictures, [name], [0], self._size, 0))[0])
            for name in names
        ]
        return float(np.mean(losses))

    def _drawn(self, step: int) -> Iterator[tuple[str, int]]:
        """Yield picture and view of a step's batch: every view once, in an order, then again."""
        names, kinds = self._pictures.trained, 1 + self._options.crops
        count = len(names) * kinds
        orders: dict[int, np.ndarray[Any, Any]] = {}
        for place in range(step * self._options.batch, (step + 1) * self._options.batch):
            epoch, at = divmod(place, count)
            if epoch not in orders:
                rng = np.random.default_rng([self._options.seed, epoch])
                orders[epoch] = rng.permutation(count)
            picture, number = divmod(int(orders[epoch][at]), kinds)
            yield names[picture], number

    @cached_property
    def _int8(self) -> Int8Stage:
        return Int8Stage(self._student, self._host, self._options.int8)

    @cached_property
    def _features(self) -> TeacherFeatures:
        options, host = self._options, self._host
        network = self._teacher.model.to(self._device).eval().requires_grad_(False)

        @torch.no_grad()
        def look(view_bchw: Tensor) -> list[Tensor]:
            # One after the other: a batch that is partly known gives the same to the last bit.
            with torch.autocast(self._device.type, torch.bfloat16, enabled=options.bf16):
                seen = [host.maps(network, view[None].to(self._device)) for view in view_bchw]
            return [torch.cat(maps).float() for maps in zip(*seen, strict=True)]

        how = f"{self._teacher.sha256} {'bfloat16' if options.bf16 else 'float32'}"
        folder = self._folder / FEATURES_FOLDER if options.cache_gb > 0 else None
        return TeacherFeatures(look, how, folder, int(options.cache_gb * _GIGABYTE))

    def _save(
        self,
        encoder: torch.nn.Module,
        optimiser: torch.optim.Optimizer,
        step: int,
        elapsed_s: float,
    ) -> None:
        kept = {
            "options": self._options.to_json(),
            "teacher_sha256": self._teacher.sha256,
            "pictures_sha256": self._pictures.sha256,
            "best": self._best,
            "validated": self._validated,
            "in_int8": self._in_int8,
        }
        progress = Progress(step, elapsed_s, kept)
        save_state(self._folder, encoder, optimiser, {}, self._int8.observed, progress)

    def _hear_interrupts(self, stack: ExitStack) -> None:
        """Let a signal end the run after the step that it comes in."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in (signal.SIGINT, signal.SIGTERM):
            stack.callback(signal.signal, number, signal.signal(number, self._ask_to_stop))

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        self._stop = True
