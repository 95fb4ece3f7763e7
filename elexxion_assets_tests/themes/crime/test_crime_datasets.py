"""Files of every layout are recognised, dated and brought to one form; what breaks the contract says why."""

from __future__ import annotations

import gzip

import narwhals as nw
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from elexxion_assets.declare import Refusal, TextTable, slug
from elexxion_assets.quality import contract
from elexxion_assets.themes.crime import THEME
from elexxion_assets.themes.crime.datasets import full_year, geography, period, release

DEP_2023 = "classe;annee;Code.département;Code.région;unité.de.compte;millPOP;millLOG;faits;POP;LOG;tauxpourmille"
DEP_2024 = (
    "Code_departement;Code_region;annee;indicateur;unite_de_compte;nombre;taux_pour_mille;insee_pop;"
    "insee_pop_millesime;insee_log;insee_log_millesime"
)
COM_2022 = (
    "CODGEO_2022;annee;classe;unité.de.compte;valeur.publiée;faits;tauxpourmille;complementinfoval;complementinfotaux;"
    "POP;millPOP;LOG;millLOG"
)
COM_2026 = (
    "CODGEO_2026;annee;indicateur;unite_de_compte;nombre;taux_pour_mille;est_diffuse;insee_pop;insee_pop_millesime;"
    "insee_log;insee_log_millesime;complement_info_nombre;complement_info_taux"
)
REG_2023 = DEP_2023.replace("Code.département;", "")


def write(path, header: str, *lines: str):
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8-sig")
    return path


def table(header: str, file: str = "file.csv", sample: tuple = ()) -> TextTable:
    columns = tuple(header.split(";"))
    return TextTable(file=file, columns=columns, header=columns, sample=sample)


@pytest.mark.parametrize(
    ("header", "line", "name"),
    [
        (
            DEP_2023,
            'Homicides;16;01;84;victime;16;16;5;638425;308491,1600513844;"7,83177350511023e-03"',
            "departementale",
        ),
        (
            DEP_2024,
            '"01";"84";"2016";"Homicides";"Victime";"5";"0,0078318";"638425";"2016";"308491";"2016"',
            "departementale",
        ),
        (REG_2023, "Homicides;16;84;victime;16;16;5;638425;308491,16;0,0078317", "regionale"),
        (COM_2022, "01004;16;Vols avec armes;infraction;diff;7;0,5;NA;NA;14081;16;7000,5;16", "communale"),
        (
            COM_2026,
            '"01004";"2016";"Vols avec armes";"Infraction";"7";"0,5";"diff";"14081";"2016";"7000";"2016";NA;NA',
            "communale",
        ),
    ],
)
def test_each_layout_is_recognised(tmp_path, deliver, header, line, name):
    delivered = deliver(write(tmp_path / "x.csv", header, line))
    assert delivered.dataset.name == name
    (row,) = delivered.judged.to_dicts()
    assert row[contract.REASON] is None
    assert row["annee"] == 2016
    assert row["est_diffuse"] is True


@pytest.mark.parametrize(
    ("header", "sample"),
    [
        ("CODGEO;LIBGEO;DEP;CTCD;REG;EPCI", (("01001", "L'Abergement-Clémenciat", "01", "01D", "84", "200069193"),)),
        ("code_region;annee;indicateur;nombre", (("84", "2016", "Demandeurs d'emploi", "12"),)),
        ("Code du département;Inscrits;Abstentions", (("1", "10", "2"),)),
    ],
)
def test_what_is_no_crime_data_is_not_recognised(header, sample):
    for dataset in THEME.datasets:
        assert dataset.match(dataset, table(header, sample=sample)).missing


def test_the_match_says_which_values_it_expected():
    found = table("code_region;annee;indicateur;nombre", sample=(("84", "2016", "Demandeurs d'emploi", "12"),))
    regionale = THEME.dataset("regionale")
    assert "Demandeurs d'emploi" in regionale.match(regionale, found).missing[0]


@pytest.mark.parametrize(
    ("published", "year"),
    [
        ("16", "2016"),
        ("16.0", "2016"),
        ("2016", "2016"),
        ("2024.0", "2024"),
        (" 23 ", "2023"),
        ("NA", None),
        (None, None),
        ("216", None),
        ("MMXVI", None),
    ],
)
def test_the_period_is_the_year_of_the_row(published, year):
    frame = nw.from_native(pl.LazyFrame({"annee": [published]}, schema={"annee": pl.String}))
    told = frame.select(period(table("annee")).alias("p")).to_native().collect()["p"].to_list()
    assert told == [year]


