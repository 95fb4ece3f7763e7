"""A release of a model for one period: trained, tested over time, judged, beside the one that it would replace.

What is published is decided here. A model is published only where it beat the best baseline in every fold; otherwise
the baseline is. The parameters of a newly trained model (the challenger) take the place of those that are there (the
champion's) only if they are not worse on the last period before. Whichever stay are trained on today's rows: what is
published is what the folds have judged, and the answers of the period itself choose nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from elexxion_assets.declare import Model
from elexxion_assets.learning.evaluation import (
    METRICS,
    MODEL,
    Comparison,
    Fold,
    Tested,
    compare,
    folds,
    metrics,
    try_fold,
)
from elexxion_assets.learning.rows import answered, as_known, last_period, training_rows
from elexxion_assets.learning.study import Budget, Tuned, search, value_of
from elexxion_assets.learning.training import Fitted, fit, fit_baseline, national

if TYPE_CHECKING:
    import pandas as pd

Tables = Mapping[str, "pd.DataFrame"]


class Untrainable(Exception):
    """A period for which no model can be trained, or asked, said in words."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What is published for a period, and why.

    Attributes:
        publishes_model: Whether the model is published; its baseline otherwise.
        baseline: Name of the best baseline over all folds.
        reason: In words.
        comparisons: The model against the best baseline, by the period of the fold.
    """

    publishes_model: bool
    baseline: str
    reason: str
    comparisons: Mapping[str, Comparison]


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The parameters of which of two models stay.

    Attributes:
        replaces: Whether those of the challenger take the place of the champion's.
        reason: In words.
        champion: Headline of the champion, None where it could not be measured.
        challenger: Headline of the challenger on the same rows.

    Both are of their parameters, trained on the same rows before the last period of the training rows.
    """

    replaces: bool
    reason: str
    champion: float | None = None
    challenger: float | None = None


@dataclass(frozen=True, kw_only=True)
class Release:
    """All that is known of a model for one period.

    Attributes:
        model: The declaration.
        period: The period predicted.
        fitted: The model with the parameters that stay, champion's or challenger's, trained on the rows.
        baseline: The best baseline, trained on the same rows.
        verdict: What is published.
        decision: Whether the parameters of champion or challenger stayed.
        tested: Every fold, in order; the period itself last where its answers are known.
        tuned: The search of the challenger's parameters; None without one.
        data: Digest of the rows.
    """

    model: Model
    period: str
    fitted: Fitted
    baseline: Fitted
    verdict: Verdict
    decision: Decision
    tested: tuple[Tested, ...]
    tuned: Tuned | None
    data: str

    @property
    def published(self) -> Fitted:
        """What is published: the model or its baseline."""
        return self.fitted if self.verdict.publishes_model else self.baseline

    def metrics(self) -> pd.DataFrame:
        """The metrics of every fold and predictor, see `evaluation.metrics`; the bootstrap as `avantage`."""
        import pandas as pd

        measured = [metrics(tested) for tested in self.tested]
        told = [
            (self.model.name, period, MODEL, "toutes", "toutes", name, value, len(tested.rows))
            for tested in self.tested
            for period, one in self.verdict.comparisons.items()
            if period == tested.fold.predicted
            for name, value in (
                ("avantage", one.baseline_value - one.model_value),
                ("avantage_bas", one.low),
                ("avantage_haut", one.high),
            )
        ]
        columns = ["modele", "periode", "predicteur", "tranche", "cible", "mesure", "valeur", "lignes"]
        return pd.concat([*measured, pd.DataFrame(told, columns=columns)], ignore_index=True)


@dataclass(frozen=True, kw_only=True)
class Making:
    """How releases are made.

    Attributes:
        scope: Name of the theme, under which studies are kept.
        seed: Seed of everything.
        budget: Of the search for each period; without trials the model's own parameters are used.
        code: Version of the code; a study of other code is another study.
        studies: Database of the studies; the one of the settings without it.
        progress: Told in words what is being done.
    """

    scope: str
    seed: int = 0
    budget: Budget
    code: str = ""
    studies: str | None = None
    progress: Callable[[str], None] = lambda words: None


def data_version(model: Model, tables: Tables, period: str) -> str:
    """Digest of everything in the tables that a release for `period` depends on."""
    import pandas as pd

    digest = hashlib.sha256(repr((model.name, period)).encode())
    for name, frame in sorted(tables.items()):
        if not frame.empty and (name == period or model.trains(name, period)):
            digest.update(name.encode())
            digest.update(pd.util.hash_pandas_object(frame[sorted(frame.columns)], index=False).to_numpy().tobytes())
    return digest.hexdigest()[:16]


