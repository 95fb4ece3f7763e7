"""Rules that people edit: thresholds and business rules in `rules.yaml` beside a theme, or in a deployment's folder.

A rule is what SQL says of a row (`rows:`) or, by aggregates, of the table (`table:`), as in `votants <= inscrits` or
`SUM(inscrits) > 40000000`. Nothing is ever run as code: Polars parses the SQL into an expression over the columns of
the table. A file `<theme>.yaml` in the folder `ELEXXION_RULES` is laid over the theme's own.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import polars as pl
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from elexxion_assets.declare import Kind, Rule, Table, Theme, Thresholds

Share = Annotated[float, Field(ge=0, le=1)]


class RulesError(Exception):
    """A file of rules that cannot be taken: which, on which line, and why."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RuleFile(_Strict):
    """One rule."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", description="Name of the check, snake case.")]
    description: Annotated[str, Field(min_length=10, description="What must hold, in words.")]
    rows: Annotated[str | None, Field(description="SQL that is true for every row that keeps the rule.")] = None
    table: Annotated[str | None, Field(description="SQL of aggregates that is true for a table that keeps it.")] = None
    allowed: Annotated[Share, Field(description="Share of the rows, 0 to 1, that may break the rule.")] = 0.0
    severity: Annotated[
        Literal["block", "warn"], Field(description="Whether a broken rule keeps the table from being replaced.")
    ] = "warn"

    @model_validator(mode="after")
    def _speaks_of_one(self) -> RuleFile:
        if (self.rows is None) == (self.table is None):
            raise ValueError("give either `rows` or `table`")
        if self.table is not None and self.allowed:
            raise ValueError("`allowed` is a share of rows; a rule on the whole table has none")
        return self


class ThresholdsFile(_Strict):
    """What is told as drift; what is not given stays as it is."""

    volume: Annotated[Share | None, Field(description="Least number of rows, as a share of those before.")] = None
    communes: Annotated[Share | None, Field(description="Least number of communes, as a share of those before.")] = None
    nulls: Annotated[Share | None, Field(description="Largest change of a column's share of missing values.")] = None
    psi: Annotated[float | None, Field(ge=0, description="Largest population stability index of a column.")] = None
    revised: Annotated[Share | None, Field(description="Largest share of values that a release may move.")] = None
    moved: Annotated[float | None, Field(ge=0, description="Relative change of a value that counts as moved.")] = None


class TableFile(_Strict):
    """Rules of one table."""

    rules: Annotated[tuple[RuleFile, ...], Field(description="Added to the table's own; same name, in place.")] = ()
    severity: Annotated[
        dict[str, Literal["block", "warn", "off"]], Field(description="Other severities for rules of the theme.")
    ] = {}
    allowed: Annotated[dict[str, Share], Field(description="Other allowed shares for rules of the theme.")] = {}
    thresholds: ThresholdsFile = ThresholdsFile()


class RulesFile(_Strict):
    """A file of rules."""

    thresholds: Annotated[ThresholdsFile, Field(description="For every table of the theme.")] = ThresholdsFile()
    tables: Annotated[
        dict[Annotated[str, Field(pattern=r"^(silver|gold|platinum)/[a-z0-9_]+$")], TableFile],
        Field(description="By layer and name, such as gold/communes."),
    ] = {}


def with_rules(theme: Theme, *files: Path) -> Theme:
    """The theme with the rules of the files laid over its own, one after another; those that are absent count nothing.

    Raises:
        RulesError: a file is no YAML, says something unknown, or a rule that is no SQL over its table's columns.
    """
    for file in files:
        if file.is_file():
            theme = _laid_over(theme, file)
    return theme


def _laid_over(theme: Theme, file: Path) -> Theme:
    read, lines = _read(file)
    known = {f"{table.layer}/{table.name}" for table in theme.tables}
    for name in read.tables:
        if name not in known:
            raise _error(file, lines, ("tables", name), f"{theme.name} has no table {name}")
    tables = []
    for table in theme.tables:
        name = f"{table.layer}/{table.name}"
        said = read.tables.get(name, TableFile())
        changes = read.thresholds.model_dump(exclude_none=True) | said.thresholds.model_dump(exclude_none=True)
        thresholds: Thresholds = dataclasses.replace(table.thresholds, **changes)
        rules = _rules(table, said, file, lines)
        tables.append(dataclasses.replace(table, rules=rules, thresholds=thresholds))
    return dataclasses.replace(theme, tables=tuple(tables))


def _rules(table: Table, said: TableFile, file: Path, lines: Mapping[tuple[Any, ...], int]) -> tuple[Rule, ...]:
    place = ("tables", f"{table.layer}/{table.name}")
    rules = {rule.name: rule for rule in table.rules}
    for position, item in enumerate(said.rules):
        here = (*place, "rules", position)
        rule = Rule(
            name=item.name,
            description=item.description,
            blocking=item.severity == "block",
            holds=item.rows or item.table or "",
            whole=item.table is not None,
            allowed=item.allowed,
        )
        if (problem := problem_of(rule, table)) is not None:
            raise _error(file, lines, (*here, "table" if rule.whole else "rows"), f"rule {item.name}: {problem}")
        rules[item.name] = rule
    for what in ("severity", "allowed"):
        for name, value in getattr(said, what).items():
            if name not in rules:
                raise _error(file, lines, (*place, what, name), f"{place[1]} has no rule {name}")
            if value == "off":
                del rules[name]
            elif what == "severity":
                rules[name] = dataclasses.replace(rules[name], blocking=value == "block")
            else:
                rules[name] = dataclasses.replace(rules[name], allowed=value)
    return tuple(rules.values())


_TYPES: dict[Kind, pl.DataType] = {
    Kind.TEXT: pl.String(),
    Kind.INTEGER: pl.Int64(),
    Kind.NUMBER: pl.Float64(),
    Kind.DATE: pl.Date(),
    Kind.BOOLEAN: pl.Boolean(),
}


def problem_of(rule: Rule, table: Table) -> str | None:
    """Why the SQL of a rule does not say something true or false of a table's rows (or of the table), or None."""
    empty = pl.LazyFrame(schema={column.name: _TYPES[column.kind] for column in table.columns})
    try:
        found = empty.select(pl.sql_expr(rule.holds).alias("holds")).collect()
    except (pl.exceptions.PolarsError, TypeError) as error:
        return f"« {rule.holds} » is not understood: {str(error).splitlines()[0]}"
    if found.schema["holds"] != pl.Boolean:
        return f"« {rule.holds} » is neither true nor false"
    if found.height != int(rule.whole):
        words = "aggregates, it speaks of no single row" if found.height else "no aggregate, it speaks of single rows"
        return f"« {rule.holds} » has {words}: give it as `{'table' if found.height else 'rows'}`"
    return None


