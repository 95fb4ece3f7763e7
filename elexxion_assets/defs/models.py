"""Makes the assets of a theme's models: one per model, its predictions, its evaluation, partitioned by period.

No `from __future__ import annotations` here: Dagster reads the annotations of assets at run time. Nothing that trains
is imported before a step runs.
"""

import hashlib
import math
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import dagster as dg
import polars as pl

from elexxion_assets.declare import Column, Kind, Layer, Model, Table, Theme
from elexxion_assets.defs.automation import when_features_change
from elexxion_assets.defs.resources import LakeResource, load_rows
from elexxion_assets.defs.tables import check_specs, markdown_table, partitions, table_metadata, told
from elexxion_assets.lake import layout
from elexxion_assets.lake.build import periods_of, stage_rows, table_documents
from elexxion_assets.lake.models import Published, read_model, write_card, write_text
from elexxion_assets.settings import settings

if TYPE_CHECKING:
    import pandas as pd

SEED = 0
POOL = "models"

WATCHER: ContextVar[Callable[[str], None] | None] = ContextVar("watcher", default=None)
"""Who waits for a training in this process, and is told every trial."""
UNTRAINABLE = "not trained"
"""Metadata of the observation that says why a period got no model."""


def model_assets(theme: Theme) -> list[dg.AssetsDefinition]:
    """The assets of a theme's models; none for a theme without."""
    if not theme.models:
        return []
    tables = {name: theme.table(Layer.PLATINUM, name) for name in {model.table for model in theme.models}}
    types = {name: pandas_type(theme, table) for name, table in tables.items()}
    return [
        *(model_asset(theme, model, types[model.table]) for model in theme.models),
        *(filled_asset(theme, theme.table(Layer(layer), name), fill) for (layer, name), fill in FILLED.items()),
    ]


def model_key(theme: Theme, model: Model) -> dg.AssetKey:
    """The asset of a model."""
    return dg.AssetKey([theme.name, Layer.MODEL.value, model.name])


def pandas_type(theme: Theme, table: Table) -> dg.DagsterType:
    """The dagster-pandas type of the rows of a table: what is not as declared stops the step before any training."""

    def check(context: dg.TypeCheckContext, rows: Any) -> dg.TypeCheck:
        # Half a second of import that only steps pay.
        import dagster_pandas

        pandas: Any = dagster_pandas
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", dg.BetaWarning)
            made: dg.DagsterType = pandas.create_dagster_pandas_dataframe_type(
                name=name,
                columns=[_pandas_column(pandas.PandasColumn, column) for column in table.columns],
                metadata_fn=lambda found: {
                    "rows": len(found),
                    "columns": len(found.columns),
                    "missing values": {str(k): int(v) for k, v in found.isna().sum().items() if v},
                },
            )
        return made.type_check(context, rows)

    name = f"{theme.name}_{table.layer}_{table.name}".title().replace("_", "")
    return dg.DagsterType(check, name=name, description=f"{table.description}, as pandas rows")


def _pandas_column(kinds: Any, column: Column) -> Any:
    common = {"name": column.name, "non_nullable": column.required, "ignore_missing_vals": not column.required}
    if column.kind in (Kind.INTEGER, Kind.NUMBER):
        make = kinds.integer_column if column.kind is Kind.INTEGER else kinds.float_column
        low, high = -math.inf if column.ge is None else column.ge, math.inf if column.le is None else column.le
        return make(**common, min_value=low, max_value=high)
    if column.kind is Kind.BOOLEAN:
        return kinds.boolean_column(**common)
    return kinds.exists(**common)


def model_asset(theme: Theme, model: Model, rows_type: dg.DagsterType) -> dg.AssetsDefinition:
    """One model: searched, trained, tested and judged per period; a better one that is there stays."""
    table = theme.table(Layer.PLATINUM, model.table)
    key = model_key(theme, model)

    @dg.asset(
        key=key,
        ins={
            "features": dg.AssetIn(
                key=dg.AssetKey([theme.name, table.layer.value, table.name]),
                input_manager_key="lake_io",
                dagster_type=rows_type,
            )
        },
        partitions_def=partitions(theme),
        backfill_policy=dg.BackfillPolicy.single_run(),
        output_required=False,
        # The release is in the lake: Dagster's default IO manager refuses ranges, even of nothing.
        dagster_type=cast(dg.DagsterType, dg.Nothing),
        group_name=theme.name,
        kinds={"lightgbm", "optuna"},
        owners=[theme.owner],
        pool=POOL,
        code_version=code_version(theme),
        description=f"{model.title}. {model.description} Published only where it beats the best of its "
        f"{len(model.baselines)} baselines in every fold; the baseline is published otherwise.",
        automation_condition=when_features_change(),
        metadata={"headline": model.headline, "features": len(model.features), "targets": ", ".join(model.outputs)},
    )
    def train(context: dg.AssetExecutionContext, lake: LakeResource, features: Any) -> Iterator[Any]:
        from elexxion_assets.learning.release import Untrainable

        made: dict[str, dict[str, Any]] = {}
        for period in sorted(context.partition_keys):
            rows = features[features[model.period].astype(str) == period]
            try:
                made[period] = _released(context, lake, theme, model, table, period, rows)
            except Untrainable as why:
                context.log.info("%s", why)
                yield dg.AssetObservation(key, partition=period, metadata={UNTRAINABLE: str(why)})
        if set(made) == set(context.partition_keys):
            yield dg.Output(None, metadata=list(made.values())[-1])
            return
        for period, metadata in made.items():
            yield dg.AssetMaterialization(key, partition=period, metadata=metadata)

    return train


