"""The tables that the models of a theme fill: predictions, and how good they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import narwhals as nw

from elexxion_assets.declare.column import Column, Kind
from elexxion_assets.declare.dataset import Frame
from elexxion_assets.declare.model import Model
from elexxion_assets.declare.table import Layer, Rule, Table

PUBLISHED = ("modele", "reference")
"""What a published prediction is: the model's, or its baseline's where the model does not beat it."""

_MODEL = Column(name="modele", kind=Kind.TEXT, description="Name of the model", pattern=r"[a-z0-9_]+")
_TARGET = Column(name="cible", kind=Kind.TEXT, description="What is predicted: a target of the model")


def _made_by_models(*frames: Frame, period: str) -> Frame:
    raise TypeError("this table is filled by models, not made of other tables")


def _number(name: str, description: str, *, required: bool = True, warning: str | None = None) -> Column:
    return Column(name=name, kind=Kind.NUMBER, description=description, required=required, warning=warning)


def predictions_table(models: Sequence[Model], tables: Mapping[str, Table]) -> Table:
    """The predictions of a theme's models, one row per unit and target.

    Args:
        models: The models.
        tables: The theme's platinum tables by name.
    """
    units: dict[str, Column] = {}
    for model in models:
        known = {column.name: column for column in tables[model.table].columns}
        names = [*model.key, model.period, *(name for name in model.groups if name in known)]
        units |= {name: known[name].but(source_names=()) for name in names}
    everywhere = set.intersection(*({*m.key, m.period, *m.groups} for m in models))
    units = {name: column.but(required=column.required and name in everywhere) for name, column in units.items()}
    keys = dict.fromkeys(name for model in models for name in model.key)
    return Table(
        layer=Layer.PLATINUM,
        name="predictions",
        description="Predictions per unit and target, with intervals, the baseline, which of the two is published, and "
        "the three strongest reasons in words",
        columns=(
            _MODEL,
            *units.values(),
            _TARGET,
            _number("prediction", "The published prediction, in the unit of the target"),
            _number("bas_50", "Lower bound of its 50 % interval"),
            _number("haut_50", "Upper bound of its 50 % interval"),
            _number("bas_90", "Lower bound of its 90 % interval"),
            _number("haut_90", "Upper bound of its 90 % interval"),
            Column(
                name="publie",
                kind=Kind.TEXT,
                description="Whose the published prediction is: the model's, or its baseline's",
                isin=PUBLISHED,
                warning="« reference » where the model does not beat the best baseline in every fold.",
            ),
            _number("prediction_modele", "What the model says"),
            _number("prediction_reference", "What its best baseline says"),
            Column(name="reference", kind=Kind.TEXT, description="Name of that baseline"),
            *(
                Column(
                    name=f"raison_{place}",
                    kind=Kind.TEXT,
                    description=f"Reason {place} of the published prediction, the strongest first",
                    required=False,
                    warning="What an input adds to the anchor's prediction, before the targets are made to add up.",
                )
                for place in (1, 2, 3)
            ),
        ),
        key=("modele", *keys, "cible"),
        inputs=tuple(f"platinum/{name}" for name in dict.fromkeys(model.table for model in models)),
        function=_made_by_models,
        rules=(
            Rule(
                name="intervals_in_order",
                description="The 90 % interval holds the 50 % interval.",
                broken=(nw.col("bas_90") > nw.col("bas_50"))
                | (nw.col("bas_50") > nw.col("haut_50"))
                | (nw.col("haut_50") > nw.col("haut_90")),
                blocking=True,
            ),
            Rule(
                name="prediction_inside",
                description="The prediction lies in its 90 % interval.",
                broken=(nw.col("prediction") < nw.col("bas_90")) | (nw.col("prediction") > nw.col("haut_90")),
            ),
        ),
    )


def evaluation_table(models: Sequence[Model]) -> Table:
    """The metrics of a theme's models and of all their baselines, in every fold known at the period."""
    return Table(
        layer=Layer.MODEL,
        name="evaluation",
        description="Metrics of every model and baseline, in every fold up to the period: one row per predictor, part "
        "of the rows, target and metric",
        columns=(
            _MODEL,
            Column(name="periode", kind=Kind.TEXT, description="Period of the fold, predicted from earlier ones"),
            Column(name="predicteur", kind=Kind.TEXT, description="« modele », or the name of a baseline"),
            Column(name="tranche", kind=Kind.TEXT, description="Which rows: all (« toutes »), or those of a size"),
            Column(name="cible", kind=Kind.TEXT, description="A target, or all (« toutes »)"),
            Column(
                name="mesure",
                kind=Kind.TEXT,
                description="Name of the metric; « avantage » is that of the model over the best baseline, with the "
                "bounds of its 95 % bootstrap interval",
            ),
            _number("valeur", "Value of the metric", required=False),
            Column(name="lignes", kind=Kind.INTEGER, description="Number of rows it is about", ge=0),
            Column(
                name="publie",
                kind=Kind.TEXT,
                description="What is published for the period of the table",
                isin=PUBLISHED,
            ),
        ),
        key=("modele", "periode", "predicteur", "tranche", "cible", "mesure"),
        inputs=tuple(f"model/{model.name}" for model in models),
        function=_made_by_models,
        may_be_empty=True,
    )


def predicted(models: Sequence[Model], tables: Sequence[Table]) -> tuple[Table, ...]:
    """The tables that these models fill; none without a model."""
    platinum: dict[str, Any] = {table.name: table for table in tables if table.layer is Layer.PLATINUM}
    return (predictions_table(models, platinum), evaluation_table(models)) if models else ()
