"""The accidents seen in real files, each clause of them: read right, or refused with the reason.

Each test names the accident by its number and quotes it. Where a real file has the accident the tests beside the
reading room and the themes read that file; here the accident happens to a small one, through the real path.
"""

from __future__ import annotations

import datetime as dt
import gzip
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from elexxion_assets.lake.ledger import State
from elexxion_assets_tests import official as o
from elexxion_assets_tests.reading.workbooks import workbook
from elexxion_assets_tests.reading.xlsx_bytes import Cell, sheet_xml, xlsx
from elexxion_assets_tests.trial import Lake

FINALISTS = o.people("MACRON Emmanuel,LE PEN Marine")
SECOND_ROUND = "2022-presidentielle-t2"
CRIME = "classe;annee;Code.département;Code.région;unité.de.compte;millPOP;millLOG;faits;POP;LOG;tauxpourmille"
DEPARTEMENTS = ("01", "02", "2A", "2B", "75", "974")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def second_round(**how: object) -> str:
    """A second round of 2022: a header that says so, and votes of two."""
    how = {"names": "ends"} | how
    return o.results(o.COMMUNE, f"Etat saisie;{o.SPLIT}", o.PRESIDENTIELLE_2017, FINALISTS, **how)  # type: ignore[arg-type]


def crime(
    label: str = "Vols de véhicules",
    unit: str = "Véhicule",
    *,
    year: str = "22",
    facts: str = "1442",
    rate: str = "2,25",
    codes: Sequence[str] = DEPARTEMENTS,
) -> list[str]:
    """Rows of the departmental base."""
    return [f"{label};{year};{code};84;{unit};16;16;{facts};638425;308491,16;{rate}" for code in codes]


def lines(header: str, *rows: str, newline: str = "\n") -> bytes:
    return (newline.join([header, *rows]) + newline).encode()


def votes(lake: Lake, scrutin: str = SECOND_ROUND) -> pl.DataFrame:
    return lake.make("election/silver/resultats", scrutin)


def departements(lake: Lake, year: str = "2022") -> pl.DataFrame:
    return lake.make("crime/silver/departementale", year)


# --- 1. Encodings, newlines, extensions that lie ----------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "cp1252", "cp850"])
def test_1_encodings(lake: Lake, encoding: str) -> None:
    """1: « utf-8, utf-8 with BOM, latin-1, cp1252, cp850 (`1\\x8are` is "1ère") »."""
    text = o.results(
        o.BUREAU, f"Etat saisie;{o.SPLIT}", o.PRESIDENTIELLE_2017, o.people(o.CANDIDATES[2022]), names="ends"
    )
    assert "1ère circonscription" in text
    delivery = lake.drop("a.txt", text.encode(encoding))
    assert delivery.state is State.READ, delivery.reasons
    found = votes(lake, "2022-presidentielle-t1")
    assert {"MÉLENCHON Jean-Luc", "PÉCRESSE Valérie", "ZEMMOUR Éric"} <= set(found["candidat"])
    assert "Ambérieu-en-Bugey" in set(found["libelle"])


def test_1_characters_lost_before_the_file_came(lake: Lake) -> None:
    """1: « U+FFFD already inside »: said, and labels are known all the same."""
    delivery = lake.drop("a.csv", lines(CRIME, *crime("Vols de v\ufffdhicules", "V\ufffdhicule")))
    assert any("lost" in defect or "U+FFFD" in defect for defect in delivery.tables[0]["defects"])
    assert departements(lake)["indicateur"].unique().to_list() == ["vols_de_vehicule"]


def test_1_lf_and_crlf_of_one_file_name(lake: Lake) -> None:
    """1: « LF and CRLF for one and the same file name »."""
    for newline, year in (("\n", "21"), ("\r\n", "22")):
        delivery = lake.drop("donnee-dep.csv", lines(CRIME, *crime(year=year), newline=newline))
        assert delivery.state is State.READ
    assert departements(lake, "2021").height == departements(lake, "2022").height == len(DEPARTEMENTS)


