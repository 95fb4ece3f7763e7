"""The way from `input/` to bronze: the asset that takes deliveries and the sensor that asks for runs.

The sensor never moves a file; it asks for a run that does, then for runs that build what the deliveries brought.
"""

import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from itertools import islice, takewhile
from typing import Any

import dagster as dg
from dagster import DagsterEventType, DagsterInstance, DagsterRun, DagsterRunStatus, RunRecord, RunsFilter

from elexxion_assets.declare import Layer, Theme
from elexxion_assets.defs.automation import BY_INTAKE
from elexxion_assets.defs.resources import WORKER, LakeResource, worker_mark
from elexxion_assets.defs.tables import DELIVERIES, markdown_table
from elexxion_assets.lake.cost import Meter
from elexxion_assets.lake.due import Due, due, settle
from elexxion_assets.lake.intake import Taken, initialise, take_all, waiting
from elexxion_assets.lake.ledger import Delivery, State
from elexxion_assets.lake.replay import read_marked
from elexxion_assets.lake.storage import Entry
from elexxion_assets.settings import settings

ATTEMPTS = 3
MOST_ATTEMPTS = 100
"""Failed runs that are counted; the pause is the longest long before."""
UNMARKED_SECONDS = 120
BATCH = "elexxion/batch"
DUE = "elexxion/due"
TAKEN = "taken"
"""Metadata of a run that took files: their deliveries."""
RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"
_UNFINISHED = [
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]
_ENDED = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED]


@dg.asset(
    key=DELIVERIES,
    group_name="intake",
    kinds={"file"},
    owners=["team:elexxion"],
    pool="intake",
    description="Files dropped under `input/`: kept in `raw/`, recognised by their content, written as bronze; "
    "what cannot be taken is kept too, with the reason.",
)
def deliveries(context: dg.AssetExecutionContext, lake: LakeResource) -> Iterator[Any]:
    """Takes all settled files of `input/`, and reads again what was asked for, a batch at most."""
    meter = Meter()
    initialise(lake.storage, lake.themes)
    taken = Taken()
    failed = _take_all(context, lake, taken)
    for delivery in taken.deliveries:
        context.log.info("%s: %s %s", delivery.name, delivery.state, "; ".join(r["reason"] for r in delivery.reasons))
    periods: dict[str, set[str]] = {}
    for (theme, _), found in taken.periods().items():
        periods.setdefault(theme, set()).update(found)
    for theme, found in periods.items():
        add_partitions(context.instance, theme, found)
    for (theme, dataset), found in taken.periods().items():
        for period in sorted(found):
            yield dg.AssetMaterialization(
                dg.AssetKey([theme, Layer.BRONZE.value, dataset]),
                partition=period,
                metadata=_bronze_metadata(taken.deliveries, dataset, period),
            )
    states = [delivery.state for delivery in taken.deliveries]
    rows = [
        {
            "file": delivery.name,
            "state": str(delivery.state),
            "theme": delivery.theme,
            "datasets": ", ".join(sorted({facts["dataset"] for facts in delivery.tables})),
            "reason": "; ".join(reason["reason"] for reason in delivery.reasons),
        }
        for delivery in taken.deliveries[:200]
    ]
    yield dg.MaterializeResult(
        metadata={
            "read": states.count(State.READ),
            "refused": states.count(State.REFUSED),
            "archives": states.count(State.EXPANDED),
            "known already": len(taken.known),
            "left for the next pass": len(taken.left),
            "bytes": sum(delivery.size for delivery in taken.deliveries),
            **meter.read(),
            "deliveries": dg.MetadataValue.md(markdown_table(rows)),
            TAKEN: dg.MetadataValue.json([delivery.id for delivery in taken.deliveries]),
        }
    )
    if failed:
        raise dg.Failure(f"{len(failed)} file(s) could not be taken and stay as they are: {'; '.join(failed[:5])}")


def _take_all(context: dg.AssetExecutionContext, lake: LakeResource, taken: Taken) -> list[str]:
    """Takes what waits and reads again what is marked; gives what failed, in words."""
    failed: list[str] = []

    def note(entry: Entry, error: Exception) -> None:
        failed.append(f"{entry.key!r}: {type(error).__name__}: {error}")
        context.log.error("%r could not be taken and stays in input/", entry.key, exc_info=error)

    files = waiting(lake.storage, settings().settle_seconds)
    room = settings().batch
    while batch := list(islice(files, room)):
        before = len(failed)
        take_all(lake.storage, lake.ledger, lake.themes, batch, taken, note, settings().workers)
        # Files that fail keep no others behind them from being taken.
        room = len(failed) - before
    for mark in islice(lake.ledger.readings(), settings().batch):
        try:
            read_marked(lake.storage, lake.ledger, lake.themes, mark, taken)
        except Exception as error:
            failed.append(f"{mark}: {type(error).__name__}: {error}")
            context.log.exception("%s could not be read again and stays marked", mark)
    return failed


