"""Search of parameters with Optuna: seeded, pruned, kept in a database, resumed after a kill as if nothing had been.

Every trial draws from a sampler of its own, seeded by the study's seed and the number of trials that came to an end
before it. A trial that was cut off counts for nothing and is drawn again, so that a search that was killed and resumed
ends with the same trials, to the last digit, as one that was not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from elexxion_assets.declare import Model, Range
from elexxion_assets.settings import SettingsError, settings

if TYPE_CHECKING:
    import numpy as np
    import optuna
    import pandas as pd

Report = Callable[[int, float], None]
"""Told a step and the value so far; raises `Pruned` when the trial is not worth going on."""

_STARTUP = 6
"""Trials before the sampler learns from those before, and before one is pruned."""


class StudyBusy(Exception):
    """Another process searches the same study."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How long a search goes on: what is used up first ends it.

    Attributes:
        trials: Number of trials, those of earlier attempts included.
        seconds: Time in trials, that of earlier attempts included. A search that ends by it depends on the machine.
    """

    trials: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """What a search found.

    Attributes:
        name: Name of the study.
        seed: Its seed.
        params: The best parameters; empty where no trial came to its end.
        value: Their value, the smaller the better.
        trials: Every trial that ended: `essai`, `etat`, `valeur`, then its parameters.
        importance: Share of each parameter in the differences between trials, by PED-ANOVA.
        ended_by: `trials` or `seconds`.
        seconds: Time in trials.
    """

    name: str
    seed: int
    params: Mapping[str, Any]
    value: float | None
    trials: tuple[Mapping[str, Any], ...]
    importance: Mapping[str, float]
    ended_by: str
    seconds: float = field(compare=False)


def search(
    name: str,
    space: Mapping[str, Range | tuple[Any, ...]],
    evaluate: Callable[[Mapping[str, Any], Report], float],
    *,
    seed: int,
    budget: Budget,
    first: Mapping[str, Any] | None = None,
    progress: Callable[[int, int, float | None], None] = lambda done, of, best: None,
    url: str | None = None,
) -> Tuned:
    """Searches the parameters that make `evaluate` smallest, going on where an earlier attempt ended.

    Args:
        name: Name of the study. What changes the values of `evaluate` (data, code, space) belongs into it.
        space: Parameters with where they are searched.
        evaluate: Value of some parameters; may report on the way, and is then cut short where that is poor.
        seed: Seed of all samplers.
        budget: When to stop.
        first: Parameters tried first, such as those used without a search; those outside the space are left out.
        progress: Told after every trial how many are done, of how many, and the best value.
        url: Database of the studies; the one that the settings name without it.

    Raises:
        StudyBusy: Another process is at this study.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    url = url or study_url()
    with _alone(url, name):
        storage = _storage(url)
        try:
            study = optuna.create_study(
                study_name=f"{name}/{seed}",
                storage=storage,
                pruner=optuna.pruners.MedianPruner(n_startup_trials=_STARTUP, n_warmup_steps=0),
                load_if_exists=True,
            )
            for trial in study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.RUNNING]):
                # Nobody else is at this study, so whoever ran it is gone.
                study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
            ended_by = _run(study, space, evaluate, seed, budget, first or {}, progress)
            return _found(study, name, seed, ended_by)
        finally:
            storage.remove_session()
            storage.engine.dispose()


def _run(
    study: optuna.Study,
    space: Mapping[str, Range | tuple[Any, ...]],
    evaluate: Callable[[Mapping[str, Any], Report], float],
    seed: int,
    budget: Budget,
    first: Mapping[str, Any],
    progress: Callable[[int, int, float | None], None],
) -> str:
    import optuna

    while len(done := _ended(study)) < budget.trials:
        if done and _seconds(done) >= budget.seconds:
            return "seconds"
        study.sampler = optuna.samplers.TPESampler(seed=_seed(seed, len(done)), n_startup_trials=_STARTUP)
        if not done and not study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.WAITING]):
            study.enqueue_trial({name: value for name, value in first.items() if _inside(space, name, value)})
        trial = study.ask()
        chosen = {parameter: _drawn(trial, parameter, where) for parameter, where in space.items()}

        def report(step: int, value: float, trial: optuna.Trial = trial) -> None:
            trial.report(value, step)
            if trial.should_prune():
                raise optuna.TrialPruned

        try:
            value = evaluate(chosen, report)
        except optuna.TrialPruned:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        except BaseException:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
            raise
        else:
            study.tell(trial, value)
        best = _best(_ended(study))
        progress(len(done) + 1, budget.trials, None if best is None else best.value)
    return "trials"