def test_1_extensions_that_lie(lake: Lake) -> None:
    """1: « Extensions that lie (CSV called .xlsx; Git LFS pointers of 130 bytes called .csv) »."""
    assert lake.drop("resultats.xlsx", second_round().encode("latin-1")).state is State.READ
    assert votes(lake)["voix"].sum() > 0
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'ab' * 32}\nsize 16495831\n".encode()
    delivery = lake.drop("Presidentielle_2017.csv", pointer)
    assert delivery.state is State.REFUSED
    assert delivery.reasons[0]["rule"] == "lfs_pointer"
    packed = lake.drop("crime.csv", gzip.compress(lines(CRIME, *crime())))
    assert packed.state is State.READ


# --- 2. Separators ----------------------------------------------------------------------------------------------------


def test_2_a_semicolon_file_whose_geojson_holds_more_commas(lake: Lake) -> None:
    """2: « sniffing by counting fails (a `;` file whose GeoJSON column holds more commas) »."""
    points = ", ".join(["[-0.55, 47.46]"] * 6)
    shape = f'"{{""type"": ""Polygon"", ""coordinates"": [[{points}]]}}"'
    rows = [f"{row};{shape}" for row in crime()]
    assert sum(row.count(",") for row in rows) > sum(row.count(";") for row in rows)
    delivery = lake.drop("a.csv", lines(f"{CRIME};geo_shape", *rows))
    assert delivery.tables[0]["separator"] == ";"
    assert departements(lake)["nombre"].to_list() == [1442] * len(DEPARTEMENTS)


# --- 3. Excel ---------------------------------------------------------------------------------------------------------


def test_3_cut_at_65536_rows(lake: Lake) -> None:
    """3: « cut at 65,536 rows »: refused, because the rest is missing."""
    rows: dict[int, list[Cell]] = {1: ["Code commune", "Voix"]}
    rows |= {number: [1001.0, 7.0] for number in range(2, 65_537)}
    delivery = lake.drop("a.xlsx", xlsx({"Feuil1": sheet_xml(rows)}))
    assert delivery.state is State.REFUSED
    assert delivery.reasons[0]["rule"] == "cut_by_excel"
    assert "65,536" in delivery.reasons[0]["reason"]


def rows_of(text: str) -> list[list[object]]:
    return [list(line.split(";")) for line in text.splitlines()]


