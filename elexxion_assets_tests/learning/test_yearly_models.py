"""Models of yearly figures on made-up communes: model and baselines answer for every row, masked ones included."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from elexxion_assets.learning.evaluation import MODEL, folds, metrics, try_fold
from elexxion_assets.themes import all_themes

YEARLY = [model for name in ("crime", "emploi", "association") for model in all_themes()[name].models]


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
