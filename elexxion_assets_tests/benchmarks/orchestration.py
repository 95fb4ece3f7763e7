"""What Dagster adds to the work itself: imports, runs, steps, periods, ticks, each beside the same without Dagster.

`python -m elexxion_assets_tests.benchmarks.orchestration [--rounds N] [--storages ours dagster] [--only NAME...]`

Every figure is made in a process of its own, round by round, ours and the bare one in turn; times of the processor
first, because others may work on the machine. The lake is a directory, Dagster's records are in SQLite: in the storage
of this project, or in Dagster's own.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

from elexxion_assets.settings import settings
from elexxion_assets_tests.benchmarks.intake import lake, remember
from elexxion_assets_tests.benchmarks.measuring import Spread, measure
from elexxion_assets_tests.toy import csv

Times = dict[str, tuple[float, float]]
"""Seconds of processor and of the clock, by what took them."""

PARTS = ("user", "system", "children_user", "children_system")
STEPS = 20
SETTLES, IDLE = 45, 60
"""Seconds until the services of the UI have begun, and for which they are watched then."""
COMMUNES = 100
"""Rows of a period of a backfill: few, so that nothing hides behind the data."""


STORAGES = ("ours", "dagster")


def prepare(asked: argparse.Namespace) -> None:
    """Makes Dagster's home with our storage of its records, or with the one that Dagster takes by itself."""
    from elexxion_assets.defs.instance import prepare_home

    if asked.storage == "dagster":
        home = settings().home / "plain"
        home.mkdir()
        text = files("elexxion_assets.defs").joinpath("dagster.yaml").read_text(encoding="utf-8")
        (home / "dagster.yaml").write_text(text)
        os.environ["DAGSTER_HOME"] = str(home)
    prepare_home()


@contextmanager
def timed(found: Times, name: str, times: int = 1) -> Iterator[None]:
    """Notes what a block takes, divided by how often it does the same."""
    before, wall = os.times(), time.perf_counter()
    yield
    after = os.times()  # with the processes that were begun and ended, such as those that follow a run's output
    cpu = sum(getattr(after, part) - getattr(before, part) for part in PARTS)
    found[name] = (cpu / times, (time.perf_counter() - wall) / times)


def imports(_: argparse.Namespace) -> Times:
    """The code location against Dagster alone, each in a new process."""
    found: Times = {}
    for name, code in {
        "import dagster": "import dagster",
        "import the definitions": "from elexxion_assets.definitions import defs",
        "definitions and their asset graph": "from elexxion_assets.definitions import defs; defs.resolve_asset_graph()",
    }.items():
        spent = measure([sys.executable, "-c", code])
        found[name] = spent.cpu, spent.wall
    return found


def runs(asked: argparse.Namespace) -> Times:
    """Runs that do nothing, of one step and of many."""
    import dagster as dg

    from elexxion_assets.defs.headless import QUIET

    @dg.op
    def nothing() -> None:
        pass

    def job(steps: int) -> dg.JobDefinition:
        @dg.job(name=f"steps_{steps}", executor_def=dg.in_process_executor)
        def made() -> None:
            for number in range(steps):
                nothing.alias(f"nothing_{number}")()

        return made

    found: Times = {}
    few, many = job(1), job(1 + STEPS)
    with lake("directory"):
        prepare(asked)
        for _again in range(2):  # the second round has nothing left to import or to compile
            with timed(found, "open Dagster's records"), dg.DagsterInstance.get():
                pass
            with dg.DagsterInstance.get() as instance:
                with timed(found, "a run of one empty step"):
                    few.execute_in_process(instance=instance, run_config=QUIET)
                with timed(found, f"a run of {1 + STEPS} empty steps"):
                    many.execute_in_process(instance=instance, run_config=QUIET)
    one, all_of_them = found["a run of one empty step"], found.pop(f"a run of {1 + STEPS} empty steps")
    found["a further empty step"] = ((all_of_them[0] - one[0]) / STEPS, (all_of_them[1] - one[1]) / STEPS)
    return found