@pytest.mark.parametrize("titles", range(7))
def test_3_title_rows_that_differ_between_sheets(lake: Lake, titles: int) -> None:
    """3: « 0 to 6 title rows that differ between sheets, empty sheets, footers, sheet names with time stamps »."""
    above: list[list[object]] = [["Résultats"], ["Tour 2"], [], ["France entière"], ["Définitifs"], []][:titles]
    nothing: list[list[object]] = []
    footer: list[list[object]] = [[], ["Source : ministère de l'Intérieur"]]
    by_departement = o.results(
        "Code du département;Libellé du département",
        f"Etat saisie;{o.SPLIT}",
        o.PRESIDENTIELLE_2017,
        FINALISTS,
        places=o.PLACES[1:9],
    )
    sheets = {
        "Communes T2_2022-04-27 12h49": [*above, *rows_of(second_round()), *footer],
        "vide": nothing,
        "Départements T2": [*above[: titles // 2], *rows_of(by_departement)],
    }
    delivery = lake.drop("resultats.xlsx", workbook(sheets))
    assert {facts["dataset"]: facts["rows"] for facts in delivery.tables} == {
        "communes": len(o.PLACES),
        "departements": 8,
    }
    found = votes(lake)
    assert found.filter(pl.col("niveau") == "departement")["voix"].sum() == 8 * o.VOTES_OF_A_ROW
    assert lake.quarantined() == []


def test_3_what_a_spreadsheet_makes_of_numbers(lake: Lake) -> None:
    """3: « integers as strings (`38 759 907`), codes as floats, dates made of numbers, `4.34468E+15` »."""
    head: list[object] = list(CRIME.split(";"))
    good: list[list[object]] = [
        ["Homicides", 22, code, 84.0, "Victime", 16, 16, "38 759 907", "67 000 000", 308491.16, 0.58]
        for code in (1.0, 2.0, 13.0, 75.0, 971.0, "2A", "2B", *map(float, range(20, 40)))
    ]
    bad: list[list[object]] = [
        ["Homicides", 22, 41.0, 84, "Victime", 16, 16, 7, 638425, 308491, dt.datetime(2066, 1, 30)],
        ["Homicides", 22, 42.0, 84, "Victime", 16, 16, 7, 638425, 308491, 4.34468e15],
    ]
    delivery = lake.drop("a.xlsx", workbook({"in": [head, *good, *bad]}))
    assert delivery.state is State.READ, delivery.reasons
    silver = departements(lake)
    read = silver.filter(pl.col("_rescued").is_null())
    assert read["nombre"].unique().to_list() == [38_759_907]
    assert {"01", "02", "13", "75", "971", "2A", "2B"} <= set(silver["code_departement"])
    [said] = lake.quarantined()
    assert "is above 100000" in said
    # A date is no rate: the row is told without one, and what was written is kept beside it.
    [dated] = silver.filter(pl.col("_rescued").is_not_null()).rows(named=True)
    assert (dated["code_departement"], dated["nombre"], dated["taux_pour_mille"]) == ("41", 7, None)
    assert "2066-01-30" in dated["_rescued"]


def test_3_two_header_lines_interleaved_codes_legends_and_footers(lake: Lake) -> None:
    """3: « Two or three header lines; interleaved code rows; legends and `Source : Insee` footers »."""
    periods = [f"{year}-T{quarter}" for year in range(2001, 2023) for quarter in range(1, 5)]
    series = []
    for number in range(4):
        series.append([f"Emploi salarié - {number}", f"01056802{number}", "31/03/2023 12:00", "", *["30 287"] * 88])
        series.append(["Codes", "", "", "", *["A"] * 88])
    book = workbook(
        {
            "valeurs": [["Libellé", "idBank", "Dernière mise à jour", "Période", *periods], *series],
        }
    )
    assert lake.drop("series.xlsx", book).tables[0]["dataset"] == "bdm"
    assert lake.make("emploi/silver/bdm", "2022")["valeur"].unique().to_list() == [30_287.0]
    zones: list[list[object]] = [
        ["Taux de chômage localisés"],
        ["Zones d'emploi", "", "", "", "2003", "", "", ""],
        [
            "Code de la zone d'emploi 2020",
            "Libellé",
            "Région",
            "",
            *(f"Trimestre {quarter}" for quarter in range(1, 5)),
        ],
        ["ZE2020", "LIBZE2020", "REG", "LIBREG", *(f"2003-T{quarter}" for quarter in range(1, 5))],
        *([f"110{n}", f"Zone {n}", "11", "IDF", 7.2, 7.3, 7.4, 7.5] for n in range(8)),
        ["Source : Insee, taux de chômage localisés"],
    ]
    delivery = lake.drop("zones.xlsx", workbook({"txcho_ze": zones}))
    assert (delivery.tables[0]["rows"], delivery.tables[0]["footer"]) == (
        8,
        ["Source : Insee, taux de chômage localisés"],
    )
    assert lake.make("emploi/silver/chomage_zone_emploi", "2003").height == 32


# --- 4. Elections -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", ["ends", "empty", "numbered", "repeated"])
def test_4_header_shorter_than_the_data_and_another_order_on_every_row(lake: Lake, names: str) -> None:
    """4: « header shorter than the data; candidate order differs per row (by score) »."""
    lake.drop("a.txt", second_round(names=names).encode("latin-1"))
    found = votes(lake)
    by_candidate = found.group_by("candidat").agg(pl.col("voix").sum(), pl.len())
    assert sorted(by_candidate.rows()) == sorted(
        [("LE PEN Marine", 375 * len(o.PLACES), len(o.PLACES)), ("MACRON Emmanuel", 375 * len(o.PLACES), len(o.PLACES))]
    )


def test_4_missing_trailing_candidates(lake: Lake) -> None:
    """4: « missing trailing candidates »: in législatives a commune has those of its circonscription."""
    text = o.results(
        o.COMMUNE,
        f"Etat saisie;{o.SPLIT}",
        f"{o.LEGISLATIVES};Sièges",
        o.candidates("NUP ENS RN DXG LR"),
        names="ends",
    )
    fields = len(f"{o.LEGISLATIVES};Sièges".split(";"))
    cut = [line.split(";") for line in text.splitlines()]
    rows = [cut[0], *(row[: len(row) - fields * (number % 3)] for number, row in enumerate(cut[1:]))]
    lake.drop("subcom.txt", ("\r\n".join(";".join(row) for row in rows) + "\r\n").encode("latin-1"))
    found = votes(lake, "2022-legislatives-t1")
    assert found.height == sum(5 - number % 3 for number in range(len(o.PLACES)))
    assert lake.quarantined() == []


@pytest.mark.parametrize(
    ("block", "spelt"),
    [
        ("Sexe;Nom;Prénom;Voix", "{field} {rank}"),
        ("N°Panneau;Sexe;Nom;Prénom;Voix;% Voix/Ins;% Voix/Exp", "{rank}_{field}"),
        (
            "N.Pan.;Code Nuance;Sexe;Nom;Prénom;Liste;Sièges / Elu;Sièges Secteur;Sièges CC;Voix;% Voix/Ins;% Voix/Exp",
            "",
        ),
        ("Nom;Prénom;Voix;% Voix/Exp", "{field}"),
    ],
)
def test_4_blocks_of_4_to_12_fields(lake: Lake, block: str, spelt: str) -> None:
    """4: « blocks of 4 to 12 fields, numbered at the end or at the start of the name, or unnamed »."""
    people = o.people(o.CANDIDATES[2022])
    text = o.results(o.COMMUNE, f"Etat saisie;{o.SPLIT}", block, people, names="empty")
    header, _, rest = text.partition("\r\n")
    fixed = header.split(";")[: len(f"{o.COMMUNE};Etat saisie;{o.SPLIT}".split(";"))]
    if spelt:
        for rank in range(1, len(people) + 1):
            fixed += [spelt.format(field=field, rank=rank) for field in block.split(";")]
        header = ";".join(fixed)
    lake.drop("a.csv", f"{header}\r\n{rest}".encode())
    found = votes(lake, "2022-presidentielle-t1")
    assert (found["voix"] * found["part"]).sum() == len(o.PLACES) * o.VOTES_OF_A_ROW
    assert found["candidat"].n_unique() == len(people)


def test_4_blank_and_spoilt_votes_merged_or_split(lake: Lake) -> None:
    """4: « `Blancs et nuls` merged or split »: never added up twice, never made up."""
    merged = o.results(o.COMMUNE, o.MERGED, o.PRESIDENTIELLE_2012, o.people(o.CANDIDATES[2012]))
    lake.drop("2012.csv", merged.encode())
    lake.drop("2022.csv", second_round().encode())
    old = lake.make("election/silver/participation", "2012-presidentielle-t1")
    new = lake.make("election/silver/participation", SECOND_ROUND)
    assert set(old.select("blancs", "nuls", "blancs_et_nuls").unique().rows()) == {(None, None, 50)}
    assert set(new.select("blancs", "nuls", "blancs_et_nuls").unique().rows()) == {(30, 20, None)}


@pytest.mark.parametrize(
    ("nuances", "year"), [("REM FI LR FN SOC", 2017), ("ENS NUP RN LR DXG", 2022), ("UG RN ENS HOR LR", 2024)]
)
def test_4_nuances_that_change_every_year(lake: Lake, nuances: str, year: int) -> None:
    """4: « nuances that change every year »: they tell the year, and every one has its bloc."""
    places = o.PLACES[:8]
    lake.drop("r.csv", o.results(o.COMMUNE, o.SPLIT, o.LEGISLATIVES, o.candidates(nuances), places=places).encode())
    found = votes(lake, f"{year}-legislatives-t1")
    assert set(found["nuance"]) == set(nuances.split())
    assert found["bloc"].null_count() == 0


def test_4_provisional_and_definitive_releases(lake: Lake) -> None:
    """4: « provisional and definitive releases of one election »: the definitive one wins, whenever it came."""
    provisional = second_round().replace(";1000;", ";1111;")
    lake.drop("resultats-definitifs.txt", second_round().encode())
    lake.drop("resultats-provisoires.txt", provisional.encode())
    assert lake.make("election/silver/participation", SECOND_ROUND)["inscrits"].unique().to_list() == [1000]
    lake.build()
    assert [(one.silver > 0, one.older > 0) for one in lake.coverage()] == [(True, False), (False, True)]


# --- 5. and 6. Numbers and missing values -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("2,25", 2.25),
        ("2.25", 2.25),
        ("7,83e-03", 0.00783),
        ("74,62%", 74.62),
        ("2,25085170536868073", 2.25085170536868),
        ("1 234,5", 1234.5),
        ("1\u00a0234,5", 1234.5),
        ("1\u202f234,5", 1234.5),
    ],
)
def test_5_numbers(lake: Lake, written: str, value: float) -> None:
    """5: « comma, dot, `7,83e-03`, `74,62%`, 15+ digits, spaces as thousands »."""
    lake.drop("a.csv", lines(CRIME, *crime(rate=written)))
    assert departements(lake)["taux_pour_mille"].to_list() == [pytest.approx(value)] * len(DEPARTEMENTS)


