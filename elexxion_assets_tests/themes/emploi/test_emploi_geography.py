"""Communes that merged, split or are divided into arrondissements count once, where they count today."""

from __future__ import annotations

import pytest

from elexxion_assets.declare import Layer
from elexxion_assets.themes.emploi import THEME

CENSUS = "CODGEO;P17_POP1564;P17_ACT1564;P17_ACTOCC1564;P17_CHOM1564"
INCOMES = "CODGEO;NBMENFISC20;NBPERSMENFISC20;MED20;TP6020"
SEEKERS = "Date;Code commune;Type de données;Catégorie;Sexe;Tranche d'âge;Nombre de demandeurs d'emploi"


def text(*lines: str) -> bytes:
    return ("\n".join(lines) + "\n").encode()


def gold(lake, year: str) -> dict[str, dict[str, object]]:
    lake.build()
    return {row["code_commune"]: row for row in lake.gold("communes", year).to_dicts()}


def test_silver_keeps_the_published_code_beside_the_target(lake):
    # 01091 was merged into 01033 in 2019.
    lake.drop("incomes.csv", text(INCOMES, "01033;10;20;20000;10,0", "01091;30;60;22000;20,0"))
    lake.build()
    rows = lake.silver("filosofi", "2020").select("code_commune", "code_commune_cible", "part").rows()
    assert rows == [("01033", "01033", 1.0), ("01091", "01033", 1.0)]


@pytest.mark.parametrize("dataset", ["base_cc_emploi_pop_active", "recensement", "demandeurs_emploi", "filosofi"])
def test_every_dataset_of_communes_is_carried(dataset):
    table = THEME.table(Layer.SILVER, dataset)
    assert {"code_commune_cible", "part", "motif"} <= {column.name for column in table.columns}


def test_counts_of_merged_communes_add_up_and_rates_are_recomputed(lake):
    lake.drop("incomes.csv", text(INCOMES, "01033;10;20;20000;10,0", "01091;30;60;22000;20,0", "01001;5;9;21000;15,0"))
    found = gold(lake, "2020")
    assert found["01033"]["menages_fiscaux"] == 40
    assert found["01033"]["taux_pauvrete"] == pytest.approx((20 * 10 + 60 * 20) / 80)
    # A median of two medians is none.
    assert found["01033"]["revenu_median"] is None
    assert (found["01001"]["revenu_median"], found["01001"]["taux_pauvrete"]) == (21000, 15)
    assert "01091" not in found


def test_the_rate_of_an_extract_is_kept_only_where_one_commune_counts(lake):
    header = "code,population,part65plus,partMoins15,tauxChomage,partCadres,partOuvriers,partDiplomeSup"
    rows = [f"{code},100,20,20,{rate},10,10,10" for code, rate in (("01001", 5), ("01033", 8), ("01091", 10))]
    lake.drop("rp_2017_commune.csv", text(header, *rows))
    found = gold(lake, "2017")
    rates = {code: row["taux_chomage_recensement"] for code, row in found.items()}
    assert rates == {"01001": 5}


@pytest.mark.parametrize("both", [True, False])
def test_arrondissements_count_once_beside_their_commune_and_in_it_where_it_is_missing(lake, both):
    parts = [f"751{number:02};100;80;70;10" for number in range(1, 21)]
    lake.drop("base.csv", text(CENSUS, "01001;50;40;30;10", *parts, *(["75056;2000;1600;1400;200"] if both else [])))
    found = gold(lake, "2017")
    assert set(found) == {"01001", "75056"}
    assert found["75056"]["population_15_64"] == 2000
    assert found["75056"]["taux_chomage_recensement"] == pytest.approx(12.5)


def test_what_is_withheld_in_a_merged_commune_leaves_a_floor_that_is_marked(lake):
    rows = [f"2023-T4;{code};Brutes;A;Total;Total;{value}" for code, value in (("01033", "15"), ("01091", "s"))]
    lake.drop("dares.csv", text(SEEKERS, *rows))
    [row] = gold(lake, "2023").values()
    assert (row["demandeurs_emploi_a"], row["demandeurs_emploi_a_est_secret"]) == (15, True)


def test_totals_before_are_totals_after_and_quarantine(lake):
    """A split commune shares its counts; a code that nobody knows goes to quarantine, not into thin air."""
    counts = {"01001": 40, "01033": 15, "01091": 25, "27443": 35, "75101": 5, "75102": 10, "01999": 20, "76676": 45}
    rows = [f"2016-T4;{code};Brutes;ABC;Total;Total;{value}" for code, value in counts.items()]
    lake.drop("dares.csv", text(SEEKERS, *rows))
    found = gold(lake, "2016")
    quarantined = lake.quarantined()
    assert [row["Code commune"] for row in quarantined] == ["01999"]
    lost = sum(int(str(row["Nombre de demandeurs d'emploi"])) for row in quarantined)
    assert sum(row["demandeurs_emploi_abc"] for row in found.values()) + lost == pytest.approx(sum(counts.values()))
    assert found["75056"]["demandeurs_emploi_abc"] == 15
    assert found["27528"]["demandeurs_emploi_abc"] + found["27701"]["demandeurs_emploi_abc"] == pytest.approx(35)
