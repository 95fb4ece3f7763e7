"""What a model is: what it predicts, from what, known when, judged how. Nothing here computes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


class Predicts(StrEnum):
    """What the targets of a model are, and so what a prediction must respect."""

    SHARES = "shares"
    """Percentages of one whole: never negative, 100 together."""
    RATE = "rate"
    """Percentages, each by itself."""
    COUNTS = "counts"
    """Numbers of events: never negative."""


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One thing that a model is shown, and since when it was known.

    Attributes:
        name: Column of the platinum table.
        about: Column of the same row that holds the period which the value is about, or how many periods before the one
            predicted it is.
        known: From the period that a value is about, the day on which it was published.
    """

    name: str
    about: str | int
    known: Callable[[str], date]


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """A simple rule that a model must beat.

    Attributes:
        name: Snake case.
        title: What it says, in words.
        predict: From rows of the platinum table, what was learnt and the national values given (or None), one
            prediction per row and target. Pure.
        learn: From training rows, what `predict` needs; plain numbers, lists and dictionaries. Pure.
    """

    name: str
    title: str
    predict: Callable[[pd.DataFrame, Mapping[str, Any], Mapping[str, float] | None], np.ndarray]
    learn: Callable[[pd.DataFrame], Mapping[str, Any]] = lambda training: {}


@dataclass(frozen=True, kw_only=True)
class Range:
    """Where a parameter is searched: between two numbers, both included."""

    low: float
    high: float
    log: bool = False
    whole: bool = False


@dataclass(frozen=True, kw_only=True)
class Model:
    """One model of a theme.

    Attributes:
        name: Name inside the theme, snake case.
        title: Title for people.
        description: What is predicted, from what, with which limits, for the card.
        table: Name of the platinum table that holds features and answers.
        key: Columns that identify a row within a period.
        period: Column that holds the period.
        targets: Columns of the answers; they begin with `cible_`. Predictions bear the names without it.
        predicts: What the targets are.
        features: What the model is shown; none begins with `cible_`.
        groups: Columns of the groups towards which small units are drawn.
        weight: Column of the row's weight in training and in the headline, an answer as a rule; None for equal weights.
        size: Column known before the period by which units are small or large.
        expected: From rows, what `weight` is expected to be while it is not known: the votes or electors that a share
            is made of. Intervals follow it; without it, `size`.
        trains: Whether rows of the first period may train a model of the second: its answers were known before.
        asked: From a period, the day on which its prediction is made: what became known later is not shown.
        given: Whether the national values of the targets are handed in.
        told: Further answers of which the national values are handed in where they are known.
        anchor: Name of the rule from which the boosters learn the residuals: a baseline, or one of the model's own.
        baselines: What the model must beat, by the order in which it is shown.
        own: Rules of the model's own: they may be its anchor, and are nothing to beat.
        boosted: Features that the boosters see; every feature by default. The anchor may use them all.
        objective: Objective of LightGBM, for the residuals. « poisson » and « tweedie » are for the targets, as so many
            times the anchor: with the weight as exposure, rates are learnt as the counts that they are made of.
        headline: Metric by which the model is judged, a name of `learning.evaluation.METRICS`.
        params: Parameters used without a search.
        search: Parameters that a search may move, with where.
        scored: Column that is true for the rows whose answer counts; None where every answer that is there does.
    """

    name: str
    title: str
    description: str
    table: str
    key: tuple[str, ...]
    period: str
    targets: tuple[str, ...]
    predicts: Predicts
    features: tuple[Feature, ...]
    groups: tuple[str, ...] = ("code_departement",)
    weight: str | None = None
    size: str | None = None
    expected: Callable[[pd.DataFrame], np.ndarray] | None = None
    trains: Callable[[str, str], bool]
    asked: Callable[[str], date]
    given: bool = False
    told: tuple[str, ...] = ()
    anchor: str
    baselines: tuple[Baseline, ...]
    own: tuple[Baseline, ...] = ()
    boosted: tuple[str, ...] | None = None
    objective: str = "regression_l1"
    headline: str = "mae_ponderee"
    params: Mapping[str, Any] = field(default_factory=dict)
    search: Mapping[str, Range | tuple[Any, ...]] = field(default_factory=dict)
    scored: str | None = None

    def __post_init__(self) -> None:
        answers = [feature.name for feature in self.features if feature.name.startswith("cible_")]
        if answers:
            raise ValueError(f"model {self.name}: {', '.join(answers)} is an answer and cannot be a feature")
        if wrong := [target for target in (*self.targets, *self.told) if not target.startswith("cible_")]:
            raise ValueError(f"model {self.name}: the target {', '.join(wrong)} does not begin with cible_")
        if self.anchor not in {rule.name for rule in (*self.baselines, *self.own)}:
            raise ValueError(f"model {self.name}: its anchor « {self.anchor} » is none of its rules")
        if unknown := set(self.boosted or ()) - {feature.name for feature in self.features}:
            raise ValueError(f"model {self.name}: {', '.join(sorted(unknown))} is shown to boosters but no feature")

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the predictions: the targets without `cible_`."""
        return tuple(target.removeprefix("cible_") for target in self.targets)

    def baseline(self, name: str) -> Baseline:
        """The baseline or own rule of that name; KeyError if there is none."""
        return {rule.name: rule for rule in (*self.baselines, *self.own)}[name]

    @property
    def shown(self) -> tuple[str, ...]:
        """Names of the features that the boosters see."""
        return tuple(feature.name for feature in self.features) if self.boosted is None else self.boosted
