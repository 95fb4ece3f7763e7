"""Rows that had to be parsed by us, kept as Parquet in the scratch folder so that later stages stream them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, zip_longest
from pathlib import Path

import polars as pl

from elexxion_assets.declare import Refusal
from elexxion_assets.reading import limits

NumberedRow = tuple[int, list[str]]
"""Line where a record begins, from 1, and its cells."""

# Few rows at a time as Python objects, which are large; many as columns, which are small.
_CELLS = 100_000
_CHARACTERS = 8 << 20
_BYTES = 64 << 20


class Spool:
    """Takes rows of text of any width and gives them back as one lazy frame.

    Args:
        scratch: Folder of the chunks.
        stem: Start of their names, unique in the folder.
    """

    def __init__(self, scratch: Path, stem: str) -> None:
        self.scratch = scratch
        self.stem = stem
        self.width = 0
        self.rows = 0
        self._chunks: list[tuple[int, Path]] = []
        self._rows: list[NumberedRow] = []
        self._packed: list[pl.DataFrame] = []
        self._characters = self._bytes = self._widest = 0

    def add(self, rows: Sequence[NumberedRow]) -> None:
        """Adds rows, each with the line where it begins in the file. Empty cells become null.

        Raises:
            Refusal: `too_many_columns`.
        """
        self._rows += rows
        self.rows += len(rows)
        self._widest = max(self._widest, *(len(cells) for _, cells in rows))
        self.width = max(self.width, self._widest)
        self._characters += sum(map(len, chain.from_iterable(cells for _, cells in rows)))
        if self.width > limits.MAX_COLUMNS:
            line = next(line for line, cells in rows if len(cells) > limits.MAX_COLUMNS)
            raise Refusal("too_many_columns", f"The record of line {line} has more than {limits.MAX_COLUMNS:,} fields.")
        if self._widest * len(self._rows) > _CELLS or self._characters > _CHARACTERS:
            self._pack()

    def frame(self, columns: Sequence[str]) -> pl.LazyFrame:
        """All rows under the given names, as many as the widest row has cells, plus `_line`."""
        self._pack()
        self._flush()
        groups: list[tuple[int, list[Path]]] = []
        for width, path in self._chunks:
            if groups and groups[-1][0] == width:
                groups[-1][1].append(path)
            else:
                groups.append((width, [path]))
        frames = [
            pl.scan_parquet(paths, glob=False).select(
                *(
                    pl.col(str(position)).alias(name) if position < width else pl.lit(None, pl.String).alias(name)
                    for position, name in enumerate(columns)
                ),
                "_line",
            )
            for width, paths in groups
        ]
        return pl.concat(frames)

    def _pack(self) -> None:
        if not self._rows:
            return
        numbers, rows = zip(*self._rows, strict=True)
        columns = zip_longest(*rows, fillvalue="")
        cells = pl.DataFrame([pl.Series(str(position), column, pl.String) for position, column in enumerate(columns)])
        lines = pl.Series("_line", numbers, pl.Int64)
        self._packed.append(cells.select(pl.when(pl.all() != "").then(pl.all())).with_columns(lines))
        self._bytes += self._characters + 16 * cells.width * cells.height
        self._rows, self._characters, self._widest = [], 0, 0
        if self._bytes > _BYTES:
            self._flush()

    def _flush(self) -> None:
        if not self._packed:
            return
        path = self.scratch / f"{self.stem}-{len(self._chunks):05}.parquet"
        chunk = pl.concat(self._packed, how="diagonal")
        chunk.write_parquet(path, compression="lz4")
        self._chunks.append((chunk.width - 1, path))
        self._packed, self._bytes = [], 0
