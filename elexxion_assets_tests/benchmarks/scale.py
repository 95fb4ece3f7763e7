"""How far one Dagster carries: many themes, tables and periods, generated; what each look at them takes.

`python -m elexxion_assets_tests.benchmarks.scale [--themes 20] [--tables 15] [--periods 10000] [--filled 30]`

The themes lie in the folder of a home of its own, beside those of the package. Periods are keys of Dagster, `--filled`
tables have a materialisation in each of them, written as Dagster writes them; nothing is in the lake. Questions go to a
real webserver with its code server, whose memory is told too; the first answer, then the median of three.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from elexxion_assets_tests.benchmarks.intake import lake
from elexxion_assets_tests.benchmarks.measuring import measure
from elexxion_assets_tests.benchmarks.orchestration import cpu_of, memory_of

THEME = '''"""Theme {number} of many."""

from datetime import timedelta

from elexxion_assets.declare import Layer, Table, Theme
from elexxion_assets_tests.benchmarks.scale_theme import NUMBERED, as_it_is, columns, dataset

DATASETS = tuple(dataset("{name}", number) for number in range({datasets}))
SILVER = tuple(
    Table(layer=Layer.SILVER, name=d.name, description="Rows as they are", columns=d.columns, key=d.key,
          inputs=(d.name,), function=as_it_is)
    for d in DATASETS
)
GOLD = tuple(
    Table(layer=Layer.GOLD, name=f"gold_{{n}}", description="Rows once more", columns=columns("{name}", n % {datasets}),
          key=("code_commune", "annee"), inputs=(f"silver/{{SILVER[n % {datasets}].name}}",), function=as_it_is)
    for n in range({golds})
)
THEME = Theme(
    name="{name}", title="{name}", owner="team:scale", periods=NUMBERED, fresh_within=timedelta(days=400),
    datasets=DATASETS, tables=(*SILVER, *GOLD),
)
'''
REPOSITORY = 'repositoryName: "__repository__", repositoryLocationName: "elexxion_assets.definitions"'


def generate(folder: Path, themes: int, tables: int) -> None:
    """Writes the packages of the themes."""
    datasets = max(1, tables // 3)
    for number in range(themes):
        name = f"grand{number:03}"
        (folder / name).mkdir(parents=True)
        text = THEME.format(number=number, name=name, datasets=datasets, golds=tables - datasets)
        (folder / name / "__init__.py").write_text(text)


def fill(asked: argparse.Namespace) -> dict[str, float]:
    """Gives Dagster the periods, and the materialisations of some tables; seconds of processor for each."""
    import dagster as dg
    from dagster import AssetKey, AssetMaterialization, DagsterEvent, DagsterRun, DagsterRunStatus, EventLogEntry
    from dagster._core.events import StepMaterializationData
    from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
    from dagster._serdes import serialize_value

    from elexxion_assets.themes import all_themes

    spent = {}
    themes = [theme for name, theme in all_themes().items() if name.startswith("grand")]
    keys = [f"p{number:05}" for number in range(asked.periods)]
    with dg.DagsterInstance.get() as instance:
        began = time.process_time()
        for theme in themes:
            instance.add_dynamic_partitions(theme.name, keys)
        spent["adding the periods of all themes"] = time.process_time() - began
        tables = [(theme.name, table.layer.value, table.name) for theme in themes for table in theme.tables]
        storage = instance.event_log_storage
        run = DagsterRun(job_name="filled", run_id="11111111-1111-4111-8111-111111111111")
        for path in tables[: asked.filled]:

            def event(period: str, path: tuple[str, ...] = path) -> EventLogEntry:
                metadata = {"dagster/row_count": 35_000, "bytes": 400_000, "seconds": 0.4}
                made = AssetMaterialization(AssetKey(path), partition=period, metadata=metadata)
                told = DagsterEvent(
                    "ASSET_MATERIALIZATION",
                    job_name="filled",
                    step_key="__".join(path),
                    event_specific_data=StepMaterializationData(made),
                )
                return EventLogEntry(  # type: ignore[no-untyped-call]
                    None, 20, "", run.run_id, time.time(), "__".join(path), "filled", told
                )

            row = storage._event_to_row(event("p-----"))  # type: ignore[attr-defined]
            text = serialize_value(event("p-----"))
            rows = [{**row, "event": text.replace("p-----", key), "partition": key} for key in keys[:-1]]
            with storage.index_connection() as connection:  # type: ignore[attr-defined]
                connection.execute(SqlEventLogStorageTable.insert(), rows)
            instance.store_event(event(keys[-1]))
        began = time.process_time()
        for number in range(asked.runs):
            theme = themes[number % len(themes)]
            tags = {"dagster/partition": keys[number % len(keys)], "elexxion/by": "intake"}
            instance.add_run(
                DagsterRun(
                    job_name=theme.name,
                    run_id=f"22222222-2222-4222-8222-{number:012}",
                    status=DagsterRunStatus.SUCCESS,
                    tags=tags,
                )
            )
        spent["noting a run"] = (time.process_time() - began) / max(asked.runs, 1)
    return spent


def look(asked: argparse.Namespace) -> dict[str, float]:
    """Ticks of the sensor on `input/` and of automation, in one process: seconds of processor."""
    import dagster as dg
    from dagster._core.definitions.asset_daemon_cursor import AssetDaemonCursor

    from elexxion_assets.definitions import defs
    from elexxion_assets.defs.intake import stretches_of
    from elexxion_assets.defs.resources import LakeResource
    from elexxion_assets.lake.due import Due
    from elexxion_assets.themes import all_themes

    spent = {}
    sensor = defs.resolve_sensor_def("input_sensor")
    theme = next(theme for name, theme in all_themes().items() if name.startswith("grand"))
    tables = tuple(f"{table.layer}/{table.name}" for table in theme.tables)
    with dg.DagsterInstance.get() as instance:
        context = dg.build_sensor_context(instance, definitions=defs, resources={"lake": LakeResource()})
        for _ in range(2):
            began = time.process_time()
            sensor.evaluate_tick(context)
            spent["a tick of the sensor on input/, nothing to do"] = time.process_time() - began
        began = time.process_time()
        stretches_of(instance, Due(theme=theme.name, tables=tables, periods=("p00007",), deliveries={}))
        spent["finding the run of one due period"] = time.process_time() - began
        cursor = AssetDaemonCursor.empty()
        for name in ("first look", "nothing new", "one period of one table is new"):
            if name.startswith("one"):
                key = dg.AssetKey([theme.name, *tables[0].split("/")])
                instance.report_runless_asset_event(dg.AssetMaterialization(key, partition="p00007"))
            began = time.process_time()
            asked_for, cursor = _automation(instance, defs, cursor)
            spent[f"a tick of automation, {name}"] = time.process_time() - began
            print(f"    automation asks for {asked_for} runs", flush=True)
    return spent


def _automation(instance: Any, defs: Any, cursor: Any) -> tuple[int, Any]:
    """One evaluation of all conditions, as the daemon does it; gives the runs asked for and the next cursor."""
    import dagster as dg
    from dagster._core.definitions.automation_tick_evaluation_context import AutomationTickEvaluationContext
    from dagster._serdes import deserialize_value, serialize_value

    tick = AutomationTickEvaluationContext(
        evaluation_id=1,
        instance=instance,
        asset_graph=defs.resolve_asset_graph(),
        cursor=cursor,
        materialize_run_tags={},
        observe_run_tags={},
        auto_observe_asset_keys=set(),
        asset_selection=dg.AssetSelection.all(),
        logger=logging.getLogger("automation"),
        emit_backfills=False,
    )
    requests, after, _ = tick.evaluate()
    return len(requests), deserialize_value(serialize_value(after), type(after))


class Webserver:
    """A real webserver with its code server."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        command = [str(Path(sys.executable).with_name("dagster-webserver")), "-m", "elexxion_assets.definitions"]
        self.process = subprocess.Popen(
            [*command, "-p", str(self.port), "-h", "127.0.0.1"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def ask(self, query: str, timeout: float = 600) -> dict[str, Any]:
        """The answer to a question; AssertionError when Dagster has none."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/graphql",
            json.dumps({"query": query}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            said: dict[str, Any] = json.load(answer)
        assert "errors" not in said, str(said["errors"])[:2000]
        found: dict[str, Any] = said["data"]
        return found


@contextmanager
def webserver() -> Iterator[Webserver]:
    """A webserver that answers."""
    served = Webserver()
    try:
        deadline = time.monotonic() + 600
        while True:
            try:
                served.ask("{ workspaceOrError { ... on Workspace { locationEntries { loadStatus } } } }")
                break
            except OSError:
                assert served.process.poll() is None, "the webserver ended"
                assert time.monotonic() < deadline, "the webserver does not answer"
                time.sleep(0.2)
        yield served
    finally:
        os.killpg(served.process.pid, signal.SIGTERM)
        served.process.wait(60)


def questions(asked: argparse.Namespace) -> dict[str, str]:
    """What the pages of the UI ask, cut down to what costs."""
    key = '{path: ["grand000", "silver", "rows_0"]}'
    tables = [f'{{path: ["grand{n:03}", "silver", "rows_0"]}}' for n in range(asked.themes)]
    return {
        "asset graph and catalogue: every asset": "{ assetNodes { id groupName isPartitioned kinds description"
        " assetKey { path } dependencyKeys { path } dependedByKeys { path } } }",
        "jobs, sensors and schedules": "{ repositoryOrError(repositorySelector: {"
        + REPOSITORY
        + "}) { ... on Repository {"
        " jobs { name isAssetJob } sensors { name } schedules { name } assetGroups { groupName } } } }",
        "one table's page: its periods": "{ assetNodeOrError(assetKey: " + key + ") { ... on AssetNode {"
        " partitionKeys assetPartitionStatuses { ... on DefaultPartitionStatuses { materializedPartitions"
        " failedPartitions materializingPartitions unmaterializedPartitions } } } } }",
        "one table's page: last materialisations": "{ assetNodeOrError(assetKey: " + key + ") { ... on AssetNode {"
        " assetMaterializations(limit: 50) { partition timestamp runId metadataEntries { label } } } } }",
        "one table's page: its checks": "{ assetNodeOrError(assetKey: " + key + ") { ... on AssetNode {"
        " assetChecksOrError { ... on AssetChecks { checks { name description blocking"
        " executionForLatestMaterialization { status } } } } } } }",
        f"graph, live: {len(tables)} tables with counts of periods": "{ assetNodes(assetKeys: ["
        + ", ".join(tables)
        + "]) {"
        " id partitionStats { numMaterialized numPartitions numFailed numMaterializing } } }",
        "graph, live: last state of every asset": "{ assetsLatestInfo(assetKeys: [" + ", ".join(tables) + "]) {"
        " unstartedRunIds inProgressRunIds latestMaterialization { timestamp } latestRun { id } } }",
        "list of runs": "{ runsOrError(limit: 25) { ... on Runs { results { runId status jobName startTime endTime"
        " tags { key value } assetSelection { path } } } } }",
    }


def serve(asked: argparse.Namespace) -> None:
    """Starts the webserver, asks everything, and prints what it took."""
    began = time.monotonic()
    with webserver() as served:
        loaded = f"{cpu_of(served.process.pid):.1f} | {time.monotonic() - began:.1f}"
        print(f"| the webserver has loaded the definitions | {loaded} | |")
        print(f"| memory of webserver and code server | | | {memory_of(served.process.pid) / 1e6:.0f} MB |", flush=True)
        for name, query in questions(asked).items():
            cpu, wall = [], []
            for _ in range(4):
                start, clock = cpu_of(served.process.pid), time.monotonic()
                size = len(json.dumps(served.ask(query)))
                cpu.append(cpu_of(served.process.pid) - start)
                wall.append(time.monotonic() - clock)
            print(
                f"| {name} | {cpu[0]:.2f}, then {statistics.median(cpu[1:]):.2f} "
                f"| {wall[0]:.2f}, then {statistics.median(wall[1:]):.2f} | {size / 1000:,.0f} kB |",
                flush=True,
            )
        print(f"| memory after all that | | | {memory_of(served.process.pid) / 1e6:.0f} MB |", flush=True)


def main() -> None:
    """Prints the figures as a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--themes", type=int, default=20)
    parser.add_argument("--tables", type=int, default=15, help="tables per theme")
    parser.add_argument("--periods", type=int, default=10_000)
    parser.add_argument("--filled", type=int, default=30, help="tables with a materialisation in every period")
    parser.add_argument("--runs", type=int, default=2_000)
    asked = parser.parse_args()
    with lake("directory"):
        from elexxion_assets.defs.instance import prepare_home
        from elexxion_assets.settings import settings

        generate(settings().home / "themes", asked.themes, asked.tables)
        prepare_home()
        print(f"{asked.themes} themes x {asked.tables} tables x {asked.periods} periods, {asked.filled} tables filled")
        print("| what | CPU s | wall s | size |\n|---|---|---|---|")
        code = "from elexxion_assets.definitions import defs; g = defs.resolve_asset_graph()\n"
        code += "print(len(g.materializable_asset_keys), len(g.asset_check_keys))"
        spent = measure([sys.executable, "-c", code])
        counts = spent.output.split()
        print(
            f"| definitions: {counts[0]} assets, {counts[1]} checks | {spent.cpu:.1f} | {spent.wall:.1f} "
            f"| {spent.peak / 1e6:.0f} MB |",
            flush=True,
        )
        for part in (fill, look):
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as alone:
                for what, seconds in alone.submit(part, asked).result().items():
                    print(f"| {what} | {seconds:.3f} | | |", flush=True)
        home = Path(os.environ["DAGSTER_HOME"])
        size = sum(file.stat().st_size for file in home.rglob("*") if file.is_file())
        print(f"| Dagster's files | | | {size / 1e6:,.0f} MB |", flush=True)
        serve(asked)


if __name__ == "__main__":
    main()
