"""From one command to one or several processes that train together.

Under torchrun the processes are there already. Otherwise a CPU run starts one per core: two
processes of one thread train 1.3 times as fast as one of two.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

import cv2
import torch
from torch.multiprocessing.spawn import ProcessRaisedException, spawn

from sam2lite.data.spawning import sheltered
from sam2lite.errors import ArgumentError, TrainingError
from sam2lite.targets.machine import allowed_cpus
from sam2lite.training.run.folder import held_run
from sam2lite.training.run.options import RunOptions
from sam2lite.training.run.trainer import Report, train


def check_device(device: str) -> None:
    """Check that a device is there.

    Raises:
        ArgumentError: it is not, or is no device.
    """
    if device not in ("cpu", "cuda"):
        raise ArgumentError(f"the device is {device!r}; choose cpu or cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise ArgumentError("the device is cuda, but PyTorch finds no GPU here; use --device cpu")


def default_processes(device: str) -> int:
    """Return one process per core that this process may use, or one for a GPU."""
    return allowed_cpus() if device == "cpu" else 1


def launch(
    options: RunOptions,
    folder: Path,
    *,
    resume: bool,
    processes: int,
    report: Callable[[Report], None],
) -> None:
    """Run `train` in as many processes as asked for, or as torchrun has started.

    Args:
        options: of the run.
        folder: that exists.
        resume: go on from the folder's state.
        processes: to start, unless under torchrun.
        report: is called in the process of rank 0, which may be another one: it must be a function
            that can be pickled.

    Raises:
        ArgumentError: the device is not there.
        TrainingError: as for `train`, in any of the processes.
    """
    check_device(options.device)
    if "WORLD_SIZE" in os.environ:
        rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        _train_one(rank, world, "env://", options, folder, resume, report)
    elif processes == 1:
        with held_run(folder):
            _train_one(0, 1, "", options, folder, resume, report)
    else:
        with held_run(folder), tempfile.TemporaryDirectory() as meeting:
            address = f"file://{meeting}/store"
            arguments = (processes, address, options, folder, resume, report)
            with sheltered():
                started = spawn(  # type: ignore[no-untyped-call]
                    _train_one, arguments, nprocs=processes, join=False
                )
            try:
                while not started.join():
                    pass
            except KeyboardInterrupt:
                _stop(started.processes)
                raise
            except ProcessRaisedException as error:
                # The last line of the child's traceback: its class and its message.
                message = str(error).strip().splitlines()[-1]
                raise TrainingError(message.split("Error: ", 1)[-1]) from error


def _stop(processes: Sequence[BaseProcess]) -> None:
    """Ask processes to end after the step that they are in, its state saved, and wait for them."""
    for process in processes:
        process.terminate()
    for process in processes:
        process.join()


def _train_one(
    rank: int,
    world: int,
    address: str,
    options: RunOptions,
    folder: Path,
    resume: bool,
    report: Callable[[Report], None],
) -> None:
    if options.device == "cpu" and "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, allowed_cpus() // world))
    cv2.setNumThreads(1)
    if world > 1:
        backend = "gloo" if options.device == "cpu" else "nccl"
        torch.distributed.init_process_group(backend, address, rank=rank, world_size=world)
    try:
        train(options, folder, resume=resume, rank=rank, world=world, report=report)
    finally:
        if world > 1:
            torch.distributed.destroy_process_group()
