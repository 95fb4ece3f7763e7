"""One row and batches by `learning.predictor`, beside bare LightGBM, in one run.

    python -m elexxion_assets_tests.benchmarks.prediction [--trees 300] [--features 60]

Every round measures each contender in turn, so that what else the machine does falls on all of them. For one row the
mark is the C API's own fast path with the row already packed; for batches, `Booster.predict` on the same matrix.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import lightgbm
import numpy as np

from elexxion_assets.learning.predictor import Predictor

ROUNDS, CALLS = 20, 200
BATCH = 35_000


def trained(trees: int, features: int) -> str:
    """Text of a model of that many trees and features, from drawn rows."""
    draw = np.random.default_rng(0)
    rows = draw.normal(size=(20_000, features))
    answers = rows[:, 0] + rows[:, 1] * rows[:, 2] + np.sin(rows[:, 3]) + draw.normal(scale=0.1, size=len(rows))
    names = [f"feature_{number}" for number in range(features)]
    data = lightgbm.Dataset(rows, label=answers, feature_name=names)
    booster = lightgbm.train({"objective": "l2", "verbosity": -1, "num_threads": 1}, data, num_boost_round=trees)
    return booster.model_to_string()


def seconds(call: Callable[[], object], times: int) -> list[float]:
    """What each of some calls takes."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        found.append(time.perf_counter() - began)
    return found


def measure(trees: int, features: int) -> dict[str, object]:
    """Microseconds of one row (p50, p99) and rows per second of batches, ours and bare."""
    text = trained(trees, features)
    predictor, booster = Predictor(text), lightgbm.Booster(model_str=text)
    batch = np.random.default_rng(1).normal(size=(BATCH, features))
    row = dict(zip(predictor.features, batch[0].tolist(), strict=True))
    holed = row | dict.fromkeys(list(row)[:: max(features // 10, 1)])
    assert predictor.one(row) == booster.predict(batch[:1])[0]
    assert np.array_equal(predictor.many(batch), booster.predict(batch))
    fill, arguments, _ = predictor._seat()
    fill(*row.values())
    single = {
        "C fast path": lambda: predictor._predict_row(*arguments),
        "predictor": lambda: predictor.one(row),
        "predictor, some features not known": lambda: predictor.one(holed),
        "Booster.predict": lambda: booster.predict(batch[:1], num_threads=1),
    }
    many = {"predictor": lambda: predictor.many(batch), "Booster.predict": lambda: booster.predict(batch)}
    times: dict[str, list[float]] = {name: [] for name in single}
    batches: dict[str, list[float]] = {name: [] for name in many}
    for number in range(ROUNDS):
        for name, call in single.items():
            times[name] += seconds(call, CALLS)
        if number % 4 == 0:
            for name, call in many.items():
                batches[name] += seconds(call, 1)
    one = {name: [float(np.percentile(found, q)) * 1e6 for q in (50, 99)] for name, found in times.items()}
    rows = {name: BATCH / min(found) for name, found in batches.items()}
    return {
        "one row, microseconds (p50, p99)": {name: [round(v, 1) for v in found] for name, found in one.items()},
        "one row, against the C fast path (p50)": round(one["predictor"][0] / one["C fast path"][0], 3),
        "batch, rows per second": {name: round(found) for name, found in rows.items()},
        "batch, against Booster.predict": round(rows["Booster.predict"] / rows["predictor"], 3),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trees", type=int, default=300)
    parser.add_argument("--features", type=int, default=60)
    chosen = parser.parse_args()
    print(json.dumps(measure(chosen.trees, chosen.features), indent=1))
