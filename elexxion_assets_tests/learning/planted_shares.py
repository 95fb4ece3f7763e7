"""A small model with a known truth: three shares per unit, of which the past and the size say most."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from elexxion_assets.declare import Baseline, Feature, Model, Predicts

OUTPUTS = ("part_a", "part_b", "part_c")


def _day(year: str) -> date:
    return date(int(year), 7, 1)


def _before(rows, learnt, given):
    return rows[[f"{output}_avant" for output in OUTPUTS]].to_numpy(float)


def model(**changes) -> Model:
    settings = {
        "name": "parts",
        "title": "Shares",
        "description": "Shares of a made-up scrutin",
        "table": "communes",
        "key": ("code_commune",),
        "period": "annee",
        "targets": tuple(f"cible_{output}" for output in OUTPUTS),
        "predicts": Predicts.SHARES,
        "features": tuple(
            Feature(name=name, about="annee_avant", known=_day)
            for name in (*(f"{output}_avant" for output in OUTPUTS), "inscrits")
        ),
        "weight": "cible_exprimes",
        "size": "inscrits",
        "trains": lambda earlier, later: int(earlier) < int(later),
        "asked": _day,
        "anchor": "persistance",
        "baselines": (Baseline(name="persistance", title="As before", predict=_before),),
        "params": {"num_leaves": 7, "min_data_in_leaf": 20, "num_iterations": 60},
    }
    return Model(**{**settings, **changes})


def frame(year: int, seed: int = 0, rows: int = 600) -> pd.DataFrame:
    """Big units move from b to a; the rest is noise that is larger in small ones."""
    random = np.random.default_rng([seed, year])
    before = random.dirichlet((6, 5, 4), rows)
    size = np.exp(random.uniform(4, 10, rows))
    moved = 0.08 * (np.log(size) - 7) / 3
    now = np.clip(
        before + np.stack([moved, -moved, 0 * moved], 1) + random.normal(0, 0.3, (rows, 3)) / size[:, None] ** 0.5, 0, 1
    )
    now /= now.sum(axis=1, keepdims=True)
    columns = {f"{output}_avant": 100 * before[:, at] for at, output in enumerate(OUTPUTS)}
    columns |= {f"cible_{output}": 100 * now[:, at] for at, output in enumerate(OUTPUTS)}
    return pd.DataFrame(
        {
            "code_commune": [f"{at % 20:02d}{at:03d}" for at in range(rows)],
            "code_departement": [f"{at % 20:02d}" for at in range(rows)],
            "annee": str(year),
            "annee_avant": str(year - 1),
            "inscrits": size,
            "cible_exprimes": np.round(size * 0.7),
            **columns,
        }
    )


def tables(*years: int) -> dict[str, pd.DataFrame]:
    return {str(year): frame(year) for year in years}
