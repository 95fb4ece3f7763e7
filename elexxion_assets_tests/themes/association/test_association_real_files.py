"""The real files: every row is in silver as it is written."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from elexxion_assets.lake.ledger import State

WALDEC = "association/rna_sample_waldec.csv"
IMPORT = "association/rna_sample_import.csv"
DAMAGED = "association/reencode_test.csv"
SUMMARY = "association/creation-nouvelles-associations-par-departements.xlsx"

FILES = {WALDEC: ("rna_waldec", "2015", 3), IMPORT: ("rna_import", "2013", 3), DAMAGED: ("rna_import", "2014", 9)}


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter=";"))


@pytest.mark.parametrize("name", FILES)
def test_every_row_is_in_silver_as_it_is_written(real_data: Path, lake, name: str) -> None:
    dataset, period, rows = FILES[name]
    (delivery,) = lake.take(real_data / name)
    assert delivery.state is State.READ
    assert delivery.tables[0]["dataset"] == dataset
    assert delivery.tables[0]["periods"] == {period: rows}
    silver = {row["id_association"]: row for row in lake.registre(period).to_dicts()}
    own = rows_of(real_data / name)
    assert len(own) == rows == len(silver)
    for row in own:
        found = silver[row["id"]]
        assert found["titre"] == row["titre"]
        assert found["objet"] == row["objet"]
        assert found["code_commune"] == row["adrs_codeinsee"]
        assert found["position"] == row["position"]
        assert str(found["date_maj"]) == row["maj_time"][:10]
        assert str(found["date_creation"] or "0001-01-01") == row["date_creat"]
        assert found["objet_social1"] == (row["objet_social1"] if row["objet_social1"] != "000000" else None)


def test_doubled_quotes_are_read_as_one(real_data: Path, lake) -> None:
    lake.take(real_data / WALDEC)
    (row,) = [row for row in lake.registre("2015").to_dicts() if row["id_association"] == "W632007046"]
    assert 'musicale "psychdlique"' in row["objet"]
    assert row["position"] == "D"
    assert str(row["date_dissolution"]) == "2015-01-20"
    assert row["adrg_distrib"] is None


def test_characters_lost_before_the_file_came_are_said_and_kept(real_data: Path, lake) -> None:
    (delivery,) = lake.take(real_data / DAMAGED)
    assert any("18 characters were lost" in defect for defect in delivery.tables[0]["defects"])
    titles = lake.registre("2014")["objet"].to_list()
    assert "dvpt et d\ufffdmocratisation de la musique" in titles


def test_the_number_under_which_waldec_took_over_is_kept(real_data: Path, lake) -> None:
    lake.take(real_data / IMPORT)
    numbers = lake.registre("2013").select("id_repris", "position").rows()
    assert sorted(numbers) == [("W751085568", "R"), ("W751184848", "R"), ("W751188854", "R")]


def test_a_summary_per_departement_is_refused_for_what_it_is(real_data: Path, lake) -> None:
    (delivery,) = lake.take(real_data / SUMMARY)
    assert delivery.state is State.REFUSED
    (reason,) = delivery.reasons
    assert reason["rule"] == "unknown_dataset"
    assert "summary of creations per département" in reason["reason"]
