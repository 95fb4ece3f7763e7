"""Rows that had to be parsed by us, kept as Parquet in the scratch folder so that later stages stream them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path

import polars as pl

from elexxion_assets.declare import Refusal
from elexxion_assets.reading import limits

_CELLS = 1_000_000
_CHARACTERS = 32 << 20


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
        self._lines: list[int] = []
        self._cells: list[Sequence[str | None]] = []
        self._characters = 0
        self._widest = 0

    def add(self, line: int, cells: Sequence[str | None]) -> None:
        """Adds a row; `line` is where it begins in the file. Empty cells become null."""
        self._lines.append(line)
        self._cells.append(cells)
        self.rows += 1
        self._widest = max(self._widest, len(cells))
        self.width = max(self.width, len(cells))
        self._characters += sum(len(cell) for cell in cells if cell)
        if self._widest > limits.MAX_COLUMNS:
            raise Refusal("too_many_columns", f"Line {line} has more than {limits.MAX_COLUMNS:,} fields.")
        if self._widest * len(self._lines) > _CELLS or self._characters > _CHARACTERS:
            self._flush()

    def frame(self, columns: Sequence[str]) -> pl.LazyFrame:
        """All rows under the given names, as many as the widest row has cells, plus `_line`."""
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

    def _flush(self) -> None:
        if not self._lines:
            return
        path = self.scratch / f"{self.stem}-{len(self._chunks):05}.parquet"
        data = {
            str(position): pl.Series([cell or None for cell in column], dtype=pl.String)
            for position, column in enumerate(self._columns())
        }
        pl.DataFrame({**data, "_line": pl.Series(self._lines, dtype=pl.Int64)}).write_parquet(path, compression="lz4")
        self._chunks.append((self._widest, path))
        self._lines, self._cells, self._characters, self._widest = [], [], 0, 0

    def _columns(self) -> Iterator[tuple[str | None, ...]]:
        return zip_longest(*self._cells)
