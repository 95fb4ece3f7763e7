"""When a table is built again with nobody asking and no file arriving."""

from __future__ import annotations

import dagster as dg
from dagster import AutomationCondition

BY_INTAKE = {"elexxion/by": "intake"}
"""Tag of the runs that the sensor on `input/` asks for; they build a theme's tables together, in order."""


def when_parents_change() -> AutomationCondition[dg.AssetKey]:
    """Built again when its code changed, or when a parent did outside a run that already builds both.

    The update stays due until it is requested, so that a parent that changes while its child runs is not lost, and
    nothing is built on a parent that failed a blocking check.
    """
    changed = AutomationCondition.newly_updated() & ~AutomationCondition.all_new_updates_have_run_tags(
        tag_values=BY_INTAKE
    )
    wanted = (AutomationCondition.any_deps_match(changed) | AutomationCondition.code_version_changed()).since(
        AutomationCondition.newly_requested()
    )
    return (
        wanted
        & ~AutomationCondition.missing()
        & ~AutomationCondition.any_deps_in_progress()
        & ~AutomationCondition.in_progress()
        & AutomationCondition.all_deps_blocking_checks_passed()
    ).with_label("when its parents or its code change")


def when_features_change() -> AutomationCondition[dg.AssetKey]:
    """Trained, or predicted, again when a parent of the same period is new or its code changed, for the first time too.

    The update stays due until it is requested, as for tables.
    """
    wanted = (
        AutomationCondition.any_deps_match(AutomationCondition.newly_updated())
        | AutomationCondition.code_version_changed()
    ).since(AutomationCondition.newly_requested())
    return (
        wanted
        & ~AutomationCondition.any_deps_in_progress()
        & ~AutomationCondition.in_progress()
        & AutomationCondition.all_deps_blocking_checks_passed()
    ).with_label("when its parents or its code change")


def sensor() -> dg.AutomationConditionSensorDefinition:
    """The sensor that evaluates the conditions of all assets."""
    return dg.AutomationConditionSensorDefinition(
        "automation",
        target=dg.AssetSelection.all(),
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=15,
        emit_backfills=False,
    )
