"""The real files: national figures to the vote, codes that exist, every line accounted for."""

from __future__ import annotations

import polars as pl
import pytest

from elexxion_assets.declare import Refusal
from elexxion_assets.geography import Cog
from elexxion_assets.quality import contract
from elexxion_assets.quality.checks import judge
from elexxion_assets.reading import read_tables, recognise
from elexxion_assets.themes.election import THEME
from elexxion_assets.themes.election.tables import COMMUNES

OF_2012 = "election/Presidentielle_2012_Resultats_Communes_Tour_1.csv"
OF_2017 = "election/Presidentielle_2017_Resultats_Communes_Tour_1.csv"
OF_2017_T2 = "election/Presidentielle_2017_Resultats_Communes_Tour_2.csv"
OF_2022 = "election/resultats-par-niveau-subcom-t1-france-entiere.txt"
CIRCONSCRIPTIONS_2022 = "election/resultats-par-niveau-cirlg-t1-france-entiere.xlsx"
DEPARTEMENTS_2022 = "election/resultats-par-niveau-dpt-t1-france-entiere.xlsx"
BUREAUX_2017 = "election/2017-presidentielle-1_par_bureau_large.csv.gz"
CANTONS_2017 = "damaged/Presidentielle-2017-T1.xlsx"

FILES = {
    OF_2012: [("communes", "2012-presidentielle-t1", 36791, 46028542, 35883209)],
    OF_2017: [("communes", "2017-presidentielle-t1", 35719, 47582183, 36054394)],
    OF_2017_T2: [("communes", "2017-presidentielle-t2", 35496, 46303601, 30841811)],
    OF_2022: [("communes", "2022-presidentielle-t1", 35245, 48747876, 35132947)],
    CIRCONSCRIPTIONS_2022: [("circonscriptions", "2022-presidentielle-t1", 577, 48747876, 35132947)],
    DEPARTEMENTS_2022: [("departements", "2022-presidentielle-t1", 107, 48747876, 35132947)],
    BUREAUX_2017: [("larges", "2017-presidentielle-t1", 69242, 47582183, 36054394)],
    CANTONS_2017: [("cantons", "2017-presidentielle-t1", 2090, 47582183, 36054394)],
    "election/2014-europeennes_par_commune_large.csv.gz": [
        ("larges", "2014-europeennes-t1", 36763, 46544712, 18955761)
    ],
    "election/Euro_2024_circonscription.xlsx": [("circonscriptions", "2024-europeennes-t1", 577, 49462981, 24753824)],
    "election/Leg_2017_Resultats_T1_officiel.xlsx": [
        ("regions", "2017-legislatives-t1", 18, 45873398, 22249695),
        ("departements", "2017-legislatives-t1", 107, 47570988, 22654164),
        ("circonscriptions", "2017-legislatives-t1", 577, 47570988, 22654164),
        ("cantons", "2017-legislatives-t1", 2090, 47570988, 22654164),
    ],
}

OF_2017_VOTES = {"MACRON Emmanuel": 8656346, "LE PEN Marine": 7678491}
OF_2022_VOTES = {"MACRON Emmanuel": 9783058, "LE PEN Marine": 8133828}
VOTES = {
    OF_2017: OF_2017_VOTES,
    BUREAUX_2017: OF_2017_VOTES,
    CANTONS_2017: OF_2017_VOTES,
    OF_2022: OF_2022_VOTES,
    CIRCONSCRIPTIONS_2022: OF_2022_VOTES,
    DEPARTEMENTS_2022: OF_2022_VOTES,
}


@pytest.mark.parametrize("name", FILES)
def test_every_line_every_elector_and_every_vote_is_there(real_data, read, lake, name):
    delivered = read(real_data / name)
    found = []
    for one in delivered:
        assert one.judged[contract.REASON].null_count() == one.judged.height
        assert one.judged["_line"].n_unique() == one.text.select(pl.len()).collect().item()
        made = lake(one)
        turnout, votes = made["participation"], made["resultats"]
        assert not turnout.select("niveau", "code_territoire", "code_commune_cible").is_duplicated().any()
        # A commune that was split since has a row per target commune.
        turnout = turnout.unique(["niveau", "code_territoire"])
        votes = votes.unique(["niveau", "code_territoire", "candidat"])
        figures = (turnout.height, turnout["inscrits"].sum(), turnout["exprimes"].sum())
        found.append((one.dataset.name, one.period, *figures))
        assert votes["bloc"].null_count() == 0
        totals = dict(votes.group_by("candidat").agg(pl.col("voix").sum()).iter_rows())
        assert VOTES.get(name, {}).items() <= totals.items()
    assert found == FILES[name]


PLACED = {
    # file: published communes, communes of the COG of 2026 and units of the ministry's own, split communes among them
    OF_2012: (36791, 34966, 3),
    OF_2017: (35719, 35178, 3),
    OF_2022: (35245, 35165, 3),
}


