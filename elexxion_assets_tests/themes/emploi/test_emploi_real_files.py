"""The real files through the whole machine: read right, every row accounted for, the figures the files' own.

Numbers in brackets are the accidents of the list kept with the files.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from elexxion_assets.declare import Layer
from elexxion_assets.geography import Cog
from elexxion_assets.geography.passage import Motif
from elexxion_assets.lake.ledger import Delivery, State
from elexxion_assets.quality.checks import WARNINGS
from elexxion_assets.themes.emploi import THEME

BASE_CC = "base-cc-emploi-pop-active-2017_extrait-13-variables.CSV"
FILOSOFI = "cc_filosofi_2020_COM.csv"
ZONES_2010 = "chomage-zone-demploi-2003-2019.xls"
ZONES_2020 = "chomage_raw.csv"
LOCALES = "data_travail.csv"
EPCI = "defm_par_epci_en_dec_2017.xlsx"
DARES = "emploi_rhone.csv"
META = "meta_base-cc-emploi-pop-active-2017.CSV"
EXTRACT = "rp_2022_commune.parquet"
SERIES = "valeurs_trimestrielles.csv"

READ = {
    # A row of a wide file is a row of bronze in every year that it covers: 34,996 x 3, 304 x 17 and so on.
    BASE_CC: [("base_cc_emploi_pop_active", 104_988, 3)],
    FILOSOFI: [("filosofi", 34_929, 1)],
    ZONES_2010: [("chomage_zone_emploi", 5_168, 17), ("chomage_zone_emploi", 306, 17)],
    ZONES_2020: [("chomage_zone_emploi", 6_946, 23)],
    LOCALES: [("statistiques_locales", 34_970, 1)],
    EPCI: [("demandeurs_emploi_epci", 1_263, 1)] * 4,
    DARES: [("demandeurs_emploi", 8_250, 5)],
    META: [("dictionnaire", 35_332, 1)],
    EXTRACT: [("recensement", 34_848, 1)],
    SERIES: [("bdm", 32_384, 22)],
}
SILVER_ROWS = {
    ("base_cc_emploi_pop_active", "2017"): 34_996,
    ("base_cc_emploi_pop_active", "2012"): 34_996,
    ("base_cc_emploi_pop_active", "2007"): 34_996,
    ("filosofi", "2020"): 34_929,
    ("chomage_zone_emploi", "2019"): 302 * 4,
    ("statistiques_locales", "2016"): 34_970 * 13,
    ("demandeurs_emploi_epci", "2017"): 1_263 * (7 + 7 + 16 + 16),
    ("demandeurs_emploi", "2017"): 1_650,
    ("dictionnaire", "2017"): 35_332,
    ("recensement", "2022"): 34_848,
    ("bdm", "2001"): 1_472,
    ("bdm", "2022"): 1_472 * 4,
}
VARIABLES = {
    "population_15_64": "POP1564",
    "actifs_15_64": "ACT1564",
    "actifs_occupes_15_64": "ACTOCC1564",
    "chomeurs_15_64": "CHOM1564",
}


class Built:
    """All real files in one lake."""

    def __init__(self, lake, folder: Path) -> None:
        self.lake = lake
        self.folder = folder
        self.deliveries: dict[str, Delivery] = {name: lake.drop(name, folder / name) for name in READ}
        lake.build()

    def text(self, name: str, separator: str = ";") -> pl.DataFrame:
        return pl.read_csv(self.folder / name, separator=separator, infer_schema=False)


@pytest.fixture(scope="module")
def built(real_data: Path, new_lake: Callable[[], object]) -> Built:
    return Built(new_lake(), real_data / "emploi")


@pytest.mark.parametrize("name", READ)
def test_every_file_is_read(built, name):
    delivery = built.deliveries[name]
    assert delivery.state is State.READ
    assert [(t["dataset"], t["rows"], len(t["periods"])) for t in delivery.tables] == READ[name]
    assert all(t["quarantined"] == 0 for t in delivery.tables)


def test_rows_in_are_rows_of_silver_quarantine_or_an_older_release(built):
    silver = {table.name for table in THEME.tables if table.layer is Layer.SILVER}
    assert {table for table, _ in built.lake.counts} == silver
    for (table, period), counts in built.lake.counts.items():
        # The four sheets of the workbook by EPCI number their rows from 4 or 5 on, so that lines repeat.
        kept = 4 * 1_263 if table == "demandeurs_emploi_epci" else counts["lines"]
        assert counts["source_rows"] == kept + counts["quarantined"] + counts["older_release"], (table, period)
    assert built.lake.quarantined() == []


@pytest.mark.parametrize("key", SILVER_ROWS, ids="/".join)
def test_silver_has_the_rows_that_the_file_says(built, key):
    # A commune that was split since has a row per target.
    whole = ["_delivery", "_line", *THEME.dataset(key[0]).key]
    assert built.lake.silver(*key).unique(whole).height == SILVER_ROWS[key]


def test_no_check_fails(built):
    assert [found for found in built.lake.failed if found[2] not in WARNINGS] == []


@pytest.mark.parametrize(("year", "without"), [("2017", 1), ("2012", 3), ("2007", 9)])
def test_the_census_of_each_year_is_the_files_own(built, year, without):
    """The year is in the names of columns; values are empty for communes without figures [6]."""
    own = built.text(BASE_CC).select(
        code_commune="CODGEO", **{name: f"P{year[2:]}_{variable}" for name, variable in VARIABLES.items()}
    )
    silver = built.lake.silver("base_cc_emploi_pop_active", year)
    assert silver["annee"].unique().to_list() == [int(year)]
    found = silver.select("code_commune", *VARIABLES).unique().sort("code_commune")
    assert found.equals(own.with_columns(pl.col(list(VARIABLES)).cast(pl.Float64)).sort("code_commune"))
    assert found["population_15_64"].null_count() == without


@pytest.mark.parametrize(("commune", "number"), [("75056", 20), ("69123", 9), ("13055", 16)])
def test_arrondissements_are_marked_in_silver_and_count_once_in_gold(built, commune, number):
    """base-cc holds the communes and their arrondissements [8]."""
    silver = built.lake.silver("base_cc_emploi_pop_active", "2017")
    parts = silver.filter(pl.col("est_arrondissement"), pl.col("code_commune").str.starts_with(commune[:2]))
    gold = built.lake.gold("communes", "2017")
    [population] = gold.filter(pl.col("code_commune") == commune)["population_15_64"]
    assert parts.height == number
    assert parts["population_15_64"].sum() == pytest.approx(population)
    assert not gold["code_commune"].is_in(parts["code_commune"].to_list()).any()


@pytest.mark.parametrize("year", ["2007", "2012", "2017"])
def test_the_totals_of_the_file_are_those_of_gold_after_all_mergers(built, year):
    gold = built.lake.gold("communes", year)
    own = built.text(BASE_CC).filter(~pl.col("CODGEO").str.contains("^(751|6938|132)"))
    for column, variable in VARIABLES.items():
        assert gold[column].sum() == pytest.approx(own[f"P{year[2:]}_{variable}"].cast(pl.Float64).sum(), rel=1e-12)
    targets = set(Cog.builtin().passage(None)["code_cible"])
    assert set(gold["code_commune"]) <= targets


def test_the_base_of_2017_is_in_the_geography_of_2020(built):
    """With its vintage stated, every code of the file is one of that vintage."""
    silver = built.lake.silver("base_cc_emploi_pop_active", "2007")
    assert not silver["motif"].is_in([Motif.OTHER_VINTAGE, Motif.UNKNOWN]).any()
    split = silver.filter(pl.col("part") < 1).group_by("code_commune").agg(pl.col("part").sum())
    assert split.height >= 3
    assert split["part"].to_list() == pytest.approx([1.0] * split.height)


def test_national_totals_count_everybody_once(built):
    gold = built.lake.gold("communes", "2017")
    assert gold["population_15_64"].sum() == pytest.approx(41_541_572, abs=1)
    assert gold["chomeurs_15_64"].sum() == pytest.approx(4_265_005, abs=1)


def test_the_dictionary_decodes_the_columns(built):
    """Our columns are the variables whose official labels say what ours do."""
    dictionary = built.lake.silver("dictionnaire", "2017")
    of_2017 = dictionary.filter(pl.col("annee_variable") == 2017, pl.col("colonne").is_not_null())
    labels = dict(of_2017.select("colonne", "libelle_long").iter_rows())
    assert set(labels) == {c.name for c in THEME.dataset("base_cc_emploi_pop_active").columns} - {
        "code_commune",
        "annee",
    }
    words = {
        "population_15_64": "Nombre de personnes de 15 à 64 ans en 2017",
        "population_25_54": "Nombre de personnes de 25 à 54 ans en 2017",
        "actifs_15_64": "Nombre de personnes actives de 15 à 64 ans en 2017",
        "actifs_55_64": "Nombre de personnes actives de 55 à 64 ans en 2017",
        "actifs_occupes_15_64": "Nombre de personnes actives occupées de 15 à 64 ans en 2017",
        "chomeurs_15_64": "Nombre de chômeurs de 15 à 64 ans en 2017",
    }
    assert {column: labels[column] for column in words} == words
    assert dictionary["annee"].unique().to_list() == [2017]
    assert dictionary.filter(pl.col("code_modalite") == "97424")["libelle_modalite"].to_list() == ["Cilaos"]


def test_secrets_are_null_and_flagged_never_zero(built):
    """`s` and `nd` are secrecy, decimal commas [5, 6]."""
    own = built.text(FILOSOFI).sort("CODGEO")
    silver = built.lake.silver("filosofi", "2020")
    measures = {"revenu_median": "MED20", "taux_pauvrete": "TP6020", "decile_1": "D120", "part_impots": "PIMPOT20"}
    for column, variable in measures.items():
        secret = own[variable].is_in(["s", "nd"])
        assert secret.sum() >= 3_600
        assert silver[f"{column}_est_secret"].to_list() == secret.to_list()
        assert silver[column].is_null().to_list() == secret.to_list()
        values = own.filter(~secret)[variable].str.replace(",", ".").cast(pl.Float64)
        assert silver.filter(~secret)[column].to_list() == values.to_list()


def test_the_newest_release_of_rates_wins_and_the_older_zoning_stays_in_bronze(built):
    """Two header lines, quarters in columns, decimal commas [3, 5]; the .csv of 2025 over the .xls of 2019."""
    silver = built.lake.silver("chomage_zone_emploi", "2003")
    assert silver["zonage"].unique().to_list() == ["2020"]
    alencon = silver.filter(pl.col("code_zone_emploi") == "0051").sort("trimestre")
    assert alencon["taux_chomage"].to_list() == [7.0, 7.4, 7.1, 7.4]
    assert alencon["code_region"].null_count() == 4
    # Rates overseas begin in 2014.
    overseas = silver.filter(pl.col("code_region").is_in(["01", "02", "04"]))
    assert overseas["taux_chomage"].null_count() == overseas.height == 60
    assert built.lake.counts["chomage_zone_emploi", "2003"]["older_release"] == 304 + 18
    gold = built.lake.gold("zones_emploi", "2003")
    [mean] = gold.filter(pl.col("code_zone_emploi") == "0051")["taux_chomage"]
    assert mean == pytest.approx((7.0 + 7.4 + 7.1 + 7.4) / 4)


def test_the_workbook_of_rates_alone_gives_its_zones_and_their_regional_parts(real_data, lake):
    """Title rows that differ between sheets, a documentation sheet, footnote stars in codes, a footer [3]."""
    delivery = lake.drop(ZONES_2010, real_data / "emploi" / ZONES_2010)
    assert any("Documentation" in defect for defect in delivery.tables[0]["defects"])
    lake.build()
    silver = lake.silver("chomage_zone_emploi", "2019")
    assert silver["trimestre"].unique().sort().to_list() == [1, 2, 3]
    assert silver.filter(~pl.col("est_partie_regionale")).height == 304 * 3
    assert silver.filter(pl.col("est_partie_regionale")).height == 18 * 3
    toulouse = silver.filter(pl.col("code_zone_emploi") == "0061")["libelle_zone_emploi"]
    assert toulouse.unique().to_list() == ["Toulouse"]
    gold = lake.gold("zones_emploi", "2019")
    assert gold.height == 304
    assert gold["trimestres"].unique().to_list() == [3]
    assert lake.quarantined() == []


def test_local_statistics_keep_what_the_file_does_not_explain(built):
    """Title rows, `N/A`, a header repeated for age classes that it does not name [3, 6]."""
    silver = built.lake.silver("statistiques_locales", "2016")
    name = "Taux d'activité par tranche d'âge"
    first = silver.filter(pl.col("code_commune") == "01001", pl.col("indicateur") == name).sort("rang")
    assert first["rang"].to_list() == [1, 2, 3]
    assert first["valeur"].to_list() == [37.7, 97.0, 63.2]
    mayotte = silver.filter(pl.col("code_commune") == "97615")
    assert mayotte["valeur"].null_count() == mayotte.height == 13
    assert not mayotte["est_secret"].any()


def test_job_seekers_by_epci_are_read_from_all_sheets_but_the_description(built):
    """Title rows that differ between sheets, two header lines, `s.s`, a lone comma, a footer, a total row [3, 6]."""
    [refused] = built.deliveries[EPCI].reasons
    assert "Description" in refused["reason"]
    silver = built.lake.silver("demandeurs_emploi_epci", "2017")
    assert silver["mois"].unique().to_list() == [12]
    by_category = silver.filter(pl.col("ventilation") == "Catégorie", pl.col("categorie") == "ABC")
    assert by_category.filter(pl.col("est_total"))["nombre"].to_list() == [5_989_614]
    epci = by_category.filter(~pl.col("est_total"))
    assert epci.height == 1_262
    secret = silver.filter(pl.col("est_secret"))
    assert secret.height > 100
    assert secret["nombre"].null_count() == secret.height
    bordeaux = silver.filter(pl.col("epci") == "Bordeaux Métropole", pl.col("categorie") == "A")
    said = {(row["ventilation"], row["modalite"]): row["nombre"] for row in bordeaux.iter_rows(named=True)}
    assert said["Homme", "Moins de 25 ans"] == 3_579
    assert said["Femme", "Moins de 25 ans"] == 3_294
    assert said["Niveau de diplôme", "NIV. I/II"] == 10_520
    assert said["Niveau de diplôme", "Total"] == said["Catégorie", "Total"] == 49_633


def test_job_seekers_of_lyon_count_once(built):
    """DARES publishes Lyon and its arrondissements [8]."""
    gold = built.lake.gold("communes", "2019").filter(pl.col("demandeurs_emploi_date").is_not_null())
    assert gold["demandeurs_emploi_date"].unique().to_list() == ["2019-T4"]
    assert gold.filter(pl.col("code_commune") == "69123")["demandeurs_emploi_abc"].to_list() == [48_380]
    assert gold["demandeurs_emploi_a"].null_count() == gold.height
    own = built.text(DARES, ",").filter(
        pl.col("Date") == "2019-T4",
        pl.col("Sexe") == "Total",
        pl.col("Tranche d'âge") == "Total",
        ~pl.col("Code commune").str.starts_with("6938"),
    )
    assert gold["code_commune"].to_list() == own["Code commune"].sort().to_list()
    assert gold["demandeurs_emploi_abc"].sum() == own["Nombre de demandeurs d'emploi"].cast(pl.Int64).sum()


def test_series_of_the_bdm_keep_the_codes_of_their_values(built):
    """Interleaved rows of codes [3]; idBank lost its zeros [7]."""
    silver = built.lake.silver("bdm", "2022")
    reunion = silver.filter(pl.col("idbank") == "010568023").sort("sous_periode")
    assert reunion["valeur"].to_list() == [196738.0, 199194.0, 200596.0, 202994.0]
    assert reunion["code_valeur"].to_list() == ["P"] * 4
    stopped = silver.filter(pl.col("idbank") == "001737244")
    assert stopped["valeur"].null_count() == stopped["code_valeur"].null_count() == 4
    assert built.lake.silver("bdm", "2001")["sous_periode"].unique().to_list() == ["T4"]


def test_gold_says_the_year_of_every_figure(built):
    gold = built.lake.gold("communes", "2022")
    [amberieu] = gold.filter(pl.col("code_commune") == "01004").iter_rows(named=True)
    assert (amberieu["recensement_annee"], amberieu["filosofi_annee"]) == (2017, 2020)
    assert amberieu["population_15_64"] == pytest.approx(8964.572)
    assert amberieu["taux_chomage_recensement"] == 12.0
    assert amberieu["taux_chomage_recensement_annee"] == 2022
    assert amberieu["taux_chomage_recensement_source"] == "recensement"
    assert amberieu["revenu_median"] == 21_070
    assert amberieu["demandeurs_emploi_date"] is None
    [before] = built.lake.gold("communes", "2017").filter(pl.col("code_commune") == "01004").iter_rows(named=True)
    assert before["taux_chomage_recensement"] == pytest.approx(100 * 1015.3045 / 6835.1956, abs=1e-3)
    assert before["taux_chomage_recensement_source"] == "base_cc_emploi_pop_active"
    assert before["filosofi_annee"] is None


def test_gold_goes_on_with_a_census_for_five_years(built):
    # The rates of zones d'emploi cover 2003 to 2025; nobody says in which zone a commune lies.
    years = [*map(str, range(2003, 2026))]
    assert built.lake.periods(Layer.GOLD, "communes") == years
    census = {y: built.lake.gold("communes", y)["recensement_annee"].drop_nulls().unique().to_list() for y in years}
    assert census == {
        **{str(year): [] for year in range(2003, 2007)},
        **{str(year): [2007] for year in range(2007, 2012)},
        **{str(year): [2012] for year in range(2012, 2017)},
        **{str(year): [2017] for year in range(2017, 2023)},
        **{str(year): [] for year in range(2023, 2026)},
    }
    assert built.lake.gold("communes", "2003").is_empty()
    assert (
        built.lake.gold("communes", "2017")["code_zone_emploi"].null_count()
        == built.lake.gold("communes", "2017").height
    )
