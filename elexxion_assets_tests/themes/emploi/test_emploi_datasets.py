"""Files of every layout are recognised, dated and brought to one form, or refused in words."""

from __future__ import annotations

import narwhals as nw
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elexxion_assets.declare import Layer, Refusal, TextTable
from elexxion_assets.lake.ledger import State
from elexxion_assets.reading import recognise
from elexxion_assets.themes.emploi import THEME
from elexxion_assets.themes.emploi.chomage import split_quarter
from elexxion_assets.themes.emploi.files import YEAR, unpivot_years
from elexxion_assets.themes.emploi.recensement import split_census

CODES = ("01001", "01004", "2A004", "75056", "97424")


def text(*lines: str) -> bytes:
    return ("\n".join(lines) + "\n").encode()


def census(*years: str, extra: tuple[str, ...] = (), unemployed: str = "CHOM1564") -> bytes:
    """A base of the census; populations are 100 in its first year, 101 in the second, and so on."""
    names = [f"P{year}_{name}" for year in years for name in ("POP1564", "ACT1564", "ACTOCC1564", unemployed)]
    values = [str(value) for position in range(len(years)) for value in (100 + position, 80, 70, 10)]
    rows = (";".join([code, *("x" for _ in extra), *values]) for code in CODES)
    return text(";".join(["CODGEO", *extra, *names]), *rows)


# --- census -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("years", [("13", "08"), ("16", "11", "06"), ("18", "13", "08"), ("22", "16", "11"), ("99",)])
def test_every_vintage_of_the_base_feeds_its_years(lake, years):
    lake.drop("base.csv", census(*years))
    lake.build()
    full = [f"{'19' if year == '99' else '20'}{year}" for year in years]
    assert lake.periods(Layer.SILVER, "base_cc_emploi_pop_active") == sorted(full)
    for position, year in enumerate(full):
        silver = lake.silver("base_cc_emploi_pop_active", year)
        assert silver["population_15_64"].to_list() == [100.0 + position] * len(CODES)
    assert lake.quarantined() == []


def test_the_names_of_other_vintages_and_unknown_columns_are_fine(lake):
    extra = ("REG", "DEP", "LIBGEO", *(f"C19_EMPLT_XX{number}" for number in range(140)))
    lake.drop("base.csv", census("19", "13", "08", extra=extra, unemployed="CHOMEUR1564"))
    lake.build()
    assert lake.silver("base_cc_emploi_pop_active", "2019")["chomeurs_15_64"].to_list() == [10.0] * len(CODES)


def test_the_newer_base_wins_a_year_that_two_cover(lake):
    lake.drop("base-2017.csv", census("17", "12", "07"))
    lake.drop("base-2012.csv", census("12", "07"))
    lake.build()
    silver = lake.silver("base_cc_emploi_pop_active", "2012")
    assert silver["population_15_64"].to_list() == [101.0] * len(CODES)
    assert lake.counts["base_cc_emploi_pop_active", "2012"]["older_release"] == len(CODES)


def test_bronze_keeps_every_column_of_every_year_as_text(lake):
    delivery = lake.drop("base.csv", census("17", "12", extra=("LIBGEO", "C17_EMPLT_CS1")))
    [key] = [key for key in delivery.tables[0]["bronze"] if "/2017/" in key]
    with lake.storage.local(key) as file:
        bronze = pl.read_parquet(file).sort("_line")
    assert bronze.row(0, named=True) == {
        "_line": 2,
        "CODGEO": "01001",
        "LIBGEO": "x",
        YEAR: "2017",
        "C_EMPLT_CS1": "x",
        "P_POP1564": "100",
        "P_ACT1564": "80",
        "P_ACTOCC1564": "70",
        "P_CHOM1564": "10",
    }


def test_another_base_of_the_census_is_refused_with_what_it_lacks(lake):
    header = ("CODGEO", "P17_LOG", "P17_RP")
    housing = TextTable(file="base-cc-logement-2017.csv", columns=header, header=header, sample=(("01001", "3", "2"),))
    with pytest.raises(Refusal, match=r"nearest is emploi/base_cc_emploi_pop_active.*it lacks column « P_POP1564 »"):
        recognise(housing, {"emploi": THEME})
    assert lake.drop(housing.file, text(";".join(header), "01001;300;280", "01004;1;1")).state is State.REFUSED


META = "COD_VAR;LIB_VAR;LIB_VAR_LONG;COD_MOD;LIB_MOD;TYPE_VAR;LONG_VAR"


def test_a_dictionary_of_another_base_is_refused(lake):
    delivery = lake.drop("meta.csv", text(META, "P17_LOG;Logements;Logements en 2017;;;NUM;16", "P17_RP;x;x;;;NUM;1"))
    assert delivery.state is State.REFUSED
    assert "a variable of employment or incomes" in delivery.reasons[0]["reason"]


