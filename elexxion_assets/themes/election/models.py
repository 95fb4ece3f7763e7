"""Models of elections: the share of every political bloc, and turnout, in every commune.

Each is asked twice: before the scrutin, when nothing of it is known, and given its national result, which is what polls
stand for before and what is known on the evening, hours before the communes are.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from elexxion_assets.declare import Baseline, Feature, Model, Predicts, Range
from elexxion_assets.themes.election import blocs
from elexxion_assets.themes.election.platinum import FEATURES
from elexxion_assets.themes.election.scrutins import day_of, was_before

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

_PARTS = tuple(f"part_{bloc}" for bloc in blocs.BLOCS)
_TURNOUT = ("taux_participation",)


def _trains(earlier: str, predicted: str) -> bool:
    """A scrutin of several blocs, so no second round, before the one predicted."""
    return was_before(earlier, predicted) and earlier.endswith("-t1")


def _after_the_vote(scrutin: str) -> date:
    return day_of(scrutin) + timedelta(days=1)


def _years_later(years: int) -> Any:
    def known(year: str) -> date:
        return date(int(year) + years, 12, 31)

    return known


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
            # Growth between two scrutins is known with the later of them.
            later = "scrutin_dernier" if "dernier" in name or name.endswith("depuis_precedent") else "scrutin_precedent"
            found.append(Feature(name=name, about=later, known=_after_the_vote))
    return tuple(found)


def _persistence(columns: tuple[str, ...], name: str) -> Any:
    def predict(rows: pd.DataFrame, learnt: Mapping[str, Any], given: Mapping[str, float] | None) -> np.ndarray:
        other = "dernier" if name == "precedent" else "precedent"
        values = rows[[f"{column}_{name}" for column in columns]].to_numpy(float)
        import numpy as np

        instead = rows[[f"{column}_{other}" for column in columns]].to_numpy(float)
        return np.nan_to_num(np.where(np.isnan(values), instead, values))

    return predict


def _swing(columns: tuple[str, ...], *, proportional: bool) -> Any:
    before = _persistence(columns, "precedent")

    def predict(rows: pd.DataFrame, learnt: Mapping[str, Any], given: Mapping[str, float] | None) -> np.ndarray:
        import numpy as np

        values = before(rows, learnt, given)
        if given is None:
            return np.asarray(values)
        weight = rows["inscrits_precedent"].fillna(rows["inscrits_dernier"]).fillna(0).to_numpy(float)
        nation = np.average(values, axis=0, weights=weight if weight.sum() else None)
        now = np.array([given[column] for column in columns])
        return np.asarray(values * now / np.maximum(nation, 1e-9) if proportional else values + now - nation)

    return predict


def _baselines(columns: tuple[str, ...], *, given: bool) -> tuple[Baseline, ...]:
    found = [
        Baseline(
            name="persistance",
            title="As in the latest scrutin of the same kind and round",
            predict=_persistence(columns, "precedent"),
        )
    ]
    if given:
        found += [
            Baseline(
                name="variation_uniforme",
                title="Persistence plus the change of the nation, in points",
                predict=_swing(columns, proportional=False),
            ),
            Baseline(
                name="variation_proportionnelle",
                title="Persistence times the change of the nation",
                predict=_swing(columns, proportional=True),
            ),
        ]
    return tuple(found)


def _model(columns: tuple[str, ...], *, given: bool) -> Model:
    shares = len(columns) > 1
    name = "blocs" if shares else "participation"
    what = "Share of the votes of every bloc" if shares else "Turnout"
    return Model(
        name=f"{name}_national_connu" if given else name,
        title=f"{what} per commune" + (", given the national result" if given else ""),
        description=f"{what} in every commune, from its earlier scrutins and from what was published before the vote.",
        table="communes",
        key=("code_commune",),
        period="scrutin",
        targets=tuple(f"cible_{column}" for column in columns),
        predicts=Predicts.SHARES if shares else Predicts.RATE,
        features=_features(),
        weight="cible_exprimes" if shares else "cible_inscrits",
        size="inscrits_dernier",
        trains=_trains,
        asked=day_of,
        given=given,
        anchor="variation_proportionnelle" if given else "persistance",
        baselines=_baselines(columns, given=given),
        params={"learning_rate": 0.05, "num_leaves": 15, "min_data_in_leaf": 200, "num_iterations": 150},
        search={
            "learning_rate": Range(low=0.01, high=0.2, log=True),
            "num_leaves": Range(low=4, high=63, log=True, whole=True),
            "min_data_in_leaf": Range(low=50, high=2000, log=True, whole=True),
            "lambda_l2": Range(low=0.01, high=100, log=True),
            "num_iterations": Range(low=20, high=400, log=True, whole=True),
        },
    )


MODELS = tuple(_model(columns, given=given) for columns in (_PARTS, _TURNOUT) for given in (False, True))
