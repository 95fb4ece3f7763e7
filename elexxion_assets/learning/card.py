"""The card of a release: what a person must know before trusting a model, as plain values that JSON can hold."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from elexxion_assets.declare import Column
from elexxion_assets.learning.evaluation import METRICS, MODEL, Tested, slices
from elexxion_assets.learning.explanation import contributions, effects, importance
from elexxion_assets.learning.release import Release, given_of, without_answers
from elexxion_assets.learning.rows import as_known

if TYPE_CHECKING:
    import pandas as pd

EXPLAINED = 2000
"""Rows, drawn with the seed, from which importance and partial effects are taken."""

_EFFECTS = 6
_TENTHS = 10


def card_of(
    release: Release,
    rows: pd.DataFrame,
    columns: Mapping[str, Column],
    *,
    theme: str,
    code: str,
    text: str,
    synthetic: bool,
) -> dict[str, Any]:
    """The card of a release.

    Args:
        release: The release.
        rows: Rows of the platinum table for the period.
        columns: Columns of that table by name.
        theme: Name of the theme.
        code: Version of the code.
        text: Name of the object that holds the text of the models.
        synthetic: Whether any input is made up.

    Returns:
        Plain values; `metrics` holds the rows of the table of metrics.
    """
    model, verdict, tuned = release.model, release.verdict, release.tuned
    baseline = model.baseline(verdict.baseline)
    return {
        "theme": theme,
        "model": model.name,
        "period": release.period,
        "title": model.title,
        "description": model.description,
        "synthetic": synthetic,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "data": release.data,
        "code": code,
        "text": text,
        "seed": release.fitted.seed,
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in ("lightgbm", "optuna", "numpy", "pandas")},
        "published": "modele" if verdict.publishes_model else "reference",
        "reason": verdict.reason,
        "baseline": {"name": baseline.name, "title": baseline.title},
        "baselines": {one.name: one.title for one in (*model.baselines, *model.own)},
        "decision": {
            "replaces": release.decision.replaces,
            "reason": release.decision.reason,
            "champion": release.decision.champion,
            "challenger": release.decision.challenger,
        },
        "training": {
            "periods": list(release.fitted.periods),
            "rows": release.fitted.rows,
            "params": dict(release.fitted.params),
            "objective": model.objective,
            "anchor": model.baseline(model.anchor).title,
        },
        "search": None
        if tuned is None
        else {
            "study": tuned.name,
            "trials": [dict(trial) for trial in tuned.trials],
            "importance": dict(tuned.importance),
            "value": tuned.value,
            "ended_by": tuned.ended_by,
            "seconds": round(tuned.seconds, 1),
        },
        "headline": model.headline,
        "outputs": {output: _called(columns, f"cible_{output}") for output in model.outputs},
        "folds": [_fold(release, tested) for tested in release.tested],
        "metrics": _plain(release.metrics()),
        "departements": _by_group(release.tested[-1]) if release.tested else [],
        "sizes": _by_size(release.tested[-1]) if release.tested else [],
        "calibration": _calibration(release) if release.tested else None,
        **_explained(release, rows, columns),
    }


def _called(columns: Mapping[str, Column], name: str) -> str:
    return columns[name].description.removeprefix("Answer: ") if name in columns else name


def _plain(table: pd.DataFrame) -> list[dict[str, Any]]:
    records = table.to_dict("records")
    return [{str(k): None if isinstance(v, float) and np.isnan(v) else v for k, v in row.items()} for row in records]


def _fold(release: Release, tested: Tested) -> dict[str, Any]:
    one = release.verdict.comparisons[tested.fold.predicted]
    return {
        "period": tested.fold.predicted,
        "trained": list(tested.fold.trained),
        "rows": len(tested.rows),
        "baseline": one.baseline,
        "model_value": one.model_value,
        "baseline_value": one.baseline_value,
        "low": one.low,
        "high": one.high,
        "wins": one.wins,
        "own": tested.fold.predicted == release.period,
        "values": {
            name: {metric: _number(measure(tested.model, tested.rows, made)) for metric, measure in METRICS.items()}
            for name, made in tested.predictions.items()
        },
    }


def _number(value: float) -> float | None:
    return None if np.isnan(value) else value


def _residuals(tested: Tested, name: str) -> np.ndarray:
    model = tested.model
    said = tested.predictions[name][list(model.outputs)].to_numpy(float)
    return np.asarray(tested.rows[list(model.targets)].to_numpy(float) - said)


def _shown(release: Release) -> str:
    return MODEL if release.verdict.publishes_model else release.verdict.baseline


def _by_group(tested: Tested) -> list[dict[str, Any]]:
    """Mean error of the model per group: absolute, and by output what was there less what was said."""
    left = _residuals(tested, MODEL)
    groups = tested.rows[tested.model.groups[0]].astype(str).to_numpy()
    return [
        {
            "code": str(group),
            "rows": int((groups == group).sum()),
            "mae": float(np.abs(left[groups == group]).mean()),
            "residuals": {
                output: float(left[groups == group, at].mean()) for at, output in enumerate(tested.model.outputs)
            },
        }
        for group in np.unique(groups)
    ]


def _by_size(tested: Tested) -> list[dict[str, Any]]:
    left = {name: np.abs(_residuals(tested, name)).mean(axis=1) for name in tested.predictions}
    return [
        {
            "size": name,
            "rows": int(inside.sum()),
            "mae": {predictor: float(errors[inside].mean()) for predictor, errors in left.items()},
        }
        for name, inside in slices(tested)
    ]


def _calibration(release: Release) -> dict[str, Any]:
    """Of what is published, in the last fold: coverage of intervals, and what was there by tenths of what was said."""
    tested = release.tested[-1]
    made = tested.predictions[_shown(release)]
    by_output = {}
    for output, target in zip(tested.model.outputs, tested.model.targets, strict=True):
        said, there = made[output].to_numpy(float), tested.rows[target].to_numpy(float)
        place = np.digitize(said, np.unique(np.quantile(said, np.linspace(0, 1, _TENTHS + 1)[1:-1])))
        parts = np.unique(place)
        by_output[output] = {
            "said": [float(said[place == part].mean()) for part in parts],
            "there": [float(there[place == part].mean()) for part in parts],
        }
    return {
        "period": tested.fold.predicted,
        "coverage": {level: METRICS[f"couverture_{level}"](tested.model, tested.rows, made) for level in (50, 90)},
        "outputs": by_output,
    }


def _explained(release: Release, rows: pd.DataFrame, columns: Mapping[str, Column]) -> dict[str, Any]:
    model, fitted = release.model, release.fitted
    given = given_of(model, rows)
    sample = without_answers(as_known(model, rows))
    if len(sample) > EXPLAINED:
        sample = sample.sample(EXPLAINED, random_state=fitted.seed)
    matrix, found = contributions(fitted, sample, given)
    weights = importance(found, fitted.inputs)
    since = {feature.name: feature.about for feature in model.features}
    return {
        "features": [
            {
                "name": name,
                "description": _called(columns, name.replace("depart_", "cible_", 1))
                + (" (the anchor's prediction)" if name.startswith("depart_") else ""),
                "unit": columns[name].unit if name in columns else None,
                "about": str(since[name]) if name in since else "",
                "importance": weight,
            }
            for name, weight in weights.items()
        ],
        "effects": effects(matrix, found, fitted.inputs, [name for name in weights if weights[name] > 0][:_EFFECTS]),
    }
