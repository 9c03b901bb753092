"""Hand thousands of broken inputs to everything that reads what strangers write.

    python checks/fuzz/run.py [--share 0.01] [--seed 0] [--only KIND] [--number N]

Expected of each: refused by an error of SAM2-Lite's own, or read correctly. A finding is any other
exception, a crash, ten seconds without an answer, 500 MB more memory, or a file touched outside the
input's folder. The inputs of findings are kept under build/fuzz; the exit code is 1 if there are
any. Everything is seeded: the same seed makes the same inputs.
"""

import argparse
import multiprocessing
import os
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
# The names of this folder's modules are too plain to be importable by themselves.
sys.path[0:1] = [str(ROOT), str(ROOT / "checks")]

from fuzz.kind import CORRECT, Kind  # noqa: E402
from fuzz.worker import FINDING, READY, REFUSED, WRITTEN, kind_of, work  # noqa: E402

from sam2lite.data.spawning import spawn_context  # noqa: E402

FOLDER = Path(__file__).resolve().parent
NO_KINDS = {"__init__", "kind", "mutations", "run", "small_network", "watch", "worker"}
FINDINGS = ROOT / "build" / "fuzz"
WORKERS = 2
WRITE_S = 120.0  # some inputs are large
ANSWER_S = 10.0
PREPARE_S = 300.0


@dataclass
class Tally:
    """What became of the inputs of a kind."""

    verdicts: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)


class Worker:
    """A worker process and the way to it; started anew after a crash or a hang."""

    def __init__(self, module: str, seed: int) -> None:
        self._module = module
        self._seed = seed
        self._start()

    def answer(self, number: int) -> tuple[str, str]:
        """Return (verdict, detail) of an input."""
        self._connection.send(number)
        written = self._received(WRITE_S)
        return self._received(ANSWER_S) if written[0] == WRITTEN else written

    def keep_input(self, into: Path) -> None:
        """Copy the input that was tried last."""
        source = self._room / "watched" / "here" / "input"
        shutil.rmtree(into, ignore_errors=True)
        # Pipes and devices cannot be copied, and the number makes them again.
        shutil.copytree(source, into, symlinks=True, ignore=_special, ignore_dangling_symlinks=True)

    def restart(self) -> None:
        """Put a fresh process in place of this one."""
        self.close()
        self._start()

    def close(self) -> None:
        """End the process and remove its room."""
        self._process.kill()
        self._process.join()
        self._connection.close()
        shutil.rmtree(self._room, ignore_errors=True)

    def alive(self) -> bool:
        """Return whether the process still answers."""
        return self._process.is_alive()

    def _start(self) -> None:
        self._room = Path(tempfile.mkdtemp(prefix="sam2lite-fuzz-"))
        self._connection, there = multiprocessing.Pipe()
        self._process = spawn_context().Process(
            target=work, args=(self._module, self._seed, self._room, there), daemon=True
        )
        self._process.start()
        there.close()
        verdict, detail = self._received(PREPARE_S)
        if verdict != READY:
            log = self._room / "log.txt"
            said = log.read_text() if log.exists() else ""
            raise SystemExit(f"the kind of {self._module} cannot be prepared: {detail}\n{said}")

    def _received(self, limit_s: float) -> tuple[str, str]:
        connection: Connection = self._connection
        try:
            if connection.poll(limit_s):
                verdict, detail = connection.recv()
                return str(verdict), str(detail)
        except (EOFError, OSError):
            self._process.join()
            return FINDING, f"the process ended with {self._process.exitcode}"
        self._process.kill()
        self._process.join()
        return FINDING, f"no answer within {limit_s:g} s"


def run(module: str, numbers: Iterator[int], seed: int) -> Tally:
    """Try inputs on as many workers as there are, and return what became of them."""
    kind = kind_of(module)
    tally = Tally()
    lock = threading.Lock()

    def serve() -> None:
        worker = Worker(module, seed)
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                break
            verdict, detail = worker.answer(number)
            if verdict == FINDING:
                kept = FINDINGS / kind.name / str(number)
                worker.keep_input(kept / "input")
                (kept / "finding.txt").write_text(detail)
                if not worker.alive():
                    worker.restart()
            with lock:
                tally.verdicts[verdict] += 1
                if verdict == FINDING:
                    last = detail.strip().splitlines()[-1]
                    tally.findings.append(f"{kind.name} {number}: {last}")
        worker.close()

    threads = [threading.Thread(target=serve) for _ in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return tally


def modules() -> list[str]:
    """Return the modules of this folder that give a kind."""
    return sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in NO_KINDS)


def main() -> int:
    """Run what the flags ask for, and print a line per kind."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--share", type=float, default=1.0, help="of a whole run's inputs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", metavar="KIND", choices=[kind_of(m).name for m in modules()])
    parser.add_argument("--number", type=int, help="one input again")
    flags = parser.parse_args()
    print(f"{'kind':<14}{'inputs':>8}{'refused':>9}{'correct':>9}{'findings':>10}{'seconds':>9}")
    findings: list[str] = []
    shared = tempfile.mkdtemp(prefix="sam2lite-fuzz-")
    os.environ["SAM2LITE_FUZZ_SHARED"] = shared
    for module in modules():
        kind: Kind = kind_of(module)
        if flags.only in (None, kind.name):
            start = time.monotonic()
            count = max(1, round(kind.count * flags.share))
            numbers = range(count) if flags.number is None else [flags.number]
            tally = run(module, iter(numbers), flags.seed)
            row = [len(numbers), *(tally.verdicts[v] for v in (REFUSED, CORRECT, FINDING))]
            print(
                f"{kind.name:<14}{row[0]:>8}{row[1]:>9}{row[2]:>9}{row[3]:>10}"
                f"{time.monotonic() - start:>9.0f}",
                flush=True,
            )
            findings += tally.findings
    shutil.rmtree(shared, ignore_errors=True)
    for finding in sorted(findings):
        print(finding)
    if findings:
        print(f"their inputs: {FINDINGS}")
    return 1 if findings else 0


def _special(folder: str, names: list[str]) -> set[str]:
    paths = [Path(folder, name) for name in names]
    return {p.name for p in paths if not (p.is_symlink() or p.is_file() or p.is_dir())}


if __name__ == "__main__":
    sys.exit(main())
