"""What Dagster loads is what the themes declare, and the rooms below know nothing of it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import pytest

from elexxion_assets.declare import Layer
from elexxion_assets.definitions import defs
from elexxion_assets.defs.freshness import NAME
from elexxion_assets.quality.checks import check_names
from elexxion_assets.themes import all_themes

PURE = (
    "catalogue",
    "declare",
    "themes",
    "columns",
    "reading",
    "geography",
    "lake",
    "quality",
    "publishing",
    "settings",
)


@pytest.fixture(scope="module")
def graph() -> dg.AssetGraph:  # type: ignore[name-defined]
    dg.Definitions.validate_loadable(defs)
    return defs.resolve_asset_graph()


def key(theme: str, layer: Layer, name: str) -> dg.AssetKey:
    return dg.AssetKey([theme, layer.value, name])


def test_every_dataset_and_table_is_an_asset_with_its_words(graph: dg.AssetGraph) -> None:  # type: ignore[name-defined]
    for theme in all_themes().values():
        for table in theme.tables:
            node = graph.get(key(theme.name, table.layer, table.name))
            assert node.description == table.description
            assert node.group_name == theme.name
            assert node.partitions_def == dg.DynamicPartitionsDefinition(name=theme.name)
            schema = node.metadata["dagster/column_schema"]
            assert [c.name for c in schema.columns] == [c.name for c in table.columns]
            assert all(column.description for column in schema.columns)
            late = {NAME} if theme.calendar and table is theme.tables[-1] else set()
            assert {check.name for check in node.check_keys} == set(check_names(table)) | late
        for dataset in theme.datasets:
            assert graph.has(key(theme.name, Layer.BRONZE, dataset.name))


def test_silver_depends_on_bronze_and_gold_on_silver(graph: dg.AssetGraph) -> None:  # type: ignore[name-defined]
    assert graph.get(key("crime", Layer.SILVER, "communale")).parent_keys == {key("crime", Layer.BRONZE, "communale")}
    assert key("crime", Layer.SILVER, "communale") in graph.get(key("crime", Layer.GOLD, "communes")).parent_keys


def test_code_versions_differ_between_tables_and_stay_between_loads(graph: dg.AssetGraph) -> None:  # type: ignore[name-defined]
    versions = {k: graph.get(k).code_version for k in graph.materializable_asset_keys if k.path[1] != "bronze"}
    del versions[dg.AssetKey(["intake", "deliveries"])]
    assert all(versions.values())
    source = "from elexxion_assets.definitions import defs; g = defs.resolve_asset_graph()\n"
    source += "print({k.to_user_string(): g.get(k).code_version for k in g.materializable_asset_keys})"
    said = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True).stdout
    assert {k.to_user_string(): v for k, v in versions.items()}.items() <= eval(said).items()  # noqa: S307


@pytest.mark.parametrize("room", PURE)
def test_the_pure_rooms_do_not_know_dagster(room: str) -> None:
    source = (
        "import importlib, pkgutil, sys\n"
        f"module = importlib.import_module('elexxion_assets.{room}')\n"
        "for found in pkgutil.walk_packages(getattr(module, '__path__', []), module.__name__ + '.'):\n"
        "    importlib.import_module(found.name)\n"
        "sys.exit('dagster' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", source], check=False).returncode == 0


def test_the_code_location_loads_in_a_server_of_its_own(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "DAGSTER_HOME": str(tmp_path), "ELEXXION_HOME": str(tmp_path)}
    arguments = ["dagster", "api", "grpc", "-m", "elexxion_assets.definitions", "-p", str(port), "-h", "127.0.0.1"]
    server = subprocess.Popen([Path(sys.executable).with_name(arguments[0]), *arguments[1:]], env=environment)
    try:
        ping = [Path(sys.executable).with_name("dagster"), "api", "grpc-health-check", "-p", str(port)]
        deadline = time.monotonic() + 120
        while subprocess.run(ping, capture_output=True, env=environment, check=False).returncode != 0:
            assert server.poll() is None, "the server ended"
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(1)
    finally:
        server.terminate()
        server.wait(30)


def test_the_ui_shows_the_page_of_the_dictionary(graph: dg.AssetGraph) -> None:  # type: ignore[name-defined]
    from elexxion_assets.publishing.dictionary import table_page

    for theme in all_themes().values():
        for table in theme.tables:
            shown = graph.get(key(theme.name, table.layer, table.name)).metadata["dictionary"]
            assert shown.md_str == table_page(theme, table)


def test_the_schedule_that_fetches_is_off_until_somebody_switches_it_on() -> None:
    schedule = defs.resolve_schedule_def("fetch")
    assert schedule.default_status is dg.DefaultScheduleStatus.STOPPED
    assert schedule.job_name == "fetch"
