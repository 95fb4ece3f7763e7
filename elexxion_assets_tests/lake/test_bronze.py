"""Every row of a file is in the bronze of its own period, in the order of the file, whatever tells the period."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import narwhals as nw
import polars as pl
import pyarrow.parquet as pq
import pytest

from elexxion_assets.declare import Frame, TextTable, Yearly
from elexxion_assets.lake import bronze
from elexxion_assets.lake.bronze import NO_PERIOD, split_by_period
from elexxion_assets_tests.toy import TOY, counts

ROWS = 60_000
"""More than those of which each is looked at alone."""

Period = Callable[[TextTable], nw.Expr | str]


def split(folder: Path, frame: pl.LazyFrame, period: Period, rows: int = ROWS) -> dict[str, pl.DataFrame]:
    columns = tuple(name for name in frame.collect_schema() if name != "_line")
    table = TextTable(file="été.csv", columns=columns, header=columns, rows=rows)
    dataset = dataclasses.replace(counts, period=period)
    parts = split_by_period(TOY, dataset, "id", table, frame, folder)
    for part in parts.values():
        told = pq.read_metadata(part).metadata
        assert (told[b"elexxion.delivery"], told[b"elexxion.file"]) == (b"id", "été.csv".encode())
    return {name: pl.read_parquet(part) for name, part in parts.items()}


def rows_of(texts: list[str | None]) -> pl.LazyFrame:
    repeated = [texts[number * 7919 % len(texts)] for number in range(ROWS)]
    return pl.LazyFrame(
        {"code": [f"{n:05}" for n in range(ROWS)], "annee": repeated, "_line": range(2, ROWS + 2)},
        schema_overrides={"annee": pl.String},
    )


def expected(frame: pl.LazyFrame, periods: dict[str | None, str]) -> dict[str, pl.DataFrame]:
    rows = frame.collect().with_columns(p=pl.col("annee").replace_strict(periods, return_dtype=pl.String))
    return {str(key[0]): part.drop("p") for key, part in rows.partition_by("p", as_dict=True).items()}


@pytest.mark.parametrize("remembered", [0, 3, 100_000])
def test_each_row_goes_to_the_period_of_its_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, remembered: int
) -> None:
    monkeypatch.setattr(bronze, "_REMEMBERED", remembered)
    texts: dict[str | None, str] = {
        **{f"{year}": f"{year}" for year in range(2015, 2024)},
        **{f" {year} ": f"{year}" for year in range(2015, 2020)},
        **dict.fromkeys(["20x6", "", "16", "l'an II", None], NO_PERIOD),
    }
    frame = rows_of(list(texts))
    found = split(tmp_path, frame, lambda table: nw.col("annee").str.strip_chars())
    wanted = expected(frame, texts)
    assert found.keys() == wanted.keys()
    for name, rows in wanted.items():
        assert found[name].equals(rows)


@pytest.mark.parametrize("rows", [ROWS, 10])
def test_several_columns_may_tell_the_period(tmp_path: Path, rows: int) -> None:
    frame = pl.LazyFrame(
        {
            "siecle": ["20", "19", None] * (ROWS // 3),
            "an": [f"{n % 100:02}" for n in range(ROWS)],
            "_line": range(ROWS),
        }
    )
    found = split(tmp_path, frame, lambda table: nw.concat_str([nw.col("siecle"), nw.col("an")]), rows)
    assert len(found) == 201
    assert found["2042"]["_line"].to_list() == [n for n in range(ROWS) if n % 3 == 0 and n % 100 == 42]
    assert found[NO_PERIOD].height == ROWS // 3


@pytest.mark.parametrize("period", ["2020", nw.lit("2020"), nw.concat_str([nw.lit("20"), nw.lit("20")])])
def test_the_file_may_tell_one_period_for_all(tmp_path: Path, period: nw.Expr | str) -> None:
    frame = rows_of(["2016", "2017"])
    found = split(tmp_path, frame, lambda table: period)
    assert found.keys() == {"2020"}
    assert found["2020"].equals(frame.collect())


def test_a_period_that_has_no_form_of_one_is_none(tmp_path: Path) -> None:
    frame = rows_of(["2016"])
    assert split(tmp_path, frame, lambda table: "last year").keys() == {NO_PERIOD}


def test_no_row_makes_no_period(tmp_path: Path) -> None:
    def nothing(_dataset: object, rows: Frame, _table: object) -> Frame:
        return rows.filter(nw.col("code") == "nobody")

    frame = rows_of(["2016"])
    table = TextTable(file="x", columns=("code", "annee"), header=("code", "annee"), rows=ROWS)
    for number, period in enumerate(("2020", nw.col("annee"))):
        dataset = dataclasses.replace(counts, period=lambda table, period=period: period, unpivot=nothing)
        folder = tmp_path / str(number)
        folder.mkdir()
        assert split_by_period(TOY, dataset, "id", table, frame, folder) == {}


def test_thousands_of_periods_are_split_as_few_are(tmp_path: Path) -> None:
    days = [str(date(2016, 1, 1) + timedelta(days=n)) for n in range(3000)]
    theme = dataclasses.replace(TOY, periods=Yearly(first=2000, pattern=r"[0-9]{4}-[0-9]{2}-[0-9]{2}"))
    frame = rows_of([*days])
    columns = ("code", "annee")
    table = TextTable(file="x", columns=columns, header=columns, rows=ROWS)
    dataset = dataclasses.replace(counts, period=lambda table: nw.col("annee"))
    parts = split_by_period(theme, dataset, "id", table, frame, tmp_path)
    assert sorted(parts) == days
    read = pl.concat(pl.read_parquet(part).with_columns(annee_=pl.lit(day)) for day, part in parts.items())
    assert read.height == ROWS
    assert (read["annee"] == read["annee_"]).all()
    assert read.sort("_line").drop("annee_").equals(frame.collect())