def _inside(space: Mapping[str, Range | tuple[Any, ...]], name: str, value: Any) -> bool:
    where = space.get(name, ())
    return where.low <= value <= where.high if isinstance(where, Range) else value in where


def _drawn(trial: optuna.Trial, name: str, where: Range | tuple[Any, ...]) -> Any:
    if not isinstance(where, Range):
        return trial.suggest_categorical(name, where)
    if where.whole:
        return trial.suggest_int(name, int(where.low), int(where.high), log=where.log)
    return trial.suggest_float(name, where.low, where.high, log=where.log)


def _ended(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=[TrialState.COMPLETE, TrialState.PRUNED])


def _best(trials: list[optuna.trial.FrozenTrial]) -> optuna.trial.FrozenTrial | None:
    complete = [trial for trial in trials if trial.state.name == "COMPLETE"]
    return min(complete, key=lambda trial: (trial.value, trial.number), default=None)


def _seconds(trials: list[optuna.trial.FrozenTrial]) -> float:
    return sum(trial.duration.total_seconds() for trial in trials if trial.duration is not None)


def _found(study: optuna.Study, name: str, seed: int, ended_by: str) -> Tuned:
    import optuna

    done = _ended(study)
    best = _best(done)
    complete = [trial for trial in done if trial.state.name == "COMPLETE"]
    differ = len({trial.value for trial in complete}) > 1
    return Tuned(
        name=name,
        seed=seed,
        params={} if best is None else dict(best.params),
        value=None if best is None else best.value,
        trials=tuple(
            {"essai": place, "etat": trial.state.name.lower(), "valeur": trial.value, **trial.params}
            for place, trial in enumerate(done)
        ),
        importance=optuna.importance.get_param_importances(study) if differ else {},
        ended_by=ended_by,
        seconds=_seconds(done),
    )


def _seed(seed: int, place: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}/{place}".encode()).digest()[:4])


# --- where studies are kept ---------------------------------------------------------------------------------------


def study_url() -> str:
    """Address of the database of the studies: the one of the settings, else an SQLite file of its own.

    Raises:
        SettingsError: It is Dagster's, whose tables it cannot share.
    """
    chosen = settings()
    if chosen.study_database_url is None:
        return f"sqlite:///{chosen.home.absolute() / 'studies.db'}"
    url = chosen.study_database_url.get_secret_value()
    if chosen.dagster_database_url is not None:
        dagster = chosen.dagster_database_url.get_secret_value()
        if _place(url) == _place(dagster):
            raise SettingsError(
                "ELEXXION_STUDY_DATABASE_URL is the database of ELEXXION_DAGSTER_DATABASE_URL: both keep a table "
                "« alembic_version » and each would break the other; name another database, or another schema with "
                "?options=-csearch_path%3Dstudies"
            )
    return url


def _place(url: str) -> tuple[Any, ...]:
    """What tells databases apart: host, port, name and first schema."""
    from sqlalchemy import make_url

    parts = make_url(url)
    return parts.host, parts.port or 5432, parts.database or parts.username, _schema(url) or "public"


def _schema(url: str) -> str | None:
    """The first schema that the address names with `options=-csearch_path=...`."""
    import re

    from sqlalchemy import make_url

    options = make_url(url).query.get("options", "")
    found = re.search(r"search_path\s*=\s*([A-Za-z0-9_]+)", options if isinstance(options, str) else " ".join(options))
    return found and found[1]


def _storage(url: str) -> optuna.storages.RDBStorage:
    import optuna
    from sqlalchemy import create_engine, text

    if url.startswith("sqlite:///"):
        Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        # Another study of the same file may be writing.
        return optuna.storages.RDBStorage(url, engine_kwargs={"connect_args": {"timeout": 60}})
    if schema := _schema(url):
        engine = create_engine(url)
        with engine.begin() as connection:
            connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{schema}"'))
        engine.dispose()
    return optuna.storages.RDBStorage(url, engine_kwargs={"pool_pre_ping": True})


@contextmanager
def _alone(url: str, name: str) -> Iterator[None]:
    """Holds the study for this process; a kill lets go of it."""
    busy = f"the study « {name} » is being searched by another process: try again when it has ended"
    if url.startswith("sqlite:///"):
        import fcntl

        folder = Path(url.removeprefix("sqlite:///")).parent / "studies.locks"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / hashlib.sha256(name.encode()).hexdigest()[:16]).open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StudyBusy(busy) from None
            yield
        return
    from sqlalchemy import create_engine, text

    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
    try:
        with engine.connect() as connection:
            if not connection.execute(text("SELECT pg_try_advisory_lock(:number)"), {"number": number}).scalar():
                raise StudyBusy(busy)
            yield
    finally:
        engine.dispose()