def test_5_percentages_as_fractions_elsewhere_are_never_trusted(lake: Lake) -> None:
    """5: « percentages as fractions elsewhere »: rates are worked out from counts, in percent."""
    lake.drop("a.csv", second_round().replace("10,00", "0,10").encode())
    lake.build()
    gold = lake.rows("election/gold/communes", SECOND_ROUND)
    assert gold["taux_participation"].unique().to_list() == [80.0]


@pytest.mark.parametrize("written", ["NA", "N/A", "", "ndiff"])
def test_6_missing_is_null_and_secrecy_is_never_zero(lake: Lake, written: str) -> None:
    """6: « `NA N/A ... ndiff` and empty. `ndiff` is secrecy: never 0 »."""
    header = (
        "CODGEO_2024;annee;classe;unité.de.compte;valeur.publiée;faits;tauxpourmille;complementinfoval;complementinfotaux;"
        "POP;millPOP;LOG;millLOG"
    )
    said = "ndiff" if written == "ndiff" else "diff"
    rows = [
        f"{code};20;Violences sexuelles;victime;{said};{written};{written};2,05;1,5;15000;20;8000;20"
        for code in ("01004", "2A004", "97411")
    ]
    lake.drop("a.csv", lines(header, *rows))
    silver = lake.make("crime/silver/communale", "2020")
    assert silver.select("nombre", "taux_pour_mille").unique().rows() == [(None, None)]
    assert silver["est_diffuse"].unique().to_list() == [written != "ndiff"]


