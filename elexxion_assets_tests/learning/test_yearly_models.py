"""Models of yearly figures on made-up communes: model and baselines answer for every row, masked ones included."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from elexxion_assets.learning.evaluation import MODEL, folds, metrics, try_fold
from elexxion_assets.learning.explanation import contributions
from elexxion_assets.learning.rows import answered
from elexxion_assets.learning.study import value_of
from elexxion_assets.learning.training import Fitted, base_of, fit
from elexxion_assets.themes import all_themes

YEARLY = [model for name in ("crime", "emploi", "association") for model in all_themes()[name].models]
CRIME = all_themes()["crime"].models[0]


def frame(model, year: int, rows: int = 400) -> pd.DataFrame:
    """Noisy repetitions of a level per commune; a fifth of what was known is missing."""
    random = np.random.default_rng(year)
    level = random.gamma(4, 2, rows)
    features = {
        feature.name: np.where(random.random(rows) < 0.2, np.nan, level + random.normal(0, 1, rows))
        for feature in model.features
    }
    (target,) = model.targets
    return pd.DataFrame(
        {
            **features,
            model.size: np.exp(random.uniform(4, 9, rows)),
            "code_commune": [f"{at % 20:02d}{at:03d}" for at in range(rows)],
            "code_departement": [f"{at % 20:02d}" for at in range(rows)],
            "annee": year,
            target: np.where(random.random(rows) < 0.1, np.nan, level),
        }
    )


@pytest.mark.parametrize("model", YEARLY, ids=lambda model: model.name)
def test_every_known_answer_is_scored_against_three_baselines(model):
    tables = {str(year): frame(model, year) for year in (2017, 2018)}
    (fold,) = folds(model, list(tables))
    tested = try_fold(model, tables, fold)
    assert len(tested.rows) == tables["2018"][model.targets[0]].notna().sum()
    assert set(tested.predictions) == {MODEL, "derniere_valeur", "moyenne_trois_ans", "taux_lisse"}
    for made in tested.predictions.values():
        assert made.notna().all(axis=None)
        assert made.min(axis=None) >= 0
    values = metrics(tested).query("tranche == 'toutes' and cible == 'toutes' and mesure == 'mae_ponderee'")
    errors = values.set_index("predicteur")["valeur"]
    if model.name != "creations":  # whose smoothed rate is of another unit
        assert errors[MODEL] < errors["derniere_valeur"]


def doubled(year: int) -> pd.DataFrame:
    rows = frame(CRIME, year)
    return rows.assign(**{CRIME.targets[0]: 2 * rows[CRIME.targets[0]]})


def test_rates_of_crime_are_learnt_as_so_many_times_the_anchor():
    fitted = fit(CRIME, doubled(2017), {"num_iterations": 200})
    rows = doubled(2018)
    rows.loc[0, [feature.name for feature in CRIME.features]] = 0.0
    made = fitted.predict(rows)[CRIME.outputs[0]].to_numpy()
    start = base_of(CRIME, CRIME.anchor, fitted.learnt, rows, None)[:, 0]
    assert start[0] == 0
    assert 0 <= made[0] < 0.1
    some = start > 1
    assert 1.7 < np.median(made[some] / start[some]) < 2.3
    assert Fitted.from_text(CRIME, fitted.to_text()).predict(rows).equals(fitted.predict(rows))


def test_reasons_of_a_rate_are_in_its_own_unit():
    rows = frame(CRIME, 2017, rows=2000)
    large = rows[CRIME.size] > rows[CRIME.size].median()
    target = CRIME.targets[0]
    rows[target] = np.where(large, 2, 1) * rows[target]
    fitted = fit(CRIME, rows, {"num_iterations": 200})
    _, found = contributions(fitted, rows, None)
    added = pd.Series(found[CRIME.outputs[0]].sum(axis=1))
    assert added[large].mean() - added[~large].mean() == pytest.approx(rows[target].mean() / 1.5, rel=0.3)


@pytest.mark.parametrize("objective", ["poisson", "regression_l1"])
def test_a_search_may_choose_the_objective_by_what_it_is_worth(objective):
    rows = answered(CRIME, doubled(2017)).reset_index(drop=True)
    value = value_of(CRIME, rows, ("2017",), 0)({"objective": objective}, lambda step, found: None)
    said = base_of(CRIME, CRIME.anchor, CRIME.baseline(CRIME.anchor).learn(rows), rows, None)[:, 0]
    answers, weights = rows[CRIME.targets[0]].to_numpy(float), rows[CRIME.weight].to_numpy(float)
    assert 0 < value < 0.8 * np.average(np.abs(answers - said), weights=weights)
    assert objective in CRIME.search["objective"]
