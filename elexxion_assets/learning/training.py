"""Training: LightGBM on the residuals of a baseline, with intervals from residuals that no booster had seen.

A share of n votes is off by chance, `p (1 - p) / n`, and by what places differ in, `c p (1 - p)`, with one c per bloc.
Residuals are seen against that deviation, so that a scrutin of few voters says what to expect of one with many.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from elexxion_assets.declare import Model, Predicts
from elexxion_assets.learning.rows import answered

if TYPE_CHECKING:
    import lightgbm
    import pandas as pd

LEVELS = {50: (0.25, 0.75), 90: (0.05, 0.95)}
"""The intervals given with every prediction, in percent, and their quantiles."""

FIXED = {"deterministic": True, "force_row_wise": True, "num_threads": 1, "verbosity": -1}
"""Parameters of LightGBM that make the same booster of the same rows, on a machine that does other things too."""

ROUNDS = "num_iterations"
_PARTS = 5
_CLASSES = 6
_TIMES = frozenset({"poisson", "tweedie"})
_LEAST = 1e-3
"""What stands for 0 where a logarithm is taken, in the unit of the target."""
_EDGE = 0.5
"""Percentage below which a share is not taken to vary less."""
_HEAVY = 1000
"""Votes from which a commune says no more of how places differ than another."""


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A model after training, or one of its baselines with intervals.

    Attributes:
        model: Its declaration.
        base: Name of the baseline that it starts from.
        learnt: What that baseline learnt.
        boosters: Booster of the residual by output; none where this is the baseline alone.
        spread: Quantiles of the residuals, by which the intervals are drawn.
        params: Parameters of LightGBM.
        seed: Seed of everything.
        periods: Periods it was trained on.
        rows: Number of rows it was trained on.
    """

    model: Model
    base: str
    learnt: Mapping[str, Any]
    boosters: Mapping[str, lightgbm.Booster]
    spread: Mapping[str, Any]
    params: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    periods: tuple[str, ...] = ()
    rows: int = 0

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of what the boosters see, in order: the features, then the baseline's own prediction of each target."""
        return input_names(self.model)

    def predict(self, frame: pd.DataFrame, given: Mapping[str, float] | None = None) -> pd.DataFrame:
        """One prediction per row of the platinum table.

        Args:
            frame: Rows with the model's features, as they were known (`rows.as_known`).
            given: National value of each output, for a model that is told it.

        Returns:
            On the same index, each output in the unit of its target, then `<output>_bas_50`, `<output>_haut_50`,
            `<output>_bas_90`, `<output>_haut_90`.

        Raises:
            KeyError: A feature is not there.
            ValueError: The model must be told the national values and is not.
        """
        import pandas as pd

        start = base_of(self.model, self.base, self.learnt, frame, given)
        point = self.points(frame, start)
        columns: dict[str, np.ndarray] = dict(zip(self.model.outputs, point.T, strict=True))
        masses = expected_of(self.model, frame)
        for level in LEVELS:
            low, high = _interval(self.model, self.spread, point, masses, level)
            for position, output in enumerate(self.model.outputs):
                columns[f"{output}_bas_{level}"] = low[:, position]
                columns[f"{output}_haut_{level}"] = high[:, position]
        return pd.DataFrame(columns, index=frame.index)

    def points(self, frame: pd.DataFrame, start: np.ndarray) -> np.ndarray:
        """The predictions without intervals, from those of the baseline."""
        if not self.boosters:
            return start
        matrix = inputs_of(self.model, frame, start)
        raw = [self.boosters[output].predict(matrix, num_threads=1, raw_score=True) for output in self.model.outputs]
        return consistent(self.model, moved(objective_of(self.model, self.params), start, np.column_stack(raw)))

    def to_text(self) -> str:
        """The whole as one text document, boosters in LightGBM's own format."""
        document = {
            "model": self.model.name,
            "base": self.base,
            "learnt": self.learnt,
            "spread": self.spread,
            "params": self.params,
            "seed": self.seed,
            "periods": self.periods,
            "rows": self.rows,
            "inputs": self.inputs,
            "boosters": {output: booster.model_to_string() for output, booster in self.boosters.items()},
        }
        return json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True)

    @classmethod
    def from_text(cls, model: Model, text: str) -> Self:
        """The model that `to_text` wrote.

        Raises:
            ValueError: The text is of another model, of another list of features, or of other intervals.
        """
        import lightgbm

        document = json.loads(text)
        if document["model"] != model.name:
            raise ValueError(f"this is a model « {document['model']} », not « {model.name} »")
        if tuple(document["inputs"]) != input_names(model):
            raise ValueError(f"this model « {model.name} » was trained on other features: train it again")
        if "apart" not in document["spread"]:
            raise ValueError(f"this model « {model.name} » has intervals of an earlier version: train it again")
        boosters = {output: lightgbm.Booster(model_str=tree) for output, tree in document["boosters"].items()}
        return cls(
            model=model,
            base=document["base"],
            learnt=document["learnt"],
            boosters=boosters,
            spread=document["spread"],
            params=document["params"],
            seed=document["seed"],
            periods=tuple(document["periods"]),
            rows=document["rows"],
        )