@pytest.mark.parametrize("written", ["s", "nd", "s.s", "(O)", "_", "N/A"])
def test_6_secrecy_of_incomes(lake: Lake, written: str) -> None:
    """6: « `s nd s.s (O) _` »: null, and told from what is only missing."""
    rows = [f"{code};315;{written}" for code in ("01004", "2A004", "97411")]
    lake.drop("cc_filosofi_2020_COM.csv", lines("CODGEO;NBMENFISC20;MED20", *rows))
    silver = lake.make("emploi/silver/filosofi", "2020")
    assert silver["revenu_median"].null_count() == 3
    assert silver["revenu_median_est_secret"].unique().to_list() == [written != "N/A"]


def test_6_the_first_day_of_the_calendar_is_no_date(lake: Lake) -> None:
    """6: « `0001-01-01` »."""
    header = "id;date_creat;date_disso;titre;objet_social1;adrs_codeinsee;adrs_libcommune;position;maj_time"
    rows = [f"W01100000{n};2010-05-12;0001-01-01;LES AMIS;006030;01004;X;A;2024-05-01 10:00:00" for n in range(3)]
    delivery = lake.drop("rna_waldec_20240601_dpt_01.csv", lines(header, *rows))
    assert delivery.state is State.READ, delivery.reasons
    assert lake.make("association/silver/registre", "2024")["date_dissolution"].null_count() == 3


# --- 7. and 8. Codes --------------------------------------------------------------------------------------------------