def release(model: Model, tables: Tables, period: str, making: Making, champion: Fitted | None = None) -> Release:
    """Trains a model for a period, tests it over time and decides what is published.

    Args:
        model: The model.
        tables: Its platinum table by period: the one predicted and those that may train it.
        period: The period to predict.
        making: Seeds, budget and so on.
        champion: The model that was there for this period, if any.

    Raises:
        Untrainable: There is nothing to train on or to predict, or the national result must be given and is not known.
    """
    tables = {name: tables[name] for name in sorted(tables) if not tables[name].empty}
    if period not in tables:
        raise Untrainable(f"{model.table} has no row for {period}: nothing to predict")
    given_of(model, tables[period])
    training = training_rows(model, tables, period)
    if training.empty:
        raise Untrainable(f"no earlier period with answers can train {model.name} for {period}")
    making.progress(f"{model.name} {period}: searching parameters")
    tuned = _tuned(model, training, period, making)
    making.progress(f"{model.name} {period}: training on {len(training):,} rows")
    challenger = fit(model, training, tuned.params if tuned else None, making.seed)
    decision = _decided(model, training, champion, challenger)
    kept = None
    if champion is not None and not decision.replaces and champion.params != challenger.params:
        kept = champion.params
    fitted = challenger if kept is None else fit(model, training, kept, making.seed)
    baselines = {b.name: fit_baseline(model, b.name, training, making.seed) for b in model.baselines}
    tested = [_tested(model, tables, fold, making, kept) for fold in _earlier(model, tables, period)]
    if not answered(model, tables[period]).empty:
        tested.append(_own(model, tables, period, fitted.periods, {MODEL: fitted, **baselines}))
    verdict = judge(model, tested)
    return Release(
        model=model,
        period=period,
        fitted=fitted,
        baseline=baselines[verdict.baseline],
        verdict=verdict,
        decision=decision,
        tested=tuple(tested),
        tuned=tuned,
        data=data_version(model, tables, period),
    )


def judge(model: Model, tested: list[Tested]) -> Verdict:
    """The gate: the model is published if it beat the best baseline in every fold, beyond chance."""
    comparisons = {one.fold.predicted: compare(one) for one in tested}
    measure = METRICS[model.headline]
    means = {
        baseline.name: float(np.mean([measure(model, one.rows, one.predictions[baseline.name]) for one in tested]))
        for baseline in model.baselines
        if tested
    }
    best = min(means, key=lambda name: means[name]) if means else model.baselines[0].name
    if not comparisons:
        reason = "there is no earlier period on which the model could be judged"
        return Verdict(publishes_model=False, baseline=best, reason=reason, comparisons={})
    lost = {period: one for period, one in comparisons.items() if not one.wins}
    said = "; ".join(_said(model, period, one) for period, one in (lost or comparisons).items())
    words = "does not beat the best baseline" if lost else "beats the best baseline in every fold"
    return Verdict(
        publishes_model=not lost, baseline=best, reason=f"the model {words}: {said}", comparisons=comparisons
    )


def _said(model: Model, period: str, one: Comparison) -> str:
    return (
        f"{period}: {model.headline} {one.model_value:.3f} against {one.baseline_value:.3f} of « {one.baseline} », "
        f"an advantage of {one.baseline_value - one.model_value:.3f} (95 %: {one.low:.3f} to {one.high:.3f})"
    )


def _tuned(model: Model, training: pd.DataFrame, period: str, making: Making) -> Tuned | None:
    if not model.search or making.budget.trials == 0:
        return None
    import lightgbm
    import pandas as pd

    rows = pd.util.hash_pandas_object(training[sorted(training.columns)], index=False).to_numpy().tobytes()
    told = repr((making.code, lightgbm.__version__, model.params, model.search, model.objective, model.headline))
    version = hashlib.sha256(rows + told.encode()).hexdigest()[:12]
    last = last_period(model, training)
    return search(
        f"{making.scope}/{model.name}/{period}/{version}",
        model.search,
        value_of(model, training, (last,), making.seed),
        seed=making.seed,
        budget=making.budget,
        first=model.params,
        progress=lambda done, of, best: making.progress(
            f"{model.name} {period}: trial {done} of {of}" + ("" if best is None else f", best {best:.4f}")
        ),
        url=making.studies,
    )


def _earlier(model: Model, tables: Tables, period: str) -> list[Fold]:
    """The folds whose answers were known before the period, in the order of time."""
    return [
        fold
        for fold in folds(model, sorted(tables, key=model.asked))
        if fold.predicted != period
        and model.trains(fold.predicted, period)
        and not answered(model, tables[fold.predicted]).empty
        and not training_rows(model, tables, fold.predicted).empty
    ]


