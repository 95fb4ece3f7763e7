"""The sensor that tells people by mail or webhook what goes wrong, and when it is over.

No `from __future__ import annotations` here: Dagster reads the annotations of sensors at run time.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from threading import Lock

import dagster as dg
from dagster import DagsterEventType, DagsterInstance, DagsterRun, DagsterRunStatus, RunsFilter

from elexxion_assets.defs.intake import RANGE_END, RANGE_START, refused_by_checks
from elexxion_assets.defs.resources import LakeResource
from elexxion_assets.lake.alerting import lake_problems, tell
from elexxion_assets.lake.survey import Memory, survey
from elexxion_assets.publishing.receivers import receivers
from elexxion_assets.quality.alerts import Kind, Problem, Problems
from elexxion_assets.settings import settings

PARTITION = "dagster/partition"
ENDED = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE]
LOOKED_AT = 200
"""Runs that ended last, among which failed ones are looked for."""

_looking = Lock()
_memories: dict[str, Memory] = {}
"""What this process has read of a lake: of the next look only what is new is read."""

_causes: dict[str, str] = {}
"""Why a run failed, by its identifier; empty where its data was refused, of which the table's own alert speaks."""


def run_problems(instance: DagsterInstance, webserver: str) -> Problems:
    """The runs that failed, and that no later run has made good.

    A run of one period is made good by a success of the same job and period; one of a stretch of periods, which is
    asked for again in parts, by the next run of its job.
    """
    runs = instance.get_runs(RunsFilter(statuses=ENDED), limit=LOOKED_AT)
    for forgotten in _causes.keys() - {run.run_id for run in runs}:
        del _causes[forgotten]
    found: Problems = {}
    seen: set[tuple[str, str]] = set()
    jobs: set[str] = set()
    for run in runs:
        what, period = _called(run), run.tags.get(PARTITION, "")
        stretch = RANGE_START in run.tags
        superseded = what in jobs if stretch else (what, period) in seen
        jobs.add(what)
        seen.add((what, period))
        if superseded or run.status is not DagsterRunStatus.FAILURE:
            continue
        if not (cause := _cause(instance, run)):
            continue
        periods = f"{run.tags[RANGE_START]} to {run.tags[RANGE_END]}" if stretch else period
        title = " ".join(filter(None, ["run of", what, periods]))
        key = f"run:{what}:{periods}"
        found[key] = Problem(
            key=key, kind=Kind.RUN, title=title, words=cause, link=f"{webserver}/runs/{run.run_id}", run=run.run_id
        )
    return found


def _called(run: DagsterRun) -> str:
    """The job of a run, or the assets of one that has no job of its own."""
    if not run.job_name.startswith("__"):
        return run.job_name
    return ", ".join(sorted(key.to_user_string() for key in run.asset_selection or ())) or run.job_name


def _cause(instance: DagsterInstance, run: DagsterRun) -> str:
    if run.run_id not in _causes:
        _causes[run.run_id] = (
            "" if refused_by_checks(instance, [run]) else next(_words(instance, run), "no reason given")
        )
    return _causes[run.run_id]


def _words(instance: DagsterInstance, run: DagsterRun) -> Iterator[str]:
    for kind in (DagsterEventType.STEP_FAILURE, DagsterEventType.RUN_FAILURE):
        for entry in instance.all_logs(run.run_id, of_type=kind):
            event = entry.get_dagster_event()
            if kind is DagsterEventType.STEP_FAILURE and (error := event.step_failure_data.error) is not None:
                yield (error.cause or error).message
            elif event.message:
                yield event.message


def _still_told(instance: DagsterInstance, told: Problems, found: Problems) -> Problems:
    """Failed runs that a receiver was told of, that nothing has made good, and that are too old to be found."""
    return {
        key: problem
        for key, problem in told.items()
        if problem.run and key not in found and not _made_good(instance, problem.run)
    }


def _made_good(instance: DagsterInstance, run_id: str) -> bool:
    """Whether a later run has made good one that failed, or it is forgotten."""
    record = instance.get_run_record_by_id(run_id)
    if record is None:
        return True
    run = record.dagster_run
    period = run.tags.get(PARTITION)
    later = RunsFilter(
        job_name=run.job_name,
        statuses=ENDED if RANGE_START in run.tags else [DagsterRunStatus.SUCCESS],
        tags={PARTITION: period} if period else {},
        created_after=record.create_timestamp,
    )
    return any(_called(other) == _called(run) for other in instance.get_runs(later, limit=LOOKED_AT))


def _memory(lake: LakeResource) -> Memory:
    if lake.storage.url not in _memories:
        _memories[lake.storage.url] = Memory.load(lake.storage)
    return _memories[lake.storage.url]


def alerts_sensor() -> dg.SensorDefinition:
    """The sensor; it runs by itself where the settings name somebody to tell."""

    @dg.sensor(
        name="alerts",
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING if receivers(settings()) else dg.DefaultSensorStatus.STOPPED,
        description="Tells of failed runs, refused files and tables and late releases by mail or webhook: once, "
        "together, and again when they are over. Whom: ELEXXION_ALERT_MAIL_HOST, ELEXXION_ALERT_WEBHOOK.",
    )
    def alerts(context: dg.SensorEvaluationContext, lake: LakeResource) -> dg.SkipReason:
        targets = receivers(settings())
        if not targets:
            return dg.SkipReason("the settings name nobody to tell")
        if not _looking.acquire(blocking=False):
            return dg.SkipReason("the last look has not ended")
        try:
            webserver = (settings().alert_link or settings().webserver).rstrip("/")
            memory = _memory(lake)
            found = survey(lake.storage, lake.ledger, lake.themes, memory)
            runs = run_problems(context.instance, webserver)
            problems = runs | lake_problems(found, lake.themes, date.today(), webserver)
            said = [
                tell(
                    lake.storage,
                    target,
                    send,
                    lambda told: problems | _still_told(context.instance, told, problems),
                    datetime.now(UTC),
                )
                for target, send in targets.items()
            ]
        finally:
            _looking.release()
        for words in said:
            if "could not be told" in words:
                context.log.error(words)
        return dg.SkipReason("; ".join(said))

    return alerts