def _released(
    context: dg.AssetExecutionContext,
    lake: LakeResource,
    theme: Theme,
    model: Model,
    table: Table,
    period: str,
    rows: "pd.DataFrame",
) -> dict[str, Any]:
    """Makes the release of one period and puts it in force, unless the same one is there; gives its metadata."""
    from elexxion_assets.learning.card import card_of
    from elexxion_assets.learning.card_page import card_page
    from elexxion_assets.learning.release import Making, data_version, release
    from elexxion_assets.learning.study import Budget
    from elexxion_assets.learning.training import Fitted

    there = read_model(lake.storage, theme.name, model.name, period)
    earlier = [
        key
        for key in periods_of(lake.storage, theme, table.layer, table.name)
        if key != period and model.trains(key, period)
    ]
    tables = {key: load_rows(lake.storage, theme.name, table, [key]) for key in earlier} | {period: rows}
    code = code_version(theme)
    data = data_version(model, tables, period)
    if there is not None and (there.card["data"], there.card["code"]) == (data, code):
        context.log.info("%s %s: the same rows and code as the release in force: nothing to do", model.name, period)
        return metadata_of(lake.storage.url, there.card)
    chosen = settings()
    making = Making(
        scope=theme.name,
        seed=SEED,
        budget=Budget(trials=chosen.study_trials, seconds=chosen.study_seconds),
        code=code,
        progress=_telling(context),
    )
    made = release(model, tables, period, making, champion=_champion(context, model, there, Fitted))
    text = write_text(
        lake.storage,
        theme.name,
        model.name,
        period,
        {"model": made.fitted.to_text(), "baseline": made.baseline.to_text()},
    )
    card = card_of(
        made,
        rows,
        {column.name: column for column in table.columns},
        theme=theme.name,
        code=code,
        text=text,
        synthetic=_synthetic(lake, theme, table, {*earlier, period}),
    )
    write_card(lake.storage, card, card_page(card), there.etag if there else "")
    return metadata_of(lake.storage.url, card)


def _champion(context: dg.AssetExecutionContext, model: Model, there: Published | None, fitted: Any) -> Any:
    if there is None:
        return None
    try:
        return fitted.from_text(model, there.text["model"])
    except ValueError as other:
        context.log.warning("the model in force cannot be compared and is replaced: %s", other)
        return None


def _synthetic(lake: LakeResource, theme: Theme, table: Table, periods: set[str]) -> bool:
    name = f"{theme.name}/{table.layer}/{table.name}"
    return any(
        document["synthetic"]
        for document in table_documents(lake.storage, theme.name)
        if document["table"] == name and document["period"] in periods
    )


def metadata_of(url: str, card: Any) -> dict[str, Any]:
    """What the UI shows of a release."""
    from elexxion_assets.learning.card_page import as_picture, trials_chart

    search = card["search"]
    folds = [
        {
            "period": fold["period"],
            "model": f"{fold['model_value']:.4f}",
            "best baseline": f"{fold['baseline_value']:.4f} ({fold['baseline']})",
            "advantage, 95 %": f"{fold['low']:.4f} to {fold['high']:.4f}",
            "wins": fold["wins"],
        }
        for fold in card["folds"]
    ]
    features = [{"feature": one["name"], "mean |SHAP|": f"{one['importance']:.4f}"} for one in card["features"][:10]]
    shown: dict[str, Any] = {
        "published": "the model" if card["published"] == "modele" else f"the baseline « {card['baseline']['title']} »",
        "why": card["reason"],
        "champion and challenger": card["decision"]["reason"],
        f"folds ({card['headline']})": dg.MetadataValue.md(markdown_table(folds)),
        "features": dg.MetadataValue.md(markdown_table(features)),
        "data version": card["data"],
        "card": dg.MetadataValue.url(f"{url}/{layout.model_key(card['theme'], card['model'], card['period'], 'html')}"),
        "text": dg.MetadataValue.path(f"{url}/{card['text']}"),
        "synthetic": card["synthetic"],
    }
    if card["folds"]:
        shown["headline"] = card["folds"][-1]["model_value"]
        shown["headline of the best baseline"] = card["folds"][-1]["baseline_value"]
    if search is not None:
        weights = [{"parameter": name, "importance": f"{v:.3f}"} for name, v in search["importance"].items()]
        shown["trials"] = dg.MetadataValue.md(
            as_picture(trials_chart(search["trials"]), "value of every trial") + "\n\n" + markdown_table(weights)
        )
    return shown


