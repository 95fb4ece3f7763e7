"""What a command costs: processor time of its process and all that it began, the clock, the memory of all of them."""

from __future__ import annotations

import os
import statistics
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

_LOOK_EVERY = 0.02
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One run of a command.

    Attributes:
        cpu: Seconds of processor, user and system, of the process and of its descendants.
        wall: Seconds by the clock.
        peak: Largest sum of the resident memory of these processes, in bytes, looked at every 20 ms; not less than the
            largest that the kernel saw of the first one. Pages that processes share count in each.
        output: What it wrote to its standard output.
    """

    cpu: float
    wall: float
    peak: int
    output: str

    def figures(self) -> dict[str, float]:
        """The measures without the output."""
        return {name: value for name, value in asdict(self).items() if name != "output"}


class CommandFailed(Exception):
    """A command that is measured ended with an error; the message is the end of what it said."""


def measure(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Measure:
    """Runs a command to its end, in a process of its own so that the peak of memory is its own.

    Raises:
        CommandFailed: it did not end well.
    """
    began = time.monotonic()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **(environment or {})}
    )
    said: list[str] = ["", ""]
    readers = [
        threading.Thread(target=_keep, args=(said, position, stream))
        for position, stream in enumerate((process.stdout, process.stderr))
    ]
    for reader in readers:
        reader.start()
    peak = 0
    while True:
        peak = max(peak, _resident(process.pid), _high_water(process.pid))
        # Not `process.wait`: only `wait4` tells what this process and its descendants took.
        ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        if ended:
            break
        time.sleep(_LOOK_EVERY)
    wall = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    for reader in readers:
        reader.join()
    if process.returncode != 0:
        raise CommandFailed(
            f"{' '.join(command)} ended with {process.returncode}:\n{said[1][-3000:] or said[0][-3000:]}"
        )
    return Measure(cpu=usage.ru_utime + usage.ru_stime, wall=wall, peak=peak, output=said[0])


def _keep(said: list[str], position: int, stream: object) -> None:
    with stream as opened:  # type: ignore[attr-defined]
        said[position] = opened.read()


def _resident(root: int) -> int:
    """Resident bytes of a process and its descendants."""
    total, waiting = 0, [root]
    while waiting:
        folder = Path(f"/proc/{waiting.pop()}")
        try:
            total += int((folder / "statm").read_text().split()[1]) * _PAGE
            for children in folder.glob("task/*/children"):
                waiting += map(int, children.read_text().split())
        except (OSError, IndexError, ValueError):
            continue  # it has just ended
    return total


def _high_water(process: int) -> int:
    """The most that a process had in memory since it began its program: `ru_maxrss` counts its parent's before that."""
    try:
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass  # it has just ended
    return 0


@dataclass(frozen=True, kw_only=True)
class Spread:
    """A figure over several rounds."""

    median: float
    least: float
    most: float

    @staticmethod
    def of(values: Sequence[float]) -> Spread:
        """The spread of some values, at least one."""
        return Spread(median=statistics.median(values), least=min(values), most=max(values))

    def shown(self, digits: int = 1) -> str:
        """The median, with the extremes behind it."""
        return f"{self.median:.{digits}f} ({self.least:.{digits}f}-{self.most:.{digits}f})"
