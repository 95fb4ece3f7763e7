"""What a table prepares of each period alone: once for all the periods that read it, and anew when it changes."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import narwhals as nw
import polars as pl
import pytest

from elexxion_assets.declare import Frame, Theme
from elexxion_assets.lake import build
from elexxion_assets.lake.storage import DirectoryStorage
from elexxion_assets_tests.small_lake import SmallLake
from elexxion_assets_tests.toy import TOY, csv

FACTS, SUMS = TOY.tables


class Preparing:
    """The toy theme, whose sums are made of the counts of each year in thousands; it notes what it works out."""

    def __init__(self) -> None:
        self.years: list[int] = []
        table = dataclasses.replace(SUMS, prepared=self.prepared)
        self.theme: Theme = dataclasses.replace(TOY, tables=(FACTS, table))

    def prepared(self, rows: Frame) -> Frame:
        def thousands(frame: pl.DataFrame) -> pl.DataFrame:
            self.years += frame["annee"].unique().to_list()
            return frame.with_columns(pl.col("nombre") * 1000)

        native: pl.LazyFrame = rows.select("code_commune", "annee", "nombre").to_native()
        return nw.from_native(native.map_batches(thousands, schema=native.collect_schema()))


@pytest.fixture
def preparing() -> Preparing:
    return Preparing()


@pytest.fixture
def lake(preparing: Preparing, tmp_path: Path) -> SmallLake:
    return SmallLake(DirectoryStorage(tmp_path / "lake"), {"toy": preparing.theme})


def totals(lake: SmallLake, *years: int) -> list[list[int]]:
    return [lake.rows("toy/gold/sums", str(year))["total"].to_list() for year in years]


def test_each_year_is_prepared_once_for_all_that_look_back_on_it(lake: SmallLake, preparing: Preparing) -> None:
    lake.drop("counts.csv", csv("01001;2001;1", "01001;2002;2", "01001;2003;3", "01001;2004;4"))
    lake.build()
    assert preparing.years == [2001, 2002, 2003, 2004]
    assert totals(lake, 2001, 2002, 2003, 2004) == [[1000], [3000], [5000], [7000]]


def test_a_year_that_changed_is_prepared_again(lake: SmallLake, preparing: Preparing) -> None:
    lake.drop("counts.csv", csv("01001;2001;1", "01001;2002;2"), release="1")
    lake.build()
    lake.drop("newer.csv", csv("01001;2001;5", "01001;2002;2"), release="2")
    lake.build()
    assert totals(lake, 2001, 2002) == [[5000], [7000]]


def test_no_more_is_kept_than_one_build_reads(lake: SmallLake) -> None:
    lake.drop("counts.csv", csv(*(f"01001;{year};1" for year in range(2001, 2010))))
    lake.build()
    kept = list(Path(build._shared().name).glob("toy-gold-sums-*"))
    assert len(kept) == SUMS.lookback + 1


def test_two_lakes_of_one_process_do_not_mix(lake: SmallLake, tmp_path: Path) -> None:
    other = SmallLake(DirectoryStorage(tmp_path / "other"), lake.themes)
    for place, count in ((lake, 1), (other, 2)):
        place.drop("counts.csv", csv(f"01001;2001;{count}"))
        place.build()
    assert (totals(lake, 2001), totals(other, 2001)) == ([[1000]], [[2000]])


def test_a_table_of_datasets_or_of_several_tables_cannot_be_prepared(preparing: Preparing) -> None:
    with pytest.raises(ValueError, match=r"silver/facts: only what is made of one table"):
        dataclasses.replace(FACTS, prepared=preparing.prepared)
    with pytest.raises(ValueError, match=r"gold/sums: only what is made of one table"):
        dataclasses.replace(SUMS, inputs=("silver/facts", "silver/facts"), prepared=preparing.prepared)
