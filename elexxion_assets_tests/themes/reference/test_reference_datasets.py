"""Reference files: whose vintage they are, passage tables in both layouts, memberships with zones d'emploi."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from elexxion_assets.geography import Cog
from elexxion_assets.lake.ledger import State
from elexxion_assets.lake.storage import DirectoryStorage
from elexxion_assets.themes import all_themes
from elexxion_assets_tests.reading.xlsx_bytes import Cell, sheet_xml, xlsx
from elexxion_assets_tests.small_lake import SmallLake

COG = Cog.builtin()

LABELS = ["Code géographique", "Libellé géographique", "Département", "Région", "Intercommunalité - Métropole"]
COLUMNS = ["CODGEO", "LIBGEO", "DEP", "REG", "EPCI", "NATURE_EPCI", "ARR", "ZE2020", "UU2020"]


@pytest.fixture
def lake(tmp_path: Path) -> SmallLake:
    return SmallLake(DirectoryStorage(tmp_path / "lake"), all_themes())


def appartenance(zones: dict[str, str], title: str = "au 1er janvier 2024") -> bytes:
    """Insee's workbook: five lines above the names of the columns, communes and arrondissements on sheets apart."""

    def row(code: str, zone: str) -> list[Cell]:
        return [
            code,
            f"Commune {code}",
            "974" if code.startswith("974") else code[:2],
            "84",
            "200069193",
            "CC",
            "012",
            zone,
            "01000",
        ]

    def sheet(what: str, names: list[str], rows: list[list[Cell]]) -> str:
        head: list[list[Cell]] = [
            [f"Table d'appartenance géographique des {what} {title} et référentiels géographiques"],
            ["Mise en ligne le 15/03/2024"],
            ["Géographie au 01/01/2024"],
            [""],
            [*LABELS, "Nature", "Arrondissement", "Zone d'emploi 2020", "Unité urbaine 2020"],
            list(names),
        ]
        return sheet_xml(dict(enumerate([*head, *rows], start=1)))

    communes = [row(code, zone) for code, zone in zones.items()]
    arrondissements = [row(f"6938{number}", "8421") for number in range(1, 10)]
    supra: list[list[Cell]] = [["NIVGEO", "CODGEO", "LIBGEO", "NB_COM"], ["ZE2020", "8421", "Lyon", "200"]]
    return xlsx(
        {
            "COM": sheet("communes", COLUMNS, communes),
            "ARM": sheet("arrondissements municipaux", COLUMNS, arrondissements),
            "Zones_supra_communales": sheet_xml(dict(enumerate(supra, start=1))),
        }
    )


ZONES = {"01001": "8405", "01002": "8401", "01003": "8401", "01004": "8405", "69123": "8421", "97411": "0403"}


@pytest.mark.parametrize(
    ("name", "title", "vintage"),
    [
        ("table-appartenance-geo-communes-23.xlsx", "au 1er janvier 2024", "2024"),
        ("table-appartenance-geo-communes-23.xlsx", "", "2023"),
        ("table-appartenance-geo-communes-2026.xlsx", "", "2026"),
    ],
)
def test_a_table_of_memberships_is_read_with_its_titles_and_its_sheets(
    lake: SmallLake, name: str, title: str, vintage: str
) -> None:
    delivery = lake.drop(name, appartenance(ZONES, title))
    assert [(facts["member"], facts["dataset"]) for facts in delivery.tables] == [
        ("COM", "appartenance"),
        ("ARM", "appartenance"),
    ]
    assert "Zones_supra_communales" in " ".join(reason["reason"] for reason in delivery.reasons)
    lake.build()
    rows = lake.rows("reference/silver/appartenance", vintage)
    found = dict(rows.select("code_commune", "code_zone_emploi").iter_rows())
    assert found == ZONES | {f"6938{number}": "8421" for number in range(1, 10)}
    assert set(rows["zonage"]) == {"2020"}
    # 01003 is a commune of before: carried as all codes are.
    moved = rows.row(by_predicate=pl.col("code_commune") == "01003", named=True)
    assert moved["code_commune_cible"] == "01165"


def test_the_older_zoning_is_left_where_a_file_holds_two(lake: SmallLake) -> None:
    lake.drop(
        "table-appartenance-geo-communes-21.csv",
        "CODGEO;LIBGEO;DEP;REG;EPCI;ZE2010;ZE2020\n01001;A;01;84;ZZZZZZZZZ;8213;8405\n",
    )
    lake.build()
    row = lake.rows("reference/silver/appartenance", "2021").row(0, named=True)
    assert (row["zonage"], row["code_zone_emploi"], row["code_epci"]) == ("2020", "8405", None)


