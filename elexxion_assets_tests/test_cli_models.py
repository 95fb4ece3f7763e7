"""Models from the command line: from dropped files to predictions, their card and their evaluation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from elexxion_assets.cli import app
from elexxion_assets.settings import settings
from elexxion_assets.themes import all_themes

MODEL = "election/participation"
NEWEST, TO_COME = "2022-presidentielle-t1", "2027-presidentielle-t1"


class Person:
    """Somebody who types one command after the other; in this process, which saves importing all of it each time."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def reads(self, *arguments: str, code: int = 0) -> str:
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == code, (done.output, done.exception)
        return done.stdout if code == 0 or done.stdout else str(done.exception)


@pytest.fixture(scope="module")
def person(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    """A person whose lake holds made-up results of three présidentielles, the first of them under another name."""
    home = tmp_path_factory.mktemp("models")
    samples = all_themes()["election"].samples
    assert samples is not None
    files = {}
    for seed in (1, 2):
        (home / str(seed)).mkdir()
        files[seed] = samples(home / str(seed), seed)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "ELEXXION_HOME": str(home),
            "ELEXXION_STUDY_TRIALS": "2",
            "DAGSTER_HOME": str(home / "dagster"),
        }.items():
            patch.setenv(name, value)
        settings.cache_clear()
        made = Person(home)
        made.reads("drop", "--scrutin", "2012-presidentielle-t1", str(files[2][0].rename(home / "2012.csv")))
        made.reads("drop", *map(str, files[1]))
        made.reads("run")
        yield made
    settings.cache_clear()


def train(person: Person, name: str, *arguments: str, code: int = 0) -> dict[str, Any]:
    [told] = json.loads(person.reads("train", name, "--json", *arguments, code=code))
    return dict(told)


def test_dropped_results_become_predictions_a_card_and_an_evaluation(person: Person) -> None:
    told = train(person, MODEL, "--period", NEWEST)
    assert (told["period"], told["made"], told["failed"]) == (NEWEST, True, False)
    card = json.loads(person.reads("card", MODEL, "--period", NEWEST, "--json"))
    assert [trial["essai"] for trial in card["search"]["trials"]] == [0, 1]
    assert [fold["period"] for fold in card["folds"]] == [NEWEST]
    assert card["reason"] in told["said"]

    of_newest = ("--period", NEWEST, "--json", "--limit", "1000")
    rows = json.loads(person.reads("show", "election/platinum/predictions", *of_newest))
    assert len({row["code_commune"] for row in rows}) == len(rows) > 200
    assert {row["publie"] for row in rows} == {card["published"]}
    assert all(0 <= row["bas_90"] <= row["prediction"] <= row["haut_90"] <= 100 for row in rows)
    assert all(row["raison_1"] for row in rows)
    measured = json.loads(person.reads("show", "election/model/evaluation", *of_newest))
    assert {row["predicteur"] for row in measured} >= {"modele", "persistance", "crete"}

    page = person.home / "card.html"
    person.reads("card", MODEL, "--period", NEWEST, "--out", str(page))
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")

    # Nothing is new, so nothing is trained: the card is the one that was there.
    assert train(person, MODEL, "--period", NEWEST)["said"] == told["said"]
    assert json.loads(person.reads("card", MODEL, "--period", NEWEST, "--json"))["made_at"] == card["made_at"]


def test_a_model_that_was_never_trained_is_told(person: Person) -> None:
    name = f"{MODEL}_national_connu"
    assert f"{name} was never trained: `elexxion train {name}`" in person.reads("card", name, code=1)


def test_a_scrutin_to_come_is_predicted_where_nothing_of_it_must_be_known(person: Person) -> None:
    told = train(person, MODEL, "--period", TO_COME)
    assert (told["made"], told["failed"]) == (True, False)
    assert "is published" in told["said"]
    rows = json.loads(person.reads("show", "election/platinum/predictions", "--period", TO_COME, "--json"))
    assert {row["scrutin"] for row in rows} == {TO_COME}
    assert all(50 < row["prediction"] < 95 for row in rows)

    told = train(person, f"{MODEL}_national_connu", "--period", TO_COME, code=1)
    assert (told["made"], told["failed"]) == (False, False)
    assert told["said"] == "participation_national_connu is told the national result, which is not known yet"


def test_what_is_no_model_or_no_period_is_told_in_words(person: Person) -> None:
    assert "no model crime/nothing; there are" in person.reads("train", "crime/nothing", code=1)
    said = person.reads("train", "election", "--period", "2022", code=1)
    assert "--period: « 2022 » is not an election and its round" in said


def test_every_trial_is_told_to_who_waits(person: Person) -> None:
    from elexxion_assets.cli.console import open_lake
    from elexxion_assets.defs.training import train_models

    theme, told = all_themes()["election"], list[str]()
    train_models(open_lake(), theme, [theme.model("participation")], "2032-presidentielle-t1", told.append)
    assert any("trial 2 of 2" in words for words in told)
