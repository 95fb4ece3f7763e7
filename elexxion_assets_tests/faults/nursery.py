"""A process that has imported everything and forks the workers of the trials, which then begin in milliseconds.

It is told plans, one JSON document per line, and answers with the process number of the worker that follows each. It
never computes anything itself: a process that has used its engines' threads cannot be forked safely.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
TOY = "from elexxion_assets_tests.toy import TOY as THEME\n"


@dataclass(frozen=True)
class Worker:
    """A process that follows a plan, in a session of its own.

    Attributes:
        pid: Its number.
        status: File that it writes its exit code to when it ends by itself.
        log: What it printed.
    """

    pid: int
    descriptor: int
    status: Path
    log: Path

    def wait(self, seconds: float) -> bool:
        """Waits for its end; gives whether it came."""
        readable, _, _ = select.select([self.descriptor], [], [], seconds)
        return bool(readable)

    def kill(self) -> None:
        """kill -9 of the worker and of all that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def said(self) -> str:
        """The end of what it printed."""
        return self.log.read_text(errors="replace")[-3000:]

    def end(self, seconds: float = 120) -> int | None:
        """Waits for its end; gives its exit code, None where it was killed."""
        ended = self.wait(seconds)
        self.kill()  # what it may have left running
        os.close(self.descriptor)
        if not ended:
            raise TimeoutError(f"a worker still runs after {seconds} s:\n{self.said()}")
        return int(self.status.read_text()) if self.status.exists() else None


class Nursery:
    """The way to a running nursery."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self._process = process
        self._folder = folder
        self._lock = threading.Lock()
        self._count = 0

    def start(self, **plan: Any) -> Worker:
        """Starts a worker; see `worker.follow` for what a plan says."""
        with self._lock:
            self._count += 1
            status, log = (self._folder / f"{self._count}.{kind}" for kind in ("status", "log"))
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(json.dumps({**plan, "status": str(status), "log": str(log)}) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        pid, descriptor = int(answer), -1
        with contextlib.suppress(ProcessLookupError):
            descriptor = os.pidfd_open(pid)
        if descriptor < 0:  # it has ended already
            descriptor = os.open(os.devnull, os.O_RDONLY)
        return Worker(pid, descriptor, status, log)


@contextmanager
def nursery() -> Iterator[Nursery]:
    """A nursery whose workers know the toy theme beside the real ones."""
    with tempfile.TemporaryDirectory(prefix="elexxion-faults-") as folder:
        theme = Path(folder) / "themes" / "toy"
        theme.mkdir(parents=True)
        (theme / "__init__.py").write_text(TOY)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ELEXXION_", "DAGSTER_"))}
        environment = {
            **kept,
            "ELEXXION_THEMES": str(theme.parent),
            "ELEXXION_HOME": folder,
            "ELEXXION_SETTLE_SECONDS": "0",
            "PYTHONPATH": str(PROJECT),
        }
        process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            env=environment,
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            yield Nursery(process, Path(folder))
        finally:
            process.communicate()


def main() -> None:
    """Forks a worker for every line of the standard input."""
    import gc

    from elexxion_assets_tests.faults import worker

    worker.prepare()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the ended are not waited for
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.setsid()
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            worker.follow(json.loads(line))
        # The worker is its group's leader before anybody can want to kill the group.
        for _ in range(1000):
            with contextlib.suppress(ProcessLookupError):
                if os.getpgid(pid) == pid:
                    break
            time.sleep(0.001)
        print(pid, flush=True)


if __name__ == "__main__":
    main()
