"""A made-up theme with one model, whose platinum table holds a signal that was planted, or nothing but noise."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from elexxion_assets.columns import ANNEE, COMMUNE
from elexxion_assets.declare import (
    Baseline,
    Column,
    Feature,
    Frame,
    Kind,
    Layer,
    Model,
    Predicts,
    Range,
    Table,
    Theme,
    Yearly,
)
from elexxion_assets.lake.build import publish, stage_rows
from elexxion_assets.lake.storage import Storage

if TYPE_CHECKING:
    import pandas as pd

YEARS = ("2018", "2019", "2020", "2021")
HOSTILE = "<script>alert('x')</script> & \"quotes\" ]]> ![x](https://example.org/x.png)"


def _as_before(rows: pd.DataFrame, learnt: Mapping[str, Any], given: Mapping[str, float] | None) -> np.ndarray:
    return rows[["taux_precedent"]].to_numpy(float)


def _mean(rows: pd.DataFrame, learnt: Mapping[str, Any], given: Mapping[str, float] | None) -> np.ndarray:
    return np.full((len(rows), 1), learnt["mean"])


def _days(year: str) -> dt.date:
    return dt.date(int(year), 6, 1)


MODEL = Model(
    name="taux",
    title=f"Rate {HOSTILE}",
    description=f"A rate that follows the feature x, or does not. {HOSTILE}",
    table="communes",
    key=("code_commune",),
    period="annee",
    targets=("cible_taux",),
    predicts=Predicts.RATE,
    features=(
        Feature(name="x", about=1, known=_days),
        Feature(name="z", about=1, known=_days),
        Feature(name="taux_precedent", about=1, known=_days),
    ),
    weight="habitants",
    size="habitants",
    trains=lambda earlier, predicted: earlier < predicted,
    asked=_days,
    anchor="persistance",
    baselines=(
        Baseline(name="persistance", title=f"As before {HOSTILE}", predict=_as_before),
        Baseline(
            name="moyenne",
            title="The mean",
            predict=_mean,
            learn=lambda training: {"mean": float(training["cible_taux"].mean())},
        ),
    ),
    params={"num_threads": 1, "num_leaves": 7, "min_data_in_leaf": 10, "num_iterations": 40, "learning_rate": 0.1},
    search={
        "num_leaves": Range(low=3, high=15, whole=True),
        "num_iterations": Range(low=10, high=60, whole=True),
    },
)

_NUMBER = Column(name="x", kind=Kind.NUMBER, description=f"Something {HOSTILE}", unit="‰", required=False)
COLUMNS = (
    ANNEE,
    COMMUNE,
    Column(name="code_departement", kind=Kind.TEXT, description="Département"),
    Column(name="habitants", kind=Kind.INTEGER, description="Inhabitants", ge=1),
    _NUMBER,
    _NUMBER.but(name="z", description="Nothing at all"),
    _NUMBER.but(name="taux_precedent", description="The rate a year before", unit="%", ge=0, le=100),
    _NUMBER.but(name="cible_taux", description="Answer: the rate", unit="%", ge=0, le=100),
)


def _none(*frames: Frame, period: str) -> Frame:
    raise AssertionError("made by the test")


PLANTED = Theme(
    name="planted",
    title="Planted",
    owner="team:planted",
    periods=Yearly(first=2000),
    fresh_within=dt.timedelta(days=400),
    datasets=(),
    tables=(
        Table(
            layer=Layer.PLATINUM,
            name="communes",
            description="Features per commune and year",
            columns=COLUMNS,
            key=("code_commune",),
            inputs=(),
            function=_none,
        ),
    ),
    models=(MODEL,),
)
TABLE = PLANTED.tables[0]


def rows_of(year: str, *, signal: float, answers: bool = True, seed: int = 0, noise: float = 2.0) -> pl.DataFrame:
    """200 communes of ten départements; the rate is that of the year before, moved by `signal` times x."""
    draw = np.random.default_rng([seed, int(year)])
    count = 200
    before, x = draw.uniform(20, 80, count), draw.normal(size=count)
    rate = np.clip(before + signal * x + draw.normal(scale=noise, size=count), 0, 100)
    return pl.DataFrame(
        {
            "annee": np.full(count, int(year)),
            "code_commune": [f"{n % 10 + 10:02}{n:03}" for n in range(count)],
            "code_departement": [f"{n % 10 + 10:02}" for n in range(count)],
            "habitants": draw.integers(50, 20_000, count),
            "x": [None if n % 20 == 0 else float(value) for n, value in enumerate(x)],
            "z": draw.normal(size=count),
            "taux_precedent": before,
            "cible_taux": rate if answers else [None] * count,
        },
        schema={
            column.name: {"text": pl.String, "integer": pl.Int64, "number": pl.Float64}[column.kind]
            for column in COLUMNS
        },
        strict=False,
    )


def put(storage: Storage, year: str, rows: pl.DataFrame) -> None:
    """Publishes the platinum table of a year."""
    with stage_rows(storage, PLANTED, TABLE, year, rows.lazy(), []) as staged:
        assert not staged.refused, staged.refused
        publish(storage, staged)
