"""Every row of every file is somewhere, and coverage says so loudly when one is not."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from elexxion_assets.declare import Layer
from elexxion_assets.lake import layout
from elexxion_assets_tests.toy import THEMES, csv
from elexxion_assets_tests.trial import Lake

SILVER = layout.table_key("toy", Layer.SILVER, "facts", "2020")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake", THEMES)


def test_rows_are_in_silver_or_in_quarantine_by_reason(lake: Lake) -> None:
    good = [f"01{number};2020;1" for number in range(100, 140)]
    lake.drop("a.csv", csv(*good, "01002;2020;-5", "01003;2020;many", "01003;2020;more", "01004;1066;1", good[0]))
    lake.build()
    [found] = lake.coverage()
    assert (found.rows, found.silver, found.missing, found.problems) == (45, 40, 0, [])
    assert found.quarantined == {
        "nombre: « … » is not a whole number": 2,
        "nombre: « … » is below 0": 1,
        "code_commune, annee: the same as in line … of the file": 1,
        "1066 is outside the years 2000 to 2100": 1,
    }
    assert found.as_json()["missing"] == 0


def test_rows_of_an_older_release_are_told_from_those_of_a_later_file_of_the_same(lake: Lake) -> None:
    older = lake.drop("older.csv", csv("01001;2020;1", "01002;2020;2"), release="1")
    first = lake.drop("first.csv", csv("01001;2020;3", "01002;2020;-4"), release="2")
    second = lake.drop("second.csv", csv("01001;2020;5", "01003;2020;6"), release="2")
    lake.build()
    assert [one.problems for one in lake.coverage()] == [[], [], []]
    assert [(one.silver, one.older) for one in lake.coverage(older)] == [(0, 2)]
    assert [(one.silver, one.told_elsewhere, len(one.quarantined)) for one in lake.coverage(first)] == [(0, 1, 1)]
    assert [(one.silver, one.told_elsewhere) for one in lake.coverage(second)] == [(2, 0)]


def test_a_row_that_is_lost_is_a_problem_in_words(lake: Lake) -> None:
    lake.drop("a.csv", csv("01001;2020;1", "01002;2020;2", "01003;2020;3"))
    lake.build()
    with lake.storage.local(SILVER) as file:
        pl.read_parquet(file).head(2).write_parquet(file)
    [found] = lake.coverage()
    assert found.missing == 1
    assert found.problems == ["1 rows are nowhere"]


def test_what_is_not_built_or_whose_bronze_is_gone_is_a_problem(lake: Lake) -> None:
    delivery = lake.drop("a.csv", csv("01001;2020;1"))
    [found] = lake.coverage()
    assert "`elexxion run` builds it" in found.problems[0]
    lake.build()
    assert lake.coverage()[0].problems == []
    lake.storage.delete(layout.bronze_key("toy", "counts", "2020", delivery.id))
    assert "bronze has 0 rows, 1 were read" in lake.coverage()[0].problems[0]


def test_a_refused_file_is_listed_with_its_reason(lake: Lake) -> None:
    lake.drop("notes.csv", b"colour;taste\nred;sweet\nblue;sour\n")
    [found] = lake.coverage()
    assert (found.dataset, found.rows, found.problems) == ("", 0, [])
    assert "colour" in found.refusals[0]
