"""Models of elections: nothing of the future, votes that move to the national result, and the marks on real files."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pytest

from elexxion_assets.lake.build import empty_frame
from elexxion_assets.learning.evaluation import MODEL, compare, folds, metrics, try_fold
from elexxion_assets.learning.rows import as_known, training_periods
from elexxion_assets.learning.training import base_of, consistent
from elexxion_assets.themes.election import THEME
from elexxion_assets.themes.election.models import MODELS
from elexxion_assets.themes.election.platinum import COMMUNES
from elexxion_assets.themes.election.scrutins import was_before
from elexxion_assets.themes.election.swings import PARTS, expected_votes
from elexxion_assets_tests.learning.leakage import changed, late
from elexxion_assets_tests.themes.election import test_election_platinum as platinum
from elexxion_assets_tests.themes.election.test_election_real_files import OF_2012, OF_2017, OF_2017_T2, OF_2022

PERIOD = "2022-presidentielle-t1"
OF_2014 = "election/2014-europeennes_par_commune_large.csv.gz"
TOLD = THEME.model("blocs_national_connu")


@pytest.fixture
def made() -> pd.DataFrame:
    return platinum.table(PERIOD).to_pandas()


@pytest.fixture
def without_future() -> pd.DataFrame:
    gold = [row for row in platinum.GOLD if was_before(row["scrutin"], PERIOD)]
    candidates = [row for row in platinum.CANDIDATES if was_before(row["scrutin"], PERIOD)]
    others = [
        [row for row in rows if row["annee"] < 2022] for rows in (platinum.CRIME, platinum.EMPLOI, platinum.ASSOCIATION)
    ]
    return platinum.table(PERIOD, gold, *others, candidates).to_pandas()


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_features_are_the_same_when_the_future_is_deleted(model, made, without_future):
    assert changed(model, made, without_future) == ()


def test_a_planted_answer_and_a_shuffled_feature_are_caught(made, without_future):
    planted = made.assign(part_gauche_precedent=made["cible_part_gauche"])
    assert changed(TOLD, planted, without_future) == ("part_gauche_precedent",)
    shuffled = made.assign(inscrits_precedent=made["inscrits_precedent"].to_numpy()[::-1])
    assert changed(TOLD, shuffled, without_future) == ("inscrits_precedent",)


def test_figures_published_after_the_vote_are_hidden(made):
    # The census of 2020 was published in 2023, incomes of 2020 at the end of it: the row of 2022 must not see them.
    row = made.assign(emploi_taux_chomage_annee=2020, emploi_taux_chomage=9.0, emploi_taux_pauvrete=14.0)
    assert {"emploi_taux_chomage", "emploi_taux_pauvrete"} <= set(late(TOLD, row))
    assert as_known(TOLD, row)[["emploi_taux_chomage", "emploi_taux_pauvrete"]].isna().all(axis=None)
    assert as_known(TOLD, row)["part_gauche_precedent"].equals(row["part_gauche_precedent"])


NATION = dict(zip(PARTS, (1.3, 30.6, 3.1, 27.9, 6.9, 30.2), strict=True))


def of_communes(shares: np.ndarray, nation: np.ndarray) -> pd.DataFrame:
    columns = {f"{part}_precedent": shares[:, at] for at, part in enumerate(PARTS)}
    columns |= {f"{part}_precedent_national": nation[at] for at, part in enumerate(PARTS)}
    missing = dict.fromkeys((column.name for column in COMMUNES.columns), np.nan)
    return pd.DataFrame({**missing, **columns, "scrutin": PERIOD}, index=range(len(shares)))


def test_moving_votes_meet_the_national_result():
    random = np.random.default_rng(1)
    shares = 100 * random.dirichlet((1, 8, 1, 7, 6, 6), 4000)
    rows = of_communes(shares, shares.mean(axis=0))
    moved = consistent(TOLD, TOLD.baseline("reports_de_voix").predict(rows, {}, NATION))
    assert moved.mean(axis=0) == pytest.approx(list(NATION.values()), abs=0.6)
    same = dict(zip(PARTS, shares.mean(axis=0), strict=True))
    still = consistent(TOLD, TOLD.baseline("reports_de_voix").predict(rows, {}, same))
    assert np.abs(still - shares).mean() < 1.5


def test_votes_that_leave_a_bloc_go_to_its_neighbours():
    # The right loses two thirds: where it was strong, the centre gains more than where the left was.
    nation = np.array([2.0, 30, 2, 24, 22, 20])
    shares = np.array([[2.0, 14, 2, 24, 42, 16], [2.0, 50, 2, 24, 8, 14]])
    moved = consistent(TOLD, TOLD.baseline("reports_de_voix").predict(of_communes(shares, nation), {}, NATION))
    centre = PARTS.index("part_centre")
    assert moved[0, centre] > moved[1, centre] + 3


def test_one_commune_is_predicted_as_all_are():
    random = np.random.default_rng(2)
    shares = 100 * random.dirichlet((1, 8, 1, 7, 6, 6), 50)
    rows = of_communes(shares, shares.mean(axis=0))
    for rule in (*TOLD.baselines, *TOLD.own):
        if rule.name == "crete":
            continue
        together = base_of(TOLD, rule.name, {}, rows, NATION)
        alone = base_of(TOLD, rule.name, {}, rows.iloc[[7]], NATION)
        assert alone[0] == pytest.approx(together[7])


def test_before_the_vote_only_the_same_kind_trains_and_given_the_nation_every_first_round():
    known = ["2012-presidentielle-t1", "2014-europeennes-t1", "2017-presidentielle-t1", "2017-presidentielle-t2"]
    for shares in ("blocs", "participation"):
        told, before = (
            training_periods(THEME.model(name), known, PERIOD) for name in (f"{shares}_national_connu", shares)
        )
        assert told == known[:3]
        assert before == [known[0], known[2]]


def test_votes_are_expected_as_at_the_reference_scrutin():
    rows = of_communes(np.full((2, 6), 100 / 6), np.full(6, 100 / 6))
    rows = rows.assign(inscrits_dernier=[1000.0, 200.0], taux_participation_precedent=[80.0, 50.0])
    rows["taux_participation_precedent_national"] = 75.0
    assert expected_votes(rows) == pytest.approx([800, 100])


def test_a_card_says_that_constants_were_chosen_in_sight():
    assert [one.name for one in MODELS if "in sight" in one.description] == ["blocs_national_connu"]


def test_the_national_result_must_be_told():
    rows = of_communes(np.full((1, 6), 100 / 6), np.full(6, 100 / 6))
    with pytest.raises(ValueError, match="must be told the national values"):
        base_of(TOLD, "variation_uniforme", {}, rows, None)


DEPARTEMENTS = 24
FILES = (OF_2012, OF_2014, OF_2017, OF_2017_T2, OF_2022)
PREDICTED = ("2014-europeennes-t1", "2017-presidentielle-t1", "2022-presidentielle-t1")


def some_of(source: Path, target: Path, codes: set[str]) -> Path:
    """The lines of some départements of a file that is ordered by them, byte for byte, and its header."""
    lines = (gzip.decompress(source.read_bytes()) if source.suffix == ".gz" else source.read_bytes()).splitlines(True)
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(
        lines[0] + b"".join(x for x in lines[1:] if re.split(b"[;,]", x, maxsplit=1)[0].decode() in codes)
    )
    return target


def test_real_files_keep_the_marks(real_data, read, lake, tmp_path):
    """Both folds in some départements drawn by a seed, as if they were the nation; see deploy/docs/models.md."""
    drawn = np.random.default_rng(1).choice([code for code in range(1, 96) if code != 20], DEPARTEMENTS, replace=False)
    codes = {form for code in drawn for form in (str(code), f"{code:02}")}
    gold, candidates = [], []
    for name in FILES:
        one = lake(*read(some_of(real_data / name, tmp_path / "some" / Path(name).name.removesuffix(".gz"), codes)))
        gold.append(one["communes"])
        candidates.append(one["communes_candidats"])
    others = [
        empty_frame(platinum.columns_of(f"{theme}/gold/communes")) for theme in ("crime", "emploi", "association")
    ]
    tables = {}
    for period in PREDICTED:
        frames = (pl.concat(gold).lazy(), pl.concat(candidates).lazy(), *others)
        table = COMMUNES.function(*(nw.from_native(frame) for frame in frames), period=period)
        columns = [nw.col(column.name).cast(column.kind.dtype) for column in COMMUNES.columns]
        tables[period] = table.select(columns).to_native().collect().to_pandas()
    for fold in folds(TOLD, list(tables)):
        tested = try_fold(TOLD, tables, fold, seed=1)
        found = metrics(tested).query("tranche == 'toutes' and cible == 'toutes'")
        values = found.set_index(["predicteur", "mesure"])["valeur"]
        swing = values["variation_proportionnelle", "mae_ponderee"]
        assert len(tested.rows) > 3000
        assert values[MODEL, "mae_ponderee"] < 0.9 * swing
        assert values["reports_de_voix_a_priori", "mae_ponderee"] < 0.9 * swing
        assert compare(tested).wins
        assert 87 <= values[MODEL, "couverture_90"] <= 93
        assert 44 <= values[MODEL, "couverture_50"] <= 57


def test_a_value_that_does_not_say_its_year_is_hidden(made):
    row = made.assign(crime_annee=np.nan, crime_taux_total=5.0)
    assert as_known(TOLD, row)["crime_taux_total"].isna().all()
