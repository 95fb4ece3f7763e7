"""Features of a year are made of the years before it only, and mean what their names say."""

from __future__ import annotations

import io

import narwhals as nw
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elexxion_assets.declare import Layer
from elexxion_assets.lake import layout
from elexxion_assets.lake.build import empty_frame, publish, stage
from elexxion_assets.themes import all_themes
from elexxion_assets.themes.emploi import THEME
from elexxion_assets.themes.emploi.platinum import COMMUNES, FEATURES
from elexxion_assets.themes.emploi.samples import samples

GOLD = THEME.table(Layer.GOLD, "communes")
SCHEMA = empty_frame(GOLD.columns).collect_schema()
ANSWERS = [column.name for column in COMMUNES.columns if column.name not in FEATURES]


def gold(code: str, year: int, **figures: object) -> dict[str, object]:
    """A gold row of 1,000 active persons among 2,000, with job seekers at the end of the year."""
    row: dict[str, object] = dict.fromkeys(SCHEMA)
    row |= {"code_commune": code, "annee": year, "population_15_64": 2000.0, "actifs_15_64": 1000.0}
    row |= {"demandeurs_emploi_date": f"{year}-T4", "demandeurs_emploi_a_est_secret": False}
    return row | {"demandeurs_emploi_abc_est_secret": False} | figures


def make(rows: pl.DataFrame, year: int) -> pl.DataFrame:
    made = COMMUNES.function(nw.from_native(rows.lazy()), period=str(year)).to_native().collect()
    assert made.columns == [column.name for column in COMMUNES.columns]
    return made.sort("code_commune")


def features(rows: list[dict[str, object]], year: int) -> dict[str, dict[str, object]]:
    return {row["code_commune"]: row for row in make(pl.DataFrame(rows, schema=SCHEMA), year).to_dicts()}


