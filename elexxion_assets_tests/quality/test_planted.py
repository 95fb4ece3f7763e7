"""A few of the planted faults; `python -m elexxion_assets_tests.quality.planted` plants all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from elexxion_assets.lake import layout
from elexxion_assets.lake.storage import DirectoryStorage
from elexxion_assets.quality.checks import broken_rows
from elexxion_assets.themes import all_themes
from elexxion_assets_tests.quality import clean, planted
from elexxion_assets_tests.small_lake import SmallLake

FILES = ("half a fact", "rates per hundred", "a département is left out")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("planted") / "clean"
    clean.lake(folder, planted.CODES)
    return folder


def test_clean_data_raises_no_alarm(template: Path) -> None:
    assert planted.alarms(SmallLake(DirectoryStorage(template), all_themes())) == []


def test_faults_in_tables_are_caught_by_the_check_that_names_them(template: Path) -> None:
    tables = planted.Tables(SmallLake(DirectoryStorage(template), all_themes()))
    missed = {}
    for name, (table, change, wanted) in planted.TABLE_FAULTS.items():
        found = tables.judged(table, change)
        if not planted.is_caught(wanted, found):
            missed[name] = found
    assert missed == {}


@pytest.mark.parametrize("name", FILES)
def test_faults_in_files_are_caught(template: Path, tmp_path: Path, name: str) -> None:
    found = planted.drop_faulty(tmp_path, template, name)
    assert planted.is_caught(planted.FILE_FAULTS[name][2], found), found


def test_a_refused_table_stays_as_it_was_and_its_reasons_are_kept(template: Path, tmp_path: Path) -> None:
    found = planted.drop_faulty(tmp_path, template, "voters and blank votes changed places")
    assert "figures_are_coherent" in found.blocking
    key = layout.table_key("election", planted.Layer.SILVER, "participation", planted.LAST["election"])
    same = DirectoryStorage(tmp_path / "lake").read(key) == DirectoryStorage(template).read(key)
    assert same, "the refused table is in place of the good one"


@pytest.mark.parametrize(
    "name", ["a negative number (silver)", "a row is there twice (silver)", "small figures that should be secret"]
)
def test_the_rows_that_break_a_check_can_be_listed(template: Path, name: str) -> None:
    table, change, wanted = planted.TABLE_FAULTS[name]
    lake = SmallLake(DirectoryStorage(template), all_themes())
    declared = lake.themes["crime"].table(planted.Layer.SILVER, "communale")
    changed = change(lake.rows(table, "2023")).sort(declared.key)
    found = broken_rows(declared, changed.lazy(), wanted)
    assert found is not None
    judged = planted.checks.judge(declared, changed.lazy(), planted.PROVENANCE)
    [result] = [result for result in judged.results if result.name == wanted]
    assert found.collect().height == result.broken + (wanted == "unique_key")
