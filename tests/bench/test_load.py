import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sam2lite.bench import load_worker
from sam2lite.bench.load import CpuLoad
from sam2lite.errors import Sam2LiteError

PATIENCE_S = 20.0


def wait_until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def is_running(pid: int) -> bool:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return fields[0] != "Z"


def cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])  # user and system


def test_works_between_start_and_stop() -> None:
    with CpuLoad(1) as load:
        (pid,) = load.process_ids
        at_rest = cpu_ticks(pid)
        load.start()
        assert wait_until(lambda: cpu_ticks(pid) > at_rest + 5)
        load.stop()

        def rests() -> bool:
            before = cpu_ticks(pid)
            time.sleep(0.2)
            return cpu_ticks(pid) == before

        assert wait_until(rests)


def test_all_processes_end_with_the_context() -> None:
    with CpuLoad(2) as load:
        pids = load.process_ids
        assert len(set(pids)) == 2
        assert all(is_running(pid) for pid in pids)
        load.start()
    assert not any(is_running(pid) for pid in pids)


def test_all_processes_end_with_an_error() -> None:
    with pytest.raises(KeyboardInterrupt), CpuLoad(2) as load:
        pids = load.process_ids
        load.start()
        raise KeyboardInterrupt
    assert not any(is_running(pid) for pid in pids)


def test_all_processes_end_when_their_owner_is_killed() -> None:
    code = (
        "import os, signal\n"
        "from sam2lite.bench.load import CpuLoad\n"
        "with CpuLoad(2) as load:\n"
        "    load.start()\n"
        "    print(*load.process_ids, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=False)
    assert done.returncode == -signal.SIGKILL
    pids = [int(pid) for pid in done.stdout.split()]
    assert len(pids) == 2
    assert wait_until(lambda: not any(is_running(pid) for pid in pids))


def test_no_load_is_no_process() -> None:
    with CpuLoad(0) as load:
        load.start()
        load.stop()
        assert load.process_ids == []


def test_a_process_that_does_not_start_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("raise SystemExit(7)\n")
    monkeypatch.setattr(load_worker, "__file__", str(broken))
    with pytest.raises(Sam2LiteError, match="exit code 7"):
        CpuLoad(1).__enter__()


def test_owner_does_not_pass_on_ctrl_c() -> None:
    with CpuLoad(1) as load:
        assert os.getpgid(load.process_ids[0]) != os.getpgid(0)
