"""Features of a year are made of the years before it only, and mean what their names say."""

from __future__ import annotations

import io
from statistics import fmean

import narwhals as nw
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elexxion_assets.declare import Kind, Layer
from elexxion_assets.quality import checks
from elexxion_assets.themes.crime import THEME
from elexxion_assets.themes.crime.platinum import COMMUNES, FEATURES
from elexxion_assets.themes.crime.samples import samples

GOLD = THEME.table(Layer.GOLD, "communes")
TYPES = {
    Kind.TEXT: pl.String,
    Kind.INTEGER: pl.Int64,
    Kind.NUMBER: pl.Float64,
    Kind.BOOLEAN: pl.Boolean,
}
SCHEMA = {column.name: TYPES[column.kind] for column in GOLD.columns}
NAME = "platinum/communes"


def gold(code: str, year: int, **figures: object) -> dict[str, object]:
    """A gold row of 1,000 inhabitants and 500 dwellings."""
    row: dict[str, object] = dict.fromkeys(SCHEMA)
    row |= {name: False for name, dtype in SCHEMA.items() if dtype == pl.Boolean}
    row |= {"code_commune": code, "annee": year, "code_departement": code[:2], "indicateurs_masques": 0}
    return row | {"population": 1000.0, "logements": 500.0} | figures


def features(rows: list[dict[str, object]], year: int) -> dict[str, dict[str, object]]:
    made = COMMUNES.function(nw.from_native(pl.LazyFrame(rows, schema=SCHEMA)), period=str(year))
    table = made.to_native().collect()
    assert table.columns == [column.name for column in COMMUNES.columns]
    return {row["code_commune"]: row for row in table.to_dicts()}


