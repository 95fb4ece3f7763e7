"""Models of elections: the share of every political bloc, and turnout, in every commune.

Each is asked twice: before the scrutin, when nothing of it is known, and given its national result, which is what polls
stand for before and what is known on the evening, hours before the communes are.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from elexxion_assets.declare import Baseline, Feature, Model, Predicts, Range
from elexxion_assets.themes.election import swings
from elexxion_assets.themes.election.platinum import FEATURES
from elexxion_assets.themes.election.scrutins import day_of, election_of, was_before


def _trains(earlier: str, predicted: str) -> bool:
    """A scrutin of several blocs, so no second round, before the one predicted."""
    return was_before(earlier, predicted) and earlier.endswith("-t1")


def _trains_alike(earlier: str, predicted: str) -> bool:
    """The same of the same kind: what changes from one kind of scrutin to another is no change to come.

    Where the nation is told this goes out of both sides, and every kind trains.
    """
    return _trains(earlier, predicted) and election_of(earlier)[1:] == election_of(predicted)[1:]


def _after_the_vote(scrutin: str) -> date:
    return day_of(scrutin) + timedelta(days=1)


def _years_later(years: int) -> Any:
    def known(year: str) -> date:
        return date(int(year) + years, 12, 31)

    return known


def _scrutin_of(name: str) -> str:
    """The column that says of which scrutin a feature is; a change is of the later of the two."""
    for reference in ("avant_precedent", "dernier", "autre", "second_tour"):
        if f"_{reference}" in name:
            return f"scrutin_{reference}"
    return "scrutin_dernier" if name.endswith("depuis_precedent") else "scrutin_precedent"


def _features() -> tuple[Feature, ...]:
    found = []
    for name in FEATURES:
        if name.startswith(("scrutin", "code_", "entrees_")) or name.endswith("_annee"):
            continue
        if name.startswith("emploi_taux_chomage"):
            found.append(Feature(name=name, about="emploi_taux_chomage_annee", known=_years_later(3)))
        elif name.startswith(("emploi_revenu", "emploi_taux_pauvrete")):
            found.append(Feature(name=name, about="emploi_revenus_annee", known=_years_later(3)))
        elif name.startswith("emploi_"):
            found.append(Feature(name=name, about="emploi_annee", known=_years_later(1)))
        elif name.startswith("crime_"):
            found.append(Feature(name=name, about="crime_annee", known=_years_later(1)))
        elif name.startswith("association_"):
            found.append(Feature(name=name, about="association_annee", known=_years_later(0)))
        else:
            found.append(Feature(name=name, about=_scrutin_of(name), known=_after_the_vote))
    return tuple(found)


def _baselines(columns: tuple[str, ...], weight: str, *, given: bool) -> tuple[Baseline, ...]:
    of_past = Baseline(
        name="crete",
        title="Ridge regression on the shares of the past",
        learn=swings.learn_ridge(columns, weight=weight, around_nation=given),
        predict=swings.ridge(columns, around_nation=given),
    )
    as_before = Baseline(
        name="persistance",
        title="As in the latest scrutin of the same kind and round",
        predict=swings.persistence(columns),
    )
    if not given:
        mean = "The mean of the latest scrutin of the same kind and the latest of another"
        return as_before, Baseline(name="moyenne", title=mean, predict=swings.mean_of_two(columns)), of_past
    return (
        as_before,
        Baseline(
            name="variation_uniforme",
            title="Persistence plus the change of the nation, in points",
            predict=swings.uniform(columns),
        ),
        Baseline(
            name="variation_proportionnelle",
            title="Persistence times the change of the nation",
            predict=swings.proportional(columns),
        ),
        of_past,
    )


_BY_PEOPLE = Baseline(
    name="variation_par_candidat",
    title="Persistence times the change of the nation, candidate by candidate where they stand again",
    predict=swings.proportional_of_people,
)
_MOVES = Baseline(
    name="reports_de_voix",
    title="Votes that move between neighbouring blocs until the national result is met",
    predict=swings.votes_move(swings.BY_HAND),
)
_MOVES_BLIND = Baseline(
    name="reports_de_voix_a_priori",
    title="The same with constants that no result was looked at for",
    predict=swings.votes_move(swings.HALFWAY),
)
_LOCAL_TURNOUT = Baseline(
    name="participation_locale",
    title="The nation's turnout and what the commune was above or below it, at two kinds of scrutins",
    predict=swings.local_turnout,
)

_SLOW = {"learning_rate": 0.02, "num_iterations": 15, "boost_from_average": False}
"""A quarter of what the boosters believe: what the past taught of residuals holds that little of the next scrutin."""


def _model(columns: tuple[str, ...], *, given: bool) -> Model:
    shares = len(columns) > 1
    name = "blocs" if shares else "participation"
    what = "Share of the votes of every bloc" if shares else "Turnout"
    weight = "cible_exprimes" if shares else "cible_inscrits"
    baselines = _baselines(columns, weight, given=given)
    own: tuple[Baseline, ...] = ()
    description = f"{what} in every commune, from its earlier scrutins and from what was published before the vote."
    if given:
        own = (_MOVES, _MOVES_BLIND) if shares else (_LOCAL_TURNOUT,)
    if given and shares:
        description += (
            " The constants of its rule were chosen with the scrutins of 2012 to 2022 in sight: folds are not blind."
        )
        baselines = (*baselines, _BY_PEOPLE)
    return Model(
        name=f"{name}_national_connu" if given else name,
        title=f"{what} per commune" + (", given the national result" if given else ""),
        description=description,
        table="communes",
        key=("code_commune",),
        period="scrutin",
        targets=tuple(f"cible_{column}" for column in columns),
        predicts=Predicts.SHARES if shares else Predicts.RATE,
        features=_features(),
        weight=weight,
        size="inscrits_dernier",
        expected=swings.expected_votes if shares else swings.expected_electors,
        trains=_trains if given else _trains_alike,
        asked=day_of,
        given=given,
        told=tuple(f"cible_{part}_revenants" for part in swings.PARTS) if given and shares else (),
        # Turnout at an élection européenne says little of a présidentielle: no mean of kinds there.
        anchor=own[0].name if given else ("moyenne" if shares else "persistance"),
        baselines=baselines,
        own=own,
        boosted=("inscrits_dernier", "taux_participation_dernier_ecart", "variation_inscrits_depuis_precedent"),
        params={"num_leaves": 7, "min_data_in_leaf": 500, "lambda_l2": 10.0, **_SLOW},
        search={
            "learning_rate": Range(low=0.005, high=0.2, log=True),
            "num_leaves": Range(low=4, high=31, log=True, whole=True),
            "min_data_in_leaf": Range(low=200, high=5000, log=True, whole=True),
            "lambda_l2": Range(low=0.1, high=1000, log=True),
            "num_iterations": Range(low=5, high=200, log=True, whole=True),
        },
    )


MODELS = tuple(_model(columns, given=given) for columns in (swings.PARTS, swings.TURNOUT) for given in (False, True))