def _bronze_metadata(taken: Sequence[Delivery], dataset: str, period: str) -> dict[str, Any]:
    tables = [
        (delivery, facts)
        for delivery in taken
        for facts in delivery.tables
        if facts["dataset"] == dataset and period in facts["periods"]
    ]
    return {
        "dagster/row_count": sum(facts["periods"][period] for _, facts in tables),
        "deliveries": sorted({delivery.name for delivery, _ in tables}),
        "releases": sorted({str(facts["release"]) for _, facts in tables}),
    }


intake_job = dg.define_asset_job(
    "intake", selection=dg.AssetSelection.assets(DELIVERIES), description="Takes the files that wait under `input/`."
)


def add_partitions(instance: DagsterInstance, theme: str, periods: set[str]) -> None:
    """Makes the periods of a theme known to Dagster, in order among themselves."""
    new = sorted(periods - set(instance.get_dynamic_partitions(theme)))
    if new:
        instance.add_dynamic_partitions(theme, new)


def contiguous(keys: Sequence[str], wanted: Sequence[str]) -> list[list[str]]:
    """Splits periods into stretches that follow each other among all keys of the theme, as a range run needs them."""
    stretches: list[list[str]] = []
    last = -2
    for position, key in enumerate(keys):
        if key in wanted:
            if position == last + 1:
                stretches[-1].append(key)
            else:
                stretches.append([key])
            last = position
    return stretches


def partition_tags(stretch: Sequence[str]) -> dict[str, str]:
    """Tags by which one run makes several periods; none for a single one, which is the run's partition key."""
    return {RANGE_START: stretch[0], RANGE_END: stretch[-1]} if len(stretch) > 1 else {}


def asset_keys(group: Due) -> list[dg.AssetKey]:
    """The assets of what is due."""
    return [dg.AssetKey([group.theme, *table.split("/")]) for table in group.tables]


def stretches_of(instance: DagsterInstance, group: Due) -> list[Due]:
    """What is due, split so that each part can be one run."""
    add_partitions(instance, group.theme, set(group.periods))
    keys = instance.get_dynamic_partitions(group.theme)
    return [
        Due(
            theme=group.theme,
            tables=group.tables,
            periods=tuple(stretch),
            deliveries={period: found for period, found in group.deliveries.items() if period in stretch},
        )
        for stretch in contiguous(keys, group.periods)
    ]


def runs_tagged(instance: DagsterInstance, tag: str, value: str) -> list[DagsterRun]:
    """The runs with a tag, newest first; those whose worker died on this host are ended first."""
    return _reaped(instance, RunsFilter(tags={tag: value}), 5)


def unfinished_runs(instance: DagsterInstance, limit: int, job: str | None = None) -> list[DagsterRun]:
    """The runs that are working or waiting, newest first; those whose worker died on this host are ended first."""
    found = _reaped(instance, RunsFilter(job_name=job, statuses=_UNFINISHED), limit)
    return [run for run in found if run.status in _UNFINISHED]


def _reaped(instance: DagsterInstance, which: RunsFilter, limit: int) -> list[DagsterRun]:
    """Some runs, newest first; those that no process works for any more are ended first."""
    return [
        _ended(instance, record.dagster_run) if _is_dead(record) else record.dagster_run
        for record in instance.get_run_records(which, limit=limit)
    ]


def _is_dead(record: RunRecord) -> bool:
    run = record.dagster_run
    if run.status not in {DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING}:
        return False
    mark = run.tags.get(WORKER, "")
    if not mark:  # ended before its worker could say its name
        return time.time() - (record.start_time or record.create_timestamp.timestamp()) > UNMARKED_SECONDS
    host, _, rest = mark.partition(":")
    pid = int(rest.partition(":")[0])
    return host == worker_mark(os.getpid()).partition(":")[0] and worker_mark(pid) != mark


def _ended(instance: DagsterInstance, run: DagsterRun) -> DagsterRun:
    instance.report_run_failed(run, "the process of this run is gone; what it was doing is asked for again")
    return instance.get_run_by_id(run.run_id) or run


def _failed_in_a_row(instance: DagsterInstance, tag: str, value: str) -> int:
    """How many runs with a tag failed or were canceled since the last that succeeded.

    The same files may be dropped again, and taken again, any number of times.
    """
    runs = instance.get_runs(RunsFilter(tags={tag: value}, statuses=_ENDED), limit=MOST_ATTEMPTS)
    return sum(1 for _ in takewhile(lambda run: run.status is not DagsterRunStatus.SUCCESS, runs))


