"""Gold adds every fact up once, leaves secrets secret, and compares like with like."""

from __future__ import annotations

import narwhals as nw
import polars as pl
import pytest

from elexxion_assets.declare import Layer
from elexxion_assets.themes.crime import THEME

SILVER = {
    "code_commune": pl.String,
    "annee": pl.Int64,
    "indicateur": pl.String,
    "nombre": pl.Int64,
    "taux_pour_mille": pl.Float64,
    "est_diffuse": pl.Boolean,
    "population": pl.Int64,
    "logements": pl.Float64,
    "code_departement": pl.String,
    "geographie": pl.String,
    "code_commune_cible": pl.String,
    "part": pl.Float64,
}


def rows(*facts: tuple[str, int, str, int | None], population: int | None = 1000) -> pl.LazyFrame:
    """Silver rows of (commune, year, indicator, number)."""
    return pl.LazyFrame(
        [
            (code, year, indicator, number, number, number is not None, population, 500.0, code[:2], "2025", code, 1.0)
            for code, year, indicator, number in facts
        ],
        schema=SILVER,
        orient="row",
        strict=False,
    )


def gold(silver: pl.LazyFrame, year: int) -> dict[str, dict]:
    table = THEME.table(Layer.GOLD, "communes")
    made = table.of_rows(nw.from_native(silver), period=str(year)).to_native().collect()
    assert made.columns == [column.name for column in table.columns]
    return {row["code_commune"]: row for row in made.to_dicts()}


def broken(name: str, layer: Layer, table: str, frame: pl.LazyFrame) -> list[bool]:
    rule = next(rule for rule in THEME.table(layer, table).rules if rule.name == name)
    found = nw.from_native(frame).select(rule.broken.alias("broken")).to_native().collect()["broken"]
    return [bool(value) for value in found]


def test_a_total_and_its_parts_are_counted_once():
    found = gold(
        rows(
            ("01004", 2023, "coups_et_blessures", 30),
            ("01004", 2023, "violences_physiques_intrafamiliales", 20),
            ("01004", 2023, "violences_physiques_hors_cadre_familial", 10),
            ("01004", 2023, "usage_stupefiants", 9),
            ("01004", 2023, "usage_stupefiants_afd", 7),
            ("01004", 2023, "vols_avec_armes", 0),
        ),
        2023,
    )["01004"]
    assert found["total"] == 39
    assert not found["total_est_partiel"]
    assert found["indicateurs_masques"] == 0
    assert found["vols_avec_armes_nombre"] == 0
    assert found["usage_stupefiants_afd_nombre"] == 7


def test_without_the_total_its_parts_are_added_up():
    found = gold(
        rows(
            ("01004", 2025, "violences_physiques_intrafamiliales", 20),
            ("01004", 2025, "violences_physiques_hors_cadre_familial", 10),
        ),
        2025,
    )["01004"]
    assert found["total"] == 30
    assert not found["total_est_partiel"]
    assert found["coups_et_blessures_nombre"] is None


def test_masked_figures_stay_null_and_make_the_total_a_floor():
    found = gold(
        rows(
            ("01004", 2025, "violences_sexuelles", 8),
            ("01004", 2025, "vols_avec_armes", None),
            ("01004", 2025, "violences_physiques_intrafamiliales", 20),
            ("01004", 2025, "violences_physiques_hors_cadre_familial", None),
            ("01004", 2025, "usage_stupefiants", None),
            ("01004", 2025, "usage_stupefiants_afd", 6),
            ("75056", 2025, "vols_avec_armes", 393),
            ("2A249", 2025, "vols_avec_armes", None),
        ),
        2025,
    )
    assert found["01004"]["vols_avec_armes_nombre"] is None
    assert found["01004"]["total"] == 8 + 20 + 6
    assert found["01004"]["total_est_partiel"]
    assert found["01004"]["indicateurs_masques"] == 3
    assert found["2A249"]["total"] is None
    assert found["2A249"]["total_est_partiel"]


def test_an_indicator_that_a_partial_file_leaves_out_makes_the_total_a_floor_but_is_not_called_masked():
    found = gold(
        rows(
            ("01004", 2023, "vols_avec_armes", 6),
            ("01004", 2023, "violences_sexuelles", 7),
            ("01033", 2023, "violences_sexuelles", 9),
        ),
        2023,
    )
    assert not found["01004"]["total_est_partiel"]
    assert found["01033"]["total_est_partiel"]
    assert found["01033"]["indicateurs_masques"] == 0


