"""What tables need where engines differ: small tables beside large ones, sums that do not depend on an order."""

from __future__ import annotations

from functools import reduce
from operator import add

import narwhals as nw
import polars as pl

from elexxion_assets.declare.dataset import Frame

_SENT_WHOLE = 32 << 20
"""Bytes up to which a small table is sent whole to every worker of a cluster, so that the large one stays in place."""


_GRAIN = 2**40
_MOST = 2**22
"""What grains of all numbers together may come to, with room to spare in 63 bits."""


def sum_in_any_order(value: nw.Expr) -> nw.Expr:
    """The sum of a group of numbers, the same to the last digit in whatever order.

    Floating sums depend on the order, which neither a cluster nor the threads of one machine keep. Here numbers are cut
    to multiples of 2^-40, unless there is only one: a published figure stays what it is. Numbers too large for that are
    added up as they are: of whole ones no digit is lost in any order.

    >>> frame = nw.from_native(pl.LazyFrame({"place": ["a", "a", "b", "b"], "n": [0.1, 0.2, 3e8, 1e8]}))
    >>> frame.group_by("place").agg(sum_in_any_order(nw.col("n"))).sort("place").collect().rows()
    [('a', 0.2999999999992724), ('b', 400000000.0)]
    """
    small = nw.when(value.abs() < _MOST).then(value)
    grains = (small * _GRAIN).cast(nw.Int64()).sum().cast(nw.Float64())
    added = nw.when(value.abs().max() * value.count() < _MOST).then(grains / _GRAIN).otherwise(value.sum())
    return nw.when(value.count() == 1).then(value.max()).otherwise(added)


def known_to_be_empty(rows: Frame) -> bool:
    """Whether rows are seen to be none; on a cluster, where a look is a job, nobody looks."""
    return rows.implementation.is_polars() and bool(rows.head(1).collect().is_empty())


def sum_from_the_left(*values: nw.Expr) -> nw.Expr:
    """The sum of columns, missing values as 0, in the order given: `sum_horizontal` of Polars has one of its own."""
    return reduce(add, (value.fill_null(0) for value in values))


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