def fit(model: Model, training: pd.DataFrame, params: Mapping[str, Any] | None = None, seed: int = 0) -> Fitted:
    """Trains the model on rows whose answers are known.

    Args:
        model: The model.
        training: What `rows.training_rows` gives.
        params: Parameters over the model's own, such as a search found.
        seed: Seed of LightGBM and of the parts that calibrate the intervals.

    Raises:
        ValueError: No row has an answer.
    """
    chosen = {**model.params, **(params or {})}
    return _fit(model, training, model.anchor, chosen, seed, boosted=True)


def fit_baseline(model: Model, name: str, training: pd.DataFrame, seed: int = 0) -> Fitted:
    """One of the model's baselines, with intervals of its own: what is published where the model does not win."""
    return _fit(model, training, name, {}, seed, boosted=False)


def _fit(
    model: Model, training: pd.DataFrame, base: str, params: Mapping[str, Any], seed: int, *, boosted: bool
) -> Fitted:
    training = answered(model, training).reset_index(drop=True)
    if training.empty:
        raise ValueError(f"model {model.name}: no row with an answer to train on")
    apart = _unseen(model, training, base, params, seed, boosted=boosted)
    learnt = model.baseline(base).learn(training)
    boosters = _boosters(model, training, base, learnt, params, seed) if boosted else {}
    return Fitted(
        model=model,
        base=base,
        learnt=learnt,
        boosters=boosters,
        spread=_spread(model, training, apart),
        params=dict(params),
        seed=seed,
        periods=tuple(sorted(training[model.period].astype(str).unique())),
        rows=len(training),
    )


def _boosters(
    model: Model, training: pd.DataFrame, base: str, learnt: Mapping[str, Any], params: Mapping[str, Any], seed: int
) -> dict[str, lightgbm.Booster]:
    import lightgbm

    start = _start_of_each_period(model, training, base, learnt)
    matrix = inputs_of(model, training, start)
    weight = training[model.weight].to_numpy(float) if model.weight else None
    answers = training[list(model.targets)].to_numpy(float)
    settings = {**FIXED, "objective": model.objective, "seed": seed, **params}
    rounds = settings.pop(ROUNDS, 100)
    objective, names = settings["objective"], list(input_names(model))
    boosters = {}
    for at, output in enumerate(model.outputs):
        label, begin = labels(objective, answers[:, at], start[:, at])
        data = lightgbm.Dataset(matrix, label=label, weight=weight, init_score=begin, feature_name=names)
        boosters[output] = lightgbm.train(settings, data, num_boost_round=rounds)
    return boosters


def objective_of(model: Model, params: Mapping[str, Any]) -> str:
    """The objective of LightGBM: that of the parameters, or the model's own."""
    return str(params.get("objective", model.objective))


