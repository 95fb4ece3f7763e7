"""What is made of a text is worked out once for each different text: official files repeat themselves.

Batches that a frame is made of may ask queries of their own: always of the engine in memory. The streaming engine,
which runs the batches, has few threads, and when all of them wait for its answers, nobody gives any.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import narwhals as nw
import polars as pl

from elexxion_assets.declare.dataset import Frame

FEW_ROWS = 5_000
"""Rows under which sorting out different texts costs more than it saves."""

_MANY = 1_000_000
"""Different texts of a column from which on nobody asks how many there are."""


class Prepared:
    """A query over small frames, written out once: of a hundred texts that takes longer than to answer it.

    Several threads may ask at the same time.
    """

    def __init__(self, made: Callable[[Frame], Frame]) -> None:
        """Takes what is made of a frame; all frames that are asked of have the same columns."""
        self._made = made
        self._free: list[tuple[list[pl.DataFrame], pl.LazyFrame]] = []

    def of(self, rows: pl.DataFrame) -> pl.DataFrame:
        """What is made of these rows."""
        try:
            given, query = self._free.pop()
        except IndexError:
            given = list[pl.DataFrame]()
            query = self._made(nw.from_native(pl.defer(lambda: given[-1], schema=rows.schema))).to_native()
        given[:] = [rows]
        found = query.collect(engine="in-memory")
        given.clear()
        self._free.append((given, query))
        return found


def once_per_text(frame: Frame, **made: Callable[[nw.Expr], nw.Expr]) -> Frame:
    """Replaces columns of text by what a function makes of each text alone, itself a text.

    Args:
        frame: Rows; on Polars they come in batches and each different text of a batch is looked at once, on other
            engines the functions are expressions like any other.
        made: By column, the function.

    >>> frame = nw.from_native(pl.LazyFrame({"ville": ["Lyon", None, "Lyon"], "n": [1, 2, 3]}))
    >>> once_per_text(frame, ville=lambda text: text.str.to_uppercase()).collect().rows()
    [('LYON', 1), (None, 2), ('LYON', 3)]
    """
    if frame.implementation is not nw.Implementation.POLARS:
        return frame.with_columns(*(function(nw.col(name)).alias(name) for name, function in made.items()))

    prepared = {
        name: Prepared(lambda texts, name=name, function=function: texts.select(function(nw.col(name)).alias(name)))  # type: ignore[misc]
        for name, function in made.items()
    }

    def batch(rows: pl.DataFrame) -> pl.DataFrame:
        if rows.height < FEW_ROWS:
            whole = [function(nw.col(name)).alias(name) for name, function in made.items()]
            done: pl.DataFrame = nw.from_native(rows).with_columns(*whole).to_native()
            return done
        columns = []
        for name in made:
            texts, positions = numbered(rows[name])
            replaced = prepared[name].of(texts.alias(name).to_frame())[name]
            as_it_is = replaced.equals(texts, null_equal=True)
            columns.append(rows[name] if as_it_is else replaced.rechunk().gather(positions))
        return rows.with_columns(columns)

    rows: pl.LazyFrame = frame.to_native()
    schema = rows.collect_schema()
    schema.update(dict.fromkeys(made, pl.String()))
    return nw.from_native(rows.map_batches(batch, schema=schema, streamable=True))


def different(rows: pl.LazyFrame, names: Collection[str]) -> dict[str, pl.Series]:
    """The different texts of columns of a large table, some of them perhaps twice.

    Returns:
        By column; those of which it takes longer to find them than to look at all are left out.
    """
    found: dict[str, list[pl.Series] | None] = {name: [] for name in names}

    def batch(part: pl.DataFrame) -> pl.DataFrame:
        for name in names:
            texts, known = _few(part[name]), found[name]
            if known is None or texts is None or sum(map(len, known)) > _MANY:
                found[name] = None
            else:
                known.append(texts)
        return part.clear()

    rows.select(names).map_batches(batch, streamable=True).collect(engine="streaming")
    return {name: pl.concat(parts).unique() for name, parts in found.items() if parts}


def _few(texts: pl.Series) -> pl.Series | None:
    if not texts.len():
        return texts
    runs = texts.filter(texts.ne_missing(texts.shift(1)).scatter(0, True))
    if 4 * runs.len() <= texts.len():
        return runs
    some = texts.gather_every(37)
    return texts.unique() if 4 * some.n_unique() <= some.len() else None


def numbered(texts: pl.Series) -> tuple[pl.Series, pl.Series]:
    """The different texts, null the last of them, and for each row the position of its text."""
    kind = pl.Categorical(pl.Categories.random())
    known = texts.cast(kind)
    positions = known.to_physical()
    # Categories of its own, for as long as `known` is there: their numbers are those of these texts, from 0 on.
    most = positions.max()
    count = most + 1 if isinstance(most, int) else 0
    found = pl.int_range(count, dtype=pl.UInt32, eager=True).cat.to(kind).cast(pl.String)
    # In one piece: of texts in several, rows are gathered eight times as slowly.
    return found.extend_constant(None, 1).rechunk(), positions.fill_null(count)
