"""A search of parameters: seeded, resumed after a kill as if nothing had been, alone in its database."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from elexxion_assets.declare import Range
from elexxion_assets.learning.study import Budget, Report, StudyBusy, Tuned, search, study_url
from elexxion_assets.settings import SettingsError, settings
from elexxion_assets_tests.services.postgres import postgres

__all__ = ["postgres"]

SPACE = {
    "x": Range(low=-2, high=2),
    "n": Range(low=1, high=64, log=True, whole=True),
    "kind": ("plain", "odd"),
}
ENOUGH = Budget(trials=10, seconds=600)


def valley(params: dict[str, object], report: Report) -> float:
    """Smallest at x = 0.5; reports twice, the first time already telling."""
    value = (float(params["x"]) - 0.5) ** 2 + (0.1 if params["kind"] == "odd" else 0) + int(params["n"]) / 1000  # type: ignore[arg-type, call-overload]
    report(0, value)
    report(1, value * 1.01)
    return value


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("ELEXXION_HOME", str(tmp_path))
    for name in ("STUDY", "DAGSTER"):
        monkeypatch.delenv(f"ELEXXION_{name}_DATABASE_URL", raising=False)
    settings.cache_clear()
    yield tmp_path
    settings.cache_clear()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Tuned:
    """What a search finds that nothing interrupts."""
    return sought(tmp_path_factory.mktemp("whole") / "s.db")


def sought(path: Path, seed: int = 1, budget: Budget = ENOUGH) -> Tuned:
    return search("valley", SPACE, valley, seed=seed, budget=budget, url=f"sqlite:///{path}")  # type: ignore[arg-type]


def test_the_same_seed_finds_the_same_and_another_one_looks_elsewhere(tmp_path: Path, whole: Tuned) -> None:
    first, other = (sought(tmp_path / f"{seed}.db", seed) for seed in (1, 2))
    assert first == whole
    assert first.trials != other.trials
    assert len(first.trials) == 10
    assert first.value == min(trial["valeur"] for trial in first.trials if trial["etat"] == "complete")
    assert {trial["etat"] for trial in first.trials} == {"complete", "pruned"}
    assert sum(first.importance.values()) == pytest.approx(1)


def test_a_search_in_two_parts_is_the_search_in_one(tmp_path: Path, whole: Tuned) -> None:
    sought(tmp_path / "parts.db", budget=Budget(trials=5, seconds=600))
    assert sought(tmp_path / "parts.db") == whole


def test_what_is_used_without_a_search_is_tried_first(tmp_path: Path) -> None:
    tuned = search(
        "first",
        SPACE,  # type: ignore[arg-type]
        valley,  # type: ignore[arg-type]
        seed=1,
        budget=Budget(trials=1, seconds=600),
        first={"x": 0.25, "n": 3, "kind": "odd", "unknown": 1},
        url=f"sqlite:///{tmp_path}/s.db",
    )
    assert tuned.params == {"x": 0.25, "n": 3, "kind": "odd"}


def test_time_ends_a_search_and_says_so(tmp_path: Path) -> None:
    tuned = sought(tmp_path / "s.db", budget=Budget(trials=1000, seconds=0))
    assert tuned.ended_by == "seconds"
    assert len(tuned.trials) == 1


def test_progress_is_told_after_every_trial(tmp_path: Path) -> None:
    said: list[tuple[int, int, float | None]] = []
    search(
        "told",
        SPACE,  # type: ignore[arg-type]
        valley,  # type: ignore[arg-type]
        seed=1,
        budget=Budget(trials=3, seconds=600),
        progress=lambda *words: said.append(words),
        url=f"sqlite:///{tmp_path}/s.db",
    )
    assert [(done, of) for done, of, _ in said] == [(1, 3), (2, 3), (3, 3)]
    assert said[-1][2] == min(best for _, _, best in said if best is not None)


def test_an_error_in_a_trial_is_raised_and_the_trial_drawn_again(tmp_path: Path, whole: Tuned) -> None:
    calls = []

    def fails_once(params: dict[str, object], report: Report) -> float:
        calls.append(params)
        if len(calls) == 4:
            raise MemoryError("no memory left")
        return valley(params, report)

    url = f"sqlite:///{tmp_path}/valley.db"
    with pytest.raises(MemoryError):
        search("valley", SPACE, fails_once, seed=1, budget=ENOUGH, url=url)  # type: ignore[arg-type]
    resumed = search("valley", SPACE, fails_once, seed=1, budget=ENOUGH, url=url)  # type: ignore[arg-type]
    assert calls[3] == calls[4]
    assert resumed == whole


_CHILD = """
import json, sys, time
from elexxion_assets.learning.study import Budget, search
from elexxion_assets_tests.learning.test_study import ENOUGH, SPACE, valley

