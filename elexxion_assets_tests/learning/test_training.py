"""Training over time: what trains what, consistent predictions, the same text twice, intervals that hold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from elexxion_assets.declare import Feature
from elexxion_assets.learning.evaluation import MODEL, compare, folds, metrics, try_fold
from elexxion_assets.learning.rows import as_known, training_rows
from elexxion_assets.learning.study import value_of
from elexxion_assets.learning.training import Fitted, fit, fit_baseline
from elexxion_assets_tests.learning.leakage import late
from elexxion_assets_tests.learning.planted_shares import OUTPUTS, frame, model, tables


def test_only_earlier_periods_train():
    made = folds(model(), ["2019", "2020", "2021"])
    assert [(fold.predicted, fold.trained) for fold in made] == [("2020", ("2019",)), ("2021", ("2019", "2020"))]
    assert set(training_rows(model(), tables(2019, 2020, 2021), "2020")["annee"]) == {"2019"}


def test_what_the_model_learns_beats_persistence_and_is_told_from_chance():
    declared, known = model(), tables(2019, 2020)
    tested = try_fold(declared, known, folds(declared, list(known))[0], seed=3)
    found = compare(tested)
    assert found.wins
    assert found.model_value < 0.6 * found.baseline_value
    table = metrics(tested).set_index(["predicteur", "tranche", "cible", "mesure"])["valeur"]
    assert 85 <= table[MODEL, "toutes", "toutes", "couverture_90"] <= 95
    assert 42 <= table[MODEL, "toutes", "toutes", "couverture_50"] <= 58
    assert table[MODEL, "toutes", "toutes", "r2"] > table["persistance", "toutes", "toutes", "r2"]
    small, large = (table[MODEL, name, "toutes", "mae"] for name in ("0 à 99", "10000 à 49999"))
    assert small > 2 * large


def test_a_model_that_learnt_noise_does_not_win():
    declared, known = model(), tables(2019, 2020)
    shuffled = known["2019"].copy()
    order = np.random.default_rng(1).permutation(len(shuffled))
    shuffled[list(declared.targets)] = shuffled[list(declared.targets)].to_numpy()[order]
    tested = try_fold(declared, {**known, "2019": shuffled}, folds(declared, list(known))[0])
    assert not compare(tested).wins


def test_shares_are_never_negative_and_sum_to_a_hundred():
    fitted = fit(model(), frame(2019))
    shown = frame(2020)
    shown.loc[:5, [f"{output}_avant" for output in OUTPUTS]] = [[100.0, 0.0, 0.0]] * 6
    points = fitted.predict(shown)[list(OUTPUTS)].to_numpy()
    assert points.min() >= 0
    assert points.sum(axis=1) == pytest.approx(100)


def test_intervals_contain_each_other_and_the_bounds_of_a_share():
    made = fit(model(), frame(2019)).predict(frame(2020))
    for output in OUTPUTS:
        order = [f"{output}_bas_90", f"{output}_bas_50", f"{output}_haut_50", f"{output}_haut_90"]
        assert (made[order].diff(axis=1).iloc[:, 1:] >= 0).all(axis=None)
        assert made[order].min(axis=None) >= 0
        assert made[order].max(axis=None) <= 100


def test_same_rows_and_seed_give_the_same_text():
    one, other = (fit(model(), frame(2019), seed=5).to_text() for _ in range(2))
    assert one == other
    assert fit(model(params={"num_leaves": 3, "num_iterations": 60}), frame(2019), seed=5).to_text() != one


def test_a_text_predicts_as_the_model_did():
    fitted = fit(model(), frame(2019), seed=5)
    again = Fitted.from_text(model(), fitted.to_text())
    assert again.predict(frame(2020)).equals(fitted.predict(frame(2020)))
    assert again.to_text() == fitted.to_text()


def test_a_text_of_other_features_is_refused():
    text = fit(model(), frame(2019)).to_text()
    with pytest.raises(ValueError, match="train it again"):
        Fitted.from_text(model(boosted=("inscrits",)), text)
    with pytest.raises(ValueError, match="not « autre »"):
        Fitted.from_text(model(name="autre"), text)
    with pytest.raises(ValueError, match="intervals of an earlier version"):
        Fitted.from_text(model(), text.replace('"apart"', '"other"'))


def test_a_baseline_is_published_in_the_same_form():
    fitted = fit_baseline(model(), "persistance", frame(2019))
    made = fitted.predict(frame(2020))
    assert made["part_a"].to_numpy() == pytest.approx(frame(2020)["part_a_avant"].to_numpy())
    assert Fitted.from_text(model(), fitted.to_text()).predict(frame(2020)).equals(made)


def test_nothing_to_train_on_is_said():
    with pytest.raises(ValueError, match="no row with an answer"):
        fit(model(), frame(2019).assign(cible_part_a=None))


def test_one_departement_alone_trains_and_is_searched():
    alone = frame(2019).assign(code_departement="69")
    assert np.isfinite(value_of(model(), alone, ("2019",), 0)({}, lambda step, found: None))
    made = fit(model(), alone).predict(frame(2020))
    assert (made["part_a_haut_90"] > made["part_a_bas_90"]).all()
    assert fit(model(), alone.head(1)).predict(frame(2020)).notna().all(axis=None)


def test_an_answer_is_no_feature():
    leak = Feature(name="cible_part_a", about="annee_avant", known=model().features[0].known)
    with pytest.raises(ValueError, match="is an answer"):
        model(features=(*model().features, leak))


def test_what_was_published_later_is_hidden():
    planted = frame(2020).assign(annee_avant="2020")
    planted["part_a_avant"] = planted["cible_part_a"]
    assert late(model(), frame(2020)) == {}
    assert set(late(model(), planted)) == {f.name for f in model().features}
    hidden = as_known(model(), planted)
    assert hidden[[f.name for f in model().features]].isna().all(axis=None)
    assert hidden["cible_part_a"].equals(planted["cible_part_a"])


def test_rows_without_answers_never_count():
    declared, known = (
        model(scored="est_diffuse"),
        {year: frame(int(year)).assign(est_diffuse=lambda rows: rows.index % 2 == 0) for year in ("2019", "2020")},
    )
    known["2020"].loc[known["2020"].index % 2 == 1, "cible_part_a"] = 0.0
    tested = try_fold(declared, known, folds(declared, list(known))[0])
    assert len(tested.rows) == 300
    assert tested.rows["est_diffuse"].all()


def test_intervals_follow_the_number_of_votes_that_is_expected():
    declared = model(expected=lambda rows: 0.7 * rows["inscrits"].to_numpy(float))
    fitted, shown = fit(declared, frame(2019)), frame(2020)
    shown = pd.concat([shown.iloc[[0]]] * 2, ignore_index=True)
    shown["inscrits"] = [50.0, 50_000.0]
    made = fitted.predict(shown)
    few, many = (made["part_a_haut_90"] - made["part_a_bas_90"]).to_numpy()
    assert few > 3 * many
    tested = try_fold(declared, tables(2019, 2020), folds(declared, ["2019", "2020"])[0], seed=3)
    table = metrics(tested).set_index(["predicteur", "tranche", "cible", "mesure"])["valeur"]
    assert 87 <= table[MODEL, "toutes", "toutes", "couverture_90"] <= 93