def _tested(model: Model, tables: Tables, fold: Fold, making: Making, kept: Mapping[str, Any] | None) -> Tested:
    """An earlier fold, with parameters searched before it: its answers chose nothing.

    Parameters that are kept are tested too, but may have been chosen by its answers: the worse of both is the fold.
    """
    making.progress(f"{model.name}: testing on {fold.predicted}")
    tuned = _tuned(model, training_rows(model, tables, fold.predicted), fold.predicted, making)
    tested = try_fold(model, tables, fold, tuned.params if tuned else None, making.seed)
    if kept is None:
        return tested
    return min(tested, try_fold(model, tables, fold, kept, making.seed), key=lambda one: compare(one).low)


def _own(model: Model, tables: Tables, period: str, trained: tuple[str, ...], made: Mapping[str, Fitted]) -> Tested:
    rows = answered(model, as_known(model, tables[period]))
    given = given_of(model, rows)
    shown = without_answers(rows)
    return Tested(
        model=model,
        fold=Fold(predicted=period, trained=trained),
        rows=rows,
        predictions={name: one.predict(shown, given) for name, one in made.items()},
    )


def given_of(model: Model, rows: pd.DataFrame) -> dict[str, float] | None:
    """The national values that the model is told for the period of these rows; None for one that is not told.

    Raises:
        Untrainable: They are not known yet.
    """
    if not model.given:
        return None
    known = answered(model, rows)
    if known.empty:
        raise Untrainable(f"{model.name} is told the national result, which is not known yet")
    return national(model, known)


def without_answers(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows as a model may see them."""
    return rows.drop(columns=[column for column in rows if str(column).startswith("cible_")])


def _decided(model: Model, training: pd.DataFrame, champion: Fitted | None, challenger: Fitted) -> Decision:
    """The parameters of both are judged on the last period of the training rows: boosters of other rows never stay."""
    if champion is None:
        return Decision(replaces=True, reason="the first model of this period")
    if champion.to_text() == challenger.to_text():
        return Decision(replaces=False, reason="the same rows and code gave the same model again")
    last = last_period(model, training)
    value = value_of(model, training, (last,), challenger.seed)
    old, new = (value(one.params, lambda step, found: None) for one in (champion, challenger))
    better = new <= old
    words = (
        "the challenger is no worse and replaces the champion"
        if better
        else "the champion stays: its parameters, trained on these rows, are better"
    )
    reason = (
        f"{words} ({model.headline} with both sets of parameters on {last}: challenger {new:.4f}, champion {old:.4f})"
    )
    return Decision(replaces=better, reason=reason, champion=old, challenger=new)


def long_predictions(
    release_of: Fitted,
    baseline: Fitted,
    *,
    publishes_model: bool,
    rows: pd.DataFrame,
    reasons: Mapping[str, Any] | None,
) -> pd.DataFrame:
    """Predictions of a period, one row per unit and target, published and not.

    Args:
        release_of: The model.
        baseline: Its best baseline.
        publishes_model: Which of them is published.
        rows: All rows of the platinum table for the period, answers included where they are known.
        reasons: By output, three columns of words per row; None where the baseline is published.

    Returns:
        Key, period and groups, then `modele`, `cible`, `prediction`, `bas_50`, `haut_50`, `bas_90`, `haut_90`,
        `publie`, `prediction_modele`, `prediction_reference`, `reference`, `raison_1` to `raison_3`.

    Raises:
        Untrainable: The national result must be given and is not known.
    """
    import pandas as pd

    model = release_of.model
    given = given_of(model, rows)
    shown = without_answers(as_known(model, rows))
    of_model, of_baseline = release_of.predict(shown, given), baseline.predict(shown, given)
    published = of_model if publishes_model else of_baseline
    title = model.baseline(baseline.base).title
    frames = []
    for output in model.outputs:
        frame = rows[list(dict.fromkeys([*model.key, model.period, *model.groups]))].copy()
        frame["modele"], frame["cible"] = model.name, output
        frame["prediction"] = published[output]
        for bound in ("bas_50", "haut_50", "bas_90", "haut_90"):
            frame[bound] = published[f"{output}_{bound}"]
        frame["publie"] = "modele" if publishes_model else "reference"
        frame["prediction_modele"], frame["prediction_reference"] = of_model[output], of_baseline[output]
        frame["reference"] = baseline.base
        for place in range(3):
            if reasons is None:
                frame[f"raison_{place + 1}"] = f"The baseline is published: {title}" if place == 0 else None
            else:
                frame[f"raison_{place + 1}"] = reasons[output][:, place]
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)
