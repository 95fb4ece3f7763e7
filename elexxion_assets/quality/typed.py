"""The contract applied to Polars frames, batch by batch: each different text of a column is looked at once.

Official files say the same things over and over: 80,000 rows hold some hundred different numbers and a dozen labels.
What `contract` makes of a text depends on nothing else, so that it is asked of the different texts and given to their
rows; only rows with something wrong go through it whole, for the words. Plain numbers, of which there may be many, are
parsed as they are. The result is that of `contract.apply`, in a quarter of the time.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

import narwhals as nw
import polars as pl

from elexxion_assets.declare import Column, Frame, Kind, numbered
from elexxion_assets.declare.once import FEW_ROWS
from elexxion_assets.quality import contract

_OFTEN = 3
"""How many rows a text must have on average for its column to be looked at by different texts."""

_INTEGER = "^[0-9]{1,15}$"
_NUMBER = r"^[0-9]{1,15}(?:[.,][0-9]{1,30})?$"


def apply(frame: Frame, columns: Sequence[Column], rescued: Collection[str] = ()) -> Frame:
    """Types the contract's columns of a text frame, see `contract.apply`; without `_reason`.

    Args:
        frame: Rows of text; of an engine other than Polars they go through `contract.apply`.
        columns: The contract.
        rescued: Columns whose malformed texts are kept in `_rescued` instead of rejecting the row.

    Returns:
        The typed rows, with `_breaches` and `_rescued`.
    """
    if frame.implementation is not nw.Implementation.POLARS:
        return contract.apply(frame, columns, rescued).drop(contract.REASON)
    rows: pl.LazyFrame = frame.to_native()
    schema = _whole(rows.clear(), columns, rescued).collect_schema()
    judge = _Judge(rescued)

    def typed(batch: pl.DataFrame) -> pl.DataFrame:
        return _batch(batch, columns, rescued, judge).select(schema.names())

    return nw.from_native(rows.map_batches(typed, schema=schema, streamable=True))


def _whole(rows: pl.LazyFrame, columns: Sequence[Column], rescued: Collection[str]) -> pl.LazyFrame:
    """Every row through the contract."""
    applied: pl.LazyFrame = contract.apply(nw.from_native(rows), columns, rescued).drop(contract.REASON).to_native()
    return applied


class _Judge:
    """Contracts of some columns, written out once: for a hundred texts that takes longer than to apply them."""

    def __init__(self, rescued: Collection[str]) -> None:
        self._rescued = rescued
        self._free: dict[tuple[str, ...], list[tuple[list[pl.DataFrame], pl.LazyFrame]]] = {}

    def judged(self, texts: pl.DataFrame, columns: Sequence[Column]) -> pl.DataFrame:
        """See `contract.judged_by_column`; several threads may ask at the same time."""
        free = self._free.setdefault(tuple(texts.columns), [])
        try:
            given, query = free.pop()
        except IndexError:
            given = []
            source = pl.defer(lambda: given[-1], schema=texts.schema)
            query = contract.judged_by_column(nw.from_native(source), columns, self._rescued).to_native()
        given[:] = [texts]
        found = query.collect()
        free.append((given, query))
        return found

    def is_said(self, found: pl.DataFrame, column: Column) -> pl.Series:
        """Which texts break the contract of their column, or are rescued."""
        said = f"{contract.SAID}{column.name}"
        nothing = found[column.name].is_null()
        broken = found[said].is_not_null() if said in found.columns else nothing & False
        if column.name in self._rescued:
            broken |= nothing & found[f"{contract.TEXT}{column.name}"].is_not_null()
        return broken


def _batch(batch: pl.DataFrame, columns: Sequence[Column], rescued: Collection[str], judge: _Judge) -> pl.DataFrame:
    if batch.height < FEW_ROWS:
        return _whole(batch.lazy(), columns, rescued).collect()
    different = _Different(batch, columns)
    values, wrong = different.judged(judge)
    typed = batch.with_columns(values).with_columns(
        pl.lit(None, pl.String).alias(contract.BREACHES), pl.lit(None, pl.String).alias(contract.RESCUED)
    )
    if not wrong.any():
        return typed
    told = _whole(batch.filter(wrong).lazy(), columns, rescued).collect()
    at = wrong.arg_true()
    said = [typed[name].scatter(at, told[name]) for name in (contract.BREACHES, contract.RESCUED)]
    return typed.with_columns(said)


class _Different:
    """The different texts of the columns of a batch, and which row has which."""

    def __init__(self, batch: pl.DataFrame, columns: Sequence[Column]) -> None:
        self.batch = batch
        self.columns = columns
        self.plain: dict[str, tuple[pl.Series, pl.Series]] = {}
        """By column of many numbers, which rows hold a plain one, and its value."""
        self.texts: dict[str, pl.Series] = {}
        self.rows: dict[str, pl.Series] = {}
        """By column, for each row the position of its text; null where `plain` has the value."""
        for column in columns:
            self._sort_out(column)

    def _sort_out(self, column: Column) -> None:
        texts = self.batch[column.name]
        often = texts.n_unique() * _OFTEN <= texts.len()
        if not often and (pattern := _plain(column)):
            is_plain = texts.str.contains(pattern).fill_null(value=False)
            number = texts.set(~is_plain, None).str.replace(",", ".", literal=True)
            value = number.cast(pl.Int64 if column.kind is Kind.INTEGER else pl.Float64)
            self.plain[column.name] = (is_plain, value)
            rest = texts.filter(~is_plain)
            found, positions = numbered(rest)
            everywhere = pl.repeat(None, texts.len(), dtype=pl.UInt32, eager=True)
            self.texts[column.name] = found
            self.rows[column.name] = everywhere.scatter((~is_plain).arg_true(), positions)
        elif often:
            self.texts[column.name], self.rows[column.name] = numbered(texts)
        else:
            self.texts[column.name] = texts

    def judged(self, judge: _Judge) -> tuple[list[pl.Series], pl.Series]:
        """The typed columns, and which rows have anything to say in `_breaches` or `_rescued`."""
        wrong = pl.repeat(value=False, n=self.batch.height, eager=True, dtype=pl.Boolean)
        values = []
        for group in self._groups():
            longest = max(self.texts[column.name].len() for column in group)
            # Beyond the end of a column stands nothing, and nobody looks there.
            texts = pl.DataFrame([_lengthened(self.texts[column.name], column.name, longest) for column in group])
            found = judge.judged(texts, group)
            for column in group:
                count = self.texts[column.name].len()
                value = found[column.name].head(count)
                said = judge.is_said(found, column).head(count)
                rows = self.rows.get(column.name)
                if rows is not None:
                    value = value.gather(rows)
                    if said.any():
                        wrong |= said.gather(rows).fill_null(value=False)
                else:
                    wrong |= said
                if column.name in self.plain:
                    is_plain, number = self.plain[column.name]
                    value = number.zip_with(is_plain, value)
                    wrong |= is_plain & _outside(column, number)
                values.append(value.alias(column.name))
        return values, wrong

    def _groups(self) -> list[list[Column]]:
        """The columns that are looked at together: those by different texts, and those row by row."""
        by_text = [column for column in self.columns if column.name in self.rows]
        by_row = [column for column in self.columns if column.name not in self.rows]
        return [group for group in (by_text, by_row) if group]


def _plain(column: Column) -> str | None:
    """The form of the numbers that need no contract but bounds; None for other columns."""
    pattern = {Kind.INTEGER: _INTEGER, Kind.NUMBER: _NUMBER}.get(column.kind)
    if pattern is None or column.isin is not None or any(re.match(pattern, text) for text in column.missing):
        return None
    return pattern


def _lengthened(texts: pl.Series, name: str, length: int) -> pl.Series:
    return texts.alias(name).extend_constant(None, length - texts.len())


def _outside(column: Column, number: pl.Series) -> pl.Series:
    """Which numbers are out of the bounds of their column."""
    low = number < column.ge if column.ge is not None else number.is_null() & False
    high = number > column.le if column.le is not None else low
    return (low | high).fill_null(value=False)