def test_dictionaries_of_two_bases_of_one_year_stand_beside_each_other(lake):
    lake.drop("meta_base-cc.csv", text(META, "P20_POP1564;a;Personnes;;;NUM;16", "P20_ACT1564;b;Actifs;;;NUM;16"))
    lake.drop("meta_cc_filosofi.csv", text(META, "MED20;c;Médiane;;;NUM;16", "TP6020;d;Taux;;;NUM;16"))
    lake.build()
    found = lake.silver("dictionnaire", "2020").select("code_variable", "annee_variable", "colonne").rows()
    assert found == [
        ("MED20", 2020, "revenu_median"),
        ("P20_ACT1564", 2020, "actifs_15_64"),
        ("P20_POP1564", 2020, "population_15_64"),
        ("TP6020", 2020, "taux_pauvrete"),
    ]


EXTRACT = text(
    "code;population;part65plus;partMoins15;tauxChomage;partCadres;partOuvriers;partDiplomeSup",
    *(f"{code};125;23.3;14.7;8.3;;36.4;12.9" for code in CODES),
)


def test_an_extract_without_a_year_is_refused_and_taken_with_a_hint(lake):
    delivery = lake.drop("recensement.csv", EXTRACT)
    assert delivery.state is State.REFUSED
    assert "annee=YYYY" in delivery.reasons[0]["reason"]
    assert lake.drop("recensement.csv", EXTRACT, annee="2021").state is State.READ
    lake.build()
    assert lake.silver("recensement", "2021").height == len(CODES)


def test_the_year_of_the_census_is_not_the_year_of_the_geography(lake):
    delivery = lake.drop("rp2019_geo2024.csv", EXTRACT)
    assert list(delivery.tables[0]["periods"]) == ["2019"]


# --- incomes ----------------------------------------------------------------------------------------------------------

INCOMES = "CODGEO;NBMENFISC21;NBPERSMENFISC21;MED21;TP6021"


@pytest.mark.parametrize(
    "codes",
    [
        ["200000172", "200000438", "200000545"],
        ["01", "02", "2A", "75", "971"],
        ["011", "012", "2A1", "9711"],
        ["0051", "0052", "0053"],
    ],
    ids=["epci", "département", "arrondissement", "zone d'emploi"],
)
def test_incomes_of_other_areas_do_not_become_false_communes(lake, codes):
    delivery = lake.drop("cc_filosofi_2021_X.csv", text(INCOMES, *(f"{code};331;842;24820;17,0" for code in codes)))
    assert delivery.state is State.REFUSED
    assert "codes of communes" in delivery.reasons[0]["reason"]


def test_codes_that_lost_their_zeros_are_communes(lake):
    codes = ["1001", "1004", "2A004", "75056"]
    lake.drop("cc_filosofi_2021_COM.csv", text(INCOMES, *(f"{code};331;842;24820;17,0" for code in codes)))
    lake.build()
    assert lake.silver("filosofi", "2021")["code_commune"].to_list() == ["01001", "01004", "2A004", "75056"]


# --- zones d'emploi ---------------------------------------------------------------------------------------------------


def test_one_line_of_labels_is_enough(lake):
    header = "Code de la zone d'emploi 2020;Libellé de la zone d'emploi 2020;1er trimestre 2003;2e trimestre 2003"
    lake.drop("chomage.csv", text(header, "0051;Alençon;7,0;7,4", "0052;Arles;10,9;11,1"))
    lake.build()
    gold = lake.gold("zones_emploi", "2003").row(0, named=True)
    assert (gold["zonage"], gold["code_zone_emploi"], gold["taux_chomage_t2"]) == ("2020", "0051", 7.4)
    assert (gold["taux_chomage"], gold["trimestres"]) == (pytest.approx(7.2), 2)


def test_rates_by_year_are_means_as_published(lake):
    rows = ["0051;Alençon;00;INTER;7,8;7,5", "0052;Arles;00;INTER;9,8;9,5"]
    lake.drop("chomage.csv", text("ZE2020;LIBZE2020;REG;LIBREG;2019;2020", *rows))
    lake.build()
    gold = lake.gold("zones_emploi", "2020").row(0, named=True)
    assert (gold["taux_chomage"], gold["trimestres"], gold["taux_chomage_t1"]) == (7.5, 0, None)


