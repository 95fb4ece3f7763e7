"""Features say what was known before a scrutin and nothing else."""

from __future__ import annotations

import narwhals as nw
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from elexxion_assets.declare import Layer
from elexxion_assets.lake.build import empty_frame
from elexxion_assets.themes import all_themes
from elexxion_assets.themes.election.platinum import COMMUNES, FEATURES, LOOKBACK, references_of
from elexxion_assets.themes.election.scrutins import FIRST_ROUNDS, YEARS, Scrutins, was_before

ROUNDS = {"europeennes": 1}
KEYS = sorted(
    f"{year}-{kind}-t{rank}"
    for kind, years in YEARS.items()
    for year in years
    for rank in range(1, ROUNDS.get(kind, 2) + 1)
)


def columns_of(path: str):
    theme, layer, name = path.split("/")
    return all_themes()[theme].table(Layer(layer), name).columns


def frame_of(path: str, *rows: dict) -> pl.LazyFrame:
    """A table of the lake with these rows; what a row does not say is null."""
    empty = empty_frame(columns_of(path))
    schema = empty.collect_schema()
    return pl.concat([empty, pl.DataFrame([{**dict.fromkeys(schema), **row} for row in rows], schema=schema).lazy()])


def unit(scrutin: str, code: str, inscrits: int, votants: int, gauche: int, droite: int) -> dict:
    exprimes = gauche + droite
    return {
        "scrutin": scrutin,
        "code_commune": code,
        "code_departement": code[:2],
        "inscrits": inscrits,
        "votants": votants,
        "exprimes": exprimes,
        "voix_gauche": gauche,
        "voix_droite": droite,
        "taux_participation": 100 * votants / inscrits,
        "part_gauche": 100 * gauche / exprimes,
        "part_droite": 100 * droite / exprimes,
        "bloc_en_tete": "gauche" if gauche > droite else "droite",
    }


GOLD = [
    unit("2012-presidentielle-t1", "01004", 800, 640, 300, 300),
    unit("2017-presidentielle-t1", "01004", 1000, 700, 450, 150),
    unit("2017-presidentielle-t1", "01005", 3000, 2500, 600, 1800),
    unit("2021-regionales-t1", "01004", 1100, 330, 100, 200),
    unit("2022-presidentielle-t1", "01004", 1200, 900, 400, 400),
    unit("2022-presidentielle-t1", "01005", 3100, 2400, 900, 1300),
    unit("2022-presidentielle-t2", "01004", 1200, 880, 100, 700),
    unit("2022-legislatives-t1", "01004", 1210, 500, 300, 150),
]
CRIME = [
    {"code_commune": "01004", "annee": year, "est_arrondissement": False, "total": total, "population": 2000}
    for year, total in ((2019, 60), (2020, 80), (2022, 999))
]
EMPLOI = [{"code_commune": "01004", "annee": 2021, "taux_chomage_recensement": 9.0, "filosofi_annee": 2020}]
ASSOCIATION = [
    {"code_commune": code, "annee": year, "stock": stock, "creations": 2}
    for code, year, stock in (("01004", 2021, 50), ("01004", 2022, 60), ("69381", 2021, 10), ("69382", 2021, 5))
]


def candidate(scrutin: str, code: str, name: str, bloc: str, votes: int) -> dict:
    return {"scrutin": scrutin, "code_commune": code, "candidat": name, "bloc": bloc, "voix": votes}


CANDIDATES = [
    candidate("2012-presidentielle-t1", "01004", "MÉLENCHON Jean-Luc", "gauche", 12),
    candidate("2012-presidentielle-t1", "01004", "SARKOZY Nicolas", "droite", 28),
    candidate("2017-presidentielle-t1", "01004", "MELENCHON Jean-Luc", "gauche", 20),
    candidate("2017-presidentielle-t1", "01004", "HAMON Benoît", "gauche", 10),
    candidate("2017-presidentielle-t1", "01004", "MACRON Emmanuel", "centre", 20),
    candidate("2017-presidentielle-t1", "01005", "HAMON Benoît", "gauche", 30),
    candidate("2022-presidentielle-t1", "01004", "MÉLENCHON Jean-Luc", "gauche", 33),
    candidate("2022-presidentielle-t1", "01004", "ROUSSEL Fabien", "gauche", 11),
]


def made(period: str, gold=GOLD, crime=CRIME, emploi=EMPLOI, association=ASSOCIATION) -> dict[str, dict]:
    return {row["code_commune"]: row for row in table(period, gold, crime, emploi, association).iter_rows(named=True)}


def table(
    period: str, gold=GOLD, crime=CRIME, emploi=EMPLOI, association=ASSOCIATION, candidates=CANDIDATES
) -> pl.DataFrame:
    frames = (
        frame_of("election/gold/communes", *gold),
        frame_of("election/gold/communes_candidats", *candidates),
        frame_of("crime/gold/communes", *crime),
        frame_of("emploi/gold/communes", *emploi),
        frame_of("association/gold/communes", *association),
    )
    result = COMMUNES.function(*(nw.from_native(frame) for frame in frames), period=period)
    columns = [nw.col(column.name).cast(column.kind.dtype) for column in COMMUNES.columns]
    return result.select(columns).sort("code_commune").to_native().collect()


