"""Rows of a platinum table as a model may see them: those that may train it, and what was known on the day asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from elexxion_assets.declare import Feature, Model

if TYPE_CHECKING:
    import pandas as pd


def training_periods(model: Model, periods: list[str], predicted: str) -> list[str]:
    """The periods that may train a model of `predicted`, in the order given."""
    return [period for period in periods if period != predicted and model.trains(period, predicted)]


def last_period(model: Model, training: pd.DataFrame) -> str:
    """The period of training rows that was asked for last: names need not follow the calendar."""
    return str(max(training[model.period].astype(str).unique(), key=lambda period: (model.asked(period), period)))


def training_rows(model: Model, tables: Mapping[str, pd.DataFrame], predicted: str) -> pd.DataFrame:
    """The rows with an answer, of every period that may train a model of `predicted`, as known when each was asked.

    Args:
        model: The model.
        tables: The platinum table by period.
        predicted: Period to be predicted.

    Returns:
        Key, period, features, groups, weight and targets; no row where nothing may train.
    """
    import pandas as pd

    frames = [answered(model, as_known(model, tables[p])) for p in training_periods(model, list(tables), predicted)]
    if not frames:
        return pd.DataFrame(columns=list(next(iter(tables.values())).columns) if tables else list(model.targets))
    return pd.concat(frames, ignore_index=True)


def answered(model: Model, frame: pd.DataFrame) -> pd.DataFrame:
    """The rows whose answers are all there and count."""
    known = frame[list(model.targets)].notna().all(axis=1)
    if model.scored is not None:
        known &= frame[model.scored].fillna(False).astype(bool)
    if model.weight is not None:
        known &= frame[model.weight].fillna(0) > 0
    return frame[known]


def as_known(model: Model, frame: pd.DataFrame) -> pd.DataFrame:
    """The same rows, without the features that were published after the day on which the prediction was asked for."""
    late: dict[tuple[object, ...], np.ndarray] = {}
    hidden = {}
    for feature in model.features:
        kind = (feature.about, feature.known)
        if kind not in late:
            late[kind] = known_late(model, feature, frame)
        if late[kind].any():
            hidden[feature.name] = frame[feature.name].mask(late[kind])
    return frame.assign(**hidden)


def known_late(model: Model, feature: Feature, frame: pd.DataFrame) -> np.ndarray:
    """For each row, whether the feature was not known yet when the row's prediction was asked for."""
    late = np.zeros(len(frame), dtype=bool)
    for period, rows in frame.groupby(model.period).indices.items():
        lag = feature.about if isinstance(feature.about, int) else None
        if lag is not None:
            late[rows] = _is_late(model, feature, period, int(str(period)) - lag)
            continue
        # A value that does not say what it is about (code -1) may be of any time.
        codes, abouts = frame[feature.about].iloc[rows].factorize()
        answers = np.array([*(_is_late(model, feature, period, about) for about in abouts), True])
        late[rows] = answers[codes]
    return late


def _is_late(model: Model, feature: Feature, period: object, about: object) -> bool:
    told = str(int(about)) if isinstance(about, float) else str(about)
    return feature.known(told) >= model.asked(str(period))
