"""What is told when a table differs from the period before and from the release that it replaces."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elexxion_assets.columns import ANNEE, COMMUNE
from elexxion_assets.declare import Column, Kind, Layer, Table
from elexxion_assets.quality import drift, profile
from elexxion_assets.quality.checks import COVERAGE, DRIFT, VOLUME, CheckResult, judge

COUNT = Column(name="nombre", kind=Kind.INTEGER, description="Things counted", required=False)
CLASS = Column(name="classe", kind=Kind.TEXT, description="Kind of thing", isin=("a", "b", "c"))
TABLE = Table(
    layer=Layer.GOLD,
    name="things",
    description="One row per commune",
    columns=(COMMUNE, ANNEE, CLASS, COUNT),
    key=("code_commune",),
    inputs=(),
    function=lambda: None,  # type: ignore[arg-type, return-value]
)


def rows(number: int = 2000, scale: float = 1.0, first: str = "abc") -> pl.DataFrame:
    codes = [f"{1 + position % 90:02}{100 + position // 90:03}" for position in range(number)]
    counts = [int((position * 7919 % 1000) * scale) for position in range(number)]
    classes = [first[position % len(first)] for position in range(number)]
    frame = pl.DataFrame({"code_commune": codes, "annee": [2020] * number, "classe": classes, "nombre": counts})
    return frame.sort("code_commune")


def profiled(frame: pl.DataFrame) -> dict[str, Any]:
    return judge(TABLE, frame.lazy()).profile


def told(now: pl.DataFrame, before: pl.DataFrame) -> dict[str, CheckResult]:
    return {item.name: item for item in drift.compared(TABLE, profiled(now), profiled(before), None)}


def test_the_same_rows_drift_nowhere() -> None:
    assert all(result.passed for result in told(rows(), rows()).values())


@pytest.mark.parametrize(
    ("now", "check", "words"),
    [
        (rows(1500), VOLUME, "1500"),
        (rows().filter(~pl.col("code_commune").str.starts_with("69")), COVERAGE, "69"),
        (rows(1900), COVERAGE, "100 places in all"),
        (rows(scale=3), DRIFT, "nombre"),
        (rows(first="aab"), DRIFT, "classe"),
        (rows().with_columns(nombre=pl.when(pl.col("nombre") > 300).then("nombre")), DRIFT, "30.1%"),
    ],
)
def test_what_differs_is_said(now: pl.DataFrame, check: str, words: str) -> None:
    result = told(now, rows())[check]
    assert not result.passed
    assert not result.blocking
    assert words in str(result.examples)


def test_small_tables_and_years_are_left_alone() -> None:
    small = told(rows(60, scale=9), rows(100))
    assert small[VOLUME].passed
    assert small[DRIFT].passed
    later = rows().with_columns(annee=pl.lit(2021, dtype=pl.Int64))
    assert told(later, rows())[DRIFT].passed


def test_revisions_say_how_many_values_moved_and_by_how_much() -> None:
    before = rows().with_columns(nombre=pl.lit(100, dtype=pl.Int64))
    here = pl.int_range(pl.len())
    now = before.with_columns(
        nombre=pl.when(here < 200).then(120).when(here < 250).then(101).when(here < 260).then(None).otherwise(100)
    )[:-3]
    result, summary = drift.revisions(TABLE, now.lazy(), before.lazy())
    facts = summary["columns"]["nombre"]
    assert (summary["rows_added"], summary["rows_removed"]) == (0, 3)
    assert (facts["changed"], facts["moved"], facts["appeared"], facts["vanished"]) == (250, 200, 0, 10)
    assert facts["largest_change"] == pytest.approx(0.2)
    assert facts["total_now"] == 200 * 120 + 50 * 101 + (2000 - 260 - 3) * 100
    assert not result.passed
    assert drift.revisions(TABLE, before.lazy(), before.lazy())[0].passed


def test_the_period_before_is_the_one_of_the_same_kind() -> None:
    known = ["2012-presidentielle-t1", "2017-presidentielle-t1", "2017-presidentielle-t2", "2021-regionales-t1"]
    assert drift.period_before(known, "2022-presidentielle-t1") == "2017-presidentielle-t1"
    assert drift.period_before(known, "2012-presidentielle-t1") is None
    assert drift.period_before(["2016", "2017", "2020"], "2019") == "2017"


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(-50, 50) | st.none(), min_size=1, max_size=80))
def test_a_profile_is_bounded_and_right(values: list[int | None]) -> None:
    frame = pl.DataFrame(
        {"code_commune": [f"01{position:03}" for position in range(len(values))], "nombre": values},
        schema={"code_commune": pl.String, "nombre": pl.Int64},
    ).with_columns(annee=pl.lit(2020, dtype=pl.Int64), classe=pl.lit("a"))
    made = profiled(frame.select("code_commune", "annee", "classe", "nombre"))
    facts, known = made["columns"]["nombre"], [value for value in values if value is not None]
    assert made["rows"] == len(values)
    assert facts["nulls"] == len(values) - len(known)
    assert (facts["min"], facts["max"]) == ((min(known), max(known)) if known else (None, None))
    assert facts["quantiles"] == sorted(facts["quantiles"])
    assert len(facts["quantiles"]) in (0, profile.QUANTILES)
    assert profile.psi(facts, facts) in (None, 0.0)
