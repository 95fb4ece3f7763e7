"""The page on the quality of the lake as an asset, renewed when runs have ended and none is working.

No `from __future__ import annotations` here: Dagster reads the annotations of assets at run time.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from typing import Any

import dagster as dg
from dagster import DagsterRunStatus, RunsFilter

from elexxion_assets.declare import Layer, Theme
from elexxion_assets.defs.intake import unfinished_runs
from elexxion_assets.defs.resources import LakeResource
from elexxion_assets.defs.tables import DELIVERIES, missing_lineages
from elexxion_assets.lake import layout

REPORT = dg.AssetKey(["quality", "report"])
JOB = "report"
SILENT = {JOB, "retention"}
"""Jobs after which nothing of the lake has changed."""

QUIET = timedelta(seconds=20)
"""Time without a run before the page is renewed: between the runs from a file to gold there are some seconds."""

PATIENCE = timedelta(minutes=5)
"""Time after which the page is renewed although runs are working."""

ENDED = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED]


def report_asset(themes: Sequence[Theme]) -> dg.AssetsDefinition:
    """The page, and the document of every delivery."""
    gold = [
        dg.AssetKey([theme.name, table.layer.value, table.name])
        for theme in themes
        for table in theme.tables
        if table.layer is Layer.GOLD
    ]

    @dg.asset(
        key=REPORT,
        deps=[DELIVERIES, *gold],
        group_name="quality",
        kinds={"html", "json"},
        owners=["team:elexxion"],
        pool=JOB,
        code_version=_version(),
        description="The quality of the whole lake as one page that can be sent by mail, and a document per delivery.",
    )
    def report(context: dg.AssetExecutionContext, lake: LakeResource) -> Iterator[Any]:
        from elexxion_assets.lake.reports import renew

        facts = renew(lake.storage, lake.ledger, lake.themes, date.today())
        yield dg.MaterializeResult(
            metadata={
                **facts["totals"],
                "dagster/uri": f"{lake.storage.url}/{layout.report_key('quality.html')}",
                "deliveries/": f"{lake.storage.url}/{layout.delivery_report_key('')}".removesuffix(".json"),
            }
        )
        yield from missing_lineages(lake, context.log)

    return report


def _version() -> str:
    template = files("elexxion_assets.quality").joinpath("report_page.jinja").read_bytes()
    return hashlib.sha256(template).hexdigest()[:12]


report_job = dg.define_asset_job(
    JOB, selection=dg.AssetSelection.assets(REPORT), description="Renews the page on the quality of the lake."
)


@dg.sensor(
    name=JOB,
    job=report_job,
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Renews the page on quality once a day, and when runs have ended: as soon as none is working.",
)
def report_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """One question to Dagster's records, nothing else."""
    known: dict[str, Any] = json.loads(context.cursor) if context.cursor else {}
    now = datetime.now(UTC)
    last, ended = _last_end(context.instance)
    if (last, now.date().isoformat()) == (known.get("last"), known.get("day")):
        return dg.SkipReason("no run has ended since")
    since = known.get("since") or now.isoformat()
    working = now - ended < QUIET or unfinished_runs(context.instance, 1)
    if working and now - datetime.fromisoformat(since) < PATIENCE:
        # What is being built comes first.
        context.update_cursor(json.dumps({**known, "since": since}))
        return dg.SkipReason("runs are working: the page is renewed when they have ended")
    cursor = json.dumps({"last": last, "day": now.date().isoformat()})
    return dg.SensorResult(run_requests=[dg.RunRequest(run_key=f"{JOB}:{cursor}")], cursor=cursor)


def _last_end(instance: dg.DagsterInstance) -> tuple[str, datetime]:
    """The run that ended last, of those after which the lake may have changed, and when that was."""
    # Reports end too, but never two in a row without another run between them or a day.
    records = instance.get_run_records(RunsFilter(statuses=ENDED), limit=10, order_by="update_timestamp")
    for record in records:
        if record.dagster_run.job_name not in SILENT:
            return record.dagster_run.run_id, record.update_timestamp.replace(tzinfo=UTC)
    return "", datetime.min.replace(tzinfo=UTC)
