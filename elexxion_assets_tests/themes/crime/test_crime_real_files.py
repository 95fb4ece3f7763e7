"""The real files: the figures of silver and gold are the files' own, and every row is accounted for."""

from __future__ import annotations

import gzip

import narwhals as nw
import polars as pl
import pytest

from elexxion_assets.declare import Layer
from elexxion_assets.quality import contract
from elexxion_assets.themes.crime import THEME

EXTRACT = "crime/donnee-data.gouv-2023-geographie2024_extrait-3498-communes-2016-2018.csv.gz"
DEP_2022 = "crime/donnee-dep-data.gouv-2022-geographie2022-produit-le2023-02-09.csv"
DEP_MARCH = "crime/donnee-dep-data.gouv-2023-geographie2023-produit-le2024-03-07.csv"
DEP_JULY = "crime/donnee-dep-data.gouv-2023-geographie2024-produit-le2024-07-05.csv"
REG_JULY = "crime/donnee-reg-data.gouv-2023-geographie2024-produit-le2024-07-05.csv"
EXCEL = "crime/infos-securite-par-departement-2016-2023.xlsx"
NO_ZEROS = "damaged/donnee-securité.csv"

ROWS = {
    EXTRACT: ("communale", 73764, 0, "2023 2024"),
    DEP_2022: ("departementale", 8484, 0, "2022 2023-02-09"),
    DEP_MARCH: ("departementale", 13056, 128, "2023 2024-03-07"),
    DEP_JULY: ("departementale", 12928, 0, "2023 2024-07-05"),
    REG_JULY: ("regionale", 2304, 0, "2023 2024-07-05"),
    EXCEL: ("departementale", 13056, 128, "2023"),
    NO_ZEROS: ("departementale", 8484, 0, "2022"),
}

OLD_NAMES = {
    "Homicides": "homicides",
    "Coups et blessures volontaires": "coups_et_blessures",
    "Coups et blessures volontaires intrafamiliaux": "violences_physiques_intrafamiliales",
    "Autres coups et blessures volontaires": "violences_physiques_hors_cadre_familial",
    "Violences sexuelles": "violences_sexuelles",
    "Vols avec armes": "vols_avec_armes",
    "Vols violents sans arme": "vols_violents_sans_arme",
    "Vols sans violence contre des personnes": "vols_sans_violence",
    "Cambriolages de logement": "cambriolages_logement",
    "Vols de véhicules": "vols_de_vehicule",
    "Vols dans les véhicules": "vols_dans_vehicules",
    "Vols d'accessoires sur véhicules": "vols_accessoires_vehicules",
    "Destructions et dégradations volontaires": "destructions_degradations",
    "Usage de stupéfiants": "usage_stupefiants",
    "Trafic de stupéfiants": "trafic_stupefiants",
    "Escroqueries": "escroqueries",
}


