"""Rows that could not be taken: kept as they were written, with where they come from and why."""

from __future__ import annotations

import tempfile
from pathlib import Path

import polars as pl

from elexxion_assets.lake import layout
from elexxion_assets.lake.storage import Storage
from elexxion_assets.quality.contract import REASON


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
        rows: The original columns, all text, with `_line` and `_reason`.
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
    described = rows.select(
        pl.lit(delivery).alias("_delivery"),
        pl.lit(file).alias("_file"),
        pl.lit(member).alias("_member"),
        pl.col("_line"),
        pl.col(REASON),
        pl.exclude("_line", REASON),
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