def test_a_table_without_years_is_refused():
    with pytest.raises(Refusal, match="annee"):
        period(table("classe;faits"))


@given(st.integers(2000, 2099), st.sampled_from(["", ".0", ",0", ".00"]), st.booleans())
def test_every_spelling_of_a_year_gives_that_year(year, tail, short):
    published = f"{year % 100:02d}{tail}" if short else f"{year}{tail}"
    frame = nw.from_native(pl.LazyFrame({"x": [published]}))
    assert frame.select(full_year(nw.col("x"))).to_native().collect().item() == str(year)


def test_releases_sort_as_they_were_published():
    years = dict.fromkeys(map(str, range(2016, 2024)), 1)
    to_2022 = dict.fromkeys(map(str, range(2016, 2023)), 1)
    to_2024 = dict.fromkeys(map(str, range(2016, 2025)), 1)
    departements = [
        release(table(DEP_2024, "exemple-synthetique-donnee-dep-data.gouv-2024-geographie2025.csv"), to_2024),
        release(table(DEP_2023, "donnee-securité.csv"), to_2022),
        release(table(DEP_2023, "donnee-dep-data.gouv-2022-geographie2022-produit-le2023-02-09.csv"), to_2022),
        release(table(DEP_2023, "infos-securite-par-departement-2016-2023.xlsx"), years),
        release(table(DEP_2023, "donnee-dep-data.gouv-2023-geographie2023-produit-le2024-03-07.csv"), years),
        release(table(DEP_2023, "donnee-dep-data.gouv-2023-geographie2024-produit-le2024-07-05.csv"), years),
        release(table(DEP_2024, "donnee-dep-data.gouv-2024-geographie2025-produit-le2025-06-04.csv"), to_2024),
    ]
    assert departements == sorted(departements)
    assert len(set(departements)) == len(departements)


def test_the_geography_tells_the_release_of_an_extract():
    extract = release(table(COM_2022.replace("2022", "2024"), "extrait.csv"), {"2016": 9, "2018": 9})
    official = table(
        COM_2022.replace("2022", "2024"), "donnee-data.gouv-2023-geographie2024-produit-le2024-07-05.csv.gz"
    )
    whole = release(official, {"2016": 9, "2023": 9})
    older = release(table(COM_2022, "donnee-data.gouv-2022-geographie2022-produit-le2023-02-09.csv.gz"), {"2022": 9})
    assert older < extract < whole


def test_the_geography_is_read_from_the_columns_before_the_name():
    assert geography(table(COM_2022, "geographie2024.csv")) == "2022"
    assert geography(table(DEP_2023, "donnee-dep-data.gouv-2023-geographie2024-produit-le2024-07-05.csv")) == "2024"
    assert geography(table(DEP_2023, "securite.csv")) is None


def test_a_masked_figure_is_null_and_says_so(tmp_path, deliver):
    old = write(
        tmp_path / "old.csv",
        COM_2022,
        "75056;16;Vols avec armes;infraction;diff;0;0;NA;NA;2190327;16;1368000,1;16",
        '01001;16;Vols avec armes;infraction;ndiff;NA;NA;"2,05";"0,9";767;16;350,2;16',
    )
    new = write(
        tmp_path / "new.csv",
        COM_2026,
        '"75056";"2016";"Vols avec armes";"Infraction";"0";"0,0000000";"diff";"2190327";"2016";"1368000";"2016";NA;NA',
        '"01001";"2016";"Vols avec armes";"Infraction";NA;NA;"ndiff";"767";"2016";"350";"2016";"2,05";"0,9"',
    )
    for path in (old, new):
        published, masked = deliver(path).judged.sort("_line").to_dicts()
        assert (published["nombre"], published["est_diffuse"], published["complement_info_nombre"]) == (0, True, None)
        assert (masked["nombre"], masked["taux_pour_mille"], masked["est_diffuse"]) == (None, None, False)
        assert (masked["complement_info_nombre"], masked["complement_info_taux"]) == (2.05, 0.9)
        assert masked["indicateur"] == "vols_avec_armes"
        assert masked[contract.REASON] is None


