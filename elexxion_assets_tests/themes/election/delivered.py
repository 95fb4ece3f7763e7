"""Reads election files as the lake does, without the lake: text, then the contract, then the tables' functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import narwhals as nw
import polars as pl

from elexxion_assets.columns import COMMUNE_CIBLE, MOTIF, PART
from elexxion_assets.declare import Dataset, Layer, TextTable
from elexxion_assets.geography import Cog
from elexxion_assets.quality import contract
from elexxion_assets.reading import recognise
from elexxion_assets.reading.layout import column_names
from elexxion_assets.themes.election import THEME

TYPES = {"text": pl.String, "integer": pl.Int64, "number": pl.Float64}


@dataclass(frozen=True)
class Delivered:
    """A table read as text and recognised."""

    table: TextTable
    text: pl.LazyFrame
    dataset: Dataset

    @property
    def period(self) -> str:
        period = self.dataset.period(self.table)
        assert isinstance(period, str)
        return period

    @cached_property
    def judged(self) -> pl.DataFrame:
        """All rows, typed, with the reason of those that break the contract; the sample is gone, as in the lake."""
        facts = TextTable(file=self.table.file, columns=self.table.columns, header=self.table.header)
        normal = self.dataset.normalise(self.dataset, nw.from_native(self.text), facts)
        return contract.apply(normal, self.dataset.columns).to_native().collect()

    @property
    def valid(self) -> pl.DataFrame:
        return self.judged.filter(pl.col(contract.REASON).is_null()).drop(contract.REASON)

    def carried(self, period: str) -> pl.DataFrame:
        """The valid rows, carried to the newest communes where the dataset has some."""
        geography, valid = self.dataset.geography, self.valid
        if geography is None:
            return valid
        vintage = geography.vintage(self.table, period)
        known = vintage if vintage in Cog.builtin().vintages else None
        carried = Cog.builtin().carry(nw.from_native(valid.lazy()), geography.code, vintage=known).to_native()
        placed = pl.col("code_commune_cible").is_not_null() | pl.col(geography.code).is_null()
        return carried.filter(placed).collect()


@dataclass
class Lake:
    """The tables that deliveries of one scrutin give."""

    period: str
    delivered: Sequence[Delivered]
    made: dict[str, pl.DataFrame] = field(default_factory=dict)

    def __getitem__(self, name: str) -> pl.DataFrame:
        if name not in self.made:
            layer = Layer.SILVER if name in ("participation", "resultats") else Layer.GOLD
            table = THEME.table(layer, name)
            if layer is Layer.SILVER:
                frames = [self._input(THEME.dataset(source)) for source in table.inputs]
            else:
                frames = [self[source.partition("/")[2]].lazy() for source in table.inputs]
            made = table.function(*(nw.from_native(frame) for frame in frames), period=self.period)
            names = [nw.col(column.name).cast(column.kind.dtype) for column in table.columns]
            provenance = ["_delivery", "_line"] if layer is Layer.SILVER else []
            self.made[name] = made.select(*names, *provenance).sort(*table.key).to_native().collect()
        return self.made[name]

    def _input(self, dataset: Dataset) -> pl.LazyFrame:
        columns = (*dataset.columns, *((COMMUNE_CIBLE, PART, MOTIF) if dataset.geography else ()))
        names = [*(column.name for column in columns), "_delivery", "_line"]
        frames = [
            found.carried(self.period).with_columns(pl.lit(found.table.file).alias("_delivery")).select(names)
            for found in self.delivered
            if found.dataset.name == dataset.name
        ]
        schema = {column.name: TYPES[column.kind] for column in columns}
        empty = pl.DataFrame(schema={**schema, "_delivery": pl.String, "_line": pl.Int64})
        return pl.concat([empty, *frames]).lazy()


def text_table(
    header: Sequence[str], rows: Sequence[Sequence[str | None]], file: str = "a.csv", **facts: object
) -> tuple[TextTable, pl.LazyFrame]:
    """A table as the reading room gives it."""
    width = max(len(header), *(len(row) for row in rows))
    columns = column_names(tuple(header), width)
    filled = [tuple(cell or None for cell in row) + (None,) * (width - len(row)) for row in rows]
    frame = pl.DataFrame(filled, schema=dict.fromkeys(columns, pl.String), orient="row")
    table = TextTable(file=file, columns=columns, header=tuple(header), sample=tuple(filled[:200]), **facts)
    return table, frame.with_row_index("_line", offset=2).with_columns(pl.col("_line").cast(pl.Int64)).lazy()


def take(table: TextTable, text: pl.LazyFrame) -> Delivered:
    """Recognises a table among the theme's datasets."""
    return Delivered(table, text, recognise(table, {THEME.name: THEME})[1])
