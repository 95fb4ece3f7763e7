"""From earlier scrutins to the next one: persistence, swings, and votes that move between blocs.

Rows are those of platinum `communes`; predictions are in per cent. National values of earlier scrutins are columns of
the rows themselves, so one commune is predicted as all of them are.

`votes_move` is the model of thought behind the others' residuals. Voters of each bloc at the reference scrutin stay, or
go to a bloc near by on the axis of `blocs.BLOCS`, in the proportions that come nearest to that idea and give the
national result (iterative proportional fitting, Deming and Stephan 1940). Those whose candidate stands again are more
faithful than those who lost theirs. The constants `BY_HAND` were set with the scrutins of 2012 to 2022 in sight,
those of `HALFWAY` with none: see `deploy/docs/models.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from elexxion_assets.themes.election import blocs

if TYPE_CHECKING:
    import pandas as pd

PARTS = tuple(f"part_{bloc}" for bloc in blocs.BLOCS)
TURNOUT = ("taux_participation",)

Given = Mapping[str, float] | None
Predict = Callable[["pd.DataFrame", Mapping[str, Any], Given], np.ndarray]

_AXIS = {"extreme_gauche": 0.0, "gauche": 1.0, "centre": 3.0, "droite": 4.0, "extreme_droite": 5.0}
"""Where the blocs are; between left and centre lies a gap, and « divers » is 1.5 from everybody."""
_FROM_DIVERS = 1.5
_OTHER_TURNOUT = 0.25
"""Weight of another kind of scrutin in a commune's distance from the nation's turnout."""
_KNOWN = 1e-3
"""Share of the nation below which a source of votes is as good as empty."""


@dataclass(frozen=True, kw_only=True)
class Constants:
    """What the moving votes suppose of voters.

    Attributes:
        scale: Distance on the axis over which willingness falls by a factor e.
        leaving: Willingness to leave for a bloc at distance 0, against staying.
        orphan: Willingness of voters whose candidate does not stand again to stay in the bloc.
        moving: Weight of the moving votes; the rest is the proportional swing.
        other_kind: Weight of the latest first round of another kind.
        momentum: Part of a candidate's local gains since the scrutin before that goes on.
        second_round: Weight of the second round in the share of a bloc at the end of the axis.
    """

    scale: float
    leaving: float
    orphan: float
    moving: float
    other_kind: float
    momentum: float
    second_round: float


BY_HAND = Constants(scale=0.4, leaving=0.5, orphan=0.25, moving=0.6, other_kind=0.15, momentum=0.3, second_round=0.3)
HALFWAY = Constants(scale=0.5, leaving=0.5, orphan=0.5, moving=0.5, other_kind=0.25, momentum=0.5, second_round=0.5)
"""Without a look at any result: the middle of what each may be. Weights go from 0 to 1, but another kind of scrutin
never weighs more than the same kind; the scale from a quarter of the distance between neighbours to all of it."""
_NOTHING = Constants(scale=1, leaving=0, orphan=0, moving=0, other_kind=0, momentum=0, second_round=0)


def matrix(rows: pd.DataFrame, columns: tuple[str, ...], suffix: str) -> np.ndarray:
    """Columns with a suffix, as numbers: one row per row."""
    return np.asarray(rows[[f"{column}{suffix}" for column in columns]].to_numpy(float))


def of_reference(rows: pd.DataFrame, columns: tuple[str, ...], order: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Each row's values at the first of these earlier scrutins that knows it, and those of the nation then.

    A row that none knows gets the nation's, or zeros where there is none.
    """
    values, nation = (np.full((len(rows), len(columns)), np.nan) for _ in range(2))
    for name in order:
        missing = np.isnan(values).any(axis=1)
        values[missing] = matrix(rows, columns, f"_{name}")[missing]
        unknown = np.isnan(values).any(axis=1) & missing
        nation[missing & ~unknown] = matrix(rows, columns, f"_{name}_national")[missing & ~unknown]
    for name in reversed(order):
        missing = np.isnan(nation).any(axis=1)
        nation[missing] = matrix(rows, columns, f"_{name}_national")[missing]
    nation = np.nan_to_num(nation)
    return np.where(np.isnan(values), nation, values), nation


_ORDER = ("precedent", "autre", "dernier")


def persistence(columns: tuple[str, ...], order: tuple[str, ...] = _ORDER) -> Predict:
    """As at the reference scrutin."""

    def predict(rows: pd.DataFrame, learnt: Mapping[str, Any], given: Given) -> np.ndarray:
        return of_reference(rows, columns, order)[0]

    return predict