def test_a_file_with_no_vintage_at_all_is_refused_in_words(lake: SmallLake) -> None:
    delivery = lake.drop("zones.csv", "CODGEO;LIBGEO;DEP;REG;EPCI;ZE2020\n01001;A;01;84;200069193;8405\n")
    assert delivery.state is State.REFUSED
    assert "--vintage 2024" in delivery.reasons[0]["reason"]


def test_a_vintage_after_the_next_one_is_refused_in_words(lake: SmallLake) -> None:
    for name, text in (
        ("v_commune_2099.csv", communes_of(2024)),
        ("passage.csv", "CODGEO_INI,CODGEO_2099\n01001,01001\n"),
        ("base_pop.csv", "codgeo,libgeo,p99_pop\n01001,A,12\n"),
    ):
        delivery = lake.drop(name, text)
        assert delivery.state is State.REFUSED
        assert "of 2099, and nothing is published yet" in delivery.reasons[0]["reason"]


def communes_of(vintage: int) -> str:
    rows = "".join(f"COM,{code},84,01,X,\n" for code in sorted(COG.codes(vintage)))
    return f"TYPECOM,COM,REG,DEP,LIBELLE,COMPARENT\n{rows}COMD,01015,,,Arbignieu,01015\n"


@pytest.mark.parametrize("vintage", [2024, 2015])
def test_a_list_of_all_communes_says_its_vintage_itself(lake: SmallLake, vintage: int) -> None:
    delivery = lake.drop("communes.csv", communes_of(vintage))
    assert list(delivery.tables[0]["periods"]) == [str(vintage)]
    assert delivery.tables[0]["release"] == str(vintage)


@pytest.mark.parametrize(
    "text",
    [communes_of(2024).replace("COM,01001,84,01,X,\n", ""), communes_of(2024).replace("COM,01001", "COM,01999")],
    ids=["one is missing", "one is another"],
)
def test_a_list_of_no_vintage_whole_is_refused(lake: SmallLake, text: str) -> None:
    delivery = lake.drop("communes.csv", text)
    assert delivery.state is State.REFUSED
    assert "not exactly those of any vintage" in delivery.reasons[0]["reason"]
    assert "--vintage 2024" in delivery.reasons[0]["reason"]


def test_an_annual_passage_table_gives_pairs_from_every_vintage(lake: SmallLake) -> None:
    # 01015 and 01340 went into 01015 in 2016; 01033, 01091 and 01205 into 01033 in 2019.
    rows = ["01015,01015,01015,01015", "01340,01340,01015,01015", "01033,01033,01033,01033", "01091,01091,01091,01033"]
    header = "CODGEO_INI,CODGEO_2014,CODGEO_2017,CODGEO_2024"
    delivery = lake.drop("table_passage_annuelle_2025.csv", "\n".join([header, *rows]) + "\n")
    # The columns say more than the name.
    assert list(delivery.tables[0]["periods"]) == ["2024"]
    lake.build()
    pairs = lake.rows("reference/silver/passage", "2024").select("millesime_avant", "code_avant", "code_apres")
    assert set(pairs.iter_rows()) == {
        *((None, before, after) for before, after in (("01015", "01015"), ("01340", "01015"), ("01033", "01033"))),
        (None, "01091", "01033"),
        *((2014, before, after) for before, after in (("01015", "01015"), ("01340", "01015"), ("01033", "01033"))),
        (2014, "01091", "01033"),
        (2017, "01015", "01015"),
        (2017, "01033", "01033"),
        (2017, "01091", "01033"),
    }
    assert lake.document("reference/silver/passage", "2024")["counts"]["quarantined"] == 0


def test_departements_that_come_later_give_the_communes_that_are_there_their_names(lake: SmallLake) -> None:
    lake.drop("v_commune_2024.csv", communes_of(2024), vintage="2024")
    lake.build()
    assert lake.rows("reference/gold/communes", "2024")["libelle_departement"].is_null().all()
    lake.drop(
        "v_departement_2024.csv",
        'DEP,REG,CHEFLIEU,TNCC,NCC,NCCENR,LIBELLE\n01,84,01053,5,"AIN",Ain,Ain\n',
        vintage="2024",
    )
    lake.build()
    named = lake.rows("reference/gold/communes", "2024").filter(pl.col("code_commune") == "01004")
    assert named["libelle_departement"].to_list() == ["Ain"]