def test_without_a_column_of_secrecy_a_missing_number_is_masked(tmp_path, deliver):
    path = write(
        tmp_path / "x.csv",
        "CODGEO_2024;annee;classe;faits",
        "01001;16;Vols avec armes;NA",
        "01001;17;Vols avec armes;7",
    )
    rows = deliver(path).judged.sort("_line")
    assert rows["est_diffuse"].to_list() == [False, True]
    assert rows["unite"].to_list() == ["infraction", "infraction"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("Homicides;23;NA;NA;victime;NA;NA;0;NA;NA;NA", "code_departement: no value"),
        ("Cambriolages de grottes;23;01;84;victime;21;21;5;638425;3;1", "« Cambriolages de grottes »"),
        ("Homicides;23;01;84;euro;21;21;5;638425;3;1", "« euro »"),
        ("Homicides;23;ZZ;84;victime;21;21;5;638425;3;1", "« ZZ »"),
        ("Homicides;23;01;84;victime;21;21;-5;638425;3;1", "« -5 »"),
        ("Homicides;23;01;84;victime;21;21;cinq;638425;3;1", "« cinq »"),
    ],
)
def test_a_row_that_breaks_the_contract_says_why(tmp_path, deliver, line, reason):
    good = "Homicides;23;2A;94;victime;21;21;5;638425;308491,1;0,0078"
    judged = deliver(write(tmp_path / "x.csv", DEP_2023, good, line)).judged.sort("_line")
    assert judged[contract.REASON][0] is None
    assert reason in judged[contract.REASON][1]


def test_lost_zeros_and_decimals_of_a_spreadsheet_are_restored(tmp_path, deliver):
    path = write(
        tmp_path / "x.csv", DEP_2023, "Homicides;16.0;1.0;4.0;victime;16.0;16.0;710.0;638425.0;308491.16;1.112"
    )
    (row,) = deliver(path).judged.to_dicts()
    assert (row["code_departement"], row["code_region"], row["annee"], row["nombre"]) == ("01", "04", 2016, 710)
    assert (row["millesime_population"], row["logements"]) == (2016, 308491.16)


@pytest.mark.parametrize(
    ("published", "code", "departement"),
    [
        ("75101", "75101", "75"),
        ("69389", "69389", "69"),
        ("13216", "13216", "13"),
        ("97101", "97101", "971"),
        ("97608", "97608", "976"),
        ("98735", "98735", "987"),
        ("2A004", "2A004", "2A"),
        ("1004", "01004", "01"),
    ],
)
def test_codes_of_arrondissements_and_overseas_are_communes(tmp_path, deliver, published, code, departement):
    line = f"{published};16;Vols avec armes;infraction;diff;7;0,5;NA;NA;14081;16;7000,5;16"
    (row,) = deliver(write(tmp_path / "x.csv", COM_2022, line)).silver("2016").to_dicts()
    assert (row["code_commune"], row["code_departement"]) == (code, departement)


@pytest.mark.parametrize("dataset", THEME.datasets, ids=lambda dataset: dataset.name)
def test_the_examples_of_every_column_hold(dataset):
    for column in dataset.columns:
        for text, accepted in [(e, True) for e in column.examples] + [(e, False) for e in column.counter_examples]:
            frame = nw.from_native(pl.LazyFrame({column.name: [text]}, schema={column.name: pl.String}))
            reason = contract.apply(frame, [column]).to_native().collect()[contract.REASON].item()
            assert (reason is None) is accepted, f"{column.name}: {text}: {reason}"


def test_a_published_name_leads_to_one_column_only():
    for dataset in THEME.datasets:
        names = [
            (slug(name), column.name) for column in dataset.columns for name in column.source_names or (column.name,)
        ]
        assert len({name for name, _ in names}) == len(set(names))


def test_compressed_files_read_the_same(tmp_path, deliver):
    plain = write(tmp_path / "x.csv", COM_2022, "01004;16;Vols avec armes;infraction;diff;7;0,5;NA;NA;1;16;7,5;16")
    packed = tmp_path / "x.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert deliver(plain).judged.equals(deliver(packed).judged)