def mean_of_two(columns: tuple[str, ...]) -> Predict:
    """The mean of the latest scrutin of the same kind and the latest first round of another."""

    def predict(rows: pd.DataFrame, learnt: Mapping[str, Any], given: Given) -> np.ndarray:
        one, _ = of_reference(rows, columns, _ORDER)
        other, _ = of_reference(rows, columns, ("autre", "precedent", "dernier"))
        return np.asarray((one + other) / 2)

    return predict


def uniform(columns: tuple[str, ...]) -> Predict:
    """Persistence plus the change of the nation, in points."""

    def predict(rows: pd.DataFrame, learnt: Mapping[str, Any], given: Given) -> np.ndarray:
        values, nation = of_reference(rows, columns, _ORDER)
        return np.asarray(values + told(given, columns) - nation)

    return predict


def proportional(columns: tuple[str, ...]) -> Predict:
    """Persistence times the change of the nation."""

    def predict(rows: pd.DataFrame, learnt: Mapping[str, Any], given: Given) -> np.ndarray:
        values, nation = of_reference(rows, columns, _ORDER)
        return np.asarray(values * told(given, columns) / np.maximum(nation, 1e-6))

    return predict


def local_turnout(rows: pd.DataFrame, learnt: Mapping[str, Any], given: Given) -> np.ndarray:
    """The nation's turnout, and by how much the commune was above or below it at two kinds of scrutins."""
    one, nation = of_reference(rows, TURNOUT, _ORDER)
    other, other_nation = of_reference(rows, TURNOUT, ("autre", "precedent", "dernier"))
    apart = (1 - _OTHER_TURNOUT) * (one - nation) + _OTHER_TURNOUT * (other - other_nation)
    return np.asarray(told(given, TURNOUT) + apart)


def expected_votes(rows: pd.DataFrame) -> np.ndarray:
    """Votes that may be expected of each commune: its electors, as many of them as at the reference scrutin."""
    electors = rows["inscrits_dernier"].to_numpy(float)
    return np.asarray(electors * of_reference(rows, TURNOUT, _ORDER)[0][:, 0] / 100)


def expected_electors(rows: pd.DataFrame) -> np.ndarray:
    """Electors of each commune, as at the latest scrutin."""
    return np.asarray(rows["inscrits_dernier"].to_numpy(float))


def told(given: Given, columns: tuple[str, ...], suffix: str = "") -> np.ndarray:
    """National values by column; KeyError where one was not given."""
    return np.array([(given or {})[f"{column}{suffix}"] for column in columns], dtype=float)


# --- ridge ------------------------------------------------------------------------------------------------------------


def learn_ridge(columns: tuple[str, ...], *, weight: str, around_nation: bool) -> Callable[..., Mapping[str, Any]]:
    """Ridge regression of the answers on the values of the reference scrutin, weighted.

    Args:
        columns: What is predicted, and of what the past is seen.
        weight: Column of the weights.
        around_nation: Whether both sides are differences from the nation of their own scrutin.
    """

    def learn(training: pd.DataFrame) -> Mapping[str, Any]:
        weights = training[weight].to_numpy(float)
        answers = matrix(training, tuple(f"cible_{column}" for column in columns), "")
        values, nation = of_reference(training, columns, _ORDER)
        if around_nation:
            values = values - nation
            for at in training.groupby("scrutin").indices.values():
                answers[at] -= np.average(answers[at], axis=0, weights=weights[at])
        inputs = np.column_stack([values, np.ones(len(values))])
        penalty = np.diag([1.0] * values.shape[1] + [0.0])
        left = inputs.T @ (weights[:, None] * inputs) / weights.sum()
        right = inputs.T @ (weights[:, None] * answers) / weights.sum()
        return {"coefficients": np.linalg.lstsq(left + penalty, right, rcond=None)[0].tolist()}

    return learn


def ridge(columns: tuple[str, ...], *, around_nation: bool) -> Predict:
    """What `learn_ridge` says."""

    def predict(rows: pd.DataFrame, learnt: Mapping[str, Any], given: Given) -> np.ndarray:
        values, nation = of_reference(rows, columns, _ORDER)
        inputs = np.column_stack([values - nation if around_nation else values, np.ones(len(values))])
        made = inputs @ np.asarray(learnt["coefficients"])
        return np.asarray(made + told(given, columns) if around_nation else made)

    return predict


# --- votes that move --------------------------------------------------------------------------------------------------


