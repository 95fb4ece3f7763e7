"""Workloads through ours and other ways, in rounds: every figure is a ratio in one run.

    python -m elexxion_assets_tests.benchmarks [WORKLOAD ...] --rows N --bytes N --rounds N --only WAY ...
        --history FOLDER

Without names it runs all workloads. In every round each way goes through the files once, one after the other, so that
what else the machine does falls on all of them. `--history` adds each round to `history.jsonl` in a folder of yours.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from elexxion_assets_tests.benchmarks.measuring import CommandFailed, Measure, Spread, measure
from elexxion_assets_tests.benchmarks.workloads import OURS, WORKLOADS, Workload, differences, told

MIB = 1 << 20
COLUMNS = ("CPU s", "wall s", "peak MiB", "CPU / ours")


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor(),
    )
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)),
        "python": platform.python_version(),
        "polars": pl.__version__,
    }


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def run(
    name: str, size: int, rounds: int, folder: Path, only: Sequence[str] = (), history: Path | None = None
) -> dict[str, list[Measure]]:
    """Runs one workload.

    Args:
        name: Name of the workload.
        size: Number of rows of its file, or of bytes of its files when unpacked.
        rounds: How often each way goes through it.
        folder: An empty folder for files and what is made of them.
        only: Ways to run, by default all.
        history: Folder whose `history.jsonl` gets a line per round and way.

    Returns:
        The measures of each way that ended well, round by round.

    Raises:
        AssertionError: a way made other gold than ours.
    """
    workload = WORKLOADS[name]
    (folder / "files").mkdir(parents=True)
    workload.make(folder, max(size, workload.least))
    ways = [way for way in workload.contestants if not only or way in only]
    found: dict[str, list[Measure]] = defaultdict(list)
    failed: set[str] = set()
    for number in range(rounds):
        made: dict[str, Path] = {}
        # Whoever is first finds a colder disk: each round begins with another one.
        for way in [*ways[number % len(ways) :], *ways[: number % len(ways)]]:
            if way in failed:
                continue
            out = folder / "made" / way.replace(": ", "-")
            try:
                measured = measure(workload.contestants[way].command(folder, out))
            except CommandFailed as error:
                print(f"{name}: {error}", file=sys.stderr)
                failed.add(way)
                continue
            made[way] = out
            found[way].append(measured)
            if history is not None:
                _remember(history, name, size, number, way, measured)
        if number == 0:
            _compare(workload, made)
        shutil.rmtree(folder / "made", ignore_errors=True)
    return dict(found)


def _compare(workload: Workload, made: Mapping[str, Path]) -> None:
    """Checks that all ways that make gold made the same."""
    ours = workload.contestants[OURS].gold
    if ours is None or OURS not in made:
        return
    mine = ours(made[OURS])
    for way, out in made.items():
        theirs = workload.contestants[way].gold
        if theirs is not None and way != OURS:
            apart = differences(mine, theirs(out), workload.key)
            assert not apart, f"{way} made other gold than ours: {'; '.join(apart[:5])}"


def _remember(history: Path, name: str, size: int, number: int, way: str, measured: Measure) -> None:
    history.mkdir(parents=True, exist_ok=True)
    line = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "workload": name,
        WORKLOADS[name].unit: size,
        "round": number,
        "way": way,
        **measured.figures(),
        "told": told(measured),
        "load": os.getloadavg()[0],
        "machine": machine(),
    }
    with (history / "history.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")


def table(found: Mapping[str, Sequence[Measure]]) -> str:
    """The measures as a table in Markdown: medians, with least and most behind them."""
    lines = [f"| way | {' | '.join(COLUMNS)} |", f"|---|{'---:|' * len(COLUMNS)}"]
    ours = found.get(OURS, [])
    for way, measures in found.items():
        ratios = [one.cpu / mine.cpu for one, mine in zip(measures, ours, strict=False)]
        cells = [
            Spread.of([one.cpu for one in measures]).shown(),
            Spread.of([one.wall for one in measures]).shown(),
            Spread.of([one.peak / MIB for one in measures]).shown(0),
            Spread.of(ratios).shown(2) if ratios else "",
        ]
        lines.append(f"| {way} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Runs what was asked for and prints a table per workload."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=", ".join(WORKLOADS))
    parser.add_argument("--rows", type=int, help="rows of each file; by default those of the official one")
    parser.add_argument("--bytes", type=int, help="bytes, unpacked, of workloads of many files: mixed, small")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=[], metavar="WAY", help="ways to run; by default all")
    parser.add_argument("--history", type=Path, metavar="FOLDER", help="folder whose history.jsonl grows")
    asked = parser.parse_args()
    if unknown := set(asked.workloads) - WORKLOADS.keys():
        parser.error(f"no workload {', '.join(sorted(unknown))}: there are {', '.join(WORKLOADS)}")
    print(json.dumps(machine(), ensure_ascii=False))
    for name in asked.workloads or WORKLOADS:
        workload = WORKLOADS[name]
        size = getattr(asked, workload.unit) or workload.size
        with tempfile.TemporaryDirectory(prefix=f"benchmark-{name}-") as folder:
            found = run(name, size, asked.rounds, Path(folder) / "work", asked.only, asked.history)
        print(f"\n{workload.title}: {size:,} {workload.unit}, {asked.rounds} rounds, load {os.getloadavg()[0]:.1f}\n")
        print(table(found), flush=True)


if __name__ == "__main__":
    main()
