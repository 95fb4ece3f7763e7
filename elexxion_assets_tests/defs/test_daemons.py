"""A file is dropped, nobody acts: the real webserver, daemon and sensor take it to gold, and the UI knows."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from elexxion_assets.themes import all_themes

ELEXXION = str(Path(sys.executable).with_name("elexxion"))
PATIENCE = 180


class Service:
    """A running `elexxion ui`."""

    def __init__(self, home: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.home = home
        self.environment = {**os.environ, "ELEXXION_HOME": str(home)}
        self.environment.pop("DAGSTER_HOME", None)
        self.log = (home / "ui.log").open("wb")
        self.process = subprocess.Popen(
            [ELEXXION, "ui", "--port", str(self.port)],
            env=self.environment,
            cwd=home,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def elexxion(self, *arguments: str) -> str:
        done = subprocess.run(
            [ELEXXION, *arguments], env=self.environment, cwd=self.home, capture_output=True, text=True, check=True
        )
        return done.stdout

    def ask(self, query: str) -> dict[str, Any]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/graphql",
            json.dumps({"query": query}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            said: dict[str, Any] = json.load(answer)
        assert "errors" not in said, said
        return said["data"]

    def wait(self, what: str, seconds: float = PATIENCE) -> None:
        deadline = time.monotonic() + seconds
        while not self.reached(what):
            assert self.process.poll() is None, "the services ended"
            assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
            time.sleep(0.5)

    def reached(self, what: str) -> bool:
        try:
            if what == "ui":
                return bool(self.ask("{ version }"))
            return what in self.materialized("crime/gold/departements")
        except OSError:
            return False

    def materialized(self, asset: str) -> list[str]:
        path = json.dumps(asset.split("/"))
        found = self.ask(
            "{ assetNodeOrError(assetKey: {path: " + path + "}) { ... on AssetNode {"
            " assetPartitionStatuses { ... on DefaultPartitionStatuses { materializedPartitions } } } } }"
        )
        return list(found["assetNodeOrError"]["assetPartitionStatuses"]["materializedPartitions"])

    def stop(self) -> None:
        os.killpg(self.process.pid, signal.SIGINT)
        try:
            self.process.wait(40)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.log.close()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    running = Service(tmp_path_factory.mktemp("service"))
    try:
        running.wait("ui")
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def periods(service: Service, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The periods of a file that was dropped, once they are in gold."""
    samples = all_themes()["crime"].samples
    assert samples is not None
    file = next(path for path in samples(tmp_path_factory.mktemp("samples"), 1) if "dep" in path.name)
    service.elexxion("drop", str(file))
    deadline = time.monotonic() + PATIENCE
    while not (found := service.materialized("crime/gold/departements")):
        assert time.monotonic() < deadline, "no gold"
        time.sleep(1)
    return found


def test_a_dropped_file_reaches_gold_with_nobody_acting(service: Service, periods: list[str]) -> None:
    assert json.loads(service.elexxion("show", "crime/gold/departements", "--period", periods[-1], "--json"))
    assert service.elexxion("why", "dep").count("was read") == 1

    checks = service.ask(
        '{ assetNodeOrError(assetKey: {path: ["crime", "gold", "departements"]}) { ... on AssetNode {'
        " assetChecksOrError { ... on AssetChecks { checks { name blocking executionForLatestMaterialization"
        " { status evaluation { success } } } } } } } }"
    )["assetNodeOrError"]["assetChecksOrError"]["checks"]
    assert {"unique_key", "schema"} <= {check["name"] for check in checks if check["blocking"]}

    states = service.ask(
        '{ sensorsOrError(repositorySelector: {repositoryName: "__repository__",'
        ' repositoryLocationName: "elexxion_assets.definitions"})'
        " { ... on Sensors { results { name sensorState { status } } } } }"
    )["sensorsOrError"]["results"]
    assert {s["name"]: s["sensorState"]["status"] for s in states} == {
        "input_sensor": "RUNNING",
        "automation": "RUNNING",
        "report": "RUNNING",
        # Nobody said whom to alert.
        "alerts": "STOPPED",
    }

    # A parent made by hand: automation renews its child, with nobody asking.
    question = (
        '{ runsOrError(filter: {tags: [{key: "dagster/from_automation_condition", value: "true"}]})'
        " { ... on Runs { results { runId status assetSelection { path } } } } }"
    )
    gold = {"path": ["crime", "gold", "departements"]}

    def renewed() -> set[str]:
        runs = service.ask(question)["runsOrError"]["results"]
        return {run["runId"] for run in runs if run["status"] == "SUCCESS" and gold in run["assetSelection"]}

    before = renewed()
    made = [Path(sys.executable).with_name("dagster"), "asset", "materialize", "-m", "elexxion_assets.definitions"]
    select = ["--select", "key:crime/silver/departementale", "--partition", periods[-1]]
    home = {**service.environment, "DAGSTER_HOME": str(service.home / "dagster")}
    subprocess.run([*made, *select], env=home, cwd=service.home, capture_output=True, check=True)
    deadline = time.monotonic() + PATIENCE
    while renewed() <= before:
        assert time.monotonic() < deadline, service.ask(question)
        time.sleep(1)


def test_a_backfill_in_the_ui_makes_lost_tables_again_as_they_were(service: Service, periods: list[str]) -> None:
    assets = ["crime/bronze/departementale", "crime/silver/departementale", "crime/gold/departements"]
    lost, tables = periods[-2:], service.home / "elexxion-bucket" / "output"

    def rows() -> dict[str, list[tuple[Any, ...]]]:
        files = [*tables.glob("bronze/crime/departementale/**/*.parquet"), *tables.glob("argent/crime/*/*.parquet")]
        files += tables.glob("or/crime/departements/*.parquet")
        return {str(file): pl.read_parquet(file).rows() for file in files if {*file.parts, file.stem} & {*lost}}

    before = rows()
    assert len(before) == len(assets) * len(lost)
    for file in before:
        Path(file).unlink()
    chosen = ", ".join('{path: ["' + asset.replace("/", '", "') + '"]}' for asset in assets)
    launched = service.ask(
        "mutation { launchPartitionBackfill(backfillParams: {assetSelection: [" + chosen + "],"
        f" partitionNames: {json.dumps(lost)}, title: " + '"again"}) { ... on LaunchBackfillSuccess { backfillId } } }'
    )["launchPartitionBackfill"]
    question = (
        f'{{ partitionBackfillOrError(backfillId: "{launched["backfillId"]}")'
        " { ... on PartitionBackfill { status error { message } } } }"
    )
    deadline = time.monotonic() + PATIENCE
    while (state := service.ask(question)["partitionBackfillOrError"])["status"] != "COMPLETED_SUCCESS":
        assert state["status"] in {"REQUESTED", "COMPLETING"}, state
        assert time.monotonic() < deadline, state
        time.sleep(1)
    assert rows() == before
