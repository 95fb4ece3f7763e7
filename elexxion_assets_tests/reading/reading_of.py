"""Reads bytes as the rest of the house does, for the tests of this room."""

from __future__ import annotations

import tempfile
from pathlib import Path

import polars as pl

from elexxion_assets.declare import TextTable
from elexxion_assets.reading import read_tables


def tables_of(content: bytes | Path) -> list[tuple[TextTable, pl.DataFrame]]:
    """Tables of a file, collected; every promise that holds for all of them is checked here."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder) / "scratch"
        scratch.mkdir()
        if isinstance(content, bytes):
            path = Path(folder) / "dropped.bin"
            path.write_bytes(content)
        else:
            path = content
        found = [(table, frame.collect(engine="streaming")) for table, frame in read_tables(path, "dropped", scratch)]
    for table, frame in found:
        assert frame.columns == [*table.columns, "_line"]
        assert set(frame.schema.values()) == {pl.String(), pl.Int64()}
        assert frame.height == table.rows
        assert frame["_line"].is_sorted()
        assert frame["_line"].n_unique() == frame.height
        assert not any("" in frame[column] for column in table.columns)
        assert table.sample == tuple(frame.head(len(table.sample)).select(table.columns).rows())
    return found


def table_of(content: bytes | Path) -> tuple[TextTable, pl.DataFrame]:
    """The only table of a file."""
    (found,) = tables_of(content)
    return found


def cells_of(content: bytes | Path) -> list[tuple[str | None, ...]]:
    """The cells of the only table, without the line."""
    table, frame = table_of(content)
    return frame.select(table.columns).rows()
