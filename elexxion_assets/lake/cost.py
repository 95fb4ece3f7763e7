"""What making a table takes: time, processor, memory."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

SECONDS, CPU, PEAK = "seconds", "cpu_seconds", "peak_memory_bytes"


class Meter:
    """Begins to measure this process when it is made; other work of the process counts too.

    The peak of memory is that since then where the system lets it be reset (Linux), since the process began elsewhere.
    """

    def __init__(self) -> None:
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")
        self._began, self._cpu = time.perf_counter(), time.process_time()

    def read(self) -> dict[str, float]:
        """Seconds by the clock, seconds of processor of all threads, and the largest resident memory in bytes."""
        return {
            SECONDS: round(time.perf_counter() - self._began, 3),
            CPU: round(time.process_time() - self._cpu, 3),
            PEAK: _peak(),
        }


def _peak() -> int:
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def total(costs: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The cost of several tables together: sums, and the largest peak; empty where nothing was measured."""
    known = [cost for cost in costs if cost]
    if not known:
        return {}
    sums = {name: round(sum(cost[name] for cost in known), 3) for name in (SECONDS, CPU)}
    return {**sums, PEAK: max(cost[PEAK] for cost in known)}
