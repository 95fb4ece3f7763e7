"""The contract applied to Polars frames, batch by batch: each different text of a column is looked at once.

Official files say the same things over and over: 80,000 rows hold some hundred different numbers and a dozen labels.
What `contract` makes of a text depends on nothing else, so that it is asked of the different texts and given to their
rows; only rows with something wrong go through it whole, for the words. Plain numbers, of which there may be many, are
parsed as they are. The result is that of `contract.apply`, in a quarter of the time.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from functools import cache, lru_cache

import narwhals as nw
import polars as pl

from elexxion_assets.declare import Column, Frame, Kind, numbered
from elexxion_assets.declare.once import FEW_ROWS, Prepared
from elexxion_assets.quality import contract

_OFTEN = 3
"""How many rows a text must have on average for its column to be looked at by different texts."""

_ROWS_TOGETHER = 200_000
"""Rows that are looked at together."""

_MANY = 2_000
"""Different texts from which on a column is not looked at beside those of fewer."""

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
    schema = _schema(tuple(rows.collect_schema().items()), tuple(columns), frozenset(rescued))
    judge = _judge_of(frozenset(rescued))

    def typed(batch: pl.DataFrame) -> pl.DataFrame:
        parts = [_batch(part, columns, rescued, judge) for part in batch.iter_slices(_ROWS_TOGETHER)]
        return pl.concat(parts or [pl.DataFrame(schema=schema)]).select(schema.names())

    return nw.from_native(rows.map_batches(typed, schema=schema, streamable=True))


def _whole(rows: pl.LazyFrame, columns: Sequence[Column], rescued: Collection[str]) -> pl.LazyFrame:
    """Every row through the contract."""
    applied: pl.LazyFrame = contract.apply(nw.from_native(rows), columns, rescued).drop(contract.REASON).to_native()
    return applied


@lru_cache
def _schema(
    texts: tuple[tuple[str, pl.DataType], ...], columns: tuple[Column, ...], rescued: frozenset[str]
) -> pl.Schema:
    """The columns that the contract makes of columns of text."""
    return _whole(pl.LazyFrame(schema=dict(texts)), columns, rescued).collect_schema()


@cache
def _judge_of(rescued: frozenset[str]) -> _Judge:
    """The one judge of this process, who need not write out the contracts of each year anew."""
    return _Judge(rescued)


class _Judge:
    """Contracts of some columns."""

    def __init__(self, rescued: Collection[str]) -> None:
        self._rescued = rescued
        self._prepared: dict[tuple[Column, ...], Prepared] = {}

    def judged(self, texts: pl.DataFrame, columns: Sequence[Column]) -> pl.DataFrame:
        """See `contract.judged_by_column`; several threads may ask at the same time."""
        asked = self._prepared.setdefault(
            tuple(columns), Prepared(lambda rows: contract.judged_by_column(rows, columns, self._rescued))
        )
        return asked.of(texts)

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
        return _whole(batch.lazy(), columns, rescued).collect(engine="in-memory")
    different = _Different(batch, columns)
    values, wrong = different.judged(judge)
    typed = batch.with_columns(values).with_columns(
        pl.lit(None, pl.String).alias(contract.BREACHES), pl.lit(None, pl.String).alias(contract.RESCUED)
    )
    if not wrong.any():
        return typed
    told = _whole(batch.filter(wrong).lazy(), columns, rescued).collect(engine="in-memory")
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
        """By column, what is looked at: its different texts, or the text of every row."""
        self.by_row: set[str] = set()
        for column in columns:
            self._sort_out(column)

    def _sort_out(self, column: Column) -> None:
        texts = self.batch[column.name]
        different = texts.unique()
        if different.len() * _OFTEN <= texts.len():
            self.texts[column.name] = different
        elif pattern := _plain(column):
            is_plain = texts.str.contains(pattern).fill_null(value=False)
            number = texts.set(~is_plain, None).str.replace(",", ".", literal=True)
            value = number.cast(pl.Int64 if column.kind is Kind.INTEGER else pl.Float64)
            self.plain[column.name] = (is_plain, value)
            self.texts[column.name] = texts.filter(~is_plain).unique()
        else:
            self.texts[column.name] = texts
            self.by_row.add(column.name)

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
                looked_at = self.texts[column.name]
                value = found[column.name].head(looked_at.len())
                said = judge.is_said(found, column).head(looked_at.len())
                if column.name in self.by_row:
                    wrong |= said
                elif column.name in self.plain:
                    is_plain, number = self.plain[column.name]
                    value, told = self._of_the_rest(column, looked_at, value, said, is_plain)
                    value = number.zip_with(is_plain, value)
                    wrong |= told | is_plain & _outside(column, number)
                else:
                    rows = self.batch[column.name]
                    value = _given_to(rows, looked_at, value)
                    if said.any():
                        wrong |= rows.is_in(looked_at.filter(said).implode(), nulls_equal=True)
                values.append(value.alias(column.name))
        return values, wrong

    def _of_the_rest(
        self, column: Column, texts: pl.Series, values: pl.Series, said: pl.Series, is_plain: pl.Series
    ) -> tuple[pl.Series, pl.Series]:
        """Values of the rows without a plain number, null elsewhere, and which of these rows have anything to say."""
        others = ~is_plain
        at, rows = others.arg_true(), self.batch[column.name].filter(others)
        nothing = pl.repeat(None, self.batch.height, dtype=values.dtype, eager=True)
        value = nothing.scatter(at, _given_to(rows, texts, values)) if at.len() else nothing
        if not said.any():
            return value, is_plain & False
        return value, others & self.batch[column.name].is_in(texts.filter(said).implode(), nulls_equal=True)

    def _groups(self) -> list[list[Column]]:
        """The columns that are looked at together: those of few different texts, those of many, those row by row."""
        groups: dict[int, list[Column]] = {}
        for column in self.columns:
            size = 2 if column.name in self.by_row else int(self.texts[column.name].len() > _MANY)
            groups.setdefault(size, []).append(column)
        return list(groups.values())


def _given_to(rows: pl.Series, texts: pl.Series, values: pl.Series) -> pl.Series:
    """The value of each row's text, from those of the different texts.

    A number or a code that is written as the type is read needs no looking up: what is right for each different text is
    right for every row.
    """
    direct = _read_directly(texts, values.dtype)
    if direct is not None and direct.equals(values, null_equal=True):
        return _read_directly(rows, values.dtype)  # type: ignore[return-value]
    found, positions = numbered(rows)
    known = pl.DataFrame({"text": texts, "value": values})
    ordered = found.alias("text").to_frame().join(known, on="text", how="left", nulls_equal=True, maintain_order="left")
    return ordered["value"].rechunk().gather(positions)


def _read_directly(texts: pl.Series, kind: pl.DataType) -> pl.Series | None:
    """Texts cast to the type of their values; None where only the contract knows how."""
    if kind == pl.String:
        return texts
    if kind == pl.Boolean:
        return texts == "true"
    return texts.cast(kind, strict=False) if kind.is_numeric() else None


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