def test_a_rate_above_a_hundred_is_quarantined_with_its_line(lake):
    rows = ["0051;Alençon;00;INTER;7,8;750", "0052;Arles;00;INTER;9,0;9,1"]
    lake.drop("chomage.csv", text("ZE2020;LIBZE2020;REG;LIBREG;2019-T1;2019-T2", *rows))
    lake.build()
    assert lake.silver("chomage_zone_emploi", "2019")["code_zone_emploi"].unique().to_list() == ["0052"]
    [row] = lake.quarantined()
    assert row["_line"] == 2
    assert "is above 100" in row["_reason"]


@pytest.mark.parametrize("name", ["2003-T1", "2003T1", "T1 2003", "T1_2003", "1er trimestre 2003"])
def test_spellings_of_a_quarter(name):
    assert split_quarter(name) == ("2003", "T1")


# --- job seekers ------------------------------------------------------------------------------------------------------


def dares(*rows: str) -> bytes:
    return text("Date;Code commune;Type de données;Catégorie;Sexe;Tranche d'âge;Nombre de demandeurs d'emploi", *rows)


def test_the_rows_of_totals_are_no_communes(lake):
    communes = [f"2024-T4;010{number:02};Brutes;ABC;Total;Total;15" for number in range(1, 31)]
    lake.drop("dares.csv", dares(*communes, "2024-T4;Total;Brutes;ABC;Total;Total;5000000"))
    lake.build()
    assert lake.silver("demandeurs_emploi", "2024").height == 30
    [row] = lake.quarantined()
    assert "« Total » is not a valid code" in row["_reason"]


@pytest.mark.parametrize(
    ("written", "date", "quarter", "month"),
    [
        ("2015-T4", "2015-T4", 4, None),
        ("T4 2015", "2015-T4", 4, None),
        ("2015-12", "2015-12", None, 12),
        ("2015-12-31", "2015-12", None, 12),
        ("31/12/2015", "2015-12", None, 12),
    ],
)
def test_spellings_of_a_date(lake, written, date, quarter, month):
    lake.drop("dares.csv", dares(*(f"{written};{code};Brutes;A;Total;Total;15" for code in CODES)))
    lake.build()
    found = lake.silver("demandeurs_emploi", "2015").select("date", "trimestre", "mois").unique().rows()
    assert found == [(date, quarter, month)]


def test_gold_takes_the_last_quarter_of_the_year_and_keeps_secrets(lake):
    rows = [f"2023-T{quarter};01004;Brutes;{category};Total;Total;{value}" for quarter, category, value in LAST]
    others = ["2023-T3;01004;CVS-CJO;A;Total;Total;99", "2023-T3;01004;Brutes;A;Femmes;Total;10"]
    lake.drop("dares.csv", dares(*rows, *others))
    lake.build()
    gold = lake.gold("communes", "2023").row(0, named=True)
    assert gold["demandeurs_emploi_date"] == "2023-T3"
    assert (gold["demandeurs_emploi_a"], gold["demandeurs_emploi_a_est_secret"]) == (15, False)
    assert (gold["demandeurs_emploi_abc"], gold["demandeurs_emploi_abc_est_secret"]) == (None, True)
    assert (gold["demandeurs_emploi_b"], gold["demandeurs_emploi_b_est_secret"]) == (None, None)


LAST = [(1, "A", "5"), (3, "A", "15"), (3, "ABC", "s")]


def test_extracts_of_two_territories_add_up_whatever_years_they_cover(lake):
    lake.drop("ain.csv", dares("2023-T4;01004;Brutes;A;Total;Total;20", "2022-T4;01004;Brutes;A;Total;Total;25"))
    lake.drop("rhone.csv", dares("2022-T4;69266;Brutes;A;Total;Total;15", "2021-T4;69266;Brutes;A;Total;Total;15"))
    lake.build()
    assert lake.gold("communes", "2022")["demandeurs_emploi_a"].to_list() == [25, 15]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
@pytest.mark.parametrize("at_once", [True, False])
def test_gold_is_the_same_whatever_the_order_of_arrival(lake, order, at_once):
    """Gold looks back on censuses and incomes of earlier years, which may come after it."""
    files = (
        ("base.csv", census("17", "12", "07")),
        ("cc_filosofi_2021_COM.csv", text(INCOMES, *(f"{code};331;842;24820;17,0" for code in CODES))),
        ("dares.csv", dares("2022-T4;01004;Brutes;A;Total;Total;15", "2019-T4;01004;Brutes;A;Total;Total;25")),
    )
    for position in order:
        lake.drop(*files[position])
        if not at_once:
            lake.build()
    lake.build()
    shown = ("annee", "recensement_annee", "filosofi_annee", "demandeurs_emploi_date")
    found = [
        lake.gold("communes", year).filter(pl.col("code_commune") == "01004").select(shown).row(0)
        for year in lake.periods(Layer.GOLD, "communes")
    ]
    assert found == [
        (2007, 2007, None, None),
        (2012, 2012, None, None),
        (2017, 2017, None, None),
        (2019, 2017, None, "2019-T4"),
        (2021, 2017, 2021, None),
        (2022, 2017, 2021, "2022-T4"),
    ]


