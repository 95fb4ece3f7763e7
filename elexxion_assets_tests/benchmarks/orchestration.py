"""What Dagster adds to the work itself: imports, runs, steps, periods, ticks, each beside the same without Dagster.

`python -m elexxion_assets_tests.benchmarks.orchestration [--rounds N] [--past N] [--periods N] [--only NAME...]`

Every figure is made in a process of its own, round by round, ours and the bare one in turn; times of the processor
first, because others may work on the machine. The lake is a directory, Dagster's records are SQLite.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from elexxion_assets_tests.benchmarks.intake import lake, remember
from elexxion_assets_tests.benchmarks.measuring import Spread, measure
from elexxion_assets_tests.toy import csv

Times = dict[str, tuple[float, float]]
"""Seconds of processor and of the clock, by what took them."""

PARTS = ("user", "system", "children_user", "children_system")
STEPS = 20
COMMUNES = 100
"""Rows of a period of a backfill: few, so that nothing hides behind the data."""


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


def runs(_: argparse.Namespace) -> Times:
    """Runs that do nothing, of one step and of many."""
    import dagster as dg

    from elexxion_assets.defs.headless import QUIET
    from elexxion_assets.defs.instance import prepare_home

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
        prepare_home()
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


def drop_to_gold(_: argparse.Namespace) -> Times:
    """A small file of crime and one of an election: `elexxion run` in process against the lake's own functions."""
    from elexxion_assets.definitions import defs
    from elexxion_assets.defs.headless import run_pass
    from elexxion_assets.defs.instance import prepare_home
    from elexxion_assets.lake.intake import drop, initialise
    from elexxion_assets.lake.ledger import Ledger
    from elexxion_assets.themes import all_themes
    from elexxion_assets_tests.small_lake import SmallLake

    themes = all_themes()
    found: Times = {}
    defs.resolve_asset_graph()
    with tempfile.TemporaryDirectory(prefix="samples-") as folder:
        samples = {name: themes[name].samples for name in ("crime", "election")}
        files = [next(path for path in made(Path(folder), 1) if word in path.name) for made, word in _chosen(samples)]
        with lake("directory") as storage:
            prepare_home()
            initialise(storage, themes)
            for file in files:
                drop(storage, file.name, file, {})
            with timed(found, "drop to gold"):
                done = run_pass(storage, Ledger(storage), lambda words: None)
            assert done.tables, "nothing was built"
            assert not done.errors, done.errors
            with timed(found, "a pass with nothing new"):
                run_pass(storage, Ledger(storage), lambda words: None)
            built = {(item["table"], item["period"]) for item in done.tables}
        with lake("directory") as storage:
            initialise(storage, themes)
            bare = SmallLake(storage, themes)
            with timed(found, "drop to gold, bare"):
                for file in files:
                    bare.drop(file.name, file)
                tables = bare.build()
    print(
        f"    {len(files)} files; {len(built)} tables and periods told to Dagster, {len(tables)} made bare", flush=True
    )
    return found


def _chosen(
    samples: dict[str, Callable[[Path, int], list[Path]] | None],
) -> list[tuple[Callable[..., list[Path]], str]]:
    words = {"crime": "dep", "election": "2022"}
    return [(made, words[name]) for name, made in samples.items() if made is not None]


def backfill(asked: argparse.Namespace) -> Times:
    """Many periods of silver and gold in one run against the same tables staged and published."""
    import dagster as dg

    from elexxion_assets.defs.headless import QUIET
    from elexxion_assets.defs.instance import prepare_home
    from elexxion_assets.defs.intake import asset_keys, partition_tags, stretches_of
    from elexxion_assets.lake.build import publish, stage
    from elexxion_assets.lake.due import due
    from elexxion_assets.themes import all_themes
    from elexxion_assets_tests.small_lake import SmallLake

    found: Times = {}
    with lake("directory") as storage:
        from elexxion_assets.definitions import defs  # with the theme of that lake

        prepare_home()
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

            for _ in range(2):
                with timed(found, "a period and layer in a backfill, bare", layers):
                    bare()
                with timed(found, "a period and layer in a backfill", layers):
                    orchestrated()
    return found


def ticks(asked: argparse.Namespace) -> Times:
    """A look at `input/` and a pass with nothing to do, beside an empty past and beside a long one."""
    import dagster as dg

    from elexxion_assets.definitions import defs
    from elexxion_assets.defs.instance import prepare_home
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
        prepare_home()
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


SCENARIOS: dict[str, Callable[[argparse.Namespace], Times]] = {
    made.__name__: made for made in (imports, runs, drop_to_gold, backfill, ticks)
}
AGAINST = {
    "import the definitions": "import dagster",
    "drop to gold": "drop to gold, bare",
    "a period and layer in a backfill": "a period and layer in a backfill, bare",
}


def main() -> None:
    """Prints the figures as a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--past", type=int, default=100_000)
    parser.add_argument("--periods", type=int, default=100)
    parser.add_argument("--only", nargs="*", default=list(SCENARIOS), choices=list(SCENARIOS))
    asked = parser.parse_args()
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for number in range(asked.rounds):
        for name in asked.only:
            print(f"  round {number + 1}: {name}, load {os.getloadavg()[0]:.1f}", flush=True)
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as alone:
                for what, times in alone.submit(SCENARIOS[name], asked).result().items():
                    found[what].append(times)
    print("\n| what | CPU s, median (extremes) | wall s | against |\n|---|---|---|---|")
    for what, spent in found.items():
        cpu, wall = (Spread.of([times[which] for times in spent]) for which in (0, 1))
        against = ""
        if (bare := AGAINST.get(what)) in found:
            pairs = list(zip(spent, found[bare], strict=True))
            ratio = Spread.of([ours[0] / other[0] for ours, other in pairs])
            more = Spread.of([ours[0] - other[0] for ours, other in pairs])
            against = f"{ratio.shown(2)} x « {bare} », {more.shown(3)} s more"
        print(f"| {what} | {cpu.shown(3)} | {wall.shown(3)} | {against} |")


if __name__ == "__main__":
    main()