def test_7_codes_without_their_zeros(lake: Lake) -> None:
    """7: « zeros lost (`1`, `1.0`, `1004`); 2A/2B »."""
    codes = ("1", "2.0", "03", "2A", "2b", "974")
    lake.drop("a.csv", lines(CRIME, *crime(codes=codes)))
    silver = departements(lake)
    assert {"01", "02", "03", "2A", "974"} <= set(silver["code_departement"])
    rows = [f"{code};315;24820" for code in ("1004", "2033.0", "2A004", "97411", "59350", "75056")]
    lake.drop("cc_filosofi_2020_COM.csv", lines("CODGEO;NBMENFISC20;MED20", *rows))
    assert {"01004", "02033"} <= set(lake.make("emploi/silver/filosofi", "2020")["code_commune"])


def test_7_overseas_in_the_ministry_s_letters(lake: Lake) -> None:
    """7: « ZA=971 ZB=972 ZC=973 ZD=974 ZM=976 ZN=988 ZP=987 ZS=975 ZW=986 ZX=Saint-Martin/... ZZ=abroad »."""
    wallis = ("ZW", "Wallis et Futuna", "601", "Wallis et Futuna")
    martin = ("ZX", "Saint-Martin/Saint-Barthélemy", "801", "Saint-Martin")
    lake.drop("a.txt", second_round(places=(*o.PLACES, wallis, martin)).encode("latin-1"))
    found = votes(lake)
    assert set(found["code_commune"]) == {*o.INSEE, "98601", "97801"}
    assert found["code_commune_cible"].null_count() == 0
    assert lake.quarantined() == []


def test_7_since_2024_codes_are_whole(lake: Lake) -> None:
    """7: « in 2024 971..988 but still ZX/ZZ, and `Code commune` already has 5 characters »."""
    text = o.results(o.COMMUNE_2024, o.OF_2024, o.LEGISLATIVES_2024, o.candidates("UG RN ENS"), names="numbered")
    assert "971;Guadeloupe;97101" in text
    assert "ZX;" in text
    lake.drop("a.csv", text.encode())
    assert set(votes(lake, "2024-legislatives-t2")["code_commune"]) == set(o.INSEE)


@pytest.mark.parametrize(("number", "year"), [("511", 2012), ("611", 2022)])
def test_7_both_numberings_of_mayotte(lake: Lake, number: str, year: int) -> None:
    """7: « ZM501-517 in 2012/2017, ZM601-617 since 2019; `97`+`501` would be Saint-Pierre-et-Miquelon »."""
    places = (*o.PLACES[:4], ("ZM", "Mayotte", number, "Mamoudzou"))
    figures = o.MERGED if year == 2012 else f"Etat saisie;{o.SPLIT}"
    block = o.PRESIDENTIELLE_2012 if year == 2012 else o.PRESIDENTIELLE_2017
    lake.drop("a.csv", o.results(o.COMMUNE, figures, block, o.people(o.CANDIDATES[year]), places=places).encode())
    found = votes(lake, f"{year}-presidentielle-t1").filter(pl.col("libelle") == "Mamoudzou")
    assert found.select("code_commune", "code_commune_cible").unique().rows() == [("97611", "97611")]


def test_8_paris_lyon_marseille_are_never_counted_twice(lake: Lake) -> None:
    """8: « elections use 75056/69123/13055; FiLoSoFi and base-cc hold the commune and its arrondissements »."""
    codes = ("75056", "75101", "75120", "69123", "69381", "13055", "13201", "01004")
    names = "CODGEO;P17_POP1564;P17_ACT1564;P17_ACTOCC1564;P17_CHOM1564"
    lake.drop("base-cc-emploi-pop-active-2017.CSV", lines(names, *(f"{code};620;468;400;68" for code in codes)))
    lake.build()
    gold = lake.rows("emploi/gold/communes", "2017").filter(pl.col("population_15_64").is_not_null())
    assert sorted(gold["code_commune"]) == ["01004", "13055", "69123", "75056"]
    assert gold["population_15_64"].unique().to_list() == [620.0]


def test_8_municipales_use_sectors(lake: Lake) -> None:
    """8: « municipales use `056SR01` »: parts of one commune, which add up."""
    sectors = tuple(("75", "Paris", f"056SR{rank:02}", f"Paris secteur {rank}") for rank in range(1, 18))
    text = o.results(o.COMMUNE, o.SPLIT, o.MUNICIPALES_2020, o.candidates("LREM LUG LRN"), places=sectors)
    lake.drop("2020-06-29-resultats-t2-arr.txt", text.encode("latin-1"))
    lake.build()
    gold = lake.rows("election/gold/communes", "2020-municipales-t2")
    assert gold.select("code_commune", "inscrits").rows() == [("75056", 17_000.0)]


