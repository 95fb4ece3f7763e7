"""The commands about quality, typed as a person would, over a lake of clean files and one that is not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg  # noqa: TID251
import pytest
from typer.testing import CliRunner

from elexxion_assets.cli import main
from elexxion_assets.cli.console import app
from elexxion_assets.lake.storage import DirectoryStorage
from elexxion_assets.settings import settings
from elexxion_assets.themes import all_themes
from elexxion_assets_tests.quality import clean, planted
from elexxion_assets_tests.small_lake import SmallLake

CODES = clean.communes(1)


STRICT = "tables:\n  silver/communale:\n    severity:\n      taux_en_pour_mille: block\n"


@pytest.fixture(scope="module", autouse=True)
def strict_rules(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The rules of a deployment that would rather have no table than one with implausible rates."""
    folder = tmp_path_factory.mktemp("rules")
    (folder / "crime.yaml").write_text(STRICT, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ELEXXION_RULES", str(folder))
        settings.cache_clear()
        all_themes.cache_clear()
        yield
    settings.cache_clear()
    all_themes.cache_clear()


@pytest.fixture(scope="module")
def home(strict_rules: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    lake = SmallLake(DirectoryStorage(folder / "elexxion-bucket"), all_themes())
    lake.drop("communale-2023.csv", clean.crime(CODES))
    lake.drop("2022.csv", clean.election(CODES, "2022-presidentielle-t1"), scrutin="2022-presidentielle-t1")
    lake.build()
    _, rates_per_hundred, _ = planted.FILE_FAULTS["rates per hundred"]
    lake.drop("communale-produit-le2026-01-01.csv", rates_per_hundred(clean.crime(CODES)))
    lake.build()
    return folder


@pytest.fixture
def typed(home: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.setenv("ELEXXION_HOME", str(home))
    settings.cache_clear()

    def run(*words: str, code: int = 0) -> Any:
        result = CliRunner().invoke(app, [*words, "--json"])
        assert result.exit_code == code, result.output
        return json.loads(result.stdout)

    yield run
    settings.cache_clear()


def test_a_row_is_traced_to_its_lines(typed: Any) -> None:
    line = 2 + CODES.index("69123")
    found = typed(
        "trace", "election/gold/communes", "--period", "2022-presidentielle-t1", "--key", "code_commune=69123"
    )
    assert found["rows"] == 1
    assert {item["table"]: item["rows"] for item in found["from"]} == {
        "election/silver/participation": 1,
        "election/silver/resultats": 3,
    }
    files = [file for item in found["from"] for file in item["files"]]
    assert {(file["name"], file["lines"]) for file in files} == {("2022.csv", str(line))}
    assert all(file["raw"].startswith("raw/election/") for file in files)


def test_platinum_is_traced_through_gold_of_the_years_before(typed: Any) -> None:
    found = typed("trace", "crime/platinum/communes", "--period", "2023", "--key", "code_commune=69123")
    deepest = found["from"][0]["from"][0]
    assert deepest["table"] == "crime/silver/communale"
    assert deepest["files"][0]["lines"]


@pytest.mark.parametrize("key", ["code_commune", "colour=red", "code_commune=99999"])
def test_what_cannot_be_traced_is_said(typed: Any, home: Path, key: str) -> None:
    result = CliRunner().invoke(
        app, ["trace", "election/gold/communes", "--period", "2022-presidentielle-t1", "--key", key]
    )
    assert result.exit_code == 1
    assert "Problem" in repr(result.exception)


def test_a_refused_table_says_all_that_failed_and_its_rows_are_made_again(typed: Any) -> None:
    found = typed("checks", "crime/silver/communale", "--period", "2023")
    assert all(check["passed"] for check in found["published"])
    failed = {check["name"]: check for check in found["refused"] if not check["passed"]}
    assert {"taux_en_pour_mille", "taux_coherent"} <= set(failed)
    assert len(failed["taux_coherent"]["examples"]) == 5
    query = ["broken", "crime/silver/communale", "taux_en_pour_mille", "--period", "2023"]
    assert typed(*query) == []
    rows = typed(*query, "--again", "--limit", "100000")
    assert len(rows) == failed["taux_en_pour_mille"]["broken"]


def test_freshness_tells_what_is_late_by_its_exit_code(typed: Any) -> None:
    late = typed("freshness", "crime", "--late", "--day", "2030-01-01", code=3)
    assert {item["period"] for item in late} == {"2028"}
    assert typed("freshness", "crime", "--late", "--day", "2023-05-01") == []


def test_rules_are_listed_with_their_sql(typed: Any) -> None:
    [found] = [item for item in typed("rules") if item["rule"] == "secret_ou_cinq"]
    assert found["sql"] == "NOT est_diffuse OR nombre = 0 OR nombre >= 5"


def test_the_ui_is_given_queries_that_run_and_the_lineage_of_columns(home: Path, tmp_path: Path, typed: Any) -> None:
    from elexxion_assets.definitions import defs
    from elexxion_assets.defs.resources import resources

    copy = tmp_path / "home"
    shutil.copytree(home, copy)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ELEXXION_HOME", str(copy))
        settings.cache_clear()
        with dg.DagsterInstance.ephemeral() as instance:
            instance.add_dynamic_partitions("crime", ["2023"])
            result = defs.resolve_job_def("crime").execute_in_process(
                instance=instance,
                partition_key="2023",
                asset_selection=[
                    dg.AssetKey(["crime", "gold", "communes"]),
                    dg.AssetKey(["crime", "silver", "communale"]),
                ],
                raise_on_error=False,
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            )
        evaluations = {item.check_name: item for item in result.get_asset_check_evaluations() if not item.passed}
        words = str(evaluations["taux_en_pour_mille"].metadata["query"].value).split()
        assert words[:1] == ["elexxion"]
        assert len(typed(*words[1:])) == 20
    assert resources()
    settings.cache_clear()


def test_a_wrong_file_of_rules_ends_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    (tmp_path / "crime.yaml").write_text("tables:\n  silver/communale:\n    rulse: []\n", encoding="utf-8")
    monkeypatch.setenv("ELEXXION_RULES", str(tmp_path))
    settings.cache_clear()
    all_themes.cache_clear()
    try:
        with pytest.raises(SystemExit):
            main(lambda: all_themes())
    finally:
        monkeypatch.undo()
        settings.cache_clear()
        all_themes.cache_clear()
    assert "crime.yaml:3: rulse" in capsys.readouterr().err
