"""Tells Dagster again what the lake holds, after its own records were lost or restored from an older copy."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

import dagster as dg
from dagster import DagsterEvent, DagsterEventType, DagsterInstance, DagsterRun, DagsterRunStatus

# Not public: what a step writes when it tells of a table. The public way (`report_runless_asset_event`) has neither a
# time of its own nor a run, and automation would take every table for one that was changed by hand.
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData,
)
from dagster._core.events import StepMaterializationData

from elexxion_assets.declare import Layer, Theme
from elexxion_assets.defs.automation import BY_INTAKE
from elexxion_assets.defs.intake import add_partitions, unfinished_runs
from elexxion_assets.defs.tables import evaluation
from elexxion_assets.lake.build import table_documents
from elexxion_assets.lake.ledger import Delivery, Ledger, State
from elexxion_assets.lake.storage import Storage
from elexxion_assets.quality.checks import CheckResult

JOB = "resync"


@dataclass
class Resynced:
    """What was new to Dagster.

    Attributes:
        partitions: Periods.
        materializations: Tables of a period, bronze included.
        checks: Results of checks.
        known: Tables of a period that it knew of.
    """

    partitions: int = 0
    materializations: int = 0
    checks: int = 0
    known: int = 0


@dataclass(frozen=True, kw_only=True)
class _Held:
    """A table of a period that the lake holds."""

    key: dg.AssetKey
    period: str
    at: float
    metadata: Mapping[str, Any]
    checks: tuple[dict[str, Any], ...] = ()


def resync(
    storage: Storage,
    ledger: Ledger,
    themes: Mapping[str, Theme],
    instance: DagsterInstance,
    progress: Callable[[str], None] = lambda words: None,
) -> Resynced:
    """Reports the periods, tables and checks of the lake that Dagster does not know, each with its own time.

    All that is reported belongs to one run of the name `resync`, tagged as the runs of the intake are: automation takes
    nothing of it for a change.

    Args:
        storage: The lake.
        ledger: The deliveries.
        themes: The themes.
        instance: Dagster.
        progress: Told in words what is being done.

    Returns:
        What was new; nothing the second time.
    """
    done = Resynced()
    run = DagsterRun(job_name=JOB, run_id=str(uuid.uuid4()), status=DagsterRunStatus.SUCCESS, tags=dict(BY_INTAKE))
    held = _bronze(ledger, themes)
    for name, theme in themes.items():
        held += _tables(storage, theme)
        periods = {item.period for item in held if item.key.path[0] == name}
        done.partitions += len(periods - set(instance.get_dynamic_partitions(name)))
        add_partitions(instance, name, periods)
    # Parents first: Dagster compares the order in which it was told.
    order = [layer.value for layer in Layer]
    held.sort(key=lambda item: (order.index(item.key.path[1]), item.key.path, item.period))
    for key, group in groupby(held, key=lambda item: item.key):
        items, known = list(group), _known(instance, key)
        # The lake's stamps are whole seconds, cut off.
        missing = [item for item in items if known.get(item.period, 0.0) < int(item.at)]
        done.known += len(items) - len(missing)
        if missing:
            progress(f"reporting {key.to_user_string()}: {len(missing)} periods")
            if not instance.has_run(run.run_id):
                instance.add_run(run)
            _report(instance, run, key, missing)
        done.materializations += len(missing)
        done.checks += sum(len(item.checks) for item in missing)
    return done


def _bronze(ledger: Ledger, themes: Mapping[str, Theme]) -> list[_Held]:
    """Bronze as the deliveries tell of it."""
    found: dict[tuple[str, str, str], list[tuple[Delivery, int, str]]] = {}
    for delivery in ledger.all():
        if delivery.state is State.READ and delivery.theme in themes:
            for facts in delivery.tables:
                for period, rows in facts["periods"].items():
                    key = (delivery.theme, facts["dataset"], period)
                    found.setdefault(key, []).append((delivery, rows, str(facts["release"])))
    return [
        _Held(
            key=dg.AssetKey([theme, Layer.BRONZE.value, dataset]),
            period=period,
            at=max(delivery.updated_at.timestamp() for delivery, _, _ in parts),
            metadata={
                "dagster/row_count": sum(rows for _, rows, _ in parts),
                "deliveries": sorted({delivery.name for delivery, _, _ in parts}),
                "releases": sorted({release for _, _, release in parts}),
            },
        )
        for (theme, dataset, period), parts in found.items()
        if dataset in {known.name for known in themes[theme].datasets}
    ]


def _tables(storage: Storage, theme: Theme) -> Iterator[_Held]:
    """Tables as their documents tell of them."""
    declared = {f"{theme.name}/{table.layer}/{table.name}" for table in theme.tables}
    for document in table_documents(storage, theme.name):
        if document["table"] in declared:
            inputs = {item.get("file") or f"{item['table']} {item['period']}" for item in document["inputs"]}
            yield _Held(
                key=dg.AssetKey(document["table"].split("/")),
                period=document["period"],
                at=datetime.fromisoformat(document["published_at"]).timestamp(),
                metadata={
                    "dagster/row_count": document["rows"],
                    "bytes": document["bytes"],
                    "dagster/uri": f"{storage.url}/{document['key']}",
                    "inputs": sorted(inputs)[:50],
                    **document["counts"],
                },
                checks=tuple(document["checks"]),
            )


def _known(instance: DagsterInstance, key: dg.AssetKey) -> dict[str, float]:
    """When Dagster was last told of each period of a table."""
    newest = list(
        instance.event_log_storage.get_latest_storage_id_by_partition(
            key, DagsterEventType.ASSET_MATERIALIZATION
        ).values()
    )
    known: dict[str, float] = {}
    for start in range(0, len(newest), 500):
        page = newest[start : start + 500]
        found = instance.fetch_materializations(dg.AssetRecordsFilter(asset_key=key, storage_ids=page), limit=500)
        for record in found.records:
            if record.partition_key is not None:
                known[record.partition_key] = record.timestamp
    return known


def _report(instance: DagsterInstance, run: DagsterRun, key: dg.AssetKey, missing: list[_Held]) -> None:
    """Writes the events that the steps would have written when the periods of a table were published."""
    for item in missing:
        told = StepMaterializationData(dg.AssetMaterialization(key, partition=item.period, metadata=item.metadata))
        _write(instance, run, DagsterEventType.ASSET_MATERIALIZATION, told, item.at)
    latest = instance.event_log_storage.get_latest_storage_id_by_partition(key, DagsterEventType.ASSET_MATERIALIZATION)
    for item in missing:
        target = AssetCheckEvaluationTargetMaterializationData(
            storage_id=latest[item.period], run_id=run.run_id, timestamp=item.at
        )
        for check in item.checks:
            judged = evaluation(key, item.period, CheckResult(**check), target)
            _write(instance, run, DagsterEventType.ASSET_CHECK_EVALUATION, judged, item.at)


def _write(instance: DagsterInstance, run: DagsterRun, kind: DagsterEventType, data: Any, at: float) -> None:
    event = DagsterEvent(
        event_type_value=kind.value, job_name=JOB, event_specific_data=data, message="as the lake remembers it"
    )
    instance.report_dagster_event(event, run.run_id, timestamp=at)


def active_runs(instance: DagsterInstance) -> list[str]:
    """The jobs that run or wait to run, after those whose process is gone were ended."""
    return [run.job_name for run in unfinished_runs(instance, 1000)]


def forget(instance: DagsterInstance, themes: Mapping[str, Theme]) -> None:
    """Makes Dagster forget the tables and periods of the themes; its runs stay in its history."""
    ours = {*themes, "intake"}
    instance.wipe_assets([key for key in instance.get_asset_keys() if key.path[0] in ours])
    for name in themes:
        for period in instance.get_dynamic_partitions(name):
            instance.delete_dynamic_partition(name, period)