def as_bytes(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.select(FEATURES).write_ipc(buffer)
    return buffer.getvalue()


@pytest.fixture
def built(lake, tmp_path):
    folder = tmp_path / "samples"
    folder.mkdir()
    lake.drop(next(path for path in samples(folder, 7) if "gouv-2024" in path.name and "dep" not in path.name))
    lake.build()
    return lake


def test_features_are_the_same_when_the_year_is_not_known(built):
    before = built.rows(NAME, "2023")
    assert before.height == 17  # the arrondissements of the samples have no row
    assert before["cible_total"].null_count() < before.height
    built.forget("gold/communes", "2023")
    built.forget("gold/communes", "2024")
    built.make(NAME, "2023")
    after = built.rows(NAME, "2023")
    assert as_bytes(after) == as_bytes(before)
    answers = [name for name in after.columns if name not in FEATURES]
    assert answers
    assert all(name.startswith("cible_") for name in answers)
    assert all(after[name].null_count() == after.height for name in answers)


def test_features_are_the_same_whatever_the_year_and_those_long_before_say(built):
    frames = [built.rows("gold/communes", str(year)) for year in range(2018, 2025)]
    rows = pl.concat(frames)
    outside = ~pl.col("annee").is_between(2020, 2022)
    numbers = [name for name, dtype in rows.schema.items() if dtype.is_numeric() and name != "annee"]
    changed = rows.with_columns(
        *(pl.when(outside).then(pl.col(n) * 7 + 3).otherwise(pl.col(n)).alias(n) for n in numbers)
    )
    made = [
        COMMUNES.function(nw.from_native(frame.lazy()), period="2023").to_native().collect().sort("code_commune")
        for frame in (rows, changed)
    ]
    assert as_bytes(made[0]) == as_bytes(made[1])
    assert not made[0]["cible_total"].equals(made[1]["cible_total"])


def test_the_first_year_has_no_row_and_is_built_again_when_an_earlier_one_arrives(lake, tmp_path):
    header = "CODGEO_2024;annee;classe;valeur.publiée;faits;tauxpourmille;POP;LOG"

    def file(*years: int):
        path = tmp_path / f"communes-{years[0]}.csv"
        lines = [f"01004;{year};Vols avec armes;diff;{year};{year};1000;500" for year in years]
        path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
        return path

    lake.drop(file(20, 21))
    lake.build()
    assert lake.rows(NAME, "2020").is_empty()
    assert lake.rows(NAME, "2021")["taux_total_n_1"].to_list() == [20.0]
    lake.drop(file(19))
    built = lake.build()
    assert f"{NAME}/2021" in built
    assert lake.rows(NAME, "2019").is_empty()
    assert lake.rows(NAME, "2020")["taux_total_n_1"].to_list() == [19.0]
    assert lake.rows(NAME, "2021")["taux_total_n_2"].to_list() == [19.0]


def test_a_table_that_may_be_empty_is_not_asked_for_rows():
    assert checks.NOT_EMPTY not in checks.check_names(COMMUNES)
    assert checks.NOT_EMPTY in checks.check_names(GOLD)
    judged = checks.judge(COMMUNES, pl.LazyFrame(schema={c.name: TYPES[c.kind] for c in COMMUNES.columns}))
    assert judged.rows == 0
    assert [result.name for result in judged.results if not result.passed] == []
    judged = checks.judge(GOLD, pl.LazyFrame(schema=SCHEMA))
    assert [result.name for result in judged.results if not result.passed] == [checks.NOT_EMPTY]


def test_lags_are_of_the_years_that_they_name():
    rows = [
        gold("01004", 2020 + i, total=float(t), usage_stupefiants_nombre=float(t), usage_stupefiants_taux=float(t))
        for i, t in enumerate((10, 20, 30, 40))
    ]
    found = features(rows, 2023)["01004"]
    assert [found[f"taux_total_n_{back}"] for back in (1, 2, 3)] == [30, 20, 10]
    assert [found[f"taux_usage_stupefiants_n_{back}"] for back in (1, 2, 3)] == [30, 20, 10]
    assert found["variation_usage_stupefiants_n_1"] == pytest.approx(0.5)
    assert (found["annee"], found["annees_connues"], found["population_n_1"]) == (2023, 3, 1000)
    assert (found["cible_total"], found["cible_taux_total"], found["cible_taux_usage_stupefiants"]) == (40, 40, 40)


def test_a_missing_year_stays_missing():
    rows = [gold("01004", 2020, total=10.0), gold("01004", 2022, total=30.0)]
    found = features(rows, 2023)["01004"]
    assert [found[f"taux_total_n_{back}"] for back in (1, 2, 3)] == [30, None, 10]
    assert found["annees_connues"] == 2
    assert found["indicateurs_masques_n_2"] is None
    assert found["cible_total_est_partiel"] is None
    assert features(rows, 2022) == {}


def test_arrondissements_have_no_row_and_do_not_weigh():
    figures = {"usage_stupefiants_nombre": 10.0, "usage_stupefiants_taux": 10.0}
    alone = features([gold("75056", 2022, **figures)], 2023)
    both = features([gold("75056", 2022, **figures), gold("75101", 2022, est_arrondissement=True)], 2023)
    assert both == alone
    assert alone["75056"]["taux_usage_stupefiants_lisse_n_1"] == 10
    assert alone["75056"]["taux_usage_stupefiants_voisins_n_1"] is None
    assert alone["75056"]["taux_total_voisins_n_1"] is None


def test_two_published_kinds_stand_for_their_total():
    parts = {"violences_physiques_intrafamiliales": 4.0, "violences_physiques_hors_cadre_familial": 6.0}
    known = {f"{part}_{what}": n for part, n in parts.items() for what in ("nombre", "taux")}
    rows = [gold("01004", 2022, **known)]
    assert features(rows, 2023)["01004"]["taux_coups_et_blessures_n_1"] == 10
    rows[0] |= {"violences_physiques_hors_cadre_familial_est_partiel": True}
    assert features(rows, 2023)["01004"]["taux_coups_et_blessures_n_1"] is None


def test_a_floor_is_no_rate_and_no_change():
    rows = [
        gold("01004", year, usage_stupefiants_nombre=10.0, usage_stupefiants_est_partiel=year == 2022)
        for year in (2021, 2022)
    ]
    found = features(rows, 2023)["01004"]
    assert found["variation_usage_stupefiants_n_1"] is None
    assert found["taux_usage_stupefiants_lisse_n_1"] is None


def marshall(counts: list[float], exposures: list[float]) -> list[float]:
    """The estimator, straight from the formula."""
    rates = [y / n for y, n in zip(counts, exposures, strict=True)]
    mean = sum(counts) / sum(exposures)
    spread = sum(n * (r - mean) ** 2 for r, n in zip(rates, exposures, strict=True)) / sum(exposures)
    between = max(0.0, spread - mean / fmean(exposures))
    weights = [between / (between + mean / n) if between else 0.0 for n in exposures]
    return [mean + w * (r - mean) for w, r in zip(weights, rates, strict=True)]


PLACES = st.lists(st.tuples(st.integers(0, 500), st.integers(1, 200_000)), min_size=1, max_size=8)


@settings(max_examples=15, deadline=None)
@given(PLACES)
def test_rates_are_smoothed_towards_the_rate_of_the_departement(places):
    rows = [
        gold(f"01{i:03}", 2022, population=float(n), usage_stupefiants_nombre=float(y))
        for i, (y, n) in enumerate(places, 1)
    ]
    rows.append(gold("01900", 2022))  # secret
    found = features(rows, 2023)
    smoothed = [found[f"01{i:03}"]["taux_usage_stupefiants_lisse_n_1"] for i in range(1, len(places) + 1)]
    expected = marshall([y for y, _ in places], [n / 1000 for _, n in places])
    assert smoothed == pytest.approx(expected, rel=1e-6, abs=2e-6)
    mean = 1000 * sum(y for y, _ in places) / sum(n for _, n in places)
    for value, (y, n) in zip(smoothed, places, strict=True):
        own = 1000 * y / n
        assert min(own, mean) - 1e-5 <= value <= max(own, mean) + 1e-5
    assert found["01900"]["taux_usage_stupefiants_lisse_n_1"] == pytest.approx(mean, rel=1e-6, abs=2e-6)
    assert found["01900"]["taux_usage_stupefiants_n_1"] is None
    assert found["01900"]["taux_usage_stupefiants_voisins_n_1"] == pytest.approx(mean, rel=1e-6, abs=2e-6)


def test_small_communes_are_moved_more_than_large_ones():
    rates = {"01001": (40.0, 1000.0), "01002": (400.0, 10_000.0), "01003": (100.0, 50_000.0), "01004": (10.0, 9000.0)}
    rows = [gold(code, 2022, population=n, usage_stupefiants_nombre=y) for code, (y, n) in rates.items()]
    found = features(rows, 2023)
    small, large = (found[code]["taux_usage_stupefiants_lisse_n_1"] for code in ("01001", "01002"))
    assert small < large < 40


def test_burglaries_are_seen_against_dwellings_and_inside_the_total_against_inhabitants():
    rows = [gold("01001", 2022, cambriolages_logement_nombre=6.0, population=4000.0, logements=2000.0)]
    found = features(rows, 2023)["01001"]
    assert found["taux_cambriolages_logement_lisse_n_1"] == 3
    assert found["taux_total_lisse_n_1"] == 1.5


def test_neighbours_are_the_other_communes_of_the_departement():
    rows = [
        gold("01001", 2022, population=1000.0, usage_stupefiants_nombre=90.0),
        gold("01002", 2022, population=1000.0, usage_stupefiants_nombre=10.0),
        gold("01003", 2022, population=3000.0, usage_stupefiants_nombre=60.0),
        gold("01004", 2022, population=9000.0),
        gold("38001", 2022, population=1000.0, usage_stupefiants_nombre=500.0),
    ]
    found = features(rows, 2023)
    assert found["01001"]["taux_usage_stupefiants_voisins_n_1"] == 70 / 4
    assert found["01001"]["taux_total_voisins_n_1"] == 70 / 4
    assert found["01004"]["taux_usage_stupefiants_voisins_n_1"] == 160 / 5
    assert found["38001"]["taux_usage_stupefiants_voisins_n_1"] is None


def test_the_smoothed_total_adds_up_what_is_published_somewhere():
    rows = [
        gold("01001", 2022, usage_stupefiants_nombre=20.0),
        gold("01002", 2022, usage_stupefiants_nombre=20.0),
        gold("38001", 2022, usage_stupefiants_nombre=20.0, trafic_stupefiants_nombre=5.0),
    ]
    found = features(rows, 2023)
    # Nobody in 01 has a published count of trafficking: the rate of all communes stands for it, no neighbour does.
    assert found["01001"]["taux_total_lisse_n_1"] == 25
    assert found["01001"]["taux_total_voisins_n_1"] is None
    assert found["01001"]["taux_usage_stupefiants_voisins_n_1"] == 20


def test_a_commune_without_inhabitants_has_no_rate_of_its_own():
    rows = [
        gold("55039", 2022, population=0.0, total=0.0, usage_stupefiants_nombre=0.0),
        gold("55001", 2022, usage_stupefiants_nombre=20.0),
    ]
    found = features(rows, 2023)["55039"]
    assert found["taux_total_n_1"] is None
    assert found["taux_usage_stupefiants_lisse_n_1"] == 20