def labels(objective: str, answers: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """What a booster learns of one target from the anchor's prediction: LightGBM's `label` and `init_score`."""
    if multiplies(objective):
        return answers, np.log(np.maximum(start, _LEAST))
    return answers - start, None


def multiplies(objective: str) -> bool:
    """Whether boosters of that objective say how many times the anchor's prediction, rather than how much more."""
    return objective in _TIMES


def moved(objective: str, start: np.ndarray, raw: np.ndarray) -> np.ndarray:
    """The anchor's predictions with what the boosters add to them, or by how much they multiply them."""
    if multiplies(objective):
        return np.asarray(np.maximum(start, _LEAST) * np.exp(raw))
    return np.asarray(start + raw)


def national(model: Model, frame: pd.DataFrame) -> dict[str, float]:
    """National value of each output, and of what the model is told beside, from the answers of one period."""
    rows = answered(model, frame)
    weight = rows[model.weight].to_numpy(float) if model.weight else np.ones(len(rows))
    found = {}
    for column in (*model.targets, *model.told):
        values = rows[column].to_numpy(float)
        there = ~np.isnan(values)
        if there.any():
            found[column.removeprefix("cible_")] = float(np.average(values[there], weights=weight[there]))
    return found


def input_names(model: Model) -> tuple[str, ...]:
    """What the boosters see: the features shown to them, then the anchor's prediction of each target."""
    return (*model.shown, *(f"depart_{output}" for output in model.outputs))


def inputs_of(model: Model, frame: pd.DataFrame, start: np.ndarray) -> np.ndarray:
    """Matrix of what the boosters see, one row per row, NaN where a feature is missing."""
    features = frame[list(model.shown)].astype(float).to_numpy()
    return np.column_stack([features, start])


def sizes_of(model: Model, frame: pd.DataFrame) -> np.ndarray:
    """Size of every row's unit, NaN where it is not known."""
    return frame[model.size].to_numpy(float) if model.size else np.ones(len(frame))


def expected_of(model: Model, frame: pd.DataFrame) -> np.ndarray:
    """By what intervals are wide or narrow: what the weight is expected to be, or the size."""
    return sizes_of(model, frame) if model.expected is None else model.expected(frame)


def base_of(
    model: Model, name: str, learnt: Mapping[str, Any], frame: pd.DataFrame, given: Mapping[str, float] | None
) -> np.ndarray:
    """Predictions of a baseline, kept consistent: one row per row, one column per output."""
    if model.given and given is None:
        raise ValueError(f"model {model.name} must be told the national values")
    return consistent(model, model.baseline(name).predict(frame, learnt, given if model.given else None))


def consistent(model: Model, values: np.ndarray) -> np.ndarray:
    """The same predictions as what the targets can be."""
    if model.predicts is Predicts.COUNTS:
        return np.asarray(np.maximum(values, 0))
    bounded = np.asarray(np.clip(values, 0, 100))
    if model.predicts is Predicts.RATE:
        return bounded
    total = bounded.sum(axis=1, keepdims=True)
    return np.asarray(np.where(total > 0, 100 * bounded / np.where(total > 0, total, 1), 100 / values.shape[1]))


def _start_of_each_period(model: Model, training: pd.DataFrame, base: str, learnt: Mapping[str, Any]) -> np.ndarray:
    start = np.empty((len(training), len(model.targets)))
    for _, rows in training.groupby(model.period, sort=True):
        start[rows.index] = base_of(model, base, learnt, rows, national(model, rows) if model.given else None)
    return start


def _unseen(
    model: Model, training: pd.DataFrame, base: str, params: Mapping[str, Any], seed: int, *, boosted: bool
) -> np.ndarray:
    """Predictions of the training rows by models that did not see them: of other periods, or of other groups."""
    predicted = np.empty((len(training), len(model.targets)))
    part = _parts(model, training)
    for one in np.unique(part):
        inside, outside = training[part == one], training[part != one].reset_index(drop=True)
        # One row alone has no other to be judged by.
        alone = outside.empty
        learnt = model.baseline(base).learn(inside if alone else outside)
        boosters = _boosters(model, outside, base, learnt, params, seed) if boosted and not alone else {}
        fitted = Fitted(model=model, base=base, learnt=learnt, boosters=boosters, spread={}, params=params)
        start = _start_of_each_period(model, inside.reset_index(drop=True), base, learnt)
        predicted[part == one] = fitted.points(inside, start)
    return predicted


def _parts(model: Model, training: pd.DataFrame) -> np.ndarray:
    periods = training[model.period].astype(str)
    if periods.nunique() > 1:
        return np.asarray(np.unique(periods, return_inverse=True)[1])
    return groups_apart(model, training, _PARTS)


def groups_apart(model: Model, rows: pd.DataFrame, parts: int) -> np.ndarray:
    """Number of the part of each row: whole groups (départements) apart, or single rows where there is one group."""
    codes = np.unique(rows[model.groups[0]].astype(str), return_inverse=True)[1]
    return np.asarray((codes if codes.any() else np.arange(len(rows))) % parts)


def _spread(model: Model, training: pd.DataFrame, predicted: np.ndarray) -> dict[str, Any]:
    residuals = training[list(model.targets)].to_numpy(float) - predicted
    # What was expected before is now known, and another kind of scrutin may have had other hopes.
    masses = sizes_of(model, training) if model.expected is None else training[model.weight].to_numpy(float)
    apart = _apart(model, residuals, predicted, masses)
    told = residuals / _deviations(model, apart, predicted, masses)
    edges = np.unique(np.nanquantile(masses, np.linspace(0, 1, _CLASSES + 1)[1:-1]))
    place = np.digitize(np.nan_to_num(masses), edges)
    table = [
        [
            [float(np.quantile(told[place == c, at] if (place == c).any() else told[:, at], q)) for q in pair]
            for c in range(len(edges) + 1)
            for pair in LEVELS.values()
        ]
        for at in range(len(model.outputs))
    ]
    return {"apart": apart, "edges": edges.tolist(), "table": table}


def _interval(
    model: Model, spread: Mapping[str, Any], point: np.ndarray, masses: np.ndarray, level: int
) -> tuple[np.ndarray, np.ndarray]:
    edges = np.asarray(spread["edges"])
    place = np.digitize(np.nan_to_num(masses), edges)
    table = np.asarray(spread["table"]).reshape(len(model.outputs), len(edges) + 1, len(LEVELS), 2)
    chosen = (
        table[:, place, list(LEVELS).index(level), :] * _deviations(model, spread["apart"], point, masses).T[..., None]
    )
    ceiling = np.inf if model.predicts is Predicts.COUNTS else 100
    return np.clip(point + chosen[..., 0].T, 0, ceiling), np.clip(point + chosen[..., 1].T, 0, ceiling)


def _apart(model: Model, residuals: np.ndarray, point: np.ndarray, masses: np.ndarray) -> list[float]:
    """By output, the variance over `p (1 - p)` that is between places, beyond that of chance."""
    if model.expected is None:
        return []
    beyond = residuals**2 / _bernoulli(point) - 1 / masses[:, None]
    return [max(0.0, float(one)) for one in np.average(beyond, axis=0, weights=np.minimum(masses, _HEAVY))]


def _deviations(model: Model, apart: list[float], point: np.ndarray, masses: np.ndarray) -> np.ndarray:
    """Deviation in points that each prediction is expected to have; 1 where nothing says of how many it is made."""
    if model.expected is None:
        return np.ones_like(point)
    counted = np.maximum(np.nan_to_num(masses), 1)[:, None]
    return np.asarray(np.sqrt(_bernoulli(point) * (1 / counted + np.asarray(apart))))


def _bernoulli(point: np.ndarray) -> np.ndarray:
    inside = np.clip(point, _EDGE, 100 - _EDGE)
    return np.asarray(inside * (100 - inside))
