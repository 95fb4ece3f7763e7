"""Releases: the object that is published is the one that was judged, and nothing of the future chose it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np

from elexxion_assets.learning.release import Making, release
from elexxion_assets.learning.rows import last_period, training_rows
from elexxion_assets.learning.study import Budget, _splits
from elexxion_assets.learning.training import fit
from elexxion_assets_tests.learning.planted import MODEL, rows_of
from elexxion_assets_tests.learning.planted_shares import frame, model

YEARS = ("2018", "2019", "2020")


def test_boosters_of_a_champion_are_never_kept_unjudged() -> None:
    known = {year: rows_of(year, signal=8.0).to_pandas() for year in YEARS}
    known["2021"] = rows_of("2021", signal=8.0, answers=False).to_pandas()
    shuffled = {year: rows.copy() for year, rows in known.items()}
    for year in YEARS:
        shuffled[year]["cible_taux"] = np.random.default_rng(1).permutation(known[year]["cible_taux"].to_numpy())
    champion = fit(MODEL, training_rows(MODEL, shuffled, "2021"))
    poorer = replace(MODEL, params={**MODEL.params, "num_leaves": 2, "num_iterations": 1})
    made = release(poorer, known, "2021", Making(scope="t", budget=Budget(trials=0, seconds=60)), champion)
    assert not made.decision.replaces
    assert made.fitted.to_text() == fit(MODEL, training_rows(MODEL, known, "2021")).to_text()
    truth = rows_of("2021", signal=8.0)["cible_taux"].to_numpy()
    errors = [np.abs(one.predict(known["2021"])["taux"] - truth).mean() for one in (made.published, champion)]
    assert errors[0] < errors[1] / 3


def test_names_out_of_the_order_of_time_train_on_nothing_later() -> None:
    days = {"a-juin": date(2017, 6, 11), "b-avril": date(2017, 4, 23), "c-mars": date(2015, 3, 22)}
    declared = model(trains=lambda earlier, later: days[earlier] < days[later], asked=lambda period: days[period])
    rows = frame(2019, rows=60).assign(annee=np.repeat(list(days), 20))
    assert last_period(declared, rows) == "a-juin"
    [split] = _splits(declared, rows, "b-avril")
    assert set(split.training["annee"]) == {"c-mars"}
