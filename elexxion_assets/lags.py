"""What the features of every yearly theme have in common: the three years before, how they are named and counted.

A feature `<name>_n_1` is of the year before the row's, `<name>_n_2` of the one before that. Nothing of the year itself
is a feature: the answers begin with `cible_`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import narwhals as nw

from elexxion_assets.declare import Column, Frame, Kind, Layer, Table

LAGS = (1, 2, 3)

YEARS = {1: "the year before", 2: "two years before", 3: "three years before"}
"""Of each lag, the words for descriptions."""

ANNEES_CONNUES = Column(
    name="annees_connues",
    kind=Kind.INTEGER,
    description="Number of the three years before for which the commune has figures",
    unit="years",
    ge=1,
    le=3,
)


def years_known(columns: Iterable[str]) -> nw.Expr:
    """How many of these columns, one per earlier year, hold a value: `annees_connues`."""
    return nw.sum_horizontal(*((~nw.col(name).is_null()).cast(nw.Int64()) for name in columns)).alias(
        ANNEES_CONNUES.name
    )


def change(now: str, before: str) -> nw.Expr:
    """The change from one column to another as a ratio, -1 for the loss of all; null where there was nothing before."""
    return nw.when(nw.col(before) > 0).then(nw.col(now) / nw.col(before) - 1)


def numeric(
    name: str, description: str, unit: str | None, *, ge: float | None = 0, warning: str | None = None
) -> Column:
    """A column of numbers that may be missing."""
    return Column(
        name=name, kind=Kind.NUMBER, description=description, unit=unit, required=False, ge=ge, warning=warning
    )


def features_of(columns: Sequence[Column]) -> tuple[str, ...]:
    """Everything that may be shown to a model of the year: all columns but the answers."""
    return tuple(column.name for column in columns if not column.name.startswith("cible_"))


def yearly_features(columns: Sequence[Column], function: Callable[..., Frame], figures: str) -> Table:
    """Table `platinum/communes` of a yearly theme, made of its `gold/communes` of the three years before.

    Args:
        columns: Its columns.
        function: What makes it.
        figures: What is counted, in words: `rates`.
    """
    return Table(
        layer=Layer.PLATINUM,
        name="communes",
        description="Features per commune and year, made of the three years before it only: lagged, changing, smoothed "
        f"and neighbours' {figures}; what begins with cible_ is of the year itself and no feature",
        columns=tuple(columns),
        key=("code_commune", "annee"),
        inputs=("gold/communes",),
        function=function,
        lookback=max(LAGS),
        may_be_empty=True,
    )