def slow(params, report):
    print("trial", flush=True)
    time.sleep(0.05)
    return valley(params, report)

found = search("valley", SPACE, slow, seed=1, budget=ENOUGH, url=sys.argv[1])
print("found", json.dumps([found.params, found.value, found.trials, found.importance]), flush=True)
"""


def child(url: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", _CHILD, url], stdout=subprocess.PIPE, text=True)


def killed_and_resumed(url: str) -> list[object]:
    process = child(url)
    assert process.stdout is not None
    for _ in range(8):
        assert process.stdout.readline() == "trial\n"
    process.send_signal(signal.SIGKILL)  # in the middle of the eighth trial, which sleeps
    process.communicate()
    said, _ = child(url).communicate(timeout=120)
    assert said.count("trial\n") == 3
    return list(json.loads(said.splitlines()[-1].removeprefix("found ")))


def told(tuned: Tuned) -> list[object]:
    return list(json.loads(json.dumps([tuned.params, tuned.value, tuned.trials, tuned.importance])))


def test_killed_and_resumed_equals_uninterrupted_to_the_byte(tmp_path: Path, whole: Tuned) -> None:
    found = killed_and_resumed(f"sqlite:///{tmp_path}/killed.db")
    assert json.dumps(found) == json.dumps(told(whole))


def test_a_postgresql_keeps_studies_as_sqlite_does(postgres: str, whole: Tuned) -> None:
    url = f"{postgres}?options=-csearch_path%3Dstudies_{os.getpid()}"
    found = killed_and_resumed(url)
    assert json.dumps(found) == json.dumps(told(whole))
    with create_engine(postgres).connect() as connection:
        schemas = connection.execute(
            text("SELECT table_schema FROM information_schema.tables WHERE table_name='trials'")
        )
        assert schemas.scalars().all() == [f"studies_{os.getpid()}"]


def test_two_processes_never_search_one_study_at_once(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    process = child(f"sqlite:///{path}")
    try:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(StudyBusy, match="valley"):
            sought(path)
    finally:
        process.kill()
        process.communicate()
    assert len(sought(path).trials) == 10


def test_studies_lie_beside_the_lake_by_default(home: Path) -> None:
    assert study_url() == f"sqlite:///{home}/studies.db"


DAGSTER = "postgresql+psycopg2://someone:secret@db:5432/dagster"


@pytest.mark.parametrize(
    "study",
    [
        DAGSTER,
        "postgresql+psycopg2://other:word@db/dagster",
        f"{DAGSTER}?options=-csearch_path%3Dpublic",
        f"{DAGSTER}?connect_timeout=3",
    ],
)
def test_the_database_of_dagster_is_refused_in_words(home: Path, monkeypatch: pytest.MonkeyPatch, study: str) -> None:
    monkeypatch.setenv("ELEXXION_DAGSTER_DATABASE_URL", DAGSTER)
    monkeypatch.setenv("ELEXXION_STUDY_DATABASE_URL", study)
    settings.cache_clear()
    with pytest.raises(SettingsError, match=r"ELEXXION_STUDY_DATABASE_URL.*alembic_version") as caught:
        study_url()
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "study", ["postgresql+psycopg2://someone@db/studies", f"{DAGSTER}?options=-csearch_path%3Dstudies"]
)
def test_another_database_or_schema_is_taken(home: Path, monkeypatch: pytest.MonkeyPatch, study: str) -> None:
    monkeypatch.setenv("ELEXXION_DAGSTER_DATABASE_URL", DAGSTER)
    monkeypatch.setenv("ELEXXION_STUDY_DATABASE_URL", study)
    settings.cache_clear()
    assert study_url() == study
