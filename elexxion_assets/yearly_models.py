"""Models of yearly figures per commune: what they share, from the features of year Y-1, Y-2 and Y-3.

Three baselines, each falling back to the next where a commune's figure is missing: the last value, the mean of three
years, the rate smoothed towards the département's; at last the mean of the training rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from elexxion_assets.declare import Baseline, Feature, Model, Predicts, Range

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


def yearly_model(
    *,
    name: str,
    title: str,
    description: str,
    target: str,
    stem: str,
    smoothed: str,
    neighbours: str,
    features: tuple[str, ...],
    predicts: Predicts,
    published: Callable[[str], date],
    asked: Callable[[str], date],
    weight: str | None,
    size: str,
    exposure: str | None = None,
    objective: str = "regression_l1",
) -> Model:
    """One model of platinum `communes`, partitioned by year.

    Args:
        name: Name of the model.
        title: Title for people.
        description: What it says, for the card.
        target: Column of the answer.
        stem: Column of the same figure before, without `_n_1`.
        smoothed: Column of the figure or rate smoothed towards the département's.
        neighbours: Column of the figure or rate of the département's other communes.
        features: What the boosters are shown.
        predicts: What the target is.
        published: From the year that a figure is about, the day on which it was published.
        asked: From a year, the day on which its prediction is made.
        weight: Column of the weights.
        size: Column of the size of a commune.
        exposure: Column by which a rate per thousand becomes the target; None where they are of one unit.
        objective: Objective of LightGBM without a search, which tries that and the absolute error.
    """
    lags = tuple(f"{stem}_n_{back}" for back in (1, 2, 3))
    shown = tuple(dict.fromkeys(features))
    needed = tuple(dict.fromkeys((*shown, *lags, smoothed, neighbours, size, *([exposure] if exposure else []))))

    def values(rows: pd.DataFrame, column: str) -> np.ndarray:
        found = rows[column].to_numpy(float)
        return found * rows[exposure].to_numpy(float) / 1000 if exposure and column in (smoothed, neighbours) else found

    def learn(training: pd.DataFrame) -> Mapping[str, Any]:
        return {"mean": float(training[target].mean())}

    def first_known(rows: pd.DataFrame, learnt: Mapping[str, Any], first: np.ndarray) -> np.ndarray:
        import numpy as np

        for other in (values(rows, lags[0]), values(rows, smoothed), values(rows, neighbours), learnt["mean"]):
            first = np.where(np.isnan(first), other, first)
        return first[:, None]

    def last(rows: pd.DataFrame, learnt: Mapping[str, Any], given: Mapping[str, float] | None) -> np.ndarray:
        return first_known(rows, learnt, values(rows, lags[0]))

    def mean(rows: pd.DataFrame, learnt: Mapping[str, Any], given: Mapping[str, float] | None) -> np.ndarray:
        return first_known(rows, learnt, rows[list(lags)].mean(axis=1).to_numpy(float))

    def drawn(rows: pd.DataFrame, learnt: Mapping[str, Any], given: Mapping[str, float] | None) -> np.ndarray:
        return first_known(rows, learnt, values(rows, smoothed))

    return Model(
        name=name,
        title=title,
        description=description,
        table="communes",
        key=("code_commune",),
        period="annee",
        targets=(target,),
        predicts=predicts,
        features=tuple(Feature(name=feature, about=1, known=published) for feature in needed),
        weight=weight,
        size=size,
        trains=lambda earlier, predicted: int(earlier) < int(predicted),
        asked=asked,
        anchor="taux_lisse",
        baselines=(
            Baseline(name="derniere_valeur", title="The last value", predict=last, learn=learn),
            Baseline(name="moyenne_trois_ans", title="The mean of three years", predict=mean, learn=learn),
            Baseline(name="taux_lisse", title="Smoothed towards the département", predict=drawn, learn=learn),
        ),
        boosted=shown,
        objective=objective,
        params={
            "learning_rate": 0.05,
            "num_leaves": 15,
            "min_data_in_leaf": 100,
            "num_iterations": 30 if objective == "poisson" else 100,
        },
        search={
            **({"objective": (objective, "regression_l1")} if objective != "regression_l1" else {}),
            "learning_rate": Range(low=0.01, high=0.2, log=True),
            "num_leaves": Range(low=4, high=63, log=True, whole=True),
            "min_data_in_leaf": Range(low=20, high=1000, log=True, whole=True),
            "lambda_l2": Range(low=0.1, high=100, log=True),
            "num_iterations": Range(low=20, high=400, log=True, whole=True),
        },
    )
