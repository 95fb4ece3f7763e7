"""Judges a finished table before anybody can read it: one result per rule, all of them in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import narwhals as nw

from elexxion_assets.declare import Column, Frame, Kind, Table

EXAMPLES = 5

SCHEMA = "schema"
NOT_EMPTY = "not_empty"
UNIQUE_KEY = "unique_key"
REQUIRED_VALUES = "required_values"
ALLOWED_VALUES = "allowed_values"
VOLUME = "volume"

STANDARD = {
    SCHEMA: "The columns and their types are the declared ones.",
    NOT_EMPTY: "The table holds rows.",
    UNIQUE_KEY: "No two rows have the same key.",
    REQUIRED_VALUES: "No required column lacks a value.",
    ALLOWED_VALUES: "Every value keeps the pattern, the list or the bounds of its column.",
    VOLUME: "The table holds at least half as many rows as the one it replaces.",
}
"""Checks that every table has, but for `not_empty` where it may be empty; all block but `volume`, which warns."""


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """What one check found in one table for one period.

    Attributes:
        name: Name of the check.
        passed: Whether the rule holds.
        blocking: Whether the table may not be replaced when it does not.
        description: The rule, in words.
        broken: Number of rows that break it.
        rows: Number of rows looked at.
        examples: Up to five of the broken rows, or what was found in words.
    """

    name: str
    passed: bool
    blocking: bool
    description: str
    broken: int = 0
    rows: int = 0
    examples: list[dict[str, Any]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The result as plain values."""
        return asdict(self)


def check_names(table: Table) -> dict[str, tuple[str, bool]]:
    """Name of every check of a table, with its description and whether it blocks."""
    names = {name: (description, name != VOLUME) for name, description in STANDARD.items()}
    if table.may_be_empty:
        del names[NOT_EMPTY]
    return names | {rule.name: (rule.description, rule.blocking) for rule in table.rules}


def _lacks(columns: Sequence[Column]) -> nw.Expr:
    return nw.any_horizontal(*(nw.col(c.name).is_null() for c in columns if c.required), ignore_nulls=True)


def _strays(columns: Sequence[Column]) -> nw.Expr | None:
    """True for a row with a value outside its column's bounds; None when no column has bounds."""
    bounds: list[nw.Expr] = []
    for column in columns:
        value = nw.col(column.name)
        if column.ge is not None:
            bounds.append(value < column.ge)
        if column.le is not None:
            bounds.append(value > column.le)
        if column.isin is not None:
            bounds.append(~value.is_null() & ~value.is_in(list(column.isin)))
        if column.kind is Kind.TEXT and column.pattern is not None:
            bounds.append(~value.str.contains(f"^(?:{column.pattern})$"))
    return nw.any_horizontal(*bounds, ignore_nulls=True) if bounds else None


def _schema_problem(table: Table, frame: Frame, provenance: Sequence[str]) -> str | None:
    """How the names, the order or the types of the columns differ from the declared ones, or None."""
    wanted = {column.name: column.kind.dtype for column in table.columns}
    wanted |= {name: nw.Int64() if name == "_line" else nw.String() for name in provenance}
    found = dict(frame.collect_schema())
    return None if list(found.items()) == list(wanted.items()) else f"expected {wanted}, found {found}"


def _examples(columns: Sequence[Column], rows: Frame) -> list[dict[str, Any]]:
    """A few rows for people, without personal data."""
    found = rows.head(EXAMPLES)
    known = set(found.collect_schema().names())
    masks = [masked(column) for column in columns if column.personal and column.name in known]
    return (found.with_columns(*masks) if masks else found).collect().rows(named=True)


def masked(column: Column) -> nw.Expr:
    """A personal value as it is shown: that there is one, never what it is."""
    value = nw.col(column.name)
    return nw.when(~value.is_null()).then(nw.lit("***")).alias(column.name)


def judge(
    table: Table, frame: Frame, provenance: Sequence[str] = (), *, before: int = 0
) -> tuple[int, list[CheckResult]]:
    """Applies every check of a table to its staged rows.

    Args:
        table: The declaration.
        frame: The rows, as they would be published.
        provenance: Columns that come after the declared ones.
        before: Rows of the table that these would replace.

    Returns:
        The number of rows, and one result per check of `check_names`.
    """
    problem = _schema_problem(table, frame, provenance)
    schema = CheckResult(
        name=SCHEMA,
        passed=problem is None,
        blocking=True,
        description=STANDARD[SCHEMA],
        broken=0 if problem is None else 1,
        examples=[] if problem is None else [{"problem": problem}],
    )
    if problem is not None:
        return 0, [schema]

    conditions: dict[str, nw.Expr] = {}
    if any(column.required for column in table.columns):
        conditions[REQUIRED_VALUES] = _lacks(table.columns)
    if (strays := _strays(table.columns)) is not None:
        conditions[ALLOWED_VALUES] = strays
    conditions |= {rule.name: rule.broken for rule in table.rules}
    counted = frame.select(nw.len().alias("rows"), *(c.sum().alias(name) for name, c in conditions.items())).collect()
    counts = {name: int(counted[name][0] or 0) for name in counted.columns}
    rows = counts.pop("rows")

    doubles = frame.group_by(*table.key).agg(nw.len().alias("_copies")).filter(nw.col("_copies") > 1)
    copies = doubles.select((nw.col("_copies") - 1).sum().alias("copies")).collect()["copies"][0] or 0

    results = [schema]
    for name, (description, blocking) in check_names(table).items():
        if name == SCHEMA:
            continue
        if name == NOT_EMPTY:
            broken, sample = int(rows == 0), None
        elif name == VOLUME:
            broken, sample = max(0, before - rows) if 2 * rows < before else 0, None
        elif name == UNIQUE_KEY:
            broken, sample = int(copies), doubles
        else:
            broken = counts.get(name, 0)
            sample = frame.filter(conditions[name]) if name in conditions else None
        results.append(
            CheckResult(
                name=name,
                passed=broken == 0,
                blocking=blocking,
                description=description,
                broken=broken,
                rows=rows,
                examples=_examples(table.columns, sample) if broken and sample is not None else [],
            )
        )
    return rows, results
