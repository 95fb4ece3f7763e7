"""Models from the command line: from dropped samples to predictions and a card."""

from __future__ import annotations

import json
from pathlib import Path

from elexxion_assets.themes import all_themes
from elexxion_assets_tests.test_cli import Person


def test_samples_become_predictions_and_a_card(tmp_path: Path) -> None:
    person = Person(tmp_path, ELEXXION_STUDY_TRIALS="2")
    samples = all_themes()["emploi"].samples
    assert samples is not None
    (tmp_path / "files").mkdir()
    person.types("drop", *(str(path) for path in samples(tmp_path / "files", 1)))
    person.types("run")
    assert (
        "was never trained: `elexxion train emploi/taux_chomage`"
        in person.types("card", "emploi/taux_chomage", code=1).stderr.decode()
    )

    [trained] = json.loads(person.reads("train", "emploi/taux_chomage", "--json"))
    assert not trained["failed"]
    assert "baseline" in trained["said"]
    rows = json.loads(person.reads("show", "emploi/platinum/predictions", "--period", trained["period"], "--json"))
    assert rows
    assert {row["publie"] for row in rows} <= {"modele", "reference"}
    assert all(row["bas_90"] <= row["bas_50"] <= row["haut_50"] <= row["haut_90"] for row in rows)
    said = person.reads("card", "emploi/taux_chomage")
    assert f"emploi/taux_chomage {trained['period']}: " in said
    page = tmp_path / "card.html"
    person.types("card", "emploi/taux_chomage", "--out", str(page))
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    known = json.loads(person.reads("card", "emploi/taux_chomage", "--json"))
    assert [trial["essai"] for trial in known["search"]["trials"]] == [0, 1]

    first = min(path.stem for path in tmp_path.glob(".elexxion/*/output/platine/emploi/communes/*.parquet"))
    refused = json.loads(person.reads("train", "emploi/taux_chomage", "--period", first, "--json", code=1))
    assert "no earlier period" in refused[0]["said"] or "no row" in refused[0]["said"]


def test_what_is_no_model_or_no_period_is_told_in_words(tmp_path: Path) -> None:
    person = Person(tmp_path)
    assert "no model crime/nothing; there are" in person.types("train", "crime/nothing", code=1).stderr.decode()
    said = person.types("train", "election", "--period", "2022", code=1).stderr.decode()
    assert "--period:" in said