def facts(path) -> pl.DataFrame:
    """The file's own rows: place, year, published label, number."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    frame = pl.read_csv(content, separator=";", infer_schema=False, null_values="NA")
    place = next(c for c in frame.columns if c.startswith(("CODGEO", "Code.")))
    return frame.select(
        pl.col(place).alias("place"),
        (pl.col("annee").cast(pl.Int64) + 2000).alias("annee"),
        pl.col("classe"),
        pl.col("faits").cast(pl.Int64),
    )


@pytest.mark.parametrize("name", ROWS)
def test_every_row_is_in_silver_or_rejected(real_data, deliver, name):
    dataset, rows, rejected, release = ROWS[name]
    delivered = deliver(real_data / name)
    judged = delivered.judged
    assert delivered.dataset.name == dataset
    assert delivered.release == release
    assert sum(delivered.periods.values()) == rows == judged.height
    reasons = judged.drop_nulls(contract.REASON)
    assert reasons.height == rejected
    assert all(reason.startswith(f"{dataset_code(dataset)}: no value") for reason in reasons[contract.REASON])
    silver = sum(delivered.silver(year).height for year in delivered.periods)
    assert silver == rows - rejected
    valid = judged.filter(pl.col(contract.REASON).is_null())
    assert not valid.select(delivered.dataset.key).is_duplicated().any()


def dataset_code(dataset: str) -> str:
    return THEME.dataset(dataset).key[0]


@pytest.mark.parametrize("name", [DEP_JULY, DEP_MARCH, REG_JULY, DEP_2022])
def test_national_totals_of_the_last_year_are_the_files_own(real_data, deliver, name):
    delivered = deliver(real_data / name)
    year = max(delivered.periods)
    own = facts(real_data / name).filter(pl.col("annee") == int(year)).drop_nulls("place")
    expected = {
        OLD_NAMES[label]: total for label, total in own.group_by("classe").agg(pl.col("faits").sum()).iter_rows()
    }
    silver = delivered.silver(year)
    assert dict(silver.group_by("indicateur").agg(pl.col("nombre").sum()).iter_rows()) == expected
    assert silver["est_diffuse"].all()


def test_homicides_and_burglaries_of_2023(real_data, deliver):
    totals = deliver(real_data / DEP_JULY).silver("2023").group_by("indicateur").agg(pl.col("nombre").sum())
    found = dict(totals.iter_rows())
    assert found["homicides"] == 996
    assert found["cambriolages_logement"] == 217078


@pytest.mark.parametrize("name", ROWS)
def test_published_rates_agree_with_numbers(real_data, deliver, name):
    judged = deliver(real_data / name).judged.filter(pl.col(contract.REASON).is_null())
    for rule in THEME.table(Layer.SILVER, ROWS[name][0]).rules:
        broken = nw.from_native(judged).select(rule.broken.alias("broken")).to_native()["broken"]
        assert not broken.any(), rule.name


def test_a_copy_without_zeros_says_the_same_as_the_official_file(real_data, deliver):
    columns = ["code_departement", "code_region", "annee", "indicateur", "nombre", "population"]
    copy = deliver(real_data / NO_ZEROS).silver("2016").select(columns)
    official = deliver(real_data / DEP_2022).silver("2016").select(columns)
    assert copy.sort(columns).equals(official.sort(columns))
    assert "01" in copy["code_departement"].to_list()


def test_the_excel_copy_says_the_same_as_the_file_of_march(real_data, deliver):
    columns = ["code_departement", "code_region", "annee", "indicateur", "unite", "nombre", "population"]
    copy, official = (deliver(real_data / name).silver("2021").select(columns) for name in (EXCEL, DEP_MARCH))
    assert copy.sort(columns).equals(official.sort(columns))


def test_the_companion_workbook_is_not_taken(real_data, recognised):
    companion = "damaged/info-complements-data.gouv-2023-geographie2024-produit-le2024-07-05.xlsx"
    assert recognised(real_data / companion) is None


@pytest.mark.parametrize("commune", ["01004", "35238", "93066", "97411", "13055"])
def test_gold_of_communes_by_hand(real_data, deliver, commune):
    own = facts(real_data / EXTRACT).filter(pl.col("place") == commune)
    contained = ["Coups et blessures volontaires intrafamiliaux", "Autres coups et blessures volontaires"]
    totals = {}
    for year in (2016, 2017, 2018):
        of_year = own.filter(pl.col("annee") == year)
        has_total = "Coups et blessures volontaires" in of_year["classe"].to_list()
        counted = of_year.filter(~pl.col("classe").is_in(contained)) if has_total else of_year
        totals[year] = counted["faits"].sum()
    gold = deliver(real_data / EXTRACT).gold("communes", "2018").filter(pl.col("code_commune") == commune)
    (row,) = gold.to_dicts()
    assert row["total"] == totals[2018]
    assert row["total_variation_1_an"] == pytest.approx(totals[2018] / totals[2017] - 1)
    assert row["total_moyenne_3_ans"] == pytest.approx(sum(totals.values()) / 3)
    assert row["geographie"] == "2024"
    for label, number in own.filter(pl.col("annee") == 2018).select("classe", "faits").iter_rows():
        assert row[f"{OLD_NAMES[label]}_nombre"] == number


def test_gold_of_departements_adds_up_to_the_national_total(real_data, deliver):
    own = facts(real_data / DEP_JULY).filter(pl.col("annee") == 2023)
    contained = ["Coups et blessures volontaires intrafamiliaux", "Autres coups et blessures volontaires"]
    gold = deliver(real_data / DEP_JULY).gold("departements", "2023")
    assert gold.height == 101
    assert gold["total"].sum() == own.filter(~pl.col("classe").is_in(contained))["faits"].sum()
    assert gold["total_est_partiel"].to_list() == [False] * 101
    assert gold["total_moyenne_3_ans"].null_count() == 0
    assert gold["indicateurs_masques"].sum() == 0