# --- local statistics and series --------------------------------------------------------------------------------------


def test_an_export_of_another_level_is_refused(lake):
    lines = ["Insee - Statistiques locales;;", "Référentiel géographique : France par département;;"]
    header = "Code;Libellé;Taux de chômage annuel moyen 2022"
    delivery = lake.drop("export.csv", text(*lines, header, "01;Ain;5.4", "02;Aisne;10.6", "03;Allier;7.1"))
    assert delivery.state is State.REFUSED
    assert "France par département" in delivery.reasons[0]["reason"]


def test_exports_of_today_say_why_a_value_is_missing(lake):
    lines = ["Insee - Statistiques locales;;", "Référentiel géographique : Communes 2024;;"]
    values = ["22000", "N/A - secret statistique", "N/A - résultat non disponible", "s", "23000"]
    rows = (f"{code};Nom;{value}" for code, value in zip(CODES, values, strict=True))
    lake.drop("export.csv", text(*lines, "Code;Libellé;Médiane du revenu disponible 2021", *rows))
    lake.build()
    found = lake.silver("statistiques_locales", "2021").select("valeur", "est_secret").rows()
    assert found == [(22000.0, False), (None, True), (None, False), (None, True), (23000.0, False)]


def test_series_about_something_else_are_refused(lake):
    header = "Libellé;idBank;Dernière mise à jour;Période;2020-T1;2020-T2"
    rows = ["Indice des prix à la consommation;001763852;15/01/2023 12:00;;101;102", "Codes;;;;A;A"]
    delivery = lake.drop("valeurs_trimestrielles.csv", text(header, *rows))
    assert delivery.state is State.REFUSED
    assert "a series about employment" in delivery.reasons[0]["reason"]


def test_a_row_of_codes_without_its_series_and_a_legend_are_no_series(lake):
    series = [
        line
        for number in range(20)
        for line in (f"Demandeurs d'emploi - {number};{1763852 + number};15/01/2023 12:00;;{number};9", "Codes;;;;A;P")
    ]
    legend = ["A : Valeur normale;;;;;", "P : Valeur provisoire;;;;;"]
    header = "Libellé;idBank;Dernière mise à jour;Période;2020-01;2020-02"
    delivery = lake.drop("valeurs_mensuelles.csv", text(header, *series[:2], "Codes;;;;B;B", *series[2:], *legend))
    assert delivery.tables[0]["footer"] == ["A : Valeur normale", "P : Valeur provisoire"]
    lake.build()
    found = lake.silver("bdm", "2020").select("idbank", "sous_periode", "valeur", "code_valeur").rows()
    expected = [(f"00{1763852 + n}", *pair) for n in range(20) for pair in (("01", float(n), "A"), ("02", 9.0, "P"))]
    assert found == expected
    [row] = lake.quarantined()
    assert row["_line"] == 4
    assert "idbank: no value" in row["_reason"]


# --- properties -------------------------------------------------------------------------------------------------------

VARIABLES = st.builds(
    "{}{:02}_{}".format, st.sampled_from("PC"), st.integers(0, 99), st.sampled_from(["POP", "ACT", "X.2"])
)
NAMES = st.lists(st.sampled_from(["CODGEO", "LIBGEO", "REG"]) | VARIABLES, max_size=12, unique=True)


@settings(max_examples=60, deadline=None)
@given(names=NAMES, height=st.integers(1, 4))
def test_no_cell_of_a_wide_file_is_lost_or_made_up(names, height):
    names = [*names, "P17_NEVER_DRAWN"]
    cells = {name: [f"{name}:{line}" for line in range(height)] for name in names}
    frame = pl.LazyFrame({**cells, "_line": list(range(height))})
    table = TextTable(file="f.csv", columns=tuple(names), header=tuple(names))
    found = unpivot_years(nw.from_native(frame), table, split_census).collect().to_native()
    wide = {name for name in names if split_census(name)}
    years = {year for name in wide for year, _ in [split_census(name)]}
    assert found.height == height * len(years)
    kept = [cell for row in found.drop("_line", YEAR).iter_rows() for cell in row if cell is not None]
    of_years = [cell for cell in kept if cell.partition(":")[0] in wide]
    assert sorted(of_years) == sorted(cell for name in wide for cell in cells[name])
    for name in set(names) - wide:
        assert found[name].to_list() == cells[name] * len(years)
