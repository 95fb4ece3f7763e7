"""Makes the assets of a theme: bronze per dataset, then its tables, each partitioned by the theme's periods.

No `from __future__ import annotations` here: Dagster reads the annotations of assets at run time.
"""

import hashlib
import inspect
import json
import logging
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import dagster as dg
import narwhals as nw

# Not public, and the only way to say of which materialisation a check of one period in a range run speaks.
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData,
)

from elexxion_assets.declare import Column, Dataset, Kind, Layer, Table, Theme
from elexxion_assets.defs.automation import when_parents_change
from elexxion_assets.defs.freshness import freshness_key
from elexxion_assets.defs.resources import LakeResource
from elexxion_assets.lake import layout
from elexxion_assets.lake.build import Staged, note_refusal, periods_of, publish, stage
from elexxion_assets.lake.cost import total
from elexxion_assets.lake.intake import read_again
from elexxion_assets.publishing.dictionary import dataset_page, table_page
from elexxion_assets.quality import contract, rules
from elexxion_assets.quality.checks import CheckResult, check_names, masks_of
from elexxion_assets.quality.lineage import column_lineage
from elexxion_assets.settings import settings

DELIVERIES = dg.AssetKey(["intake", "deliveries"])

_TYPES = {
    Kind.TEXT: "string",
    Kind.INTEGER: "bigint",
    Kind.NUMBER: "double",
    Kind.DATE: "date",
    Kind.BOOLEAN: "boolean",
}


def partitions(theme: Theme) -> dg.DynamicPartitionsDefinition:
    """The periods of a theme; keys are added as deliveries bring them."""
    return dg.DynamicPartitionsDefinition(name=theme.name)


