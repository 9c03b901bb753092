"""A competing load: processes that take cores away from the frame loop while they are told to."""

import subprocess
from types import TracebackType

from sam2lite.bench import load_worker
from sam2lite.errors import Sam2LiteError
from sam2lite.runtimes.commands.children import environment, running_file

_END_TIMEOUT_S = 5.0
# One process is to be one core's worth, whatever library NumPy multiplies with.
_ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class CpuLoad:
    """Processes that multiply matrices between `start` and `stop`.

    A context manager: they are made on entry and have ended on exit. They rest in between, so that
    `start` acts at once.

        with CpuLoad(processes=2) as load:
            load.start()
            ...
            load.stop()
    """

    def __init__(self, processes: int) -> None:
        """Remember how many processes to run; 0 is no load."""
        self._count = processes
        self._workers: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> "CpuLoad":
        command = running_file(load_worker.__file__)
        try:
            for _ in range(self._count):
                worker = subprocess.Popen(
                    command,
                    bufsize=0,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    env=environment(**_ONE_THREAD),
                    start_new_session=True,  # Ctrl-C is for us; they end with their input
                )
                self._workers.append(worker)
            for worker in self._workers:
                _await_ready(worker)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    @property
    def process_ids(self) -> list[int]:
        """Ids of the processes, while the context is entered."""
        return [worker.pid for worker in self._workers]

    def start(self) -> None:
        """Put all processes to work."""
        self._tell(load_worker.WORK)

    def stop(self) -> None:
        """Let all processes rest."""
        self._tell(load_worker.REST)

    def _tell(self, command: bytes) -> None:
        for worker in self._workers:
            if worker.stdin is not None:
                worker.stdin.write(command)

    def _end(self) -> None:
        for worker in self._workers:
            for pipe in (worker.stdin, worker.stdout):
                if pipe is not None:
                    pipe.close()
        for worker in self._workers:
            try:
                worker.wait(_END_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()
        self._workers.clear()


def _await_ready(worker: subprocess.Popen[bytes]) -> None:
    if worker.stdout is None or worker.stdout.read(1) != load_worker.READY:
        raise Sam2LiteError(
            "a process of the competing load did not start (exit code "
            f"{worker.wait(_END_TIMEOUT_S)}); see what it wrote above, or run without a load"
        )