def as_bytes(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.select(FEATURES).write_ipc(buffer)
    return buffer.getvalue()


def test_features_are_the_same_when_the_year_is_not_known(lake, tmp_path):
    for path in samples(tmp_path, 7):
        lake.drop(path.name, path)
    lake.build()
    assert lake.failed == []
    before = lake.rows(Layer.PLATINUM, "communes", "2020")
    assert before["annees_connues"].to_list() == [3] * before.height
    assert before["cible_demandeurs_emploi_abc"].null_count() < before.height
    assert before["variation_demandeurs_emploi_abc_n_1"].null_count() < before.height
    for year in ("2020", "2021", "2022", "2023"):
        lake.storage.delete(layout.table_key("emploi", Layer.GOLD, "communes", year))
        lake.storage.delete(layout.table_document_key("emploi", Layer.GOLD, "communes", year))
    with stage(lake.storage, lake.ledger, all_themes(), THEME, COMMUNES, "2020") as staged:
        publish(lake.storage, staged)
    after = lake.rows(Layer.PLATINUM, "communes", "2020")
    assert as_bytes(after) == as_bytes(before)
    assert ANSWERS
    assert all(name.startswith("cible_") for name in ANSWERS)
    assert all(after[name].null_count() == after.height for name in ANSWERS)


YEARS = st.lists(st.floats(1, 1e5), min_size=14, max_size=14)


@settings(max_examples=8, deadline=None)
@given(YEARS)
def test_features_are_the_same_whatever_the_year_and_those_long_before_say(figures):
    rows = pl.DataFrame(
        [
            gold(code, 2015 + i, **dict.fromkeys(("demandeurs_emploi_a", "chomeurs_15_64", "revenu_median"), value))
            for n, code in enumerate(("01001", "01004"))
            for i, value in enumerate(figures[7 * n : 7 * n + 7])
        ],
        schema=SCHEMA,
    )
    outside = ~pl.col("annee").is_between(2017, 2019)
    numbers = [name for name, dtype in rows.schema.items() if dtype.is_numeric() and name != "annee"]
    changed = rows.with_columns(
        *(pl.when(outside).then(pl.col(name) * 7 + 3).otherwise(pl.col(name)).alias(name) for name in numbers)
    )
    assert as_bytes(make(rows, 2020)) == as_bytes(make(changed, 2020))
    assert not make(rows, 2020).select(ANSWERS).equals(make(changed, 2020).select(ANSWERS))


def test_features_are_the_same_in_whatever_order_the_communes_are_added_up():
    places = [
        gold(
            f"01{n:03}",
            2022,
            actifs_15_64=n / 7,
            population_15_64=n / 3,
            chomeurs_15_64=n / 97 + n % 11,
            revenu_median=2e4 + n / 9,
        )
        for n in range(1, 400)
    ]
    rows = pl.DataFrame(places, schema=SCHEMA)
    assert as_bytes(make(rows, 2023)) == as_bytes(make(rows.reverse(), 2023))


def test_lags_are_of_the_years_that_they_name():
    rows = [gold("01004", 2020 + i, demandeurs_emploi_a=float(n)) for i, n in enumerate((10, 20, 30, 40))]
    found = features(rows, 2023)["01004"]
    assert [found[f"demandeurs_emploi_a_n_{back}"] for back in (1, 2, 3)] == [30, 20, 10]
    assert [found[f"taux_demandeurs_a_n_{back}"] for back in (1, 2, 3)] == [30, 20, 10]
    assert [found[f"variation_demandeurs_emploi_a_n_{back}"] for back in (1, 2)] == [0.5, 1]
    assert (found["annee"], found["annees_connues"], found["code_departement"]) == (2023, 3, "01")
    assert found["cible_demandeurs_emploi_a"] == 40


def test_a_missing_year_stays_missing_and_the_first_has_no_row():
    rows = [gold("97411", 2020, demandeurs_emploi_a=10.0), gold("97411", 2022, demandeurs_emploi_a=30.0)]
    found = features(rows, 2023)["97411"]
    assert [found[f"demandeurs_emploi_a_n_{back}"] for back in (1, 2, 3)] == [30, None, 10]
    assert (found["annees_connues"], found["code_departement"]) == (2, "974")
    assert found["variation_demandeurs_emploi_a_n_1"] is None
    assert features(rows, 2022) == {}
    assert features(rows, 2020) == {}


def test_a_floor_is_no_number_and_the_departement_stands_for_it():
    rows = [
        gold("01001", 2022, demandeurs_emploi_a=10.0, demandeurs_emploi_a_est_secret=True),
        gold("01004", 2022, demandeurs_emploi_a=80.0),
        gold("01001", 2023, demandeurs_emploi_a=10.0, demandeurs_emploi_a_est_secret=True),
    ]
    found = features(rows, 2023)["01001"]
    assert found["demandeurs_emploi_a_n_1"] is None
    assert found["taux_demandeurs_a_lisse_n_1"] == 80
    assert found["cible_demandeurs_emploi_a"] is None


def test_job_seekers_of_different_seasons_are_not_compared():
    rows = [gold("01004", year, demandeurs_emploi_a=10.0) for year in (2020, 2021, 2022)]
    rows[2]["demandeurs_emploi_date"] = "2022-T2"
    found = features(rows, 2023)["01004"]
    assert (found["variation_demandeurs_emploi_a_n_1"], found["variation_demandeurs_emploi_a_n_2"]) == (None, 0)


def test_what_gold_carries_is_no_answer_and_no_change():
    carried = {"taux_chomage_recensement": 8.0, "taux_chomage_recensement_annee": 2021, "filosofi_annee": 2021}
    rows = [gold("01004", year, revenu_median=21_000.0, **carried) for year in (2021, 2022)]
    rows.insert(0, gold("01004", 2020, revenu_median=20_000.0, filosofi_annee=2020))
    of_2021, of_2022, of_2023 = (features(rows, year)["01004"] for year in (2021, 2022, 2023))
    assert (of_2021["cible_revenu_median"], of_2021["cible_taux_chomage_recensement"]) == (21_000, 8)
    assert (of_2022["cible_revenu_median"], of_2022["cible_taux_chomage_recensement"]) == (None, None)
    assert of_2022["variation_revenu_median_n_1"] == pytest.approx(0.05)
    assert of_2023["variation_revenu_median_n_1"] is None
    assert (of_2022["filosofi_age_n_1"], of_2023["filosofi_age_n_1"], of_2023["recensement_age_n_1"]) == (1, 2, 2)


def test_neighbours_are_the_other_communes_of_the_departement_by_weight():
    def place(code: str, people: float, seekers: float, unemployed: float, income: float) -> dict[str, object]:
        figures = {"demandeurs_emploi_abc": seekers, "chomeurs_15_64": unemployed, "revenu_median": income}
        return gold(code, 2022, population_15_64=2 * people, actifs_15_64=people, **figures)

    rows = [
        place("01001", 1000.0, 90.0, 50.0, 30_000.0),
        place("01002", 1000.0, 10.0, 100.0, 20_000.0),
        place("01003", 3000.0, 60.0, 100.0, 24_000.0),
        place("38001", 1000.0, 500.0, 10.0, 10_000.0),
    ]
    found = features(rows, 2023)
    assert found["01001"]["taux_demandeurs_abc_voisins_n_1"] == 70 / 4
    assert found["01001"]["taux_chomage_recensement_voisins_n_1"] == 5
    assert found["01001"]["revenu_median_voisins_n_1"] == 23_000
    assert found["38001"]["revenu_median_voisins_n_1"] is None


def test_small_communes_are_moved_more_than_large_ones():
    places = {"01001": (10.0, 100.0), "01002": (1000.0, 10_000.0), "01003": (1000.0, 50_000.0), "01004": (90.0, 9000.0)}
    rows = [gold(code, 2022, chomeurs_15_64=y, actifs_15_64=n) for code, (y, n) in places.items()]
    found = features(rows, 2023)
    small, large = (found[code]["taux_chomage_recensement_lisse_n_1"] for code in ("01001", "01002"))
    mean = 100 * sum(y for y, _ in places.values()) / sum(n for _, n in places.values())
    assert mean < small < large < 10
