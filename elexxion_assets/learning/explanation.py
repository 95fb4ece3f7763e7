"""Why a model says what it says: what each feature adds (SHAP values, LightGBM's own), in numbers and in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from elexxion_assets.declare import Column, Predicts
from elexxion_assets.learning.training import Fitted, base_of, inputs_of, moved, multiplies, objective_of

if TYPE_CHECKING:
    import pandas as pd

REASONS = 3


def contributions(
    fitted: Fitted, rows: pd.DataFrame, given: Mapping[str, float] | None
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """What each input adds to each output.

    Args:
        fitted: A model with boosters.
        rows: Rows as they were known.
        given: National values, for a model that is told them.

    Returns:
        The inputs (rows x inputs), and by output what each of them adds to the baseline's prediction (the same shape),
        before the predictions of a row are made consistent. What multiplies is shared out in proportion.
    """
    start = base_of(fitted.model, fitted.base, fitted.learnt, rows, given)
    matrix = inputs_of(fitted.model, rows, start)
    objective, found = objective_of(fitted.model, fitted.params), {}
    for at, output in enumerate(fitted.model.outputs if fitted.boosters else ()):
        values = np.asarray(fitted.boosters[output].predict(matrix, pred_contrib=True))
        raw, found[output] = values.sum(axis=1), values[:, :-1]
        if multiplies(objective):
            added = moved(objective, start[:, at], raw) - start[:, at]
            found[output] = found[output] * np.divide(added, raw, out=np.ones_like(raw), where=raw != 0)[:, None]
    return matrix, found


def importance(found: Mapping[str, np.ndarray], names: tuple[str, ...]) -> dict[str, float]:
    """Mean absolute contribution of every input over rows and outputs, the largest first."""
    means = np.mean([np.abs(values).mean(axis=0) for values in found.values()], axis=0)
    order = np.argsort(-means, kind="stable")
    return {names[at]: float(means[at]) for at in order}


def effects(
    matrix: np.ndarray, found: Mapping[str, np.ndarray], names: tuple[str, ...], chosen: list[str], *, steps: int = 10
) -> dict[str, dict[str, Any]]:
    """The partial effect of some inputs: the mean contribution by tenths of their values.

    Returns:
        By input: `output`, the one it moves most, `x`, the median value of each part of the rows, and `y`, its mean
        contribution there.
    """
    made: dict[str, dict[str, Any]] = {}
    for name in chosen:
        at = names.index(name)
        output = max(found, key=lambda one: float(np.abs(found[one][:, at]).mean()))
        values, added = matrix[:, at], found[output][:, at]
        values, added = values[~np.isnan(values)], added[~np.isnan(values)]
        if not len(values):
            continue
        edges = np.unique(np.quantile(values, np.linspace(0, 1, steps + 1)[1:-1]))
        place = np.digitize(values, edges)
        parts = np.unique(place)
        made[name] = {
            "output": output,
            "x": [float(np.median(values[place == part])) for part in parts],
            "y": [float(added[place == part].mean()) for part in parts],
        }
    return made


def reasons(
    fitted: Fitted,
    matrix: np.ndarray,
    found: Mapping[str, np.ndarray],
    columns: Mapping[str, Column],
) -> dict[str, np.ndarray]:
    """The three strongest reasons of every prediction, in words.

    Args:
        fitted: The model.
        matrix: The inputs.
        found: The contributions, as `contributions` gives them.
        columns: Columns of the platinum table by name, for their words and units.

    Returns:
        By output, one row of three texts per row.
    """
    said = [_words(fitted, name, columns) for name in fitted.inputs]
    unit = " points" if fitted.model.predicts is not Predicts.COUNTS else ""
    made = {}
    for output, values in found.items():
        top = np.argsort(-np.abs(values), axis=1, kind="stable")[:, :REASONS]
        added = np.take_along_axis(values, top, axis=1)
        inputs = np.take_along_axis(matrix, top, axis=1)
        texts = np.empty((len(values), REASONS), dtype=object)
        for place in range(top.shape[1]):
            texts[:, place] = [
                _reason(said[feature], value, add, unit)
                for feature, value, add in zip(top[:, place], inputs[:, place], added[:, place], strict=True)
            ]
        made[output] = texts
    return made


def _words(fitted: Fitted, name: str, columns: Mapping[str, Column]) -> tuple[str, str]:
    """What an input is called, and its unit."""
    if name.startswith("depart_"):
        model = fitted.model
        output = name.removeprefix("depart_")
        target = columns.get(f"cible_{output}")
        what = target.description.removeprefix("Answer: ") if target else output
        return f"{what}, as the baseline « {model.baseline(fitted.base).title} » has it", (
            (target.unit or "") if target else ""
        )
    column = columns.get(name)
    return (column.description, column.unit or "") if column else (name, "")


def _reason(words: tuple[str, str], value: float, added: float, unit: str) -> str:
    what, of = words
    told = "not known" if np.isnan(value) else f"{value:.4g} {of}".rstrip()
    return f"{what}: {told} ({added:+.2f}{unit})"