def _telling(context: dg.AssetExecutionContext) -> Callable[[str], None]:
    watcher = WATCHER.get()

    def tell(words: str) -> None:
        context.log.info("%s", words)
        if watcher is not None:
            watcher(words)

    return tell


def filled_asset(
    theme: Theme, table: Table, fill: Callable[[LakeResource, Theme, str, Model, Published], pl.DataFrame]
) -> dg.AssetsDefinition:
    """A table that the models of a theme fill, from the releases in force."""
    key = dg.AssetKey([theme.name, table.layer.value, table.name])
    specs = check_specs(theme, table, key)

    @dg.asset(
        key=key,
        deps=[model_key(theme, model) for model in theme.models],
        partitions_def=partitions(theme),
        backfill_policy=dg.BackfillPolicy.single_run(),
        check_specs=specs,
        output_required=False,
        io_manager_key="lake_io",
        group_name=theme.name,
        kinds={"parquet", table.layer.value},
        owners=[theme.owner],
        pool=POOL,
        code_version=code_version(theme),
        description=table.description,
        automation_condition=when_features_change(),
        metadata=table_metadata(theme, table),
    )
    def build(context: dg.AssetExecutionContext, lake: LakeResource) -> Iterator[Any]:
        with ExitStack() as stack:
            made = {}
            for period in sorted(context.partition_keys):
                found = [
                    (model, there)
                    for model in theme.models
                    if (there := read_model(lake.storage, theme.name, model.name, period)) is not None
                ]
                if not found:
                    context.log.info("no model of %s has a release for %s", theme.name, period)
                    continue
                rows = pl.concat([fill(lake, theme, period, *one) for one in found], how="diagonal_relaxed")
                inputs = [
                    {
                        "table": f"{theme.name}/{Layer.MODEL}/{model.name}",
                        "period": period,
                        "etag": there.etag,
                        "synthetic": str(there.card["synthetic"]).lower(),
                    }
                    for model, there in found
                ]
                lacks = [column.name for column in table.columns if column.name not in rows.columns]
                rows = rows.with_columns(pl.lit(None).alias(name) for name in lacks)
                staged = stage_rows(lake.storage, theme, table, period, rows.lazy(), inputs)
                made[period] = stack.enter_context(staged)
            yield from told(context, lake, key, specs, made)

    return build


def _predictions(lake: LakeResource, theme: Theme, period: str, model: Model, there: Published) -> pl.DataFrame:
    from elexxion_assets.learning.explanation import contributions, reasons
    from elexxion_assets.learning.release import given_of, long_predictions, without_answers
    from elexxion_assets.learning.rows import as_known
    from elexxion_assets.learning.training import Fitted

    table = theme.table(Layer.PLATINUM, model.table)
    rows = load_rows(lake.storage, theme.name, table, [period])
    fitted, baseline = (Fitted.from_text(model, there.text[name]) for name in ("model", "baseline"))
    said = None
    if there.card["published"] == "modele":
        matrix, found = contributions(fitted, without_answers(as_known(model, rows)), given_of(model, rows))
        said = reasons(fitted, matrix, found, {column.name: column for column in table.columns})
    made = long_predictions(fitted, baseline, publishes_model=said is not None, rows=rows, reasons=said)
    return pl.from_pandas(made, nan_to_null=True)


def _evaluation(lake: LakeResource, theme: Theme, period: str, model: Model, there: Published) -> pl.DataFrame:
    schema = {"valeur": pl.Float64(), "lignes": pl.Int64()}
    rows = pl.DataFrame(there.card["metrics"], schema_overrides=schema, infer_schema_length=None)
    return rows.with_columns(pl.lit(there.card["published"]).alias("publie"))


FILLED = {("platinum", "predictions"): _predictions, ("model", "evaluation"): _evaluation}
"""The tables that models fill, and how."""


def code_version(theme: Theme) -> str:
    """A short text that changes with what makes a model: the learning room, the theme's files, its models' own."""
    from elexxion_assets import learning

    digest = hashlib.sha256(theme.name.encode())
    folders = {Path(str(learning.__file__)).parent, *(_file(table.function).parent for table in theme.tables)}
    files = {file for folder in folders for file in (*folder.glob("*.py"), *folder.glob("*.csv"))}
    files |= {_file(model.trains) for model in theme.models}
    files |= {_file(rule.predict) for model in theme.models for rule in (*model.baselines, *model.own)}
    for file in sorted(files):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _file(function: Callable[..., Any]) -> Path:
    return Path(str(sys.modules[function.__module__].__file__))


def models_job(theme: Theme) -> Any:
    """The job that trains the models of a theme and makes their tables."""
    keys = [model_key(theme, model) for model in theme.models]
    keys += [dg.AssetKey([theme.name, *table]) for table in FILLED]
    # The features too, for a period to come that no delivery asks for.
    keys += [dg.AssetKey([theme.name, "platinum", name]) for name in {model.table for model in theme.models}]
    return dg.define_asset_job(
        f"{theme.name}_models",
        selection=dg.AssetSelection.assets(*keys),
        description=f"Trains the models of « {theme.title} » and makes their predictions and their evaluation.",
    )