def _read(file: Path) -> tuple[RulesFile, Mapping[tuple[Any, ...], int]]:
    try:
        node = yaml.compose(file.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{file}:{mark.line + 1}" if mark else str(file)
        raise RulesError(f"{where}: {getattr(error, 'problem', None) or error}") from error
    lines: dict[tuple[Any, ...], int] = {}
    plain = {} if node is None else _plain(node, (), lines, file)
    try:
        return RulesFile.model_validate(plain), lines
    except ValidationError as error:
        problems = [
            str(_error(file, lines, tuple(item["loc"]), f"{item['loc'][-1] if item['loc'] else 'file'}: {item['msg']}"))
            for item in error.errors()
        ]
        raise RulesError("\n".join(problems)) from error


def _plain(node: yaml.Node, path: tuple[Any, ...], lines: dict[tuple[Any, ...], int], file: Path) -> Any:
    """The values of a YAML node, and the line of each."""
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        found: dict[Any, Any] = {}
        for key, value in node.value:
            name = str(key.value)
            if name in found:
                raise RulesError(f"{file}:{key.start_mark.line + 1}: {name} is given twice")
            lines[*path, name] = key.start_mark.line + 1
            found[name] = _plain(value, (*path, name), lines, file)
        return found
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, (*path, position), lines, file) for position, item in enumerate(node.value)]
    # Only what JSON has: `off` and `yes` are words here, as they are for whoever writes them.
    text = str(node.value)
    if isinstance(node, yaml.ScalarNode) and node.style in ("'", '"', "|", ">"):
        return text
    if re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text):
        return float(text)
    return None if text in ("", "null", "~") else text


def _error(file: Path, lines: Mapping[tuple[Any, ...], int], path: tuple[Any, ...], words: str) -> RulesError:
    """The error of a place in a file, by the line of the nearest part that is there."""
    while path and path not in lines:
        path = path[:-1]
    return RulesError(f"{file}:{lines.get(path, 1)}: {words}")


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a file of rules, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **RulesFile.model_json_schema()}


def said(table: Table) -> str:
    """All that rules and thresholds say of a table: part of its code version."""
    rules = [(r.name, r.description, r.blocking, r.holds, r.whole, r.allowed) for r in table.rules]
    return repr((rules, table.thresholds))
