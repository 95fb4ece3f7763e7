"""Which election a file is about is read from what it holds."""

from __future__ import annotations

import narwhals as nw
import pytest

from elexxion_assets.declare import Refusal
from elexxion_assets.themes.election import blocs
from elexxion_assets.themes.election.scrutins import Scrutins, presidentielle_of, scrutin_of
from elexxion_assets_tests.themes.election.delivered import text_table

HEAD = "Code du département;Code de la commune;Inscrits;Votants;Exprimés"
FIGURES = "1;{};900;800;700"


def wide(block: str, *candidates: str, file: str = "a.csv", head: str = HEAD, **facts):
    """A table of communes where the same candidates stand everywhere."""
    header = ";".join([head, *[block] * len(candidates)])
    rows = [";".join([FIGURES.format(number), *candidates]) for number in range(1, 6)]
    return text_table(header.split(";"), [row.split(";") for row in rows], file, **facts)[0]


def people(*names: str, block: str = "Nom;Prénom;Voix", **facts):
    return wide(block, *(f"{name};X;10" for name in names), **facts)


def stood(nuances: str, **facts):
    names = [f"CANDIDAT {position};X;{nuance};10" for position, nuance in enumerate(nuances.split())]
    return wide("Nom;Prénom;Nuance;Voix", *names, **facts)


@pytest.mark.parametrize("year", [2002, 2007, 2012, 2017, 2022])
def test_candidates_tell_a_presidentielle(year):
    names = list(blocs.presidential_candidates()[year])
    assert scrutin_of(people(*names, file="resultats.csv")) == f"{year}-presidentielle-t1"
    plain = [blocs.plain(name) for name in names]
    assert scrutin_of(people(*plain, file="elections 1999 tour 2.csv")) == f"{year}-presidentielle-t1"


@pytest.mark.parametrize(
    ("names", "key"),
    [
        (("CHIRAC", "LE PEN"), "2002-presidentielle-t2"),
        (("SARKOZY", "ROYAL"), "2007-presidentielle-t2"),
        (("HOLLANDE", "SARKOZY"), "2012-presidentielle-t2"),
    ],
)
def test_finalists_tell_a_second_round(names, key):
    assert scrutin_of(people(*names)) == key


def test_same_finalists_in_2017_and_2022():
    assert scrutin_of(people("MACRON", "LE PEN", file="PR17_BVot_T2_FE.txt")) == "2017-presidentielle-t2"
    assert scrutin_of(people("MACRON", "LE PEN", file="p2022-resultats-t2.txt")) == "2022-presidentielle-t2"
    counted = HEAD.replace("Inscrits", "Etat saisie;Inscrits")
    header = [*counted.split(";"), "Nom", "Prénom", "Voix", "Nom", "Prénom", "Voix"]
    row = ["1", "1", "Complet", "900", "800", "700", "MACRON", "Emmanuel", "400", "LE PEN", "Marine", "300"]
    assert scrutin_of(text_table(header, [row], "resultats-t2.txt")[0]) == "2022-presidentielle-t2"
    with pytest.raises(Refusal) as refusal:
        scrutin_of(people("MACRON", "LE PEN", file="resultats.csv"))
    assert refusal.value.rule == "unknown_scrutin"
    assert "presidentielle round 2" in refusal.value.reason
    assert "elexxion drop --scrutin" in refusal.value.reason


@pytest.mark.parametrize(
    ("nuances", "key"),
    [
        ("EXG FI REM LR FN UDI", "2017-legislatives-t1"),
        ("REM LR", "2017-legislatives-t2"),
        ("DXG NUP ENS LR RN REC", "2022-legislatives-t1"),
        ("NUP ENS", "2022-legislatives-t2"),
        ("EXG UG ENS LR RN DVD", "2024-legislatives-t1"),
        ("UG ENS RN", "2024-legislatives-t2"),
        ("FG SOC UMP FN CEN VEC", "2012-legislatives-t1"),
        ("COM SOC UDFD UMP FN VEC", "2007-legislatives-t1"),
    ],
)
def test_nuances_tell_the_year_and_their_number_the_round(nuances, key):
    assert scrutin_of(stood(nuances)) == key


