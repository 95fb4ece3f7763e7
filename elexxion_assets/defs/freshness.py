"""A check per theme that knows which period is due when, and the job that asks it every morning.

Dagster's own freshness policies look at the age of an asset; they know no periods.
No `from __future__ import annotations` here: Dagster reads the annotations of checks at run time.
"""

from collections.abc import Iterable
from datetime import date
from typing import Any

import dagster as dg

from elexxion_assets.declare import Theme
from elexxion_assets.defs.resources import LakeResource
from elexxion_assets.lake.received import standing
from elexxion_assets.quality.freshness import Freshness, Standing

NAME = "freshness"


def freshness_key(theme: Theme) -> dg.AssetCheckKey:
    """The check of a theme, on its last table: what is missing there is missing everywhere."""
    last = theme.tables[-1]
    return dg.AssetCheckKey(dg.AssetKey([theme.name, last.layer.value, last.name]), NAME)


def freshness_check(theme: Theme) -> dg.AssetChecksDefinition:
    """Whether every period of a theme that is due is there."""

    @dg.asset_check(
        name=NAME,
        asset=freshness_key(theme).asset_key,
        description="Every period that the publishers' calendar says is due has been delivered.",
    )
    def check(lake: LakeResource) -> dg.AssetCheckResult:
        found = standing(lake.ledger, theme, date.today())
        late = [item for item in found if item.state is Freshness.LATE]
        return dg.AssetCheckResult(
            passed=not late,
            severity=dg.AssetCheckSeverity.WARN,
            description="; ".join(f"{item.period} since {item.due}" for item in late[-5:]) or "nothing is late",
            metadata={
                "broken": dg.MetadataValue.int(len(late)),
                "late": dg.MetadataValue.md(_table(late)),
                "next": dg.MetadataValue.md(_table(item for item in found if item.state is Freshness.DUE)),
            },
        )

    return check


def _table(items: Iterable[Standing]) -> str:
    rows = [f"| {item.period} | {', '.join(item.datasets[:3])} | {item.due} | <{item.page}> |" for item in items]
    return "\n".join(["| period | dataset | due on | published at |", "|---|---|---|---|", *rows]) if rows else "none"


def freshness_job(themes: Iterable[Theme]) -> Any:
    """The job that runs the check of every theme that has a calendar."""
    keys = [freshness_key(theme) for theme in themes if theme.calendar is not None]
    return dg.define_asset_job(
        NAME, selection=dg.AssetSelection.checks(*keys), description="Says of every theme what is late."
    )


def freshness_schedule(job: Any) -> dg.ScheduleDefinition:
    """Every morning: it only reads documents."""
    return dg.ScheduleDefinition(
        name=NAME,
        job=job,
        cron_schedule="0 6 * * *",
        execution_timezone="Europe/Paris",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Every morning at six.",
    )