def _may_try(instance: DagsterInstance, tag: str, value: str, attempts: int) -> bool:
    """Whether it is time for one more run: at once at first, then after pauses that grow to an hour."""
    if attempts < ATTEMPTS:
        return True
    [last] = instance.get_run_records(RunsFilter(tags={tag: value}), limit=1)
    ended = last.end_time or last.update_timestamp.timestamp()
    return bool(time.time() - ended > min(60 * 4 ** (attempts - ATTEMPTS), 3600))


def _intake_request(instance: DagsterInstance, lake: LakeResource) -> dg.RunRequest | dg.SkipReason:
    waiting_files = list(islice(waiting(lake.storage, settings().settle_seconds), settings().batch))
    readings = list(islice(lake.ledger.readings(), settings().batch))
    if not waiting_files and not readings:
        return dg.SkipReason("no settled file in input/")
    if unfinished_runs(instance, 5, job="intake"):
        return dg.SkipReason("a run is taking files already")
    said = "\n".join([*(f"{entry.key} {entry.etag}" for entry in waiting_files), *readings])
    batch = hashlib.sha256(said.encode()).hexdigest()[:16]
    attempt = instance.get_runs_count(RunsFilter(tags={BATCH: batch}))
    failed = _failed_in_a_row(instance, BATCH, batch)
    if not _may_try(instance, BATCH, batch, failed):
        return dg.SkipReason(f"{failed} runs failed to take the same files: waiting before the next; see job intake")
    return dg.RunRequest(run_key=f"{batch}:{attempt}", job_name="intake", tags={BATCH: batch, **BY_INTAKE})


def _due_requests(instance: DagsterInstance, lake: LakeResource) -> Iterator[dg.RunRequest]:
    for group in due(lake.ledger, lake.themes):
        for part in stretches_of(instance, group):
            yield from _due_request(instance, lake, part)


def _due_request(instance: DagsterInstance, lake: LakeResource, part: Due) -> Iterator[dg.RunRequest]:
    runs = runs_tagged(instance, DUE, part.key)
    if any(run.status in _UNFINISHED for run in runs):
        return
    if runs and runs[0].status is DagsterRunStatus.SUCCESS:
        settle(lake.storage, lake.ledger, lake.themes, part)
        return
    if runs and len(part.periods) > 1:
        for single in part.one_by_one():
            yield from _due_request(instance, lake, single)
        return
    attempt = instance.get_runs_count(RunsFilter(tags={DUE: part.key}))
    if refused_by_checks(instance, runs) or not _may_try(instance, DUE, part.key, attempt):
        return  # it stays pending: the next delivery for these periods, or `elexxion run`, tries again
    yield dg.RunRequest(
        run_key=f"{part.key}:{attempt}",
        job_name=part.theme,
        asset_selection=asset_keys(part),
        partition_key=part.periods[0] if len(part.periods) == 1 else None,
        tags={DUE: part.key, **BY_INTAKE, **partition_tags(part.periods)},
    )


def refused_by_checks(instance: DagsterInstance, runs: Sequence[DagsterRun]) -> bool:
    """Whether the last run failed because of the data: the same again would fail the same way."""
    if not runs:
        return False
    events = instance.all_logs(runs[0].run_id, of_type=DagsterEventType.ASSET_CHECK_EVALUATION)
    evaluations = (event.get_dagster_event().asset_check_evaluation_data for event in events)
    return any(evaluation.blocking and not evaluation.passed for evaluation in evaluations)


def _begin_log(instance: DagsterInstance, lake: LakeResource) -> None:
    """Notes in an empty event log since when `input/` is watched.

    Automation that looked at an empty log cannot tell by whose run a table is new at its next look, and would build
    all of them anew.
    """
    if not instance.event_log_storage.get_maximum_record_id():
        instance.report_runless_asset_event(
            dg.AssetObservation(DELIVERIES, description="watched from now on", metadata={"lake": lake.storage.url})
        )


def input_sensor(themes: Sequence[Theme], jobs: Sequence[Any]) -> dg.SensorDefinition:
    """The sensor on `input/`: asks for a run that takes the files, then for one run per theme that builds from them."""

    @dg.sensor(
        name="input_sensor",
        jobs=[intake_job, *jobs],
        minimum_interval_seconds=settings().sensor_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Looks for files under `input/` and for tables that their deliveries made due.",
    )
    def look(context: dg.SensorEvaluationContext, lake: LakeResource) -> dg.SensorResult | dg.SkipReason:
        _begin_log(context.instance, lake)
        requests = list(_due_requests(context.instance, lake))
        intake = _intake_request(context.instance, lake)
        if isinstance(intake, dg.RunRequest):
            requests.append(intake)
        elif not requests:
            return intake
        return dg.SensorResult(run_requests=requests)

    return look
