"""Build the TensorRT engines of the bundle on this board.

Every graph gets a process of its own. TensorRT gives the memory of its kernel library and of the
CUDA context back only when a process ends, and boards have one memory for CPU and GPU; a process
that the system kills for its memory, or that crashes in TensorRT, leaves this one to say so; and
Ctrl-C ends TensorRT at once, which itself takes no signals while it builds.
"""

import argparse
import glob
import os
import subprocess
import sys
from typing import List, Sequence, Tuple

from sam2lite.contracts.build_plan import ENGINES_FOLDER, PLAN_FILE, BuildPlan
from sam2lite.contracts.manifest import Manifest
from sam2lite.device.opening import positive
from sam2lite.device.tensorrt.board import check_generation, open_board
from sam2lite.device.tensorrt.graph_build import Job, build_graph, is_built
from sam2lite.device.tensorrt.log import MEMORY_REMEDY
from sam2lite.errors import ArgumentError, BundleError, OutputError, SessionError, UnknownNameError
from sam2lite.files.unfinished import clear_unfinished, is_unfinished, output_of
from sam2lite.runtimes.backends.tensorrt.engines import (
    EngineEntry,
    engines_folder,
    read_engines,
    read_plan,
    write_engines,
)
from sam2lite.runtimes.bundle import family_of, read_manifest
from sam2lite.runtimes.bundle_files import check_files
from sam2lite.runtimes.commands.children import environment, running_ours

_SIGKILL = -9  # how the system ends a process for want of memory


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "--only", nargs="+", metavar="KEY", help="graphs, by their keys in the build plan"
    )
    parser.add_argument(
        "--rungs", type=_rungs, metavar="PX,...", help="input sides, such as 240,288; all"
    )
    parser.add_argument(
        "--workspace-mb",
        type=positive,
        metavar="MIB",
        help="memory that TensorRT tries kernels in; as the plan says",
    )
    parser.add_argument("--force", action="store_true", help="build again what is built")
    parser.add_argument("--verbose", action="store_true", help="show the warnings of TensorRT")
    parser.add_argument(
        "--in-process",
        action="store_true",
        help="build in this process, and not each graph in one of its own",
    )


def run(arguments: argparse.Namespace) -> int:
    """Build what is not built yet; print a line for every graph.

    Raises:
        ArgumentError: the bundle needs no engines, or has no such graph or rung.
        BundleError: the bundle is damaged, or its graphs are for another TensorRT.
        SessionError: there is no GPU or no TensorRT, or a graph cannot be built.
        OutputError: `engines/` cannot be written.
    """
    manifest, plan = _read(arguments.bundle)
    keys = choose_graphs(plan, arguments.only, arguments.rungs)  # before the GPU is looked for
    job = _open(arguments, manifest, plan)
    _make_folder(job.bundle)
    if arguments.force:
        _forget_unreadable(job.bundle)
    _remove_partial(job.bundle)
    try:
        for number, key in enumerate(keys, 1):
            if not arguments.force and is_built(job, key):
                _say("{:<22} built already".format(key))
            elif arguments.in_process:
                _say(_line(key, build_graph(job, key)))
            else:
                sys.stderr.write("building {} ({} of {})\n".format(key, number, len(keys)))
                _build_in_child(key, _child_arguments(arguments, key))
    finally:
        _remove_partial(job.bundle)  # of a child that was killed
    if not arguments.in_process:
        _say(_summary(job.bundle, keys))
    return 0


def choose_graphs(
    plan: BuildPlan, only: Sequence[str] = (), rungs: Sequence[int] = ()
) -> List[str]:
    """Return the keys of the graphs to build, in the order of the plan.

    Args:
        plan: of the bundle.
        only: keys; all if none.
        rungs: input sides, px; all if none. Graphs that belong to no rung are always there.

    Raises:
        UnknownNameError: there is no such graph or rung.
        ArgumentError: none of the graphs is of one of the rungs.
    """
    known = sorted({int(key.partition("@")[2]) for key in plan.graphs if "@" in key})
    for key in only or ():
        if key not in plan.graphs:
            raise UnknownNameError("graph", key, plan.graphs)
    for rung in rungs or ():
        if rung not in known:
            raise UnknownNameError("rung", rung, known)
    chosen = [
        key
        for key in plan.graphs
        if (not only or key in only)
        and (not rungs or "@" not in key or int(key.partition("@")[2]) in rungs)
    ]
    if not chosen:
        raise ArgumentError("--only and --rungs have no graph in common; give one of them")
    return chosen


