"""Levels are never counted twice, ties have no winner, and incoherent figures keep a table from being published."""

from __future__ import annotations

import pytest

from elexxion_assets.declare import Layer
from elexxion_assets.quality.checks import POPULATION, judge
from elexxion_assets.themes.election import THEME
from elexxion_assets_tests.themes.election.delivered import Lake

COMMUNE = "Code du département;Code de la commune;Libellé de la commune"
BUREAU = f"{COMMUNE};Code du b.vote"
FIGURES = "Inscrits;Abstentions;Votants;Blancs;Nuls;Exprimés"
BLOCK = "Nom;Prénom;Voix"
HINT = {"scrutin": "2022-presidentielle-t1"}


def line(codes: str, macron: int, le_pen: int, roussel: int) -> str:
    votes = macron + le_pen + roussel
    figures = f"{votes + 30};20;{votes + 10};6;4;{votes}"
    return f"{codes};{figures};MACRON;Emmanuel;{macron};LE PEN;Marine;{le_pen};ROUSSEL;Fabien;{roussel}"


@pytest.fixture
def communes(deliver):
    def build(*lines, file="communes.csv"):
        return deliver(f"{COMMUNE};{FIGURES};{BLOCK};{BLOCK};{BLOCK}", *lines, hints=HINT, file=file)

    return build


@pytest.fixture
def bureaux(deliver):
    def build(*lines, file="bureaux.csv"):
        return deliver(f"{BUREAU};{FIGURES};{BLOCK};{BLOCK};{BLOCK}", *lines, hints=HINT, file=file)

    return build


def test_communes_are_the_sum_of_bureaux_only_where_they_are_not_published(lake, communes, bureaux):
    published = communes(line("1;4;Ambérieu", 50, 30, 20))
    parts = bureaux(
        line("1;4;Ambérieu;1", 999, 999, 999),
        line("1;5;Ambléon;1", 10, 20, 5),
        line("1;5;Ambléon;2", 30, 10, 5),
    )
    found = lake(published, parts)
    rows = {row["code_commune"]: row for row in found["communes"].iter_rows(named=True)}
    assert rows["01004"]["exprimes"] == 100
    assert rows["01004"]["niveau"] == "commune"
    assert rows["01005"]["niveau"] == "bureau"
    assert rows["01005"]["libelle"] == "Ambléon"
    assert [rows["01005"][name] for name in ("inscrits", "votants", "exprimes", "blancs", "nuls")] == [
        140,
        100,
        80,
        12,
        8,
    ]
    assert rows["01005"]["taux_participation"] == pytest.approx(100 * 100 / 140)
    assert (rows["01005"]["voix_centre"], rows["01005"]["part_centre"]) == (40, 50.0)
    assert (rows["01005"]["candidat_en_tete"], rows["01005"]["voix_en_tete"]) == ("MACRON Emmanuel", 40)
    assert found["departements"]["exprimes"].to_list() == [180]


def test_candidates_of_a_commune(lake, communes):
    votes = lake(communes(line("1;4;Ambérieu", 50, 25, 25)))["communes_candidats"]
    assert votes.select("candidat", "bloc", "voix", "part_exprimes", "rang").rows() == [
        ("LE PEN Marine", "extreme_droite", 25, 25.0, 2),
        ("MACRON Emmanuel", "centre", 50, 50.0, 1),
        ("ROUSSEL Fabien", "gauche", 25, 25.0, 2),
    ]


def test_nobody_leads_where_two_share_the_first_place(lake, communes):
    row = lake(communes(line("1;4;Ambérieu", 40, 40, 20)))["communes"].row(0, named=True)
    assert (row["candidat_en_tete"], row["bloc_en_tete"], row["voix_en_tete"]) == (None, None, 40)