# --- 9. and 10. Mergers, names of indicators --------------------------------------------------------------------------


def test_9_codes_gone_are_added_up_in_the_commune_of_today(lake: Lake) -> None:
    """9: « 1,287 codes gone between 2012 and 2017 »."""
    # Valserhône (01033) was made of Bellegarde-sur-Valserine (01033), Châtillon-en-Michaille and Lancrans in 2019.
    places = tuple(("01", "Ain", code, "X") for code in ("033", "091", "205", "004"))
    text = o.results(o.COMMUNE, o.MERGED, o.PRESIDENTIELLE_2012, o.people(o.CANDIDATES[2012]), places=places)
    lake.drop("2012.csv", text.encode())
    lake.build()
    gold = lake.rows("election/gold/communes", "2012-presidentielle-t1")
    assert dict(gold.select("code_commune", "inscrits").rows()) == {"01004": 1000.0, "01033": 3000.0}
    [found] = lake.coverage()
    assert (found.communes, found.communes_placed, found.problems) == (4, 4, [])
    assert found.motifs["merged"] == 2


def test_9_the_vintage_of_the_geography_in_the_name_of_a_column(lake: Lake) -> None:
    """9: « the vintage of the geography may stand in a column's name »."""
    for vintage in (2018, 2024):
        header = (
            f"CODGEO_{vintage};annee;classe;unité.de.compte;valeur.publiée;faits;tauxpourmille;POP;millPOP;LOG;millLOG"
        )
        rows = [f"{code};17;Violences sexuelles;victime;diff;12;1;15000;17;8000;17" for code in ("01091", "01004")]
        lake.drop(f"{vintage}.csv", lines(header, *(rows if vintage == 2018 else rows[1:])))
        assert lake.make("crime/silver/communale", "2017")["geographie"].unique().to_list() == [str(vintage)]


SAME = [
    ("Vols de véhicules", "Vols de véhicule"),
    ("Escroqueries", "Escroqueries et fraudes aux moyens de paiement"),
    ("Coups et blessures volontaires (intrafamiliaux)", "Violences physiques intrafamiliales"),
    ("Coups et blessures volontaires (Autres)", "Violences physiques hors cadre familial"),
]


@pytest.mark.parametrize(("old", "new"), SAME, ids=[new for _, new in SAME])
def test_10_renamed_indicators_are_one(lake: Lake, old: str, new: str) -> None:
    """10: « SSMSI renames », « `victime`/`Victime` »."""
    lake.drop("a.csv", lines(CRIME, *crime(old, "victime", year="21"), *crime(new, "Victime", year="22")))
    before, after = departements(lake, "2021"), departements(lake, "2022")
    assert before["indicateur"].unique().to_list() == after["indicateur"].unique().to_list()
    assert before["unite"].unique().to_list() == after["unite"].unique().to_list() == ["victime"]


def test_10_overlapping_totals_are_not_added_up(lake: Lake) -> None:
    """10: « Overlapping totals (AFD / outside AFD; CBV = intrafamiliaux + autres) »."""
    rows = [
        *crime("Coups et blessures volontaires", "victime", facts="10"),
        *crime("Coups et blessures volontaires intrafamiliaux", "victime", facts="6"),
        *crime("Autres coups et blessures volontaires", "victime", facts="4"),
        *crime("Usage de stupéfiants", "Mis en cause", facts="9"),
        *crime("Usage de stupéfiants (AFD)", "Mis en cause", facts="5"),
        *crime("Usage de stupéfiants (hors AFD)", "Mis en cause", facts="4"),
    ]
    lake.drop("a.csv", lines(CRIME, *rows))
    lake.build()
    gold = lake.rows("crime/gold/departements", "2022")
    assert gold["coups_et_blessures_nombre"].unique().to_list() == [10]
    assert gold["usage_stupefiants_nombre"].unique().to_list() == [9]


