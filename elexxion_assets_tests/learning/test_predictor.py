"""Serving: the same answers as LightGBM, every wrong row refused in words."""

from __future__ import annotations

import subprocess
import sys
import threading

import lightgbm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elexxion_assets.learning.predictor import FeaturesRefused, ModelRefused, Predictor

NAMES = ("population", "taux", "département", "x4", "x5")


def _booster() -> lightgbm.Booster:
    draw = np.random.default_rng(0)
    rows = draw.normal(size=(400, len(NAMES)))
    rows[draw.uniform(size=rows.shape) < 0.1] = np.nan
    answers = np.nan_to_num(rows[:, 0]) * 2 + np.nan_to_num(rows[:, 1])
    data = lightgbm.Dataset(rows, label=answers, feature_name=list(NAMES))
    return lightgbm.train({"verbosity": -1, "num_threads": 1, "min_data_in_leaf": 5}, data, num_boost_round=20)


BOOSTER = _booster()
PREDICTOR = Predictor(BOOSTER.model_to_string())
ROW = dict(zip(NAMES, (1.0, 2, None, -0.5, 1e6), strict=True))


@given(st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False), min_size=5, max_size=5), st.randoms())
@settings(max_examples=200, deadline=None)
def test_one_row_a_batch_and_lightgbm_say_the_same(values: list[float | None], order: object) -> None:
    row = dict(zip(NAMES, values, strict=True))
    matrix = np.array([[np.nan if value is None else value for value in values]])
    names = list(row)
    order.shuffle(names)  # type: ignore[attr-defined]
    shuffled = {name: row[name] for name in names}
    expected = BOOSTER.predict(matrix, num_threads=1)[0]
    assert PREDICTOR.one(shuffled) == PREDICTOR.many(matrix)[0] == PREDICTOR.many(PREDICTOR.table([shuffled]))[0]
    assert PREDICTOR.one(shuffled) == expected


def test_contributions_are_those_of_lightgbm_and_add_up() -> None:
    matrix = np.random.default_rng(1).normal(size=(50, len(NAMES)))
    found = PREDICTOR.contributions(matrix)
    assert np.array_equal(found, BOOSTER.predict(matrix, pred_contrib=True))
    assert np.allclose(found.sum(axis=1), PREDICTOR.many(matrix))


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({}, "missing features: population, taux, département, x4, x5"),
        ({**ROW, "inconnu": 1}, "unknown features: inconnu"),
        ({**{k: v for k, v in ROW.items() if k != "x4"}, "x6": 1}, "missing features: x4; unknown features: x6"),
        ({**ROW, "x4": "12"}, "no numbers: x4 is '12'"),
        ({**ROW, "x4": [1.0]}, "no numbers: x4 is '[1.0]'"),
    ],
)
def test_a_wrong_row_is_refused_in_words_and_the_next_one_answered(row: dict[str, object], words: str) -> None:
    before = PREDICTOR.one(ROW)
    with pytest.raises(FeaturesRefused) as refused:
        PREDICTOR.one(row)  # type: ignore[arg-type]
    assert str(refused.value) == words
    with pytest.raises(FeaturesRefused) as refused:
        PREDICTOR.table([ROW, row])  # type: ignore[list-item]
    assert str(refused.value) == f"row 1: {words}"
    assert PREDICTOR.one(ROW) == before


def test_a_batch_of_another_width_is_refused_and_an_empty_one_answered() -> None:
    with pytest.raises(FeaturesRefused, match="5 features"):
        PREDICTOR.many(np.zeros((2, 4)))
    assert PREDICTOR.many(np.zeros((0, 5))).shape == (0,)
    assert np.array_equal(PREDICTOR.many(np.zeros((4, 5), order="F")), BOOSTER.predict(np.zeros((4, 5))))


@pytest.mark.parametrize("text", ["", "pickle", "tree\nno more", BOOSTER.model_to_string()[:300]])
def test_what_is_no_model_is_refused(text: str) -> None:
    with pytest.raises(ModelRefused):
        Predictor(text)


def test_a_model_of_one_feature_is_served() -> None:
    rows = np.arange(100.0)[:, None]
    data = lightgbm.Dataset(rows, label=rows[:, 0], feature_name=["x"])
    booster = lightgbm.train({"verbosity": -1, "num_threads": 1, "min_data_in_leaf": 5}, data, num_boost_round=5)
    assert Predictor(booster.model_to_string()).one({"x": 7}) == booster.predict([[7]])[0]


def test_threads_that_share_a_predictor_get_their_own_answers() -> None:
    draw = np.random.default_rng(2)
    matrix = draw.normal(size=(400, len(NAMES)))
    expected = PREDICTOR.many(matrix)
    wrong: list[int] = []

    def ask(start: int) -> None:
        wrong.extend(
            place
            for place in range(start, len(matrix), 8)
            if PREDICTOR.one(dict(zip(NAMES, matrix[place].tolist(), strict=True))) != expected[place]
        )

    threads = [threading.Thread(target=ask, args=(start,)) for start in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_serving_imports_neither_pandas_nor_the_package_of_lightgbm() -> None:
    source = (
        "import sys; from elexxion_assets.learning.predictor import Predictor;"
        "p = Predictor(sys.stdin.read()); p.one(dict.fromkeys(p.features));"
        "print([n for n in ('lightgbm', 'pandas', 'sklearn') if n in sys.modules])"
    )
    text = BOOSTER.model_to_string()
    said = subprocess.run([sys.executable, "-c", source], input=text, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
