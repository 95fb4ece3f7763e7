"""The job and the schedule that bring the publishers' new releases into `input/`.

No `from __future__ import annotations` here: Dagster reads the annotations of ops at run time.
"""

import dagster as dg

from elexxion_assets.defs.resources import LakeResource
from elexxion_assets.settings import settings


@dg.op(
    name="fetch_releases",
    pool="fetch",
    description="Asks every permanent address for a new release; what is new is dropped into `input/`.",
)
def fetch_releases(context: dg.OpExecutionContext, lake: LakeResource) -> None:
    """Fetches everything; one failure stops no other, but fails the run."""
    # Every process of this code location pays what is imported above; the HTTP client is for this one only.
    from elexxion_assets import catalogue

    failed = []
    for done in catalogue.fetch(catalogue.sources(lake.themes), lake.storage, catalogue.limits(settings())):
        context.log.info("%s %s: %s", done.outcome, done.source.name, done.reason or done.key or "nothing new")
        if done.outcome is catalogue.Outcome.FAILED:
            failed.append(f"{done.source.name}: {done.reason}")
    if failed:
        raise dg.Failure("; ".join(failed), allow_retries=False)


@dg.job(name="fetch", description="Brings new releases from data.gouv.fr and insee.fr into `input/`.")
def fetch_job() -> None:
    """One op: the sensor on `input/` does the rest."""
    fetch_releases()


fetch_schedule = dg.ScheduleDefinition(
    name="fetch",
    job=fetch_job,
    cron_schedule="0 5 * * 1",
    execution_timezone="Europe/Paris",
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Every Monday at five; off until somebody switches it on.",
)
