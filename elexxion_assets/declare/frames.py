"""Small tables beside lazy frames of whatever engine."""

from __future__ import annotations

import narwhals as nw
import polars as pl

from elexxion_assets.declare.dataset import Frame

_SENT_WHOLE = 32 << 20
"""Bytes up to which a small table is sent whole to every worker of a cluster, so that the large one stays in place."""


def beside(rows: Frame, table: pl.DataFrame) -> Frame:
    """A table of this process as a lazy frame of the engine of other rows, to join them with."""
    if rows.implementation.is_polars():
        return nw.from_native(table.lazy())
    return on_spark(rows.to_native().sparkSession, table)


def on_spark(session: object, table: pl.DataFrame) -> Frame:
    """A table of this process as a frame of a Spark session."""
    frame = nw.from_native(table).lazy("pyspark", session=session)
    if table.estimated_size() > _SENT_WHOLE:
        return frame
    from pyspark.sql import functions

    return nw.from_native(functions.broadcast(frame.to_native()))