def proportional_of_people(rows: pd.DataFrame, learnt: Mapping[str, Any], given: Given) -> np.ndarray:
    """The proportional swing, candidate by candidate where they stand again."""
    return _by_scrutin(rows, given, _NOTHING)


def votes_move(constants: Constants) -> Predict:
    """Shares of the blocs from votes that move between them.

    What is given is the national share of every bloc; better still with `part_<bloc>_revenants`, the part of it that
    goes to those who stood at the reference scrutin already.
    """

    def predict(rows: pd.DataFrame, learnt: Mapping[str, Any], given: Given) -> np.ndarray:
        return _by_scrutin(rows, given, constants)

    return predict


def _by_scrutin(rows: pd.DataFrame, given: Given, constants: Constants) -> np.ndarray:
    made = np.empty((len(rows), len(PARTS)))
    for at in rows.groupby("scrutin").indices.values():
        some = rows.iloc[at]
        now = told(given, PARTS) / told(given, PARTS).sum()
        again = _told_again(given) / told(given, PARTS).sum()
        people = _people(some, constants)
        main = None if people is None else _moved(*people, now, again, constants)
        other = _parties(some, now, constants)
        if main is None or other is None:
            found = other if main is None else main
        else:
            mixed = (1 - constants.other_kind) * main + constants.other_kind * other
            found = np.where(np.isnan(mixed), np.where(np.isnan(main), other, main), mixed)
        made[at] = now if found is None else np.where(np.isnan(found), now, found)
    return 100 * made


def _told_again(given: Given) -> np.ndarray:
    return np.array([(given or {}).get(f"{part}_revenants", np.nan) for part in PARTS], dtype=float)


def _people(rows: pd.DataFrame, constants: Constants) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None:
    """Of the scrutin of the same kind: votes for those who stand again, and for the others; the same of the nation."""
    shares, nation = matrix(rows, PARTS, "_precedent") / 100, _first(rows, PARTS, "_precedent_national")
    if nation is None:
        return None
    again, again_nation = matrix(rows, PARTS, "_precedent_revenants") / 100, None
    if (known := _first(rows, PARTS, "_precedent_revenants_national")) is not None:
        again_nation = np.minimum(known, nation)
    if again_nation is None:
        # Nobody is known by name: parties stand again.
        again, again_nation = shares, nation
    again = np.minimum(np.where(np.isnan(again), again_nation, again), shares)
    orphans, orphans_nation = shares - again, nation - again_nation
    factor, factor_nation = _second_round(rows, shares, nation, constants.second_round)
    again, orphans = again * factor, orphans * factor
    again_nation, orphans_nation = again_nation * factor_nation, orphans_nation * factor_nation
    before = _first(rows, PARTS, "_avant_precedent_revenants_national")
    if before is not None and constants.momentum:
        then = matrix(rows, PARTS, "_avant_precedent_revenants") / 100
        gains = again - then * (again_nation / np.maximum(before, 1e-9))
        gains[:, before < _KNOWN] = 0
        again = np.maximum(again + constants.momentum * np.nan_to_num(gains), 0)
    return again, orphans, again_nation, orphans_nation


def _second_round(
    rows: pd.DataFrame, shares: np.ndarray, nation: np.ndarray, weight: float
) -> tuple[np.ndarray, np.ndarray]:
    """Factors that draw a bloc at the end of the axis towards its share in the second round, where it was in it."""
    second = _first(rows, PARTS, "_second_tour_national")
    factors = np.ones_like(shares)
    if second is None or not weight:
        return factors, np.ones(len(PARTS))
    last = matrix(rows, PARTS, "_second_tour") / 100
    for end in (0, len(PARTS) - 1):
        if second[end] < _KNOWN or nation[end] < _KNOWN:
            continue
        own = shares[:, end]
        drawn = (1 - weight) * own + weight * last[:, end] * nation[end] / second[end]
        drawn = np.where(np.isnan(drawn), own, drawn)
        factors = np.repeat(((1 - drawn) / np.maximum(1 - own, 1e-9))[:, None], len(PARTS), axis=1)
        factors[:, end] = np.where(own > 0, drawn / np.maximum(own, 1e-9), 1)
    return factors, np.ones(len(PARTS))


