"""Writes what was read of a delivery as bronze: every column as text, every row with its line, one file per period."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import narwhals as nw
import polars as pl
from narwhals.exceptions import ColumnNotFoundError

from elexxion_assets.declare import Dataset, Frame, TextTable, Theme, numbered
from elexxion_assets.lake import layout
from elexxion_assets.lake.quarantine import COLUMN, RULE, quarantine, set_apart
from elexxion_assets.lake.storage import Storage
from elexxion_assets.quality.contract import REASON

NO_PERIOD = "without-period"
"""Stands for the period of quarantined rows of which it cannot be told."""

# Reading it is decoding it whole: bounds of columns of text would save nothing, a higher level little space.
_WRITTEN: dict[str, Any] = {"compression": "zstd", "compression_level": 1, "statistics": False}
_FEW_ROWS = 20_000
_REMEMBERED = 100_000


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
    said = dataset.period_of_rows(table, rows) if dataset.period_of_rows is not None else dataset.period(table)
    known = known_period(theme, said).alias("_period")
    if dataset.unpivot is not None:
        rows = dataset.unpivot(dataset, rows, table)
    metadata = {"elexxion.delivery": delivery, "elexxion.file": table.file, "elexxion.member": table.member}
    told_by = _told_by(rows, known)
    if not told_by:
        return _whole(rows, known, scratch / "whole.parquet", metadata)
    # Where rows are few, finding out what tells the period costs more than it saves.
    if len(told_by) == 1 and table.rows >= _FEW_ROWS and rows.collect_schema()[told_by[0]] == nw.String():
        keyed = _told_once(rows.to_native(), told_by[0], known)
    else:
        keyed = rows.with_columns(known).to_native()
    keyed.sink_parquet(
        pl.PartitionBy(scratch, key="_period", include_key=False, approximate_bytes_per_file=None),
        metadata=metadata,
        mkdir=True,
        **_WRITTEN,
    )
    found = {}
    for part in sorted(scratch.glob("_period=*/*.parquet")):
        key = unquote(part.parent.name.removeprefix("_period="))
        found[NO_PERIOD if key == "__HIVE_DEFAULT_PARTITION__" else key] = part
    return found


def _told_by(rows: Frame, known: nw.Expr) -> list[str]:
    """The columns that an expression is made of: none, the only one, or some among which they all are."""
    schema: pl.Schema = rows.to_native().collect_schema()

    def enough(names: list[str]) -> bool:
        empty = pl.LazyFrame(schema={"": pl.Null(), **{name: schema[name] for name in names}})
        try:
            nw.from_native(empty).select(known).collect_schema()
        except ColumnNotFoundError:
            return False
        return True

    names = [] if enough([]) else list(schema)
    while len(names) > 1:
        half = len(names) // 2
        fewer = next((part for part in (names[:half], names[half:]) if enough(part)), None)
        if fewer is None:
            break
        names = fewer
    return names


def _whole(rows: Frame, known: nw.Expr, part: Path, metadata: dict[str, str]) -> dict[str, Path]:
    """Writes a table whose rows are all of one period; gives nothing where there is no row."""
    rows.to_native().sink_parquet(part, metadata=metadata, **_WRITTEN)
    if not _count(part):
        return {}
    [period] = nw.from_native(pl.DataFrame({"": [None]})).select(known)["_period"].to_list()
    return {NO_PERIOD if period is None else period: part}


def _told_once(frame: pl.LazyFrame, source: str, known: nw.Expr) -> pl.LazyFrame:
    """Adds `_period`, which one column of texts tells: a text that was met is not looked at again."""
    periods: dict[str | None, str | None] = {}

    def batch(rows: pl.DataFrame) -> pl.DataFrame:
        texts, positions = numbered(rows[source])
        each = texts.to_list()
        met: dict[str | None, str | None] = {}
        if new := [text for text in each if text not in periods]:
            unseen = nw.from_native(pl.DataFrame({source: new}, {source: pl.String()}))
            met = dict(zip(new, unseen.select(known)["_period"].to_list(), strict=True))
            if len(periods) < _REMEMBERED:
                # Nothing is ever taken out: batches may come in several threads.
                periods.update(met)
        told = pl.Series("_period", [met[text] if text in met else periods[text] for text in each], pl.String())
        return rows.with_columns(told.gather(positions))

    schema = frame.collect_schema()
    schema["_period"] = pl.String()
    return frame.map_batches(batch, schema=schema, streamable=True)


def _count(part: Path) -> int:
    return int(pl.scan_parquet(part).select(pl.len()).collect().item())


def rows_by_period(theme: Theme, parts: Mapping[str, Path]) -> dict[str, int]:
    """Rows of each period of a table that was split; those that bronze does not take are left out."""
    return {period: _count(part) for period, part in parts.items() if not _problem(theme, period)}


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