def test_a_commune_is_seen_against_earlier_scrutins_and_its_departement():
    row = made("2022-presidentielle-t1")["01004"]
    assert [row[f"scrutin_{name}"] for name in ("precedent", "avant_precedent", "dernier")] == [
        "2017-presidentielle-t1",
        "2012-presidentielle-t1",
        "2021-regionales-t1",
    ]
    assert row["taux_participation_precedent"] == 70
    assert row["taux_participation_precedent_departement"] == 80
    assert row["taux_participation_precedent_ecart"] == -10
    assert (row["part_gauche_precedent"], row["part_gauche_precedent_departement"]) == (75, 35)
    assert row["part_gauche_precedent_ecart"] == pytest.approx(40)
    assert (row["variation_taux_participation"], row["variation_part_gauche"]) == (-10, 25)
    assert row["variation_inscrits"] == pytest.approx(0.25)
    assert row["variation_inscrits_depuis_precedent"] == pytest.approx(0.1)
    assert row["taux_participation_dernier"] == 30
    assert (row["cible_part_gauche"], row["cible_bloc_en_tete"]) == (50, "droite")


def test_other_themes_say_the_newest_year_before_and_what_is_missing_is_counted():
    rows = made("2022-presidentielle-t1")
    row = rows["01004"]
    assert (row["crime_annee"], row["crime_taux_total"]) == (2020, 40)
    assert (row["emploi_annee"], row["emploi_taux_chomage"], row["emploi_revenus_annee"]) == (2021, 9.0, 2020)
    assert (row["association_annee"], row["association_stock"]) == (2021, 50)
    assert row["association_stock_pour_mille"] == pytest.approx(1000 * 50 / 1100)
    assert row["entrees_manquantes"] == 0
    # Another commune: neither the scrutin before the latest, nor the latest, nor any other theme.
    assert (rows["01005"]["entrees_manquantes"], rows["01005"]["crime_annee"]) == (5, None)


def test_associations_of_arrondissements_count_in_their_commune():
    gold = [unit("2017-presidentielle-t1", "69123", 1000, 700, 300, 300)]
    assert made("2022-presidentielle-t1", gold)["69123"]["association_stock"] == 15


@pytest.mark.parametrize("period", ["2022-presidentielle-t1", "2022-presidentielle-t2"])
def test_nothing_of_the_scrutin_or_later_is_in_the_features(period):
    before = [row for row in GOLD if was_before(row["scrutin"], period)]
    known = [[row for row in rows if row["annee"] < 2022] for rows in (CRIME, EMPLOI, ASSOCIATION)]
    people = [row for row in CANDIDATES if was_before(row["scrutin"], period)]
    with_answers, without = table(period), table(period, before, *known, people)
    assert_frame_equal(with_answers.select(FEATURES), without.select(FEATURES))
    answers = [name for name in without.columns if name.startswith("cible_")]
    assert without.select(answers).null_count().row(0) == (without.height,) * len(answers)
    assert with_answers["cible_exprimes"].drop_nulls().len() > 0


def test_votes_for_those_who_stand_again_are_told_apart():
    row = made("2022-presidentielle-t1")["01004"]
    assert (row["part_gauche_precedent_revenants"], row["part_gauche_avant_precedent_revenants"]) == (40, 30)
    assert (row["part_centre_precedent_revenants"], row["part_centre_avant_precedent_revenants"]) == (40, 0)
    assert (row["part_gauche_precedent_revenants_national"], row["part_droite_precedent_revenants"]) == (25, 0)
    assert row["cible_part_gauche_revenants"] == 75


def test_the_nation_is_all_communes_together():
    row = made("2022-presidentielle-t1")["01004"]
    assert row["part_gauche_precedent_national"] == 100 * (450 + 600) / 3000
    assert row["taux_participation_avant_precedent_national"] == 80
    assert (row["scrutin_autre"], row["part_gauche_autre_national"]) == ("2021-regionales-t1", pytest.approx(100 / 3))
    assert (row["scrutin_second_tour"], row["part_centre_second_tour_national"]) == (None, None)


def test_a_second_round_knows_the_first():
    row = made("2022-presidentielle-t2")["01004"]
    assert (row["scrutin_precedent"], row["scrutin_dernier"]) == (None, "2022-presidentielle-t1")
    assert row["part_gauche_dernier"] == 50
    assert row["inscrits_precedent"] is None


def test_before_the_first_scrutin_nothing_is_known():
    nothing = table("2012-presidentielle-t1")
    assert nothing.is_empty()
    assert nothing.columns == [column.name for column in COMMUNES.columns]


def test_known_days_are_those_of_known_elections():
    for (year, kind), day in FIRST_ROUNDS.items():
        assert day.year == year
        assert day.isoweekday() == 7
        assert Scrutins().problem(f"{year}-{kind}-t1") is None


@pytest.mark.parametrize(
    ("earlier", "later", "expected"),
    [
        ("2022-presidentielle-t2", "2022-legislatives-t1", True),
        ("2022-legislatives-t1", "2022-presidentielle-t1", False),
        ("2015-departementales-t2", "2015-regionales-t1", True),
        ("2021-regionales-t1", "2021-departementales-t1", False),
        ("2021-regionales-t1", "2021-departementales-t2", True),
        ("2017-legislatives-t2", "2022-presidentielle-t1", True),
        ("1965-municipales-t1", "1965-presidentielle-t1", False),  # no day known: nobody is before
        ("1965-presidentielle-t1", "1965-presidentielle-t2", True),
    ],
)
def test_what_was_before(earlier, later, expected):
    assert was_before(earlier, later) is expected


def test_before_is_an_order():
    for one in KEYS:
        assert not was_before(one, one)
        for other in KEYS:
            assert not (was_before(one, other) and was_before(other, one))


@pytest.mark.parametrize("period", [key for key in KEYS if key >= "2007"])
def test_lookback_reaches_both_earlier_scrutins_of_the_kind(period):
    at_hand = [key for key in KEYS if key < period][-LOOKBACK:]
    everything = references_of(period, KEYS)
    reached = references_of(period, at_hand)
    assert {name: reached.get(name) for name in ("precedent", "avant_precedent")} == {
        name: everything.get(name) for name in ("precedent", "avant_precedent")
    }
