"""Rows that could not be taken: kept as they were written, with where they come from and why."""

from __future__ import annotations

import tempfile
from pathlib import Path

import polars as pl

from elexxion_assets.lake import layout
from elexxion_assets.lake.storage import Storage
from elexxion_assets.quality.contract import BREACH, BREACHES, NEXT, REASON

COLUMN = "_column"
"""Columns of the contract that a rejected row breaks, joined by `;`."""

RULE = "_rule"
"""The rules broken, in the order of the columns: `required`, `type`, `ge`, `le`, `isin`, `geography`, `unique_key`,
`period`, `unread`."""

PROVENANCE = ("_delivery", "_file", "_member", "_line", COLUMN, RULE, REASON)
"""What stands before the original columns of a rejected row."""


_OF_THE_FILE = " (file)"


def set_apart(rows: pl.LazyFrame) -> pl.LazyFrame:
    """The rows of a file, its columns renamed where one is called like ours."""
    taken = {"_delivery", "_file", "_member", "_period", COLUMN, RULE, REASON}
    return rows.rename({name: name + _OF_THE_FILE for name in rows.collect_schema().names() if name in taken})


def name_in_file(column: str) -> str:
    """The name in the file of an original column of a rejected row."""
    return column.removesuffix(_OF_THE_FILE)


def reasons_by_line(rejected: pl.LazyFrame) -> pl.DataFrame:
    """What is wrong with each line, each thing once.

    Args:
        rejected: `_line` and `_breaches`, as often as rows were made of the line.

    Returns:
        `_line` once, `_column`, `_rule` (joined by `;`) and `_reason` (joined by `; `).
    """
    parts = pl.col(BREACHES).str.extract_groups(f"^{BREACH}$").struct.rename_fields(["column", "text", "rule", "words"])
    column, rule = pl.col(BREACHES).struct.field("column"), pl.col(BREACHES).struct.field("rule")
    said = pl.concat_str(
        column, pl.lit(": "), pl.col(BREACHES).struct.field("text"), pl.col(BREACHES).struct.field("words")
    )
    return (
        rejected.select("_line", pl.col(BREACHES).str.split(NEXT))
        .explode(BREACHES)
        .unique(maintain_order=True)
        .with_columns(parts)
        .group_by("_line", maintain_order=True)
        .agg(column.str.join(";").alias(COLUMN), rule.str.join(";").alias(RULE), said.str.join("; ").alias(REASON))
        .collect()
    )


def quarantine(
    storage: Storage,
    rows: pl.LazyFrame,
    *,
    theme: str,
    dataset: str,
    delivery: str,
    file: str,
    member: str,
    period: str,
    position: int = 0,
) -> int:
    """Writes the rejected rows of one table of a delivery for one period, in place of those of an earlier attempt.

    Args:
        storage: The lake.
        rows: The original columns, all text, with `_line`, `_column`, `_rule` and `_reason`.
        theme: Name of the theme.
        dataset: Name of the dataset.
        delivery: Identifier of the delivery.
        file: Name under which the file was dropped.
        member: Sheet, or empty.
        period: Period of the rows.
        position: Position of the table inside the delivery.

    Returns:
        The number of rows; when it is 0 nothing is kept.
    """
    key = layout.quarantine_key(theme, dataset, delivery, period, position)
    told = ("_line", COLUMN, RULE, REASON)
    described = rows.select(
        pl.lit(delivery).alias("_delivery"),
        pl.lit(file).alias("_file"),
        pl.lit(member).alias("_member"),
        *told,
        pl.exclude(*told),
    )
    with tempfile.TemporaryDirectory(prefix="elexxion-") as scratch:
        staged = Path(scratch) / "quarantine.parquet"
        described.sink_parquet(staged)
        count = int(pl.scan_parquet(staged).select(pl.len()).collect().item())
        if count:
            storage.write(key, staged)
        else:
            storage.delete(key)
    return count