def _read(bundle: str) -> Tuple[Manifest, BuildPlan]:
    manifest, _ = read_manifest(bundle)
    if manifest.backend != "trt":
        raise ArgumentError(
            "{} was made for backend {!r}, which needs no engines; run track or bench".format(
                bundle, manifest.backend
            )
        )
    family_of(bundle, manifest)
    plan = read_plan(bundle)
    for key in plan.graphs:
        if key not in manifest.graphs:
            raise BundleError(
                "{}: {} names the graph {}, which the manifest does not; copy or export the bundle "
                "again".format(bundle, PLAN_FILE, key)
            )
    return manifest, plan


def _open(arguments: argparse.Namespace, manifest: Manifest, plan: BuildPlan) -> Job:
    check_files(arguments.bundle, manifest, [PLAN_FILE])
    board = open_board()
    check_generation(plan, manifest, board)
    workspace_mb = arguments.workspace_mb or plan.workspace_mb
    return Job(arguments.bundle, manifest, plan, board, workspace_mb, arguments.verbose)


def _build_in_child(key: str, arguments: List[str]) -> None:
    sys.stdout.flush()
    code = subprocess.call(child_command() + arguments, env=environment())
    if code == 0:
        return
    if code == _SIGKILL:
        raise SessionError("{}: the system ended TensorRT; {}".format(key, MEMORY_REMEDY))
    if code < 0:
        raise SessionError(
            "{}: TensorRT crashed (signal {}); run it again with --only {} --verbose, and check "
            "the installation with: python3 device.pyz doctor".format(key, -code, key)
        )
    raise SessionError(
        "{} was not built, for the reason above; engines that are done stay, and the next build "
        "goes on from here".format(key)
    )


def child_command() -> List[str]:
    """Return how a process with this same program is started: `device.pyz`, or the package."""
    return running_ours("sam2lite.device.app", "run")


def _child_arguments(arguments: argparse.Namespace, key: str) -> List[str]:
    given = ["build", "--bundle", arguments.bundle, "--in-process", "--force", "--only", key]
    if arguments.workspace_mb:
        given += ["--workspace-mb", str(arguments.workspace_mb)]
    return given + (["--verbose"] if arguments.verbose else [])


def _make_folder(bundle: str) -> None:
    """Make `engines/` now, and not after the minutes that the first engine takes."""
    folder = engines_folder(bundle)
    try:
        if not os.path.isdir(folder):
            os.makedirs(folder)
        writable = os.access(folder, os.W_OK | os.X_OK)
    except OSError:
        writable = False
    if not writable:
        raise OutputError(
            "cannot write to {}; make the bundle yours: sudo chown -R $USER {}".format(
                folder, bundle
            )
        )


def _forget_unreadable(bundle: str) -> None:
    try:
        read_engines(bundle)
    except BundleError:
        write_engines(bundle, {})


def _remove_partial(bundle: str) -> None:
    """Remove what builds that were killed left, of whichever graph."""
    folder = engines_folder(bundle)
    for name in os.listdir(folder):
        if is_unfinished(name):
            clear_unfinished(os.path.join(folder, output_of(name)))
    # Earlier releases named them so.
    for path in glob.glob(glob.escape(os.path.join(folder, "")) + "*.partial-*"):
        os.remove(path)


def _summary(bundle: str, keys: Sequence[str]) -> str:
    entries = [entry for key, entry in read_engines(bundle).items() if key in keys]
    return "{} engines in {}: {:.1f} MB; python3 device.pyz bench measures them".format(
        len(entries),
        os.path.join(bundle, ENGINES_FOLDER),
        sum(entry.bytes for entry in entries) / 1e6,
    )


def _line(key: str, entry: EngineEntry) -> str:
    return "{:<22} {:>8.1f} s {:>8.1f} MB".format(key, entry.seconds, entry.bytes / 1e6)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _rungs(text: str) -> List[int]:
    return [positive(part) for part in text.split(",")]