def column_schema(columns: tuple[Column, ...]) -> dg.TableSchema:
    """What the UI shows of the columns."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                column.name,
                _TYPES[column.kind],
                " ".join(filter(None, [column.description, column.unit and f"[{column.unit}]", column.warning])),
                constraints=dg.TableColumnConstraints(nullable=not column.required, other=_constraints(column)),
            )
            for column in columns
        ]
    )


def table_metadata(theme: Theme, table: Table) -> dict[str, Any]:
    """What the UI shows of a table whatever its periods: columns, name, dictionary."""
    return {
        "dagster/column_schema": column_schema(table.columns),
        "dagster/table_name": f"{theme.name}/{table.layer}/{table.name}",
        "dictionary": dg.MetadataValue.md(table_page(theme, table)),
    }


def _constraints(column: Column) -> list[str]:
    said = {"matches": column.pattern, ">=": column.ge, "<=": column.le, "one of": column.isin}
    return [f"{what} {value}" for what, value in said.items() if value is not None]


def theme_assets(theme: Theme) -> list[dg.AssetsDefinition]:
    """All assets of a theme."""
    return [bronze_asset(theme, dataset) for dataset in theme.datasets] + [
        table_asset(theme, table) for table in theme.tables
    ]


def bronze_asset(theme: Theme, dataset: Dataset) -> dg.AssetsDefinition:
    """The rows of a dataset as they were written; making it reads its deliveries again from `raw/`."""

    @dg.asset(
        key=[theme.name, Layer.BRONZE.value, dataset.name],
        deps=[DELIVERIES],
        partitions_def=partitions(theme),
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name=theme.name,
        kinds={"parquet", "bronze"},
        owners=[theme.owner],
        pool=theme.name,
        description=f"{dataset.title} ({dataset.source}), every column as text, every row with its file and line. "
        f"Published at {dataset.page}.",
        metadata={
            "publisher": dg.MetadataValue.url(dataset.page),
            "dictionary": dg.MetadataValue.md(dataset_page(theme, dataset)),
        },
    )
    def bronze(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult[None]:
        rows = 0
        deliveries: set[str] = set()
        for period in context.partition_keys:
            prefix = layout.bronze_prefix(theme.name, dataset.name, period)
            found = {layout.delivery_of(entry.key)[0] for entry in lake.storage.list(prefix)}
            # Lost bronze is made again too: the ledger knows what was read, at the price of reading all of it.
            found = found or {
                delivery.id
                for delivery in lake.ledger.all(theme.name)
                if any(facts["dataset"] == dataset.name and period in facts["periods"] for facts in delivery.tables)
            }
            if not found:
                raise dg.Failure(f"no delivery holds {dataset.name} for {period}", allow_retries=False)
            deliveries |= found
        for identifier in sorted(deliveries):
            delivery = lake.ledger.get(identifier)
            if delivery is not None:
                delivery = read_again(lake.storage, lake.ledger, lake.themes, delivery)
                context.log.info("%s: %s", delivery.name, delivery.state)
                periods = set(context.partition_keys)
                rows += sum(n for facts in delivery.tables for key, n in facts["periods"].items() if key in periods)
        return dg.MaterializeResult(metadata={"dagster/row_count": rows, "deliveries": sorted(deliveries)})

    return bronze


def table_asset(theme: Theme, table: Table) -> dg.AssetsDefinition:
    """One table: staged, judged, then published; a table that fails a blocking check is never written."""
    key = dg.AssetKey([theme.name, table.layer.value, table.name])
    parents = [_parent(theme, table, name) for name in table.inputs]
    specs = check_specs(theme, table, key)

    @dg.asset(
        key=key,
        deps=parents,
        partitions_def=partitions(theme),
        backfill_policy=dg.BackfillPolicy.single_run(),
        check_specs=specs,
        output_required=False,
        io_manager_key="lake_io",
        group_name=theme.name,
        kinds={"parquet", table.layer.value},
        owners=[theme.owner],
        pool=theme.name,
        code_version=code_version(theme, table),
        description=table.description,
        freshness_policy=dg.FreshnessPolicy.time_window(fail_window=theme.fresh_within),
        automation_condition=when_parents_change(),
        metadata=table_metadata(theme, table),
    )
    def build(context: dg.AssetExecutionContext, lake: LakeResource) -> Iterator[Any]:
        with ExitStack() as stack:
            made = {
                period: stack.enter_context(stage(lake.storage, lake.ledger, lake.themes, theme, table, period))
                for period in sorted(context.partition_keys)
            }
            yield from told(context, lake, key, specs, made, _known_lineage(lake, theme, table))

    return build


def check_specs(theme: Theme, table: Table, key: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """The checks of a table as the UI shows them."""
    return [
        dg.AssetCheckSpec(name, asset=key, description=description, blocking=blocking, partitions_def=partitions(theme))
        for name, (description, blocking) in check_names(table).items()
    ]


def told(
    context: dg.AssetExecutionContext,
    lake: LakeResource,
    key: dg.AssetKey,
    specs: list[dg.AssetCheckSpec],
    made: dict[str, Staged],
    lineage: dict[str, Any] | None = None,
) -> Iterator[Any]:
    """What a step yields of staged tables: the good ones are published, all are told with their checks."""
    good = {period: staged for period, staged in made.items() if not staged.refused}
    if set(good) == set(context.partition_keys):
        yield dg.Output(made, metadata=_metadata(made) | (lineage or {}))
    else:
        # Dagster would note an output for every period of the run: the good ones are noted one by one.
        for period, staged in good.items():
            document = publish(lake.storage, staged)
            metadata = _metadata({period: staged}) | {"bytes": document["bytes"]} | (lineage or {})
            yield dg.AssetMaterialization(key, partition=period, metadata=metadata)
    for period in sorted(set(made) - set(good)):
        note_refusal(lake.storage, made[period])
    # Judged before anything was written, told after: automation counts only checks of what is published.
    for period, staged in made.items():
        target = _published(context.instance, key, period) if period in good else None
        for result in staged.results:
            yield evaluation(key, period, result, target)
    for spec in specs:
        yield dg.Output(None, output_name=context.assets_def.get_output_name_for_asset_check_key(spec.key))


def _parent(theme: Theme, table: Table, name: str) -> dg.AssetDep:
    """The dependency on an input: the same period of the same theme, every period of another theme."""
    if table.layer is Layer.SILVER:
        return dg.AssetDep(dg.AssetKey([theme.name, Layer.BRONZE.value, name]))
    parts = name.split("/")
    if len(parts) == 3:
        return dg.AssetDep(dg.AssetKey(parts), partition_mapping=dg.AllPartitionMapping())
    return dg.AssetDep(dg.AssetKey([theme.name, *parts]))


def _published(
    instance: dg.DagsterInstance, key: dg.AssetKey, period: str
) -> AssetCheckEvaluationTargetMaterializationData | None:
    """The materialisation that the checks of a period speak of: the one of this step."""
    found = instance.fetch_materializations(dg.AssetRecordsFilter(asset_key=key, asset_partitions=[period]), limit=1)
    return next(
        (
            AssetCheckEvaluationTargetMaterializationData(
                storage_id=record.storage_id, run_id=record.event_log_entry.run_id, timestamp=record.timestamp
            )
            for record in found.records
        ),
        None,
    )


def evaluation(
    key: dg.AssetKey,
    period: str,
    result: CheckResult,
    target: AssetCheckEvaluationTargetMaterializationData | None,
) -> dg.AssetCheckEvaluation:
    """What Dagster is told of one check of one period."""
    return dg.AssetCheckEvaluation(
        target_materialization_data=target,
        asset_key=key,
        check_name=result.name,
        passed=result.passed,
        partition=period,
        blocking=result.blocking,
        severity=dg.AssetCheckSeverity.ERROR if result.blocking else dg.AssetCheckSeverity.WARN,
        description=result.description,
        metadata={
            "rows": dg.MetadataValue.int(result.rows),
            "broken": dg.MetadataValue.int(result.broken),
            "examples": dg.MetadataValue.md(markdown_table(result.examples)),
            **({"columns": dg.MetadataValue.json(result.columns)} if result.columns else {}),
            **({"query": query(key, period, result, refused=target is None)} if result.has_rows else {}),
        },
    )


def query(key: dg.AssetKey, period: str, result: CheckResult, *, refused: bool) -> str:
    """The command that lists the rows that break a check; those of a refused table are made again for it."""
    again = " --again" if refused else ""
    return f"elexxion broken {'/'.join(key.path)} {result.name} --period {period}{again}"


def markdown_table(rows: list[dict[str, Any]]) -> str:
    """A few rows as Markdown."""
    if not rows:
        return "none"
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    lines += ["| " + " | ".join(str(row.get(name, "")).replace("|", "\\|") for name in names) + " |" for row in rows]
    return "\n".join(lines)


def _metadata(made: dict[str, Staged]) -> dict[str, Any]:
    import polars as pl

    last = list(made.values())[-1]
    rows = nw.from_native(pl.scan_parquet(last.file))
    masks = masks_of(last.table.columns, rows.collect_schema().names())
    preview = rows.with_columns(*masks or [nw.all()]).head(5).collect()
    shown = preview.select(preview.columns[:12]).rows(named=True)
    inputs = sorted(
        {item.get("file") or f"{item['table']} {item['period']}" for s in made.values() for item in s.inputs}
    )
    counts: dict[str, int] = {}
    for staged in made.values():
        for what, count in staged.counts.items():
            counts[what] = counts.get(what, 0) + count
    return {
        "dagster/row_count": sum(staged.rows for staged in made.values()),
        **total([staged.cost for staged in made.values()]),
        "preview": dg.MetadataValue.md(markdown_table(shown)),
        "inputs": inputs[:50],
        **counts,
    }


def _known_lineage(lake: LakeResource, theme: Theme, table: Table) -> dict[str, Any]:
    """The column lineage that the UI shows, where it has been worked out for the code of today."""
    try:
        known = json.loads(lake.storage.read(layout.lineage_key(theme.name, table.layer, table.name)))
    except KeyError:
        return {}
    return _lineage_metadata(known["columns"]) if known["code_version"] == code_version(theme, table) else {}


def _lineage_metadata(columns: dict[str, Any]) -> dict[str, Any]:
    deps = {
        name: [dg.TableColumnDep(dg.AssetKey(source.split("/")), column) for source, column in sources]
        for name, sources in columns.items()
    }
    return {"dagster/column_lineage": dg.TableColumnLineage(deps)}


def missing_lineages(lake: LakeResource, log: logging.Logger) -> Iterator[dg.AssetObservation]:
    """Works out the column lineage of the published tables that have none for the code of today, and tells it.

    It takes longer than making a small table, so it is no part of the way of a file to gold. The next materialisations
    carry it.
    """
    for theme in lake.themes.values():
        for table in theme.tables:
            if _known_lineage(lake, theme, table):
                continue
            periods = periods_of(lake.storage, theme, table.layer, table.name)
            if not periods:
                continue
            try:
                columns = column_lineage(lake.themes, theme, table, periods[-1])
            except Exception:  # a function that cannot do without rows; its tables are as good
                log.warning("%s/%s/%s has no lineage", theme.name, table.layer, table.name, exc_info=True)
                continue
            said = json.dumps({"code_version": code_version(theme, table), "columns": columns})
            lake.storage.write(layout.lineage_key(theme.name, table.layer, table.name), said.encode())
            key = dg.AssetKey([theme.name, table.layer.value, table.name])
            yield dg.AssetObservation(key, metadata=_lineage_metadata(columns))


def code_version(theme: Theme, table: Table) -> str:
    """A short text that changes with what makes the table: its theme's files, the contract, the target vintage."""
    digest = hashlib.sha256(f"{theme.name}/{table.layer}/{table.name}".encode())
    module = inspect.getmodule(table.function)
    if module is not None and module.__file__ is not None:
        folder = Path(module.__file__).parent
        for file in sorted([*folder.glob("*.py"), *folder.glob("*.csv")]):
            digest.update(file.read_bytes())
    digest.update(inspect.getsource(contract).encode())
    digest.update(str(settings().cog_vintage).encode())
    digest.update(rules.said(table).encode())
    return digest.hexdigest()[:12]


def theme_job(theme: Theme) -> Any:
    """The job in which the sensor builds the tables of a theme."""
    made = [dg.AssetKey([theme.name, table.layer.value, table.name]) for table in theme.tables]
    selection: dg.AssetSelection = dg.AssetSelection.assets(*made)
    if theme.calendar is not None:
        # What is late is no matter of a run that builds: it has a job of its own.
        selection -= dg.AssetSelection.checks(freshness_key(theme))
    return dg.define_asset_job(
        theme.name,
        selection=selection,
        description=f"Builds the tables of « {theme.title} » for the periods that new deliveries cover.",
    )