def _parties(rows: pd.DataFrame, now: np.ndarray, constants: Constants) -> np.ndarray | None:
    """From the latest first round of another kind, in which parties stand rather than people."""
    nation = _first(rows, PARTS, "_autre_national")
    if nation is None:
        return None
    shares = matrix(rows, PARTS, "_autre") / 100
    unknown = np.full(len(PARTS), np.nan)
    return _moved(shares, np.zeros_like(shares), nation, np.zeros_like(nation), now, unknown, constants)


def _first(rows: pd.DataFrame, columns: tuple[str, ...], suffix: str) -> np.ndarray | None:
    """National shares of an earlier scrutin, which all rows of one scrutin share, as parts of one; None if unknown."""
    found = matrix(rows.iloc[:1], columns, suffix)[0] / 100
    return None if np.isnan(found).any() else found


def _moved(
    again: np.ndarray,
    orphans: np.ndarray,
    again_nation: np.ndarray,
    orphans_nation: np.ndarray,
    now: np.ndarray,
    again_now: np.ndarray,
    constants: Constants,
) -> np.ndarray:
    """Shares of the next scrutin, parts of one.

    Args:
        again: Votes for those who stand again, per commune and bloc, as parts of one.
        orphans: Votes for the others.
        again_nation: The first of the nation.
        orphans_nation: The second of the nation.
        now: National result by bloc.
        again_now: The part of it that goes to those who stand again; NaN where it was not told.
        constants: What is supposed of voters.
    """
    if np.isnan(again_now).any():
        kept, new = now, np.zeros_like(now)
    else:
        kept, new = np.minimum(again_now, now), np.maximum(now - again_now, 0)
    sources, goals = np.concatenate([again_nation, orphans_nation]), np.concatenate([kept, new])
    votes = np.column_stack([again, orphans])
    moving = constants.moving
    made = (1 - moving) * _each_times(votes, sources, goals) if moving < 1 else np.zeros_like(again)
    if moving:
        flows = _flows(sources, goals, constants)
        made = made + moving * _whole(_both(votes @ flows))
    return _whole(made)


def _each_times(votes: np.ndarray, sources: np.ndarray, goals: np.ndarray) -> np.ndarray:
    """Proportional swing: the returning from themselves, the new from the votes that lost their candidate."""
    blocs_count = len(PARTS)
    made = np.zeros_like(votes)
    split = goals[blocs_count:].sum() > _KNOWN
    for bloc in range(blocs_count):
        own, lost = votes[:, bloc], votes[:, blocs_count + bloc]
        own_nation, lost_nation = sources[bloc], sources[blocs_count + bloc]
        if not split or own_nation < _KNOWN:
            made[:, bloc] = (own + lost) * goals[bloc] / max(own_nation + lost_nation, 1e-9)
        else:
            made[:, bloc] = own * goals[bloc] / own_nation
        use, use_nation = (lost, lost_nation) if lost_nation > 0.02 else (own + lost, own_nation + lost_nation)
        made[:, blocs_count + bloc] = use * goals[blocs_count + bloc] / max(use_nation, 1e-9)
    return _whole(_both(made))


def _flows(sources: np.ndarray, goals: np.ndarray, constants: Constants) -> np.ndarray:
    """Where the votes of each source go: rows sum to one, and the nation's sources give the goals."""
    place = np.array([_AXIS.get(bloc, np.nan) for bloc in blocs.BLOCS])
    away = np.abs(place[:, None] - place[None, :])
    away = np.where(np.isnan(away), _FROM_DIVERS, away)
    willing = constants.leaving * np.exp(-away / constants.scale)
    faithful, orphaned = willing.copy(), willing.copy()
    np.fill_diagonal(faithful, 1.0)
    np.fill_diagonal(orphaned, constants.orphan)
    moved = np.block([[faithful, faithful], [orphaned, faithful]])
    moved = moved * np.maximum(sources, 1e-9)[:, None] * (goals > 1e-6)[None, :]
    sources = np.maximum(sources, 1e-9) / np.maximum(sources, 1e-9).sum()
    goals = goals / goals.sum()
    for _ in range(200):
        moved *= (goals / np.maximum(moved.sum(axis=0), 1e-15))[None, :]
        moved *= (sources / np.maximum(moved.sum(axis=1), 1e-15))[:, None]
    return np.asarray(moved / np.maximum(moved.sum(axis=1), 1e-15)[:, None])


def _both(votes: np.ndarray) -> np.ndarray:
    half = votes.shape[1] // 2
    return np.asarray(votes[:, :half] + votes[:, half:])


def _whole(shares: np.ndarray) -> np.ndarray:
    return np.asarray(shares / np.maximum(shares.sum(axis=1), 1e-9)[:, None])