def test_territories_are_taken_from_the_first_dataset_that_has_them(lake, deliver, communes):
    large = deliver(
        "departement;commune;commune_libelle;inscrits;votants;exprimes;MACRON;LE PEN",
        "1;4;Ambérieu;900;800;700;400;300",
        "1;6;Ambronay;90;80;70;40;30",
        hints=HINT,
        file="large.csv",
    )
    found = lake(communes(line("1;4;Ambérieu", 50, 30, 20)), large)
    assert found["participation"].select("code_territoire", "exprimes", "_delivery").rows() == [
        ("01004", 100, "communes.csv"),
        ("01006", 70, "large.csv"),
    ]
    assert set(found["resultats"].filter(code_territoire="01004")["_delivery"]) == {"communes.csv"}
    assert found["resultats"].height == 5


def test_departements_as_published_win_over_sums(lake, deliver, communes):
    published = deliver(
        f"Code du département;Libellé du département;{FIGURES};{BLOCK}",
        "ZX;Saint-Martin;1000;100;900;0;0;900;MACRON;Emmanuel;900",
        hints=HINT,
    )
    found = lake(published, communes(line("ZX;701;Saint-Barthélemy", 50, 30, 20), line("1;4;Ambérieu", 1, 2, 3)))
    assert found["departements"].select("code_departement", "niveau", "exprimes").rows() == [
        ("01", "commune", 6),
        ("ZX", "departement", 900),
    ]
    assert found["communes"]["code_commune"].to_list() == ["01004", "97701"]


def test_participation_without_votes_leaves_the_votes_unknown(deliver):
    turnout = deliver(
        "id_election;code_departement;code_commune;code_bv;inscrits;abstentions;votants;blancs;nuls;exprimes",
        "2022_pres_t1;01;01004;0001;130;20;110;6;4;100",
    )
    row = Lake("2022-presidentielle-t1", [turnout])["communes"].row(0, named=True)
    assert row["exprimes"] == 100
    assert row["voix_centre"] is None


def check(table, frame):
    provenance = ("_delivery", "_line") if table.layer is Layer.SILVER else ()
    return {result.name: result for result in judge(table, frame.lazy(), provenance).results}


def test_a_slip_warns_and_a_shifted_column_blocks(lake, communes):
    right = [line(f"1;{number};X", 50, 30, 20) for number in range(1, 60)]
    slip = right[0].replace(";50;", ";51;", 1)
    table = THEME.table(Layer.SILVER, "participation")
    one = check(table, lake(communes(slip, *right[1:]))["participation"])
    assert one["voix_add_up"].broken == 1
    assert not one["voix_add_up"].blocking
    assert one["figures_are_coherent"].passed
    shifted = [line_.replace(";50;LE PEN", ";5000;LE PEN") for line_ in right]
    many = check(table, lake(communes(*shifted))["participation"])
    assert many["figures_are_coherent"].blocking
    assert many["figures_are_coherent"].broken == len(shifted)


def test_unknown_nuances_are_counted(lake, deliver):
    delivered = deliver(
        f"{COMMUNE};{FIGURES};Nom;Prénom;Nuance;Voix",
        "1;4;Ambérieu;130;20;110;6;4;100;DURAND;Paul;XYZ;100",
        hints={"scrutin": "2022-legislatives-t1"},
    )
    found = lake(delivered)
    result = check(THEME.table(Layer.SILVER, "resultats"), found["resultats"])["bloc_is_known"]
    assert (result.broken, result.blocking) == (1, False)
    assert found["communes"]["voix_sans_bloc"].to_list() == [100]


def test_several_votes_per_elector_are_no_shares(lake, deliver):
    delivered = deliver(
        f"{COMMUNE};{FIGURES};Nom;Prénom;Voix;Nom;Prénom;Voix",
        "1;4;Ambérieu;130;20;110;6;4;100;DURAND;Paul;90;MARTIN;Anne;80",
        hints={"scrutin": "2020-municipales-t1"},
    )
    found = lake(delivered)
    results = check(THEME.table(Layer.GOLD, "communes"), found["communes"])
    del results[POPULATION]  # the figures are small, the commune is not
    assert all(result.passed for result in results.values()), results
    assert found["communes_candidats"]["part_exprimes"].to_list() == [90.0, 80.0]


