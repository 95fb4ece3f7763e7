"""The ways to a fetch, from the person's command and from Dagster's schedule to a file that the lake has read."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from typer.testing import CliRunner

from elexxion_assets import catalogue, cli
from elexxion_assets.catalogue import Limits
from elexxion_assets.cli import intake as commands
from elexxion_assets.declare import Theme
from elexxion_assets.definitions import defs
from elexxion_assets.defs import resources
from elexxion_assets.defs.fetch import fetch_job, fetch_schedule
from elexxion_assets.lake.ledger import State
from elexxion_assets.settings import Settings, settings
from elexxion_assets_tests.catalogue.publisher import Publisher, file, publishing, redirect
from elexxion_assets_tests.toy import TOY, counts, csv
from elexxion_assets_tests.trial import Lake

BODY = csv(*(f"01{n:03};2020;{n}" for n in range(1, 101)))
NEWER = csv(*(f"01{n:03};2020;{n}" for n in range(1, 100)))
LIMITS = catalogue.limits


@pytest.fixture
def publisher(monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with publishing() as server:
        yield server


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, publisher: Publisher) -> Iterator[Lake]:
    """The lake that the settings name; its one dataset lies at the publisher's, behind a redirect."""
    url = publisher.at("/r/counts", redirect("/counts.csv"))
    theme = dataclasses.replace(TOY, datasets=(dataclasses.replace(counts, addresses=(url,)),))
    themes: dict[str, Theme] = {"toy": theme}

    def impatient(chosen: Settings) -> Limits:
        return dataclasses.replace(LIMITS(chosen), waits=(0, 0, 0), timeout=5)

    monkeypatch.setenv("ELEXXION_HOME", str(tmp_path))
    monkeypatch.setenv("ELEXXION_FETCH_HOSTS", "127.0.0.1")
    monkeypatch.setattr(commands, "all_themes", lambda: themes)
    monkeypatch.setattr(resources, "all_themes", lambda: themes)
    monkeypatch.setattr(catalogue, "limits", impatient)
    settings.cache_clear()
    yield Lake(settings().lake_directory, themes)
    settings.cache_clear()


@pytest.mark.parametrize("way", ["command", "schedule"])
def test_a_new_release_comes_from_the_publisher_to_silver_whatever_happens_on_the_way(
    lake: Lake, publisher: Publisher, way: str
) -> None:
    broken = file(BODY, etag='"1"', breaks_after=300)
    lies = file(BODY, etag='"1"', announces=len(BODY) + 10)
    publisher.at("/counts.csv", broken, lies, broken, file(BODY, etag='"1"'))
    _fetch(way)
    assert [entry.key for entry in lake.storage.list("input/")] == ["input/counts.csv"]
    assert lake.storage.read("input/counts.csv") == BODY
    ranges = [headers.get("Range") for headers in publisher.requests("/counts.csv")]
    assert ranges[:2] == [None, "bytes=300-"]
    delivery = lake.drop("later.csv", NEWER)
    assert {one.state for one in lake.ledger.all()} == {State.READ}
    assert delivery.theme == "toy"
    lake.build()
    assert lake.rows("toy/silver/facts", "2020").height == 100
    before = len(publisher.asked)
    _fetch(way)
    assert list(lake.storage.list("input/")) == []
    assert publisher.requests("/counts.csv")[-1]["If-None-Match"] == '"1"'
    assert len(publisher.asked) > before


@pytest.mark.parametrize("way", ["command", "schedule"])
def test_what_cannot_be_fetched_fails_in_words_and_drops_nothing(lake: Lake, publisher: Publisher, way: str) -> None:
    publisher.at("/r/counts", redirect("https://example.org/counts.csv"))
    said = _fetch(way, fails=True)
    assert "example.org is not among the allowed hosts" in said
    publisher.at("/r/counts", file(BODY, announces=len(BODY) + 10))
    _fetch(way, fails=True)
    assert list(lake.storage.list("input/")) == []


def test_the_schedule_is_off_until_somebody_switches_it_on_and_runs_the_job_that_is_deployed() -> None:
    schedule = defs.resolve_schedule_def("fetch")
    assert schedule.default_status is dg.DefaultScheduleStatus.STOPPED
    assert schedule.job_name == fetch_job.name
    assert schedule.cron_schedule == "0 5 * * 1"


def _fetch(way: str, *, fails: bool = False) -> str:
    """Fetches everything, by the command line or as a tick of the schedule does; gives what was said."""
    if way == "command":
        done = CliRunner().invoke(cli.app, ["fetch", "--json"])
        assert done.exit_code == (1 if fails else 0), done.output
        return " ".join(item["reason"] for item in json.loads(done.stdout))
    with dg.DagsterInstance.ephemeral() as instance:
        tick = fetch_schedule.evaluate_tick(dg.build_schedule_context(instance=instance))
        assert tick.run_requests is not None
        [request] = tick.run_requests
        job = defs.resolve_job_def(fetch_schedule.job_name)
        result = job.execute_in_process(
            run_config={**request.run_config, "loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            instance=instance,
            raise_on_error=False,
        )
        assert result.success is not fails
        if not fails:
            return ""
        data = result.failure_data_for_node("fetch_releases")
        assert data is not None
        assert data.user_failure_data is not None
        return data.user_failure_data.description or ""
