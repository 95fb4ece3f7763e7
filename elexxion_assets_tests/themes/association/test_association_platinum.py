"""Features of a year are made of the years before it only, and mean what their names say."""

from __future__ import annotations

import io
from datetime import date
from pathlib import Path
from typing import Any

import narwhals as nw
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from elexxion_assets.declare import Layer
from elexxion_assets.lake import layout
from elexxion_assets.lake.build import empty_frame
from elexxion_assets.synthetic import PREFIX
from elexxion_assets.themes.association import THEME
from elexxion_assets.themes.association.platinum import COMMUNES, FEATURES
from elexxion_assets.themes.association.samples import places, write_register
from elexxion_assets_tests.themes.association.conftest import Lake

GOLD = THEME.table(Layer.GOLD, "communes")
SCHEMA = empty_frame(GOLD.columns).collect_schema()
ANSWERS = [column.name for column in COMMUNES.columns if column.name not in FEATURES]


def gold(code: str, year: int, **figures: float) -> dict[str, Any]:
    """A gold row of 1,000 associations, none created or dissolved."""
    row = {name: 0.0 if dtype == pl.Float64 else None for name, dtype in SCHEMA.items()}
    row |= {"code_commune": code, "annee": year, "connu_jusqu_au": date(year, 12, 31)}
    return row | {"stock": 1000.0} | figures


def make(rows: pl.DataFrame, year: int) -> pl.DataFrame:
    made = COMMUNES.function(nw.from_native(rows.lazy()), period=str(year)).to_native().collect()
    assert made.columns == [column.name for column in COMMUNES.columns]
    return made.sort("code_commune")


def features(rows: list[dict[str, Any]], year: int) -> dict[str, dict[str, Any]]:
    return {row["code_commune"]: row for row in make(pl.DataFrame(rows, schema=SCHEMA), year).to_dicts()}


