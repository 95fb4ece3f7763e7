"""What the project promises of itself: its shape, its words, what it never contains."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from elexxion_assets import settings as settings_module
from elexxion_assets.declare import Kind, Layer
from elexxion_assets.themes import all_themes
from elexxion_assets_tests.conftest import PROJECT

TOP = {
    "elexxion_assets",
    "elexxion_assets_tests",
    "workspace.yaml",
    "dagster.yaml",
    "pyproject.toml",
    "docker-compose.yml",
    "deploy",
    "README.md",
    "LICENSE",
    "constraints.txt",
}
TABLES = [(theme, table) for theme in all_themes().values() for table in theme.tables]
NAME = re.compile(r"[a-z][a-z0-9_]*")


def tracked() -> list[Path]:
    said = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, check=True, text=True).stdout
    return [PROJECT / name for name in filter(None, said.split("\0")) if (PROJECT / name).is_file()]


def test_the_top_level_is_the_agreed_one() -> None:
    found = {path.relative_to(PROJECT).parts[0] for path in tracked()}
    assert {name for name in found if not name.startswith(".")} == TOP


def test_no_file_is_big_and_none_is_called_utils() -> None:
    for path in tracked():
        assert path.stat().st_size < 1_000_000, path
        assert path.stem not in {"utils", "util", "helpers", "misc", "common"}, path


def test_no_file_names_a_machine_or_a_registry() -> None:
    parent = re.escape(f"{PROJECT.parent}/")
    forbidden = re.compile(rf"{parent}|files\.pythonhosted|registry\.npmjs|proxy\.golang" + r"|/(home|Users)/[a-z]+/")
    for path in tracked():
        if path.suffix in {".py", ".md", ".yaml", ".yml", ".toml", ".txt", ".csv", ".sh"} and path != Path(__file__):
            assert not forbidden.search(path.read_text(encoding="utf-8")), path


def test_the_example_of_the_environment_lists_every_setting_with_its_default() -> None:
    text = (PROJECT / ".env.example").read_text(encoding="utf-8")
    said = dict(re.findall(r"^#?(ELEXXION_[A-Z0-9_]+)=(.*)$", text, re.MULTILINE))
    fields = settings_module.Settings.model_fields
    compose = set(
        re.findall(r"\$\{(ELEXXION_[A-Z0-9_]+)", (PROJECT / "docker-compose.yml").read_text(encoding="utf-8"))
    )
    assert set(said) == {f"ELEXXION_{name.upper()}" for name in fields} | compose
    for name, field in fields.items():
        if field.default is not None and field.default != ():
            shown = f"{field.default:g}" if isinstance(field.default, float) else str(field.default)
            assert said[f"ELEXXION_{name.upper()}"] == shown, name


def test_the_lock_file_holds_every_dependency() -> None:
    locked = set(
        re.findall(r"^([a-z0-9._-]+)==", (PROJECT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
    )
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [
        *project["dependencies"],
        *(item for extra in project["optional-dependencies"].values() for item in extra),
    ]
    assert {re.split(r"[\[<>=]", item)[0].lower() for item in wanted} <= locked


def test_the_deployed_dagster_differs_from_the_embedded_one_in_its_storage_only() -> None:
    ours = yaml.safe_load((PROJECT / "dagster.yaml").read_text(encoding="utf-8"))
    deployed = yaml.safe_load((PROJECT / "deploy" / "dagster.yaml").read_text(encoding="utf-8"))
    assert set(deployed) - set(ours) == {"storage", "compute_logs"}
    assert {name: deployed[name] for name in ours} == ours


@pytest.mark.parametrize(("theme", "table"), TABLES, ids=lambda item: getattr(item, "name", ""))
def test_a_table_says_what_it_holds(theme: object, table: object) -> None:
    from elexxion_assets.declare import Table

    assert isinstance(table, Table)
    assert NAME.fullmatch(table.name)
    assert len(table.description) > 20
    names = [column.name for column in table.columns]
    assert len(names) == len(set(names))
    assert set(table.key) <= set(names)
    for column in table.columns:
        assert NAME.fullmatch(column.name), column.name
        assert len(column.description) > 3, column.name
        assert column.kind is Kind.TEXT or not column.name.startswith("code_"), column.name
    for rule in table.rules:
        assert NAME.fullmatch(rule.name)


def test_a_theme_is_made_of_its_own_parts() -> None:
    for theme in all_themes().values():
        datasets = {dataset.name for dataset in theme.datasets}
        made: set[str] = set()
        for table in theme.tables:
            known = datasets if table.layer is Layer.SILVER else made
            assert {name for name in table.inputs if name.count("/") < 2} <= known, table.name
            abroad = [name for name in table.inputs if name.count("/") == 2]
            assert all(path.split("/")[0] in all_themes() for path in abroad), table.name
            made.add(f"{table.layer}/{table.name}")
        for dataset in theme.datasets:
            assert dataset.page.startswith("https://"), dataset.name
            assert set(dataset.key) <= {column.name for column in dataset.columns}