@pytest.mark.parametrize("name", PLACED)
def test_every_commune_counts_in_the_newest_geography(real_data, read, lake, name):
    (delivered,) = read(real_data / name)
    assert delivered.carried(delivered.period)["_line"].n_unique() == delivered.judged["_line"].n_unique()
    made = lake(delivered)
    turnout, communes = made["participation"], made["communes"]
    published, targets, split = PLACED[name]
    assert turnout["code_territoire"].n_unique() == published
    assert communes.height == targets
    assert turnout.filter(pl.col("part") < 1)["code_commune"].n_unique() == split
    known = Cog.builtin().codes(Cog.builtin().newest) | {"98601"}
    assert {code for code in communes["code_commune"] if not code.startswith("ZZ")} <= known
    # Overseas letters and Wallis-et-Futuna included, the year's own COG has every code.
    assert turnout.filter(pl.col("motif").str.starts_with("not")).is_empty()
    once = turnout.unique("code_territoire")
    for figure in ("inscrits", "abstentions", "votants", "exprimes"):
        assert communes[figure].sum() == once[figure].sum()


@pytest.mark.parametrize("name", [OF_2012, OF_2017, OF_2022])
def test_sums_over_communes_are_exact_in_any_order(real_data, read, lake, name):
    made = lake(*read(real_data / name))
    candidates = made["communes_candidats"]
    shuffled = candidates.sample(fraction=1, shuffle=True, seed=1)
    assert shuffled["voix"].sum() == candidates["voix"].sum() == FILES[name][0][4]
    totals = dict(candidates.group_by("candidat").agg(pl.col("voix").sum()).iter_rows())
    assert VOTES.get(name, {}).items() <= totals.items()
    checks = {result.name: result for result in judge(COMMUNES, made["communes"].lazy()).results}
    assert [name for name, result in checks.items() if result.blocking and not result.passed] == []
    assert checks["abstentions_complete_votants"].passed


def test_gold_of_2022_keeps_every_vote(real_data, read, lake):
    found = lake(*(read(real_data / name)[0] for name in (OF_2022, CIRCONSCRIPTIONS_2022, DEPARTEMENTS_2022)))
    communes = found["communes"]
    assert communes["inscrits"].sum() == 48747876
    assert (
        communes.select(pl.sum_horizontal(pl.col("^voix_(.*droite|.*gauche|centre|divers)$")).sum()).item() == 35132947
    )
    assert communes["voix_sans_bloc"].sum() == 0
    rows = {row["code_commune"]: row for row in communes.iter_rows(named=True)}
    assert (rows["75056"]["inscrits"], rows["75056"]["candidat_en_tete"]) == (1368025, "MACRON Emmanuel")
    assert (rows["98601"]["libelle"], rows["98601"]["est_partage"]) == ("Wallis-Et-Futuna", False)
    assert found["communes_candidats"]["voix"].sum() == 35132947
    departements = found["departements"]
    assert departements["niveau"].unique().to_list() == ["departement"]
    assert departements["inscrits"].sum() == 48747876


def test_departements_without_their_own_file_are_the_sums_of_communes_as_published(real_data, read, lake):
    communes, own = (lake(*read(real_data / name))["departements"] for name in (OF_2022, DEPARTEMENTS_2022))
    figures = ["code_departement", "inscrits", "votants", "exprimes", "^voix_.*$"]
    assert communes.select(figures).equals(own.select(figures))


def test_communes_of_two_files_of_2017_agree(real_data, read, lake):
    communes, bureaux = (lake(read(real_data / name)[0])["communes"] for name in (OF_2017, BUREAUX_2017))
    figures = [
        "code_commune",
        "est_partage",
        "nombre_communes_publiees",
        "inscrits",
        "votants",
        "exprimes",
        "^voix_.*$",
        "candidat_en_tete",
    ]
    assert communes.select(figures).equals(bureaux.select(figures))


@pytest.mark.parametrize("name", [OF_2012, OF_2017, OF_2022])
def test_codes_exist_in_the_geography_of_their_year(real_data, read, lake, name):
    (delivered,) = read(real_data / name)
    codes = set(lake(delivered)["participation"]["code_commune"])
    history = pl.read_csv(real_data / "reference" / "table_passage_com_historique.csv", infer_schema=False)
    elsewhere = {code for code in codes - set(history["DEPCOM_HIST"]) if not code.startswith("ZZ")}
    # The COG's table leaves out the collectivités d'outre-mer: 2 + 1 + 1 + 1 + 48 + 33 territories.
    assert {code[:3] for code in elsewhere} == {"975", "977", "978", "986", "987", "988"}
    assert len(elsewhere) == 86


def test_provisional_files_break_identities_here_and_there(real_data, read, lake):
    (delivered,) = read(real_data / "election/Euro_2024_circonscription.xlsx")
    turnout = lake(delivered)["participation"]
    assert turnout.filter(pl.col("somme_voix") != pl.col("exprimes")).height == 13
    assert delivered.dataset.release(delivered.table, {}) == "1-provisoire"


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("election/candidatures-legislatives2024-t1.csv", "a list of candidates, without results"),
        ("election/elections-presidentielles-1-tour-angers-2017.csv", "Code de la commune"),
    ],
)
def test_files_that_are_no_official_results_are_refused(real_data, tmp_path, name, word):
    tables = read_tables(real_data / name, name, tmp_path)
    with pytest.raises(Refusal, match=word) as refusal:
        recognise(tables[0][0], {THEME.name: THEME})
    assert refusal.value.rule == "unknown_dataset"


def test_renamed_columns_are_named(real_data, read):
    (delivered,) = read(real_data / CANTONS_2017)
    assert delivered.dataset.match(delivered.dataset, delivered.table).differences == (
        "column « annee » is not in the official layouts and is not used",
    )
