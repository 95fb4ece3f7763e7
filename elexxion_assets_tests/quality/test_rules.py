"""Rules that people edit: what is taken, what is refused and where, and that a change of them shows."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import polars as pl
import pytest
import yaml

from elexxion_assets.declare import Layer, Theme
from elexxion_assets.quality import rules
from elexxion_assets.quality.checks import judge
from elexxion_assets.quality.rules import RulesError, with_rules
from elexxion_assets.themes import all_themes
from elexxion_assets_tests.toy import TOY

PACKAGE = Path(rules.__file__).parents[1]
ROWS = pl.DataFrame({"code_commune": ["01001", "01002", "01004"], "annee": [2020] * 3, "nombre": [5, 50, None]})
PROVENANCE = {"_delivery": ["d"] * 3, "_line": [2, 3, 4]}


def laid_over(tmp_path: Path, text: str, theme: Theme = TOY) -> Theme:
    file = tmp_path / "toy.yaml"
    file.write_text(text, encoding="utf-8")
    return with_rules(theme, file)


def table(text: str) -> str:
    return "tables:\n  silver/facts:\n" + "".join(f"    {line}\n" for line in text.splitlines())


def found(theme: Theme, check: str) -> tuple[bool, bool, int]:
    judged = judge(
        theme.table(Layer.SILVER, "facts"),
        ROWS.with_columns(**{k: pl.Series(v) for k, v in PROVENANCE.items()}).lazy(),
        ("_delivery", "_line"),
    )
    [result] = [result for result in judged.results if result.name == check]
    return result.passed, result.blocking, result.broken


def rule(**said: object) -> str:
    text = {"name": "mine", "description": "What I want of it", **said}
    return table("rules:\n- " + json.dumps(text))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"rows": "nombre <= 10"}, (False, False, 1)),
        ({"rows": "nombre <= 10", "severity": "block"}, (False, True, 1)),
        ({"rows": "nombre <= 10", "allowed": 0.5}, (True, False, 1)),
        ({"rows": "nombre <= 10 OR code_commune IN ('01002')"}, (True, False, 0)),
        ({"table": "SUM(nombre) = 55"}, (True, False, 0)),
        ({"table": "COUNT(DISTINCT code_commune) > 3"}, (False, False, 1)),
        ({"table": "AVG(nombre) > 99 OR COUNT(*) < 10"}, (True, False, 0)),
    ],
)
def test_a_rule_in_sql_is_a_check(tmp_path: Path, said: dict[str, object], expected: tuple[bool, bool, int]) -> None:
    assert found(laid_over(tmp_path, rule(**said)), "mine") == expected


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("tables: [", 1, "expected"),
        ("tablse: {}", 1, "tablse"),
        (table("rules:\n- name: Mine\n  description: long enough\n  rows: nombre > 1"), 4, "name"),
        (table("rules:\n- name: mine\n  description: long enough"), 4, "rows"),
        (table("rules:\n- name: mine\n  description: long enough\n  rows: nombre >"), 6, "not understood"),
        (table("rules:\n- name: mine\n  description: long enough\n  rows: nmobre > 1"), 6, "nmobre"),
        (table("rules:\n- name: mine\n  description: long enough\n  rows: nombre + 1"), 6, "neither true nor false"),
        (table("rules:\n- name: mine\n  description: long enough\n  rows: SUM(nombre) > 1"), 6, "`table`"),
        (table("rules:\n- name: mine\n  description: long enough\n  table: nombre > 1"), 6, "`rows`"),
        (table("rules:\n- name: mine\n  description: long enough\n  rows: nombre IN (SELECT 1)"), 6, "not understood"),
        (table("rules:\n- name: mine\n  description: long enough\n  rows: nombre > 1\n  allowed: 2"), 7, "allowed"),
        (table("severity:\n  smal: off"), 4, "no rule smal"),
        (table("severity:\n  small: never"), 4, "small"),
        (table("thresholds:\n  psi: lots"), 4, "psi"),
        ("tables:\n  silver/fact: {}", 2, "no table silver/fact"),
        ("thresholds: {}\nthresholds: {}", 2, "twice"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, text: str, line: int, words: str) -> None:
    with pytest.raises(RulesError) as error:
        laid_over(tmp_path, text)
    assert f"toy.yaml:{line}:" in str(error.value)
    assert words in str(error.value)


def test_a_deployment_changes_severities_shares_and_thresholds_without_code(tmp_path: Path) -> None:
    assert found(TOY, "small") == (True, False, 0)
    strict = laid_over(tmp_path, table("severity:\n  small: block\n  sane: off\nthresholds:\n  volume: 0.9"))
    facts = strict.table(Layer.SILVER, "facts")
    assert {rule.name: rule.blocking for rule in facts.rules} == {"small": True}
    assert facts.thresholds.volume == 0.9
    assert strict.table(Layer.GOLD, "sums").thresholds.volume == TOY.table(Layer.GOLD, "sums").thresholds.volume


def test_a_change_of_rules_changes_what_is_said_of_its_table_only(tmp_path: Path) -> None:
    changed = laid_over(tmp_path, rule(rows="nombre <= 10"))
    for before, after in zip(TOY.tables, changed.tables, strict=True):
        assert (rules.said(before) == rules.said(after)) == (before.name != "facts")


def test_a_change_of_rules_is_a_new_version_of_the_code(tmp_path: Path) -> None:
    from elexxion_assets.defs.tables import code_version

    changed = laid_over(tmp_path, rule(rows="nombre <= 10"))
    versions = [code_version(theme, theme.table(Layer.SILVER, "facts")) for theme in (TOY, changed)]
    assert versions[0] != versions[1]
    assert code_version(TOY, TOY.table(Layer.GOLD, "sums")) == code_version(changed, changed.table(Layer.GOLD, "sums"))


def test_the_schema_for_editors_is_that_of_the_code_and_takes_every_file() -> None:
    kept = json.loads((PACKAGE / "quality" / "rules.schema.json").read_text(encoding="utf-8"))
    assert kept == json.loads(json.dumps(rules.json_schema()))
    files = list(PACKAGE.glob("themes/*/rules.yaml"))
    assert files
    for file in files:
        jsonschema.validate(yaml.safe_load(file.read_text(encoding="utf-8")), kept)
        assert "rules.schema.json" in file.read_text(encoding="utf-8").splitlines()[0]


def test_the_rules_beside_a_theme_are_among_the_checks_of_its_tables() -> None:
    names = {rule.name for rule in all_themes()["crime"].table(Layer.SILVER, "communale").rules}
    assert {"taux_coherent", "taux_en_pour_mille"} <= names
