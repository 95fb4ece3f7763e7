"""Evaluation over time: train on what came before, test on the next period, beside every baseline."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from elexxion_assets.declare import Model, Predicts
from elexxion_assets.learning.rows import answered, as_known, training_periods, training_rows
from elexxion_assets.learning.training import LEVELS, fit, fit_baseline, national, sizes_of

if TYPE_CHECKING:
    import pandas as pd

MODEL = "modele"
"""Name of the trained model among the predictors; the others bear the names of their baselines."""


@dataclass(frozen=True, kw_only=True)
class Fold:
    """One period to predict, and the earlier ones to train on."""

    predicted: str
    trained: tuple[str, ...]


def folds(model: Model, periods: list[str]) -> list[Fold]:
    """Rolling origin: every period before which another may train; the periods are those with answers."""
    made = (Fold(predicted=p, trained=tuple(training_periods(model, periods, p))) for p in periods)
    return [fold for fold in made if fold.trained]


@dataclass(frozen=True, kw_only=True)
class Tested:
    """What every predictor said of one fold's test rows.

    Attributes:
        model: The model.
        fold: The fold.
        rows: Test rows with answers.
        predictions: By predictor (`MODEL`, a baseline or a rule of the model's own), what `Fitted.predict` gives.
    """

    model: Model
    fold: Fold
    rows: pd.DataFrame
    predictions: Mapping[str, pd.DataFrame]


def try_fold(
    model: Model,
    tables: Mapping[str, pd.DataFrame],
    fold: Fold,
    params: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> Tested:
    """Trains the model and its baselines on the fold's earlier periods and predicts its rows."""
    training = training_rows(
        model, {period: tables[period] for period in (*fold.trained, fold.predicted)}, fold.predicted
    )
    rows = answered(model, as_known(model, tables[fold.predicted]))
    given = national(model, rows) if model.given else None
    fitted = {MODEL: fit(model, training, params, seed)}
    fitted |= {b.name: fit_baseline(model, b.name, training, seed) for b in (*model.baselines, *model.own)}
    shown = rows.drop(columns=[column for column in rows if str(column).startswith("cible_")])
    return Tested(
        model=model,
        fold=fold,
        rows=rows,
        predictions={name: one.predict(shown, given) for name, one in fitted.items()},
    )


def _errors(model: Model, rows: pd.DataFrame, predicted: pd.DataFrame) -> np.ndarray:
    return np.asarray(
        np.abs(rows[list(model.targets)].to_numpy(float) - predicted[list(model.outputs)].to_numpy(float))
    )


def _weights(model: Model, rows: pd.DataFrame) -> np.ndarray:
    return rows[model.weight].to_numpy(float) if model.weight else np.ones(len(rows))


def mae(model: Model, rows: pd.DataFrame, predicted: pd.DataFrame) -> float:
    """Mean absolute error over rows and targets, in the unit of the targets."""
    return float(_errors(model, rows, predicted).mean())


def weighted_mae(model: Model, rows: pd.DataFrame, predicted: pd.DataFrame) -> float:
    """The same, each row with its weight."""
    return float(np.average(_errors(model, rows, predicted).mean(axis=1), weights=_weights(model, rows)))


def r2(model: Model, rows: pd.DataFrame, predicted: pd.DataFrame) -> float:
    """Share of the weighted variance explained, targets together."""
    answers, weights = rows[list(model.targets)].to_numpy(float), _weights(model, rows)
    around = answers - np.average(answers, axis=0, weights=weights)
    left = answers - predicted[list(model.outputs)].to_numpy(float)
    whole = float((weights[:, None] * around**2).sum())
    return 1 - float((weights[:, None] * left**2).sum()) / whole if whole else float("nan")


def first(model: Model, rows: pd.DataFrame, predicted: pd.DataFrame) -> float:
    """Share of the rows, in percent, of which the largest target was named; NaN for one target."""
    if len(model.targets) == 1 or model.predicts is not Predicts.SHARES:
        return float("nan")
    right = rows[list(model.targets)].to_numpy(float).argmax(1) == predicted[list(model.outputs)].to_numpy(
        float
    ).argmax(1)
    return float(100 * right.mean())


def pinball(model: Model, rows: pd.DataFrame, predicted: pd.DataFrame) -> float:
    """Mean pinball loss of the bounds of the intervals."""
    answers = rows[list(model.targets)].to_numpy(float)
    losses = []
    for level, (low, high) in LEVELS.items():
        for side, quantile in (("bas", low), ("haut", high)):
            left = answers - predicted[[f"{output}_{side}_{level}" for output in model.outputs]].to_numpy(float)
            losses.append(np.maximum(quantile * left, (quantile - 1) * left).mean())
    return float(np.mean(losses))


def coverage(level: int) -> Callable[[Model, pd.DataFrame, pd.DataFrame], float]:
    """The metric « share of the answers inside the interval of that level, in percent »."""

    def measure(model: Model, rows: pd.DataFrame, predicted: pd.DataFrame) -> float:
        answers = rows[list(model.targets)].to_numpy(float)
        low = predicted[[f"{output}_bas_{level}" for output in model.outputs]].to_numpy(float)
        high = predicted[[f"{output}_haut_{level}" for output in model.outputs]].to_numpy(float)
        return float(100 * ((low <= answers) & (answers <= high)).mean())

    return measure


METRICS: Mapping[str, Callable[[Model, pd.DataFrame, pd.DataFrame], float]] = {
    "mae_ponderee": weighted_mae,
    "mae": mae,
    "r2": r2,
    "premier": first,
    "pinball": pinball,
    "couverture_50": coverage(50),
    "couverture_90": coverage(90),
}
"""Every metric by name. The first two, and the pinball loss, are the smaller the better."""


def metrics(tested: Tested) -> pd.DataFrame:
    """Table of metrics of one fold.

    Returns:
        Columns `modele`, `periode`, `predicteur`, `tranche` (which rows), `cible` (an output, or `toutes`), `mesure`,
        `valeur`, `lignes`.
    """
    import pandas as pd

    found = []
    for slice_name, inside in slices(tested):
        rows = tested.rows[inside]
        for name, predictions in tested.predictions.items():
            for metric, measure in METRICS.items():
                value = measure(tested.model, rows, predictions[inside])
                found.append((name, slice_name, "toutes", metric, value, len(rows)))
    for name, predictions in tested.predictions.items():
        errors = _errors(tested.model, tested.rows, predictions)
        weights = _weights(tested.model, tested.rows)
        for at, output in enumerate(tested.model.outputs):
            found.append((name, "toutes", output, "mae", float(errors[:, at].mean()), len(errors)))
            weighted = float(np.average(errors[:, at], weights=weights))
            found.append((name, "toutes", output, "mae_ponderee", weighted, len(errors)))
    table = pd.DataFrame(found, columns=["predicteur", "tranche", "cible", "mesure", "valeur", "lignes"])
    table.insert(0, "periode", tested.fold.predicted)
    table.insert(0, "modele", tested.model.name)
    return table


def slices(tested: Tested) -> list[tuple[str, np.ndarray]]:
    """The rows that are measured apart: all, by size."""
    sizes = sizes_of(tested.model, tested.rows)
    found = [("toutes", np.ones(len(sizes), dtype=bool))]
    if tested.model.size:
        edges = (0, 100, 500, 2_000, 10_000, 50_000, np.inf)
        for low, high in pairwise(edges):
            inside = (sizes >= low) & (sizes < high)
            if inside.any():
                found.append((f"{low} et plus" if high == np.inf else f"{low} à {high - 1}", inside))
    return found


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The model against the best of its baselines in one fold, by the headline metric.

    Attributes:
        baseline: Name of the best baseline.
        model_value: The model's headline.
        baseline_value: That baseline's headline.
        low: Lower bound of the 95 % bootstrap interval of `baseline_value - model_value`.
        high: Upper bound.
    """

    baseline: str
    model_value: float
    baseline_value: float
    low: float
    high: float

    @property
    def wins(self) -> bool:
        """Whether the model is better beyond chance: the whole interval is above zero."""
        return self.low > 0


def compare(tested: Tested, *, draws: int = 1000, seed: int = 0) -> Comparison:
    """Compares on the headline metric, resampling whole groups (départements): neighbours err together."""
    model = tested.model
    measure = METRICS[model.headline]
    beaten = {one.name for one in model.baselines}
    values = {name: measure(model, tested.rows, made) for name, made in tested.predictions.items()}
    best = min((name for name in values if name in beaten), key=lambda name: (values[name], name))
    weights = _weights(model, tested.rows) if model.headline == "mae_ponderee" else np.ones(len(tested.rows))
    gain = _errors(model, tested.rows, tested.predictions[best]) - _errors(
        model, tested.rows, tested.predictions[MODEL]
    )
    groups = np.unique(tested.rows[model.groups[0]].astype(str), return_inverse=True)[1]
    gains = np.bincount(groups, weights * gain.mean(axis=1))
    masses = np.bincount(groups, weights)
    chosen = np.random.default_rng(seed).integers(0, len(gains), size=(draws, len(gains)))
    differences = gains[chosen].sum(axis=1) / masses[chosen].sum(axis=1)
    low, high = np.quantile(differences, (0.025, 0.975))
    return Comparison(
        baseline=best, model_value=values[MODEL], baseline_value=values[best], low=float(low), high=float(high)
    )
