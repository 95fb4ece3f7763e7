"""Every real official file is read with the right facts, or refused for the right reason."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import pytest
from reading_of import table_of, tables_of

from elexxion_assets.declare import Refusal

# File: encoding, separator, columns, rows, line of the header.
TEXTS = {
    "association/reencode_test.csv": ("utf-8", ";", 26, 9, 1),
    "association/rna_sample_import.csv": ("utf-8", ";", 26, 3, 1),
    "association/rna_sample_waldec.csv": ("utf-8", ";", 41, 3, 1),
    "crime/donnee-data.gouv-2023-geographie2024_extrait-3498-communes-2016-2018.csv.gz": (
        "utf-8-sig",
        ";",
        13,
        73_764,
        1,
    ),
    "crime/donnee-dep-data.gouv-2022-geographie2022-produit-le2023-02-09.csv": ("utf-8-sig", ";", 11, 8_484, 1),
    "crime/donnee-dep-data.gouv-2023-geographie2023-produit-le2024-03-07.csv": ("utf-8-sig", ";", 11, 13_056, 1),
    "crime/donnee-dep-data.gouv-2023-geographie2024-produit-le2024-07-05.csv": ("utf-8-sig", ";", 11, 12_928, 1),
    "crime/donnee-reg-data.gouv-2023-geographie2024-produit-le2024-07-05.csv": ("utf-8-sig", ";", 10, 2_304, 1),
    "damaged/Presidentielle-2017-T1.xlsx": ("utf-8", ",", 96, 2_090, 1),
    "damaged/donnee-securité.csv": ("utf-8", ";", 11, 8_484, 1),
    "election/2014-europeennes_par_commune_large.csv.gz": ("utf-8", ",", 17, 36_763, 1),
    "election/2017-presidentielle-1_par_bureau_large.csv.gz": ("utf-8", ",", 20, 69_242, 1),
    "election/Presidentielle_2012_Resultats_Communes_Tour_1.csv": ("utf-8", ";", 75, 36_791, 1),
    "election/Presidentielle_2017_Resultats_Communes_Tour_1.csv": ("utf-8", ";", 95, 35_719, 1),
    "election/Presidentielle_2017_Resultats_Communes_Tour_2.csv": ("utf-8", ";", 30, 35_496, 1),
    "election/candidatures-legislatives2024-t1.csv": ("utf-8", ",", 9, 4_011, 1),
    "election/elections-presidentielles-1-tour-angers-2017.csv": ("utf-8-sig", ";", 38, 83, 1),
    "election/resultats-par-niveau-subcom-t1-france-entiere.txt": ("latin-1", ";", 103, 35_245, 1),
    "emploi/base-cc-emploi-pop-active-2017_extrait-13-variables.CSV": ("utf-8", ";", 13, 34_996, 1),
    "emploi/cc_filosofi_2020_COM.csv": ("utf-8", ";", 28, 34_929, 1),
    "emploi/chomage_raw.csv": ("utf-8-sig", ";", 96, 302, 2),
    "emploi/data_travail.csv": ("utf-8-sig", ";", 15, 34_970, 3),
    "emploi/emploi_rhone.csv": ("utf-8-sig", ",", 12, 8_250, 1),
    "emploi/meta_base-cc-emploi-pop-active-2017.CSV": ("utf-8", ";", 7, 35_332, 1),
    "emploi/valeurs_trimestrielles.csv": ("utf-8", ";", 89, 2_944, 1),
    "reference/019HexaSmal.csv": ("latin-1", ";", 5, 39_193, 1),
    "reference/arrondissements_plm.csv": ("utf-8", ",", 2, 45, 1),
    "reference/departements.csv": ("utf-8", ",", 7, 101, 1),
    "reference/mouvements-communes.csv": ("utf-8", ",", 14, 13_284, 1),
    "reference/population_municipale_communes_france.csv": ("utf-8-sig", ";", 16, 34_995, 1),
    "reference/regions.csv": ("utf-8", ",", 6, 18, 1),
    "reference/table_passage_com_historique.csv": ("utf-8", ",", 2, 39_161, 1),
    "reference/v_commune_2024.csv": ("utf-8", ",", 12, 37_544, 1),
}

# Workbook: sheet, columns, rows, line of the header, of each table.
WORKBOOKS = {
    "association/creation-nouvelles-associations-par-departements.xlsx": [("Feuille 1", 6, 4, 1)],
    "crime/infos-securite-par-departement-2016-2023.xlsx": [("in", 11, 13_056, 1)],
    "damaged/info-complements-data.gouv-2023-geographie2024-produit-le2024-07-05.xlsx": [
        ("zonages supracommunaux", 25, 34_980, 1),
        ("libelles supracommunaux", 4, 9_145, 1),
        ("codes-libelles", 3, 84, 1),
    ],
    "election/Euro_2024_circonscription.xlsx": [("resultats-temporaires-par-circo", 322, 577, 1)],
    "election/Leg_2017_Resultats_T1_officiel.xlsx": [
        ("FE - Metro - OM - T1", 10, 57, 5),
        ("Regions T1", 101, 18, 3),
        ("Departements T1", 101, 107, 3),
        ("Circo. leg. T1", 261, 577, 3),
        ("Cantons T1", 86, 2_090, 3),
        ("Elus T1", 7, 4, 3),
        ("Sortants battus T1", 6, 124, 3),
        ("Personnalités battues T1", 7, 130, 4),
    ],
    "election/resultats-par-niveau-cirlg-t1-france-entiere.xlsx": [
        ("Résultats par niveau CirLG T1 France Entière_2022-04-14 12h49", 103, 577, 1)
    ],
    "election/resultats-par-niveau-dpt-t1-france-entiere.xlsx": [
        ("Résultats par niveau Dpt T1 France Entière_2022-04-14 12h49", 89, 107, 1)
    ],
    "emploi/chomage-zone-demploi-2003-2019.xls": [("txcho_ze", 71, 304, 6), ("txcho_parties reg", 69, 18, 8)],
    "emploi/defm_par_epci_en_dec_2017.xlsx": [
        ("Description", 4, 4, 8),
        ("par catégorie", 8, 1_263, 3),
        ("par ancienneté", 8, 1_263, 4),
        ("Apar_age_sexe_diplome", 18, 1_263, 4),
        ("ABCpar_age_sexe_diplome", 18, 1_263, 4),
    ],
}

REFUSED = {
    "damaged/PR17_BVot_T1_FE2.xlsx": ("cut_by_excel", "65,536"),
    "damaged/train_fraud_labels.json": ("viewer_dump", "JSON viewer"),
    "reference/departements-version-simplifiee.geojson": ("not_a_table", "GeoJSON"),
}

PARQUET = "emploi/rp_2022_commune.parquet"


def test_the_tables_here_name_every_real_file(real_data: Path) -> None:
    found = {str(path.relative_to(real_data)) for path in real_data.glob("*/*")}
    assert found == {*TEXTS, *WORKBOOKS, *REFUSED, PARQUET}


@pytest.mark.parametrize("file", TEXTS)
def test_a_real_text_is_read(real_data: Path, file: str) -> None:
    table, frame = table_of(real_data / file)
    assert (table.encoding, table.separator, len(table.columns), table.rows, table.header_line) == TEXTS[file]
    # Cell by cell what Python's csv module gives, below the header.
    content = (real_data / file).read_bytes()
    text = (gzip.decompress(content) if file.endswith(".gz") else content).decode(table.encoding)
    records = list(csv.reader(io.StringIO(text, newline=""), delimiter=table.separator))[table.header_line :]
    width = len(table.columns)
    expected = [tuple(cell or None for cell in [*record, *[""] * (width - len(record))]) for record in records]
    assert frame.select(table.columns).rows() == expected


@pytest.mark.parametrize("file", WORKBOOKS)
def test_a_real_workbook_is_read(real_data: Path, file: str) -> None:
    found = [
        (table.member, len(table.columns), table.rows, table.header_line) for table, _ in tables_of(real_data / file)
    ]
    assert found == WORKBOOKS[file]


@pytest.mark.parametrize("file", REFUSED)
def test_a_real_file_that_is_no_table_is_refused_in_words(real_data: Path, file: str) -> None:
    rule, words = REFUSED[file]
    with pytest.raises(Refusal, match=words) as refusal:
        tables_of(real_data / file)
    assert refusal.value.rule == rule


def test_a_real_parquet_is_read(real_data: Path) -> None:
    table, frame = table_of(real_data / PARQUET)
    assert table.rows == frame.height == 34_848
    assert frame["_line"].to_list() == list(range(1, 34_849))


def test_the_ministry_txt_keeps_its_short_header_and_every_vote(real_data: Path) -> None:
    table, frame = table_of(real_data / "election/resultats-par-niveau-subcom-t1-france-entiere.txt")
    assert len(table.header) == 26
    assert table.columns[25:28] == ("% Voix/Exp", "_27", "_28")
    assert table.find(["Libellé du département"]) == "Libellé du département"
    assert frame["Inscrits"].cast(int).sum() == 48_747_876


def test_labels_above_codes_are_preamble(real_data: Path) -> None:
    table, frame = table_of(real_data / "emploi/chomage_raw.csv")
    assert table.header[:2] == ("ZE2020", "LIBZE2020")
    assert table.preamble[0].startswith("Code de la zone d'emploi 2020;")
    assert frame.row(0)[:2] == ("0051", "Alençon")


def test_the_source_below_a_sheet_is_footer(real_data: Path) -> None:
    (table, frame), *_ = tables_of(real_data / "emploi/chomage-zone-demploi-2003-2019.xls")
    assert table.footer == ("Source : Insee, Estimations de taux de chômage localisés.",)
    assert (frame["_line"][0], frame["_line"][-1]) == (7, 310)
    assert frame.row(0)[:5] == ("0050", "Mont-de-Marsan", "00", "interrégional", "6")
    assert any("Documentation" in defect for defect in table.defects)


def test_lost_characters_are_told(real_data: Path) -> None:
    table, _ = table_of(real_data / "association/reencode_test.csv")
    assert any("U+FFFD" in defect for defect in table.defects)
