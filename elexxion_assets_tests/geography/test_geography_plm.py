"""Paris, Lyon and Marseille are counted once."""

from __future__ import annotations

import narwhals as nw
import polars as pl
import pytest

from elexxion_assets.geography import Cog, double_counted, without_double_count
from elexxion_assets.geography.plm import COMMUNE_OF

PARIS = [code for code, commune in COMMUNE_OF.items() if commune == "75056"]


def rows_left(rows: list[tuple[str, int, int]], **options: object) -> set[tuple[str, int]]:
    frame = nw.from_native(pl.LazyFrame(rows, schema=["code_commune", "annee", "emplois"], orient="row"))
    left = without_double_count(frame, "code_commune", **options).collect().to_native()  # type: ignore[arg-type]
    return set(left.select("code_commune", "annee").iter_rows())


def test_the_arrondissements_are_those_of_the_cog() -> None:
    listed = Cog.builtin().subdivisions.filter(pl.col("type") == "ARM")
    assert dict(listed.select("code", "code_commune").iter_rows()) == COMMUNE_OF
    assert len(COMMUNE_OF) == 45


def test_arrondissements_beside_their_commune_are_left_out() -> None:
    rows = [("75056", 2020, 3), ("75101", 2020, 1), ("75102", 2020, 2), ("01001", 2020, 1), ("69381", 2020, 1)]
    assert rows_left(rows) == {("75056", 2020), ("01001", 2020), ("69381", 2020)}


def test_a_double_count_is_one_within_the_same_year_only() -> None:
    rows = [("75056", 2020, 3), ("75101", 2020, 1), ("75101", 2021, 1), ("75102", 2021, 2)]
    assert rows_left(rows, by=["annee"]) == {("75056", 2020), ("75101", 2021), ("75102", 2021)}


def test_the_commune_gives_way_only_to_all_its_arrondissements() -> None:
    whole = [("75056", 2020, 20), *((code, 2020, 1) for code in PARIS)]
    assert rows_left(whole, by=["annee"], keep="arrondissements") == {(code, 2020) for code in PARIS}
    part = whole[:-1]
    assert ("75056", 2020) in rows_left(part, by=["annee"], keep="arrondissements")


def test_a_missing_code_is_no_double_count() -> None:
    frame = pl.DataFrame({"code_commune": [None, "75056", "75101"]}, schema={"code_commune": pl.String})
    marked = nw.from_native(frame).with_columns(double=double_counted("code_commune"))
    assert marked["double"].to_list() == [False, False, True]


@pytest.mark.parametrize("keep", ["communes", "arrondissements"])
def test_a_table_with_both_levels_totals_the_same_as_with_one(keep: str) -> None:
    rows = [("75056", 2020, 20), *((code, 2020, 1) for code in PARIS), ("01001", 2020, 7)]
    frame = nw.from_native(pl.LazyFrame(rows, schema=["code_commune", "annee", "emplois"], orient="row"))
    once = without_double_count(frame, "code_commune", by=["annee"], keep=keep)  # type: ignore[arg-type]
    carried = Cog.builtin().carry(once).collect().to_native()
    totals = carried.group_by("code_commune_cible").agg(pl.col("emplois").sum())
    assert dict(totals.iter_rows()) == {"75056": 20, "01001": 7}