# --- the value of a model's parameters --------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Split:
    """Rows to train on and rows to judge by, with what the anchor says of them."""

    training: pd.DataFrame
    inputs: np.ndarray
    start: np.ndarray
    judged: pd.DataFrame
    judged_inputs: np.ndarray
    judged_start: np.ndarray


def value_of(model: Model, training: pd.DataFrame, validation: tuple[str, ...], seed: int) -> Any:
    """The function that `search` makes smallest: the headline of a model trained before a period, judged on it.

    Args:
        model: The model.
        training: What `rows.training_rows` gives: nothing of the period to be predicted.
        validation: Periods of the training rows to judge by, each by a model of the training periods that may
            train it. Where there is none, by models of the other groups.
        seed: Seed of LightGBM.

    Returns:
        A function of parameters and `Report`. It reports once per validation and target.
    """
    splits = [split for period in validation for split in _splits(model, training, period)]

    def evaluate(params: Mapping[str, Any], report: Report) -> float:
        import lightgbm
        import numpy as np
        import pandas as pd

        from elexxion_assets.learning.evaluation import METRICS
        from elexxion_assets.learning.training import FIXED, ROUNDS, consistent, labels, moved

        chosen = {**FIXED, "objective": model.objective, "seed": seed, **model.params, **params}
        rounds, objective = chosen.pop(ROUNDS, 100), chosen["objective"]
        values, errors = [], []
        for split in splits:
            weight = split.training[model.weight].to_numpy(float) if model.weight else None
            judged_weight = split.judged[model.weight].to_numpy(float) if model.weight else None
            answers = split.judged[list(model.targets)].to_numpy(float)
            known = split.training[list(model.targets)].to_numpy(float)
            point = split.judged_start.copy()
            for at in range(len(model.targets)):
                label, begin = labels(objective, known[:, at], split.start[:, at])
                data = lightgbm.Dataset(split.inputs, label=label, weight=weight, init_score=begin)
                booster = lightgbm.train(chosen, data, num_boost_round=rounds)
                raw = booster.predict(split.judged_inputs, num_threads=FIXED["num_threads"], raw_score=True)
                point[:, at] = moved(objective, point[:, at], np.asarray(raw))
                errors.append(float(np.average(np.abs(answers[:, at] - point[:, at]), weights=judged_weight)))
                report(len(errors) - 1, sum(errors) / len(errors))
            predicted = pd.DataFrame(consistent(model, point), columns=list(model.outputs), index=split.judged.index)
            values.append(METRICS[model.headline](model, split.judged, predicted))
        return sum(values) / len(values)

    return evaluate


def _splits(model: Model, training: pd.DataFrame, period: str) -> Iterator[_Split]:
    import numpy as np

    from elexxion_assets.learning.training import groups_apart

    periods = training[model.period].astype(str)
    judged = (periods == period).to_numpy()
    before = periods.isin([other for other in periods.unique() if model.trains(other, period)]).to_numpy()
    if before.any():
        yield _split(model, training[before], training[judged])
        return
    # The only period: its groups (départements) judge each other.
    only = training[judged]
    groups = groups_apart(model, only, 3)
    for part in np.unique(groups):
        yield _split(model, only[groups != part], only[groups == part])


def _split(model: Model, training: pd.DataFrame, judged: pd.DataFrame) -> _Split:
    from elexxion_assets.learning.training import base_of, inputs_of, national

    training, judged = training.reset_index(drop=True), judged.reset_index(drop=True)
    learnt = model.baseline(model.anchor).learn(training)

    def start_of(rows: pd.DataFrame) -> np.ndarray:
        return base_of(model, model.anchor, learnt, rows, national(model, rows) if model.given else None)

    import numpy as np

    start = np.empty((len(training), len(model.targets)))
    for _, rows in training.groupby(model.period, sort=True):
        start[rows.index] = start_of(rows)
    judged_start = start_of(judged)
    return _Split(
        training=training,
        inputs=inputs_of(model, training, start),
        start=start,
        judged=judged,
        judged_inputs=inputs_of(model, judged, judged_start),
        judged_start=judged_start,
    )