def test_names_of_file_and_sheet_fill_what_the_content_leaves_open():
    by_nuance = "Code Nuance;Voix"
    table = wide(by_nuance, "REM;10", "LR;9", "FI;8", file="resultats.xlsx", member="Departements T2")
    assert scrutin_of(table) == "2017-legislatives-t2"
    lists = wide("Nuance Liste;Liste;Voix", "LDVG;A;10", "LDVD;B;9", file="Régionales 2015 2nd tour.csv")
    assert scrutin_of(lists) == "2015-regionales-t2"
    titled = wide(
        "Nuance Liste;Liste;Voix", "LDVG;A;10", file="a.csv", preamble=("Élections municipales 2014, 1er tour",)
    )
    assert scrutin_of(titled) == "2014-municipales-t1"


def test_round_of_files_with_one_line_per_candidate():
    header = [
        "Code du département",
        "Code de la circonscription",
        "Inscrits",
        "Votants",
        "Exprimés",
        "Nom",
        "Nuance",
        "Voix",
    ]
    rows = [
        ["1", str(territory), "900", "800", "700", f"CANDIDAT {rank}", nuance, "10"]
        for territory in range(1, 5)
        for rank, nuance in enumerate(("UG", "RN"))
    ]
    assert scrutin_of(text_table(header, rows)[0]) == "2024-legislatives-t2"


def test_europeennes_have_one_round():
    heads = ["BARDELLA Jordan", "LOISEAU Nathalie", "JADOT Yannick", "BELLAMY François-Xavier", "AUBRY Manon"]
    of_2019 = wide("Libellé Abrégé Liste;Nom Tête de Liste;Voix", *(f"LISTE {head};{head};9" for head in heads))
    assert scrutin_of(of_2019) == "2019-europeennes-t1"
    of_2024 = wide("Nuance liste;Libellé de liste;Voix", "LENS;BESOIN D'EUROPE;9", "LRN;LA FRANCE REVIENT;10")
    assert scrutin_of(of_2024) == "2024-europeennes-t1"


def test_the_person_has_the_last_word():
    hints = {"scrutin": "2017-presidentielle-t2"}
    assert scrutin_of(people("MACRON", "LE PEN", file="2022.csv", hints=hints)) == "2017-presidentielle-t2"
    with pytest.raises(Refusal, match="no general election « presidentielle » in 2016") as refusal:
        scrutin_of(people("MACRON", "LE PEN", hints={"scrutin": "2016-presidentielle-t1"}))
    assert refusal.value.rule == "unknown_scrutin"


def test_files_of_many_elections_say_it_on_every_line():
    header = ["id_election", "code_commune", "code_bv", "voix", "nom"]
    ids = [
        "2022_pres_t1",
        "2024_legi_t2",
        "2014_muni_t1",
        "2015_dpmt_t2",
        "2019_euro_t1",
        "2021_regi_t1",
        "autre",
        None,
    ]
    table, text = text_table(header, [[name, "01001", "1", "9", "A"] for name in ids])
    period = scrutin_of(table)
    assert isinstance(period, nw.Expr)
    assert nw.from_native(text).select(key=period).collect()["key"].to_list() == [
        "2022-presidentielle-t1",
        "2024-legislatives-t2",
        "2014-municipales-t1",
        "2015-departementales-t2",
        "2019-europeennes-t1",
        "2021-regionales-t1",
        None,
        None,
    ]


def test_by_elections_are_refused():
    with pytest.raises(Refusal) as refusal:
        scrutin_of(stood("UG ENS LR RN REC", file="legislatives-partielles-2025-t1.csv"))
    assert refusal.value.rule == "partial_election"


@pytest.mark.parametrize(
    "key",
    [
        "2022-presidentielle-t1",
        "2024-legislatives-t2",
        "2024-europeennes-t1",
        "2026-municipales-t2",
        "2027-presidentielle-t1",
    ],
)
def test_keys(key):
    assert Scrutins().problem(key) is None


@pytest.mark.parametrize(
    ("key", "word"),
    [
        ("2022", "is not an election and its round"),
        ("2022-presidentielle-t3", "is not an election and its round"),
        ("2022-referendum-t1", "is not an election and its round"),
        ("2023-legislatives-t1", "no general election « legislatives » in 2023"),
        ("2024-europeennes-t2", "have one round"),
    ],
)
def test_keys_that_are_none(key, word):
    assert word in Scrutins().problem(key)


def test_other_names_are_no_presidentielle():
    assert presidentielle_of(["MACRON"]).kind is None
    assert presidentielle_of(["MACRON", "DUPONT", "LE PEN"]).kind is None