def drop_to_gold(asked: argparse.Namespace) -> Times:
    """A small file of crime and one of an election: `elexxion run` in process against the lake's own functions.

    Once in a new home, where Dagster's files and the lineage of every column are made; then other files beside those.
    """
    from elexxion_assets.definitions import defs
    from elexxion_assets.defs.headless import run_pass
    from elexxion_assets.lake.intake import drop, initialise
    from elexxion_assets.lake.ledger import Ledger
    from elexxion_assets.themes import all_themes
    from elexxion_assets_tests.small_lake import SmallLake

    themes = all_themes()
    found: Times = {}
    defs.resolve_asset_graph()
    with tempfile.TemporaryDirectory(prefix="samples-") as folder:
        samples = {seed: _samples(Path(folder), seed) for seed in (0, 1, 2)}
        with lake("directory") as storage:
            bare = SmallLake(storage, themes)
            initialise(storage, themes)
            for seed, name in enumerate(("", "drop to gold in a new home, bare", "drop to gold, bare")):
                with timed(found, name):
                    for file in samples[seed]:
                        bare.drop(file.name, file)
                    tables = bare.build()
        found.pop("")  # the first has tables of the COG to make, which a process makes once
        with lake("directory") as storage:
            initialise(storage, themes)
            prepare(asked)
            for seed, name in ((1, "drop to gold in a new home"), (2, "drop to gold")):
                for file in samples[seed]:
                    drop(storage, file.name, file, {})
                with timed(found, name):
                    done = run_pass(storage, Ledger(storage), lambda words: None)
                assert not done.errors, done.errors
            with timed(found, "a pass with nothing new"):
                run_pass(storage, Ledger(storage), lambda words: None)
    print(f"    {len(done.tables)} tables and periods told to Dagster, {len(tables)} made bare", flush=True)
    return found


def _samples(folder: Path, seed: int) -> list[Path]:
    """A departmental base of crime and an election, made up from a seed."""
    from elexxion_assets.themes import all_themes

    chosen = []
    for name, word in {"crime": "dep", "election": "2022"}.items():
        samples = all_themes()[name].samples
        assert samples is not None
        (made := folder / f"{name}-{seed}").mkdir()
        chosen.append(next(path for path in samples(made, seed) if word in path.name))
    return chosen


def backfill(asked: argparse.Namespace) -> Times:
    """Many periods of silver and gold in one run against the same tables staged and published."""
    import dagster as dg

    from elexxion_assets.defs.headless import QUIET
    from elexxion_assets.defs.intake import asset_keys, partition_tags, stretches_of
    from elexxion_assets.lake.build import publish, stage
    from elexxion_assets.lake.due import due
    from elexxion_assets.themes import all_themes
    from elexxion_assets_tests.small_lake import SmallLake

    found: Times = {}
    with lake("directory") as storage:
        from elexxion_assets.definitions import defs  # with the theme of that lake

        prepare(asked)
        themes = all_themes()
        theme = themes["toy"]
        filled = SmallLake(storage, themes)
        years = range(2000, 2000 + asked.periods)
        filled.drop("a.csv", csv(*(f"{1001 + n:05};{year};{n % 90}" for year in years for n in range(COMMUNES))))
        [group] = due(filled.ledger, themes)
        layers = asked.periods * len(theme.tables)

        def bare() -> None:
            for table in theme.tables:
                for period in group.periods:
                    with stage(storage, filled.ledger, themes, theme, table, period) as staged:
                        publish(storage, staged)

        with dg.DagsterInstance.get() as instance:
            [part] = stretches_of(instance, group)
            job = defs.resolve_job_def(theme.name)

            def orchestrated() -> None:
                done = job.execute_in_process(
                    instance=instance,
                    run_config=QUIET,
                    asset_selection=asset_keys(part),
                    partition_key=part.periods[0] if len(part.periods) == 1 else None,
                    tags=partition_tags(part.periods),
                )
                assert done.success

            with timed(found, "a period and layer in a backfill, bare", layers):
                bare()
            with timed(found, "a period and layer in a backfill", layers):
                orchestrated()
    return found


def ticks(asked: argparse.Namespace) -> Times:
    """A look at `input/` and a pass with nothing to do, beside an empty past and beside a long one."""
    import dagster as dg

    from elexxion_assets.definitions import defs
    from elexxion_assets.defs.resources import LakeResource
    from elexxion_assets.lake.intake import initialise
    from elexxion_assets.themes import all_themes

    found: Times = {}
    sensor = defs.resolve_sensor_def("input_sensor")

    def tick() -> None:
        # As the code server does it: Dagster's records are opened for every tick.
        with dg.DagsterInstance.get() as instance:
            context = dg.build_sensor_context(instance, definitions=defs, resources={"lake": LakeResource()})
            sensor.evaluate_tick(context)

    with lake("directory") as storage:
        prepare(asked)
        initialise(storage, all_themes())
        for past in (0, asked.past):
            remember(storage, past)
            tick()
            with timed(found, f"a tick with nothing to do, {past:,} past deliveries", 5):
                for _ in range(5):
                    tick()
            command = [sys.executable, "-m", "elexxion_assets.cli", "run", "--json"]
            spent = measure(command)
            found[f"`elexxion run` with nothing to do, {past:,} past deliveries"] = spent.cpu, spent.wall
    return found