def as_bytes(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.select(FEATURES).write_ipc(buffer)
    return buffer.getvalue()


def test_features_are_the_same_when_the_year_is_not_known(lake: Lake, tmp_path: Path) -> None:
    ain = [place for place in places() if place.departement == "01"][:20]
    # A register of 1 January tells the year before.
    for year in (2022, 2023, 2024, 2025):
        file = tmp_path / f"{PREFIX}rna_waldec_{year}0101.zip"
        write_register(file, 100 * (year - 2019), year, snapshot=date(year, 1, 1), where=ain)
        lake.take(file)
        lake.registre(str(year - 1))
        lake.build(Layer.GOLD, "communes", str(year - 1))
    before, staged = lake.build(Layer.PLATINUM, "communes", "2024")
    assert [result.name for result in staged.results if not result.passed] == []
    assert before["annees_connues"].max() == 3
    assert before["cible_stock"].null_count() < before.height
    lake.storage.delete(layout.table_key("association", Layer.GOLD, "communes", "2024"))
    lake.storage.delete(layout.table_document_key("association", Layer.GOLD, "communes", "2024"))
    after, _ = lake.build(Layer.PLATINUM, "communes", "2024")
    assert as_bytes(after) == as_bytes(before)
    assert ANSWERS
    assert all(name.startswith("cible_") for name in ANSWERS)
    assert all(after[name].null_count() == after.height for name in ANSWERS)


def test_the_first_year_has_no_row_and_that_is_right(lake: Lake, tmp_path: Path) -> None:
    file = tmp_path / f"{PREFIX}rna_waldec_20250101.zip"
    write_register(file, 50, 7, where=places()[:5])
    lake.take(file)
    lake.registre("2024")
    lake.build(Layer.GOLD, "communes", "2024")
    first, staged = lake.build(Layer.PLATINUM, "communes", "2024")
    assert first.is_empty()
    assert not staged.refused


FIGURES = st.lists(st.floats(1, 1e5), min_size=14, max_size=14)


@settings(max_examples=8, deadline=None)
@given(FIGURES)
def test_features_are_the_same_whatever_the_year_and_those_long_before_say(figures: list[float]) -> None:
    rows = pl.DataFrame(
        [
            gold(code, 2015 + i, stock=3 * value, creations=value, dissolutions=value / 2)
            for n, code in enumerate(("01001", "01004"))
            for i, value in enumerate(figures[7 * n : 7 * n + 7])
        ],
        schema=SCHEMA,
    )
    outside = ~pl.col("annee").is_between(2017, 2019)
    numbers = [name for name, dtype in rows.schema.items() if dtype == pl.Float64]
    changed = rows.with_columns(
        *(pl.when(outside).then(pl.col(name) * 7 + 3).otherwise(pl.col(name)).alias(name) for name in numbers)
    )
    assert as_bytes(make(rows, 2020)) == as_bytes(make(changed, 2020))
    assert not make(rows, 2020).select(ANSWERS).equals(make(changed, 2020).select(ANSWERS))


def test_features_are_the_same_in_whatever_order_the_communes_are_added_up() -> None:
    places = [
        gold(f"01{n:03}", 2022, stock=n / 7, creations=n / 97 + n % 11, dissolutions=n / 89) for n in range(1, 400)
    ]
    rows = pl.DataFrame(places, schema=SCHEMA)
    assert as_bytes(make(rows, 2023)) == as_bytes(make(rows.reverse(), 2023))


def test_lags_are_of_the_years_that_they_name() -> None:
    rows = [
        gold("97411", 2020 + i, stock=100.0 * n, creations=float(n), dissolutions=2.0 * n)
        for i, n in enumerate((10, 20, 30, 40))
    ]
    found = features(rows, 2023)["97411"]
    assert [found[f"stock_n_{back}"] for back in (1, 2, 3)] == [3000, 2000, 1000]
    assert [found[f"creations_n_{back}"] for back in (1, 2, 3)] == [30, 20, 10]
    assert [found[f"variation_stock_n_{back}"] for back in (1, 2)] == [0.5, 1]
    assert (found["taux_creation_n_1"], found["taux_dissolution_n_1"]) == (10, 20)
    assert (found["annee"], found["annees_connues"], found["code_departement"]) == (2023, 3, "974")
    assert found["connu_jusqu_au_n_1"] == date(2022, 12, 31)
    assert (found["cible_stock"], found["cible_creations"], found["cible_taux_dissolution"]) == (4000, 40, 20)
    assert found["cible_connu_jusqu_au"] == date(2023, 12, 31)


def test_a_missing_year_stays_missing() -> None:
    rows = [gold("01004", 2020, creations=10.0), gold("01004", 2022, creations=30.0)]
    found = features(rows, 2023)["01004"]
    assert [found[f"creations_n_{back}"] for back in (1, 2, 3)] == [30, None, 10]
    assert found["annees_connues"] == 2
    assert (found["variation_creations_n_1"], found["cible_creations"]) == (None, None)
    assert features(rows, 2022) == {}


def test_neighbours_are_the_other_communes_of_the_departement_weighted_by_stock() -> None:
    rows = [
        gold("01001", 2022, creations=90.0),
        gold("01002", 2022, creations=10.0),
        gold("01003", 2022, stock=3000.0, creations=60.0),
        gold("38001", 2022, creations=500.0),
    ]
    found = features(rows, 2023)
    assert found["01001"]["taux_creation_voisins_n_1"] == 70 / 4
    assert found["38001"]["taux_creation_voisins_n_1"] is None


def test_small_communes_are_moved_more_than_large_ones() -> None:
    figures = {"01001": (4.0, 40.0), "01002": (400.0, 4000.0), "01003": (100.0, 9000.0), "01004": (50.0, 9000.0)}
    rows = [gold(code, 2022, creations=y, stock=n) for code, (y, n) in figures.items()]
    found = features(rows, 2023)
    small, large = (found[code]["taux_creation_lisse_n_1"] for code in ("01001", "01002"))
    assert 25 < small < large < 100


def test_a_commune_without_associations_has_the_rate_of_its_departement() -> None:
    rows = [gold("01001", 2022, stock=0.0, dissolutions=1.0), gold("01002", 2022, dissolutions=20.0)]
    found = features(rows, 2023)["01001"]
    assert (found["taux_dissolution_n_1"], found["taux_dissolution_lisse_n_1"]) == (None, 20)
