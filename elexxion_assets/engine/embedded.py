"""Polars in this process: the engine that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal

import narwhals as nw
import polars as pl

from elexxion_assets.declare import Frame, numbered
from elexxion_assets.lake.storage import Storage

SORTED_AT_ONCE = 750_000
"""Rows of a large table that are sorted together; up to twice as many are no large table."""

HELD = 1_000_000
"""Rows worked out once that are held in memory at a time."""


class Embedded:
    """See `engine.Engine`."""

    name = "polars"

    def __init__(self) -> None:
        self._held: dict[Path, pl.DataFrame] = {}
        """By the file where they would be kept, rows worked out once, oldest first."""

    def scan(self, storage: Storage, key: str, stack: ExitStack) -> Frame:
        """See `Engine.scan`."""
        return nw.from_native(pl.scan_parquet(stack.enter_context(storage.local(key))))

    def small(self, rows: pl.DataFrame) -> Frame:
        """See `Engine.small`."""
        return nw.from_native(rows.lazy())

    def brought(self, rows: Frame, lines: pl.DataFrame | None = None) -> pl.LazyFrame:
        """See `Engine.brought`: they are here already, and still lazy."""
        native: pl.LazyFrame = rows.to_native()
        return native

    def numbers(self, *frames: Frame) -> list[int]:
        """See `Engine.numbers`."""
        return [int(found.item()) for found in pl.collect_all([frame.to_native() for frame in frames])]

    def look(self, rows: Frame, lost: nw.Expr, key: Sequence[str]) -> tuple[bool, bool]:
        """See `Engine.look`."""
        # Keys of different hashes are different: of most files this says that nothing is wrong.
        keys = pl.struct(*key).hash().n_unique()
        marked: pl.LazyFrame = rows.with_columns(lost.alias("_lost")).to_native()
        found = marked.select(lost=pl.col("_lost").sum(), again=pl.len() > keys).collect(engine="streaming")
        return bool(found["lost"].item()), bool(found["again"].item())

    def once(self, rows: Frame, file: Path, stack: ExitStack, *, few: bool, again: bool) -> Frame:
        """See `Engine.once`: few rows stay in memory, those for later stages until others take their place."""
        held = self._held.get(file)
        if held is None and not file.exists():
            native: pl.LazyFrame = rows.to_native()
            # A line may give many rows: those of more than are held go to the file, from the first one on.
            held = native.head(HELD + 1).collect(engine="streaming") if few else None
            if held is not None and held.height <= HELD:
                self._hold(file, held)
                if not again:
                    stack.callback(self._held.pop, file, None)
            else:
                held = None
                _write(native, file)
        return nw.from_native(pl.scan_parquet(file) if held is None else held.lazy())

    def _hold(self, file: Path, rows: pl.DataFrame) -> None:
        """Keeps rows in memory, and writes those of earlier ones that are too many beside them."""
        while self._held and rows.height + sum(held.height for held in self._held.values()) > HELD:
            oldest = next(iter(self._held))
            if oldest.parent.exists():
                _write(self._held[oldest].lazy(), oldest)
            del self._held[oldest]
        self._held[file] = rows

    def join(self, rows: Frame, others: Frame, on: Sequence[str], how: Literal["inner", "anti"]) -> Frame:
        """See `Engine.join`."""
        joined: pl.LazyFrame = rows.to_native().join(others.to_native(), on=list(on), how=how, nulls_equal=True)
        return nw.from_native(joined)

    @contextmanager
    def ordered(
        self, rows: Frame, key: Sequence[str], storage: Storage, scratch: Path, *, large: bool
    ) -> Iterator[tuple[pl.LazyFrame, None]]:
        """See `Engine.ordered`."""
        native: pl.LazyFrame = rows.to_native()
        if not large:
            # A line may give many rows: as many as are sorted at once are asked for, and one.
            whole = native.head(2 * SORTED_AT_ONCE + 1).collect(engine="streaming")
            large = whole.height > 2 * SORTED_AT_ONCE
        yield (_sorted_by_ranges(native, key, scratch) if large else _sorted(whole, key)), None


EMBEDDED = Embedded()


def _write(rows: pl.LazyFrame, file: Path) -> None:
    partial = file.with_suffix(".partial")
    rows.sink_parquet(partial, compression_level=1)
    partial.rename(file)


def _sorted(whole: pl.DataFrame, key: Sequence[str]) -> pl.LazyFrame:
    """The rows in order of their key, missing values first; the frame that is given loses its columns."""
    place = _place(whole, key)
    if place is None:
        return whole.sort(*key).lazy()
    if place.is_sorted():
        return whole.lazy()
    order = place.arg_sort()
    # In one piece: of texts in several, rows are gathered eight times as slowly. Column by column, so that hardly
    # anything is in memory twice.
    return pl.LazyFrame([whole.drop_in_place(name).rechunk().gather(order) for name in whole.columns])


def _place(rows: pl.DataFrame, key: Sequence[str]) -> pl.Series | None:
    """A number for each row, in the order of its key: much faster to sort by than texts. None where it is too large."""
    place, size = pl.repeat(0, rows.height, dtype=pl.UInt64, eager=True), 1
    for name in key:
        ranks, count = _ranked(rows[name].rechunk())
        size *= count
        if size >= 1 << 63:
            return None
        place = place * count + ranks
    return place


def _ranked(values: pl.Series) -> tuple[pl.Series, int]:
    """The rank of each value, 0 for none, and how many ranks there may be."""
    if values.dtype == pl.String:
        starts = values.ne_missing(values.shift(1)).scatter(0, True) if values.len() else values.is_null()
        runs = values.filter(starts)
        if 3 * runs.len() <= values.len() and runs.len():
            ranks, count = _ranked(runs)
            return ranks.gather(starts.cum_sum() - 1), count
        texts, positions = numbered(values)
        return texts.rank("ordinal").cast(pl.UInt64).fill_null(0).gather(positions), texts.len() + 1
    least, most = (values.min(), values.max()) if values.dtype.is_integer() else (None, None)
    if isinstance(least, int) and isinstance(most, int) and most - least < 1 << 62:
        return (values - least + 1).cast(pl.UInt64).fill_null(0), most - least + 2
    return values.rank("dense").cast(pl.UInt64).fill_null(0), values.len() + 1


def _sorted_by_ranges(rows: pl.LazyFrame, key: Sequence[str], scratch: Path) -> pl.LazyFrame:
    """The rows in order of their key, sorted one range of keys at a time: sorting all at once holds all in memory."""
    unsorted = scratch / "unsorted.parquet"
    rows.sink_parquet(unsorted, compression_level=1)
    whole = pl.scan_parquet(unsorted)
    # Where all rows say the same in the first column of the key, ranges of the next one follow one another.
    for name in key:
        ordered = whole.select(name).collect(engine="streaming").to_series().sort()
        if ordered[0] != ordered[-1]:
            break
    first = pl.col(name)
    cuts = ordered.gather_every(SORTED_AT_ONCE, SORTED_AT_ONCE).unique(maintain_order=True).to_list()
    del ordered
    parts: list[Path] = []
    for low, high in zip([None, *cuts], [*cuts, None], strict=True):
        part = whole
        if low is not None:
            part = part.filter(first >= low)
        if high is not None:
            # A row without a key must come as far as the check that refuses it.
            part = part.filter((first < high).fill_null(low is None))
        parts.append(scratch / f"sorted-{len(parts):04}.parquet")
        _sorted(part.collect(engine="streaming"), key).sink_parquet(parts[-1], compression_level=1)
    unsorted.unlink()
    return pl.scan_parquet(parts, glob=False)