def test_change_and_mean_over_three_years():
    facts = [("01004", 2021 + i, "vols_avec_armes", n) for i, n in enumerate((10, 20, 30))]
    found = gold(rows(*facts), 2023)["01004"]
    assert found["total_variation_1_an"] == pytest.approx(0.5)
    assert found["total_moyenne_3_ans"] == pytest.approx(20)
    assert found["population_variation_1_an"] == 0
    assert found["population_moyenne_3_ans"] == 1000
    first = gold(rows(facts[0]), 2021)["01004"]
    assert first["total_variation_1_an"] is None
    assert first["total_moyenne_3_ans"] is None


def test_an_indicator_that_becomes_secret_is_not_a_fall():
    found = gold(
        rows(
            ("01004", 2022, "vols_avec_armes", 10),
            ("01004", 2022, "violences_sexuelles", 10),
            ("01004", 2023, "vols_avec_armes", None),
            ("01004", 2023, "violences_sexuelles", 10),
        ),
        2023,
    )["01004"]
    assert found["total"] == 10
    assert found["total_variation_1_an"] is None


def test_a_gap_in_the_years_is_not_a_year():
    found = gold(rows(("01004", 2020, "vols_avec_armes", 10), ("01004", 2023, "vols_avec_armes", 20)), 2023)["01004"]
    assert found["total_variation_1_an"] is None


def test_a_rise_from_nothing_has_no_ratio_and_a_place_that_is_gone_no_row():
    found = gold(
        rows(
            ("01004", 2022, "vols_avec_armes", 0),
            ("01004", 2023, "vols_avec_armes", 8),
            ("01005", 2022, "vols_avec_armes", 8),
        ),
        2023,
    )
    assert found["01004"]["total_variation_1_an"] is None
    assert set(found) == {"01004"}


def test_arrondissements_are_marked():
    found = gold(rows(*((c, 2023, "vols_avec_armes", 8) for c in ("75056", "75101", "69389", "13216", "13217"))), 2023)
    assert {code for code, row in found.items() if row["est_arrondissement"]} == {"75101", "69389", "13216"}


def test_rates_are_checked_against_inhabitants_or_dwellings():
    frame = pl.LazyFrame(
        [
            ("vols_avec_armes", 10, 10.0, 1000, 500.0, True),
            ("vols_avec_armes", 10, 20.0, 1000, 500.0, True),
            ("cambriolages_logement", 10, 20.0, 1000, 500.0, True),
            ("cambriolages_logement", 10, 10.0, 1000, 500.0, True),
            ("cambriolages_logement", 10, 10.0, 1000, None, True),
            ("vols_avec_armes", 0, None, 0, 0.0, True),
            ("vols_avec_armes", 0, 1.0, 0, 0.0, True),
            ("homicides", 1, 0.0078318, 127684, None, True),
        ],
        schema=["indicateur", "nombre", "taux_pour_mille", "population", "logements", "est_diffuse"],
        orient="row",
    )
    expected = [False, True, False, True, False, False, False, False]
    assert broken("taux_coherent", Layer.SILVER, "communale", frame) == expected


def test_secrets_with_figures_and_figures_without_number_are_seen():
    frame = pl.LazyFrame(
        [(None, None, False), (7, None, False), (None, 0.7, False), (7, 0.7, True), (None, None, True)],
        schema={"nombre": pl.Int64, "taux_pour_mille": pl.Float64, "est_diffuse": pl.Boolean},
        orient="row",
    )
    assert broken("secret_sans_nombre", Layer.SILVER, "communale", frame) == [False, True, True, False, False]
    assert broken("diffuse_avec_nombre", Layer.SILVER, "communale", frame) == [False, False, False, False, True]


def test_gold_rules_compare_totals_with_parts():
    silver = rows(
        ("01004", 2023, "coups_et_blessures", 30),
        ("01004", 2023, "violences_physiques_intrafamiliales", 20),
        ("01004", 2023, "violences_physiques_hors_cadre_familial", 11),
        ("01004", 2023, "usage_stupefiants", 5),
        ("01004", 2023, "usage_stupefiants_afd", 6),
    )
    table = THEME.table(Layer.GOLD, "communes")
    frame = table.of_rows(nw.from_native(silver), period="2023").to_native()
    assert broken("coups_et_blessures_somme", Layer.GOLD, "communes", frame) == [True]
    assert broken("usage_stupefiants_contient_afd", Layer.GOLD, "communes", frame) == [True]


@pytest.mark.parametrize("table", THEME.tables, ids=lambda table: f"{table.layer}/{table.name}")
def test_columns_are_unique_described_and_hold_the_key(table):
    names = [column.name for column in table.columns]
    assert len(names) == len(set(names))
    assert set(table.key) <= set(names)
    assert all(column.description for column in table.columns)
    assert max(map(len, names)) < 64  # the limit of PostgreSQL