def idle(asked: argparse.Namespace) -> Times:
    """`elexxion ui` with nothing to do: what its daemon, code server and webserver take in a minute."""
    found: Times = {}
    with lake("directory"), socket.socket() as free:
        prepare(asked)
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        command = [sys.executable, "-m", "elexxion_assets.cli", "ui", "--port", str(port)]
        quiet = subprocess.DEVNULL
        service = subprocess.Popen(command, stdout=quiet, stderr=quiet, cwd=settings().home, start_new_session=True)
        try:
            time.sleep(SETTLES)
            before, wall = cpu_of(service.pid), time.perf_counter()
            time.sleep(IDLE)
            minutes = (time.perf_counter() - wall) / 60
            found["a minute of `elexxion ui` with nothing to do"] = (cpu_of(service.pid) - before) / minutes, 60.0
        finally:
            os.killpg(service.pid, signal.SIGINT)
            service.wait(60)
    return found


def processes(root: int) -> Iterator[Path]:
    """A process and its descendants, under `/proc`."""
    waiting = [root]
    while waiting:
        folder = Path(f"/proc/{waiting.pop()}")
        yield folder
        for children in folder.glob("task/*/children"):
            waiting += map(int, children.read_text().split())


def cpu_of(root: int) -> float:
    """Seconds of processor that a process and its descendants took so far, those that have ended among them."""
    spent = ((folder / "stat").read_text().rsplit(")", 1)[1].split() for folder in processes(root))
    return sum(sum(map(int, fields[11:15])) for fields in spent) / os.sysconf("SC_CLK_TCK")


def memory_of(root: int) -> int:
    """Bytes that a process and its descendants hold."""
    held = ((folder / "statm").read_text().split()[1] for folder in processes(root))
    return sum(map(int, held)) * os.sysconf("SC_PAGE_SIZE")


SCENARIOS: dict[str, Callable[[argparse.Namespace], Times]] = {
    made.__name__: made for made in (imports, runs, drop_to_gold, backfill, ticks, idle)
}
AGAINST = {
    "import the definitions": "import dagster",
    "drop to gold in a new home": "drop to gold in a new home, bare",
    "drop to gold": "drop to gold, bare",
    "a period and layer in a backfill": "a period and layer in a backfill, bare",
}


def main() -> None:
    """Prints the figures as a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--past", type=int, default=100_000)
    parser.add_argument("--periods", type=int, default=100)
    parser.add_argument("--storages", nargs="*", default=["ours"], choices=STORAGES, help="of Dagster's records")
    parser.add_argument("--only", nargs="*", default=list(SCENARIOS), choices=list(SCENARIOS))
    asked = parser.parse_args()
    found: dict[str, dict[str, list[tuple[float, float]]]] = {name: defaultdict(list) for name in asked.storages}
    with tempfile.TemporaryDirectory(prefix="bytecode-") as bytecode:
        # As people have it: what was imported once is not compiled again.
        os.environ |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": bytecode}
        subprocess.run([sys.executable, "-m", "elexxion_assets.cli", "--help"], capture_output=True, check=True)
        for number in range(asked.rounds):
            for name in asked.only:
                for storage in asked.storages:
                    asked.storage = storage
                    print(f"  round {number + 1}: {name}, {storage}, load {os.getloadavg()[0]:.1f}", flush=True)
                    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as alone:
                        for what, times in alone.submit(SCENARIOS[name], asked).result().items():
                            found[storage][what].append(times)
    for storage, measured in found.items():
        print(f"\nstorage of Dagster's records: {storage}\n")
        print("| what | CPU s, median (extremes) | wall s | against |\n|---|---|---|---|")
        for what, spent in measured.items():
            print(f"| {what} | {_shown(spent, 0)} | {_shown(spent, 1)} | {_against(what, spent, measured)} |")


def _shown(spent: list[tuple[float, float]], which: int) -> str:
    return Spread.of([times[which] for times in spent]).shown(3)


def _against(what: str, spent: list[tuple[float, float]], measured: dict[str, list[tuple[float, float]]]) -> str:
    bare = AGAINST.get(what, "")
    if bare not in measured:
        return ""
    pairs = list(zip(spent, measured[bare], strict=True))
    ratio = Spread.of([ours[0] / other[0] for ours, other in pairs])
    more = Spread.of([ours[0] - other[0] for ours, other in pairs])
    return f"{ratio.shown(2)} x « {bare} », {more.shown(3)} s more"


if __name__ == "__main__":
    main()