def test_10_revised_values_and_a_departement_na(lake: Lake) -> None:
    """10: « Values are revised between releases: Ain 2016 CBV 1442, 1437, 1450 », « A department `NA` appears »."""
    for facts, released in (("1442", "2023-02-09"), ("1450", "2024-07-05"), ("1437", "2024-03-07")):
        codes = ("01", "02", "2A", "NA") if released == "2024-07-05" else ("01", "02", "2A")
        rows = crime("Coups et blessures volontaires", "victime", year="16", facts=facts, codes=codes)
        lake.drop(f"donnee-dep-data.gouv-produit-le{released}.csv", lines(CRIME, *rows))
    assert departements(lake, "2016")["nombre"].unique().to_list() == [1450]
    assert lake.quarantined() == ["code_departement: no value"]


@pytest.mark.parametrize("facts", ["5", "0"])
def test_10_small_published_figures_stay_as_they_are(lake: Lake, facts: str) -> None:
    """10: « Published communal minimum is 5 »: 5 is a figure, and a published 0 is none of the masked ones."""
    header = "CODGEO_2024;annee;classe;unité.de.compte;valeur.publiée;faits;tauxpourmille;POP;millPOP;LOG;millLOG"
    rows = [f"{code};20;Violences sexuelles;victime;diff;{facts};1;15000;20;8000;20" for code in ("01004", "2A004")]
    lake.drop("a.csv", lines(header, *rows))
    assert lake.make("crime/silver/communale", "2020")["nombre"].to_list() == [int(facts)] * 2


# --- 11. and 12. ------------------------------------------------------------------------------------------------------


def test_11_one_name_two_contents(lake: Lake) -> None:
    """11: « One name, two contents: identify by content »."""
    name = "resultats-par-niveau-subcom-t1-france-entiere.txt"
    presidentielle = o.results(
        o.COMMUNE, f"Etat saisie;{o.SPLIT}", o.PRESIDENTIELLE_2017, o.people(o.CANDIDATES[2022]), names="ends"
    )
    legislatives = o.results(
        o.COMMUNE, f"Etat saisie;{o.SPLIT}", o.LEGISLATIVES, o.candidates("NUP ENS RN DXG LR"), names="ends"
    )
    for text, scrutin in ((presidentielle, "2022-presidentielle-t1"), (legislatives, "2022-legislatives-t1")):
        delivery = lake.drop(name, text.encode("latin-1"))
        assert list(delivery.tables[0]["periods"]) == [scrutin]
    assert len(list(lake.ledger.all())) == 2


def test_12_escaped_quotes_positions_and_two_names_of_the_commune(lake: Lake) -> None:
    """12: « escaped quotes in `objet`; positions A/D/S; the two formats name the commune differently »."""
    common = "date_creat;date_disso;titre;objet;objet_social1;adrs_codeinsee"
    waldec = f"id;{common};adrs_libcommune;position;maj_time"
    imported = f"id;{common.replace(';date_disso', '')};libcom;position;maj_time"
    objet = '"dit ""le Club"" ; jeux, rires\net ""autres"""'
    said = 'dit "le Club" ; jeux, rires\net "autres"'
    rows = [
        f"W01100000{n};2010-05-12;{left};LES AMIS;{objet};006030;01004;AMBERIEU;{position};2024-05-01 10:00:00"
        for n, (position, left) in enumerate((("A", ""), ("D", "2020-01-01"), ("S", "2021-01-01")))
    ]
    assert lake.drop("rna_waldec_20240601_dpt_01.csv", lines(waldec, *rows)).state is State.READ
    rows = [
        f"011P00000{n};1990-05-12;LES AMIS;{objet};006030;01004;AMBERIEU;{position};2024-05-01 10:00:00"
        for n, position in enumerate("ADSR")
    ]
    assert lake.drop("rna_import_20240601_dpt_01.csv", lines(imported, *rows)).state is State.READ
    register = lake.make("association/silver/registre", "2024")
    assert register["objet"].unique().to_list() == [said]
    assert register["libelle_commune"].unique().to_list() == ["AMBERIEU"]
    assert sorted(register["position"]) == sorted("ADSADSR")
    lake.build()
    assert lake.rows("association/gold/communes", "2024")["stock"].to_list() == [2]
