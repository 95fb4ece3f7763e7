"""Removes old runs with their events and logs; what says that something is there is kept.

No `from __future__ import annotations` here: Dagster reads the annotations of ops at run time.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

import dagster as dg
from dagster import AssetRecordsFilter, DagsterEventType, DagsterInstance, RunsFilter

from elexxion_assets.defs.report import ENDED
from elexxion_assets.settings import settings

JOB = "retention"
PAGE = 500
AT_ONCE = 5_000
"""Runs that one pass removes at most; the next one goes on."""


def purge(instance: DagsterInstance, before: datetime) -> int:
    """Removes the runs that ended before a time, but for those that made the present state of something.

    Removing the last materialisation of a period would make it missing, and have it built again.

    Returns:
        The number of runs removed.
    """
    if next(_ended(instance, before), None) is None:
        return 0
    needed = _makers(instance)
    removed = list(islice((run for run in _ended(instance, before) if run not in needed), AT_ONCE))
    for run in removed:
        instance.compute_log_manager.delete_logs(prefix=[run])
        instance.delete_run(run)
    return len(removed)


def _ended(instance: DagsterInstance, before: datetime) -> Iterator[str]:
    """The runs that ended before a time, newest first."""
    cursor = None
    while page := instance.get_runs(RunsFilter(statuses=ENDED, updated_before=before), cursor=cursor, limit=PAGE):
        yield from (run.run_id for run in page)
        cursor = page[-1].run_id


def _makers(instance: DagsterInstance) -> set[str]:
    """The runs that made what every asset is now, in every period."""
    found = set()
    for key in instance.all_asset_keys():
        last = instance.get_latest_materialization_event(key)
        if last is not None:
            found.add(last.run_id)
        by_period = instance.event_log_storage.get_latest_storage_id_by_partition(
            key, DagsterEventType.ASSET_MATERIALIZATION
        )
        ids = sorted(by_period.values())
        for start in range(0, len(ids), PAGE):
            part = AssetRecordsFilter(asset_key=key, storage_ids=ids[start : start + PAGE])
            found |= {record.run_id for record in instance.fetch_materializations(part, limit=PAGE).records}
    return found


@dg.op(name="remove_old_runs", description="Removes the runs that ended too long ago, with their events and logs.")
def remove_old_runs(context: dg.OpExecutionContext) -> None:
    """What made the present state of a table stays, however old."""
    days = settings().retention_days
    if not days:
        context.log.info("ELEXXION_RETENTION_DAYS is 0: everything is kept")
        return
    removed = purge(context.instance, datetime.now(UTC) - timedelta(days=days))
    context.log.info("%s runs that ended more than %s days ago were removed", removed, days)


@dg.job(name=JOB, description="Keeps Dagster's own records from growing for ever.")
def retention_job() -> None:
    """One op."""
    remove_old_runs()


retention_schedule = dg.ScheduleDefinition(
    name=JOB,
    job=retention_job,
    cron_schedule="30 3 * * *",
    execution_timezone="Europe/Paris",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every night at half past three.",
)