def test_merged_communes_are_added_up_and_rates_recomputed(lake, communes):
    # Pierre-Bénite joined Oullins on 1 January 2024.
    found = lake(communes(line("69;149;Oullins", 50, 30, 20), line("69;152;Pierre-Bénite", 10, 40, 0)))
    (row,) = found["communes"].iter_rows(named=True)
    assert (row["code_commune"], row["libelle"], row["code_departement"]) == ("69149", "Oullins", "69")
    assert (row["nombre_communes_publiees"], row["est_partage"]) == (2, False)
    assert (row["inscrits"], row["exprimes"], row["voix_centre"]) == (210, 150, 60)
    assert row["part_centre"] == 40
    assert (row["candidat_en_tete"], row["voix_en_tete"]) == ("LE PEN Marine", 70)
    assert found["participation"].select("code_commune", "code_commune_cible", "motif").rows() == [
        ("69149", "69149", "unchanged"),
        ("69152", "69149", "merged"),
    ]
    assert found["communes_candidats"].select("candidat", "voix", "rang").rows() == [
        ("LE PEN Marine", 70, 1),
        ("MACRON Emmanuel", 60, 2),
        ("ROUSSEL Fabien", 20, 3),
    ]


def test_a_split_commune_is_shared_out_and_nothing_is_lost(lake, communes, bureaux):
    # Neussargues en Pinatelle gave back its independence to four communes on 1 January 2025.
    in_one = lake(communes(line("15;141;Neussargues", 501, 303, 198)))
    in_two = lake(bureaux(line("15;141;Neussargues;1", 300, 200, 100), line("15;141;Neussargues;2", 201, 103, 98)))
    assert in_one["participation"].height == 5
    assert in_two["participation"].height == 10
    for found, lists in ((in_one, 1032), (in_two, 1062)):
        shared = found["communes"]
        assert shared.height == 5
        assert shared["est_partage"].all()
        assert (shared["inscrits"] > 0).all()
        assert shared["inscrits"].sum() == lists
        assert shared["voix_centre"].sum() == 501
        assert found["communes_candidats"]["voix"].sum() == 1002
        assert found["departements"]["inscrits"].to_list() == [lists]
        assert found["departements"]["voix_centre"].to_list() == [501]
        # Identities hold to the last digit, as of whole communes.
        results = check(THEME.table(Layer.GOLD, "communes"), shared)
        assert all(result.passed for result in results.values()), results


def test_units_of_the_ministry_stay_what_they_are(lake, communes):
    published = line("ZW;1;Wallis-et-Futuna", 50, 30, 20), line("ZZ;5;Alger", 5, 3, 2)
    found = lake(communes(*published))
    assert found["participation"].select("code_territoire", "code_commune_cible", "part").rows() == [
        ("98601", "98601", 1.0),
        ("ZZ005", "ZZ005", 1.0),
    ]
    assert found["communes"].select("code_commune", "code_departement", "exprimes").rows() == [
        ("98601", "986", 100),
        ("ZZ005", "ZZ", 10),
    ]


def test_levels_above_the_communes_have_no_target(lake, deliver):
    published = deliver(
        f"Code du département;Libellé du département;{FIGURES};{BLOCK}",
        "01;Ain;1000;100;900;0;0;900;MACRON;Emmanuel;900",
        hints=HINT,
    )
    targets = ("code_commune_cible", "part", "motif")
    for name in ("participation", "resultats"):
        silver = lake(published)[name]
        assert silver.select(targets).rows() == [(None, None, None)]
        results = check(THEME.table(Layer.SILVER, name), silver)
        assert all(result.passed for result in results.values()), results
