"""From which columns of its inputs each column of a table is made: asked of the table's own function, not written down.

The function is called on inputs without rows that note which of their columns are read. What is read for any output at
all (keys of joins, conditions of filters) is left out, but for the outputs that are made of nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import narwhals as nw
import polars as pl
from polars.io.plugins import register_io_source

from elexxion_assets.columns import COMMUNE_CIBLE, MOTIF, PART
from elexxion_assets.declare import Column, Kind, Layer, Table, Theme

Lineage = dict[str, list[tuple[str, str]]]
"""By column, the tables (`theme/layer/table`) and columns that it is made from."""

_TYPES: dict[Kind, pl.DataType] = {
    Kind.TEXT: pl.String(),
    Kind.INTEGER: pl.Int64(),
    Kind.NUMBER: pl.Float64(),
    Kind.DATE: pl.Date(),
    Kind.BOOLEAN: pl.Boolean(),
}


_POPULATIONS: dict[str, pl.DataType] = {
    "code_commune": pl.String(),
    "annee": pl.Int64(),
    "population": pl.Int64(),
    "source": pl.String(),
}


def column_lineage(themes: Mapping[str, Theme], theme: Theme, table: Table, period: str) -> Lineage:
    """The lineage of every declared column of a table.

    Args:
        themes: All themes, for the tables that read those of others.
        theme: Theme of the table.
        table: The declaration.
        period: A period that the function understands.
    """
    read: set[tuple[str, str]] = set()
    inputs = [nw.from_native(_noting(name, columns, read)) for name, columns in _inputs(themes, theme, table)]
    given = {}
    if table.populations:
        given["populations"] = nw.from_native(_noting("reference/silver/population", _POPULATIONS, read))
    made: pl.LazyFrame = table.of_rows(*inputs, period=period, **given).to_native()

    def needed(wanted: pl.Expr) -> set[tuple[str, str]]:
        read.clear()
        made.select(wanted).collect()
        return set(read)

    structural = needed(pl.len())
    found = {}
    for column in table.columns:
        all_of_it = needed(pl.col(column.name))
        # A key of the table is what the inputs call so, or the commune in which their figures count.
        alike = {item for item in all_of_it if item[1] in (column.name, f"{column.name}_cible")}
        found[column.name] = sorted(all_of_it - structural or alike or all_of_it)
    return found


def _inputs(themes: Mapping[str, Theme], theme: Theme, table: Table) -> Iterator[tuple[str, dict[str, pl.DataType]]]:
    """Name and schema of every input, in order."""
    for name in table.inputs:
        if table.layer is Layer.SILVER:
            dataset = theme.dataset(name)
            carried = (COMMUNE_CIBLE, PART, MOTIF) if dataset.geography else ()
            yield f"{theme.name}/{Layer.BRONZE}/{name}", _schema((*dataset.columns, *carried), silver=True)
        else:
            *abroad, layer, input_name = name.split("/")
            owner = themes[abroad[0]] if abroad else theme
            parent = owner.table(Layer(layer), input_name)
            silver = parent.layer is Layer.SILVER
            yield f"{owner.name}/{parent.layer}/{parent.name}", _schema(parent.columns, silver=silver)


def _schema(columns: tuple[Column, ...], *, silver: bool) -> dict[str, pl.DataType]:
    schema = {column.name: _TYPES[column.kind] for column in columns}
    return schema | ({"_delivery": pl.String(), "_line": pl.Int64()} if silver else {})


def _noting(name: str, schema: dict[str, pl.DataType], read: set[tuple[str, str]]) -> pl.LazyFrame:
    """A frame without rows that notes the columns which a query reads of it."""

    def rows(
        with_columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        names = list(schema) if with_columns is None else with_columns
        read.update((name, column) for column in names if not column.startswith("_"))
        if predicate is not None:
            read.update((name, column) for column in predicate.meta.root_names() if not column.startswith("_"))
        yield pl.DataFrame(schema={column: schema[column] for column in names})

    return register_io_source(rows, schema=schema)
