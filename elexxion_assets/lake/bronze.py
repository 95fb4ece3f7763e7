"""Writes what was read of a delivery as bronze: every column as text, every row with its line, one file per period."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

import narwhals as nw
import polars as pl

from elexxion_assets.declare import Dataset, Frame, TextTable, Theme, from_one_text
from elexxion_assets.lake import layout
from elexxion_assets.lake.quarantine import COLUMN, RULE, quarantine, set_apart
from elexxion_assets.lake.storage import Storage
from elexxion_assets.quality.contract import REASON

NO_PERIOD = "without-period"
"""Stands for the period of quarantined rows of which it cannot be told."""


_MANY = 20_000


@dataclass(frozen=True, kw_only=True)
class Bronze:
    """What was written of one table of a delivery.

    Attributes:
        periods: Rows per period.
        quarantined: Rows whose period cannot be told or is not one of the theme's.
        keys: Objects written.
    """

    periods: dict[str, int]
    quarantined: int = 0
    keys: list[str] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """All rows of the table."""
        return sum(self.periods.values()) + self.quarantined


def known_period(theme: Theme, said: nw.Expr | str) -> nw.Expr:
    """The period that a dataset tells of its rows, null where it has not the form of one."""
    expression = nw.lit(said) if isinstance(said, str) else said
    return nw.when(expression.str.contains(f"^(?:{theme.periods.pattern})$")).then(expression)


def split_by_period(
    theme: Theme, dataset: Dataset, delivery: str, table: TextTable, frame: pl.LazyFrame, scratch: Path
) -> dict[str, Path]:
    """Splits a table of text by period, streaming; nothing is written to the lake, so that a refusal changes nothing.

    Args:
        theme: The theme recognised.
        dataset: The dataset recognised.
        delivery: Identifier of the delivery.
        table: Facts about the table.
        frame: The rows, all text, with `_line`.
        scratch: An empty directory.

    Returns:
        The file of each period, `NO_PERIOD` among them.

    Raises:
        Refusal: the dataset cannot tell the period of the file.
    """
    rows: Frame = nw.from_native(frame)
    period = dataset.period_of_rows(table, rows) if dataset.period_of_rows is not None else dataset.period(table)
    known = known_period(theme, period)
    if dataset.unpivot is not None:
        rows = dataset.unpivot(dataset, rows, table)
    # Where rows are few, finding out what tells the period costs more than it saves.
    by_row = rows.with_columns(known.alias("_period")) if table.rows < _MANY else from_one_text(rows, "_period", known)
    keyed = by_row.to_native()
    keyed.sink_parquet(
        pl.PartitionBy(scratch, key="_period", include_key=False, approximate_bytes_per_file=None),
        metadata={"elexxion.delivery": delivery, "elexxion.file": table.file, "elexxion.member": table.member},
        mkdir=True,
    )
    found = {}
    for part in sorted(scratch.glob("_period=*/*.parquet")):
        key = unquote(part.parent.name.removeprefix("_period="))
        found[NO_PERIOD if key == "__HIVE_DEFAULT_PARTITION__" else key] = part
    return found


def rows_by_period(theme: Theme, parts: Mapping[str, Path]) -> dict[str, int]:
    """Rows of each period of a table that was split; those that bronze does not take are left out."""
    return {
        period: int(pl.scan_parquet(part).select(pl.len()).collect().item())
        for period, part in parts.items()
        if not _problem(theme, period)
    }


def _problem(theme: Theme, period: str) -> str:
    if period == NO_PERIOD:
        return f"the period of the row cannot be told; expected {theme.periods.description}"
    return theme.periods.problem(period) or ""


def write_bronze(
    storage: Storage,
    theme: Theme,
    dataset: Dataset,
    delivery: str,
    position: int,
    table: TextTable,
    parts: Mapping[str, Path],
) -> Bronze:
    """Writes the rows of each period whole.

    Args:
        storage: The lake.
        theme: The theme recognised.
        dataset: The dataset recognised.
        delivery: Identifier of the delivery.
        position: Position of the table inside the delivery.
        table: Facts about the table.
        parts: The file of each period.

    Returns:
        Rows per period and in quarantine, and the keys written.
    """
    periods = rows_by_period(theme, parts)
    keys: list[str] = []
    quarantined = 0
    for period, part in parts.items():
        if problem := _problem(theme, period):
            quarantined += quarantine(
                storage,
                set_apart(pl.scan_parquet(part)).with_columns(
                    pl.lit("").alias(COLUMN), pl.lit("period").alias(RULE), pl.lit(problem).alias(REASON)
                ),
                theme=theme.name,
                dataset=dataset.name,
                delivery=delivery,
                file=table.file,
                member=table.member,
                period=period,
                position=position,
            )
            continue
        written = layout.bronze_key(theme.name, dataset.name, period, delivery, position)
        storage.write(written, part)
        keys.append(written)
    return Bronze(periods=periods, quarantined=quarantined, keys=keys)
