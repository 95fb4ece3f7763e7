"""Rows that are kept and sorted in this process: the same rows, in the same order, wherever they are held."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import narwhals as nw
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elexxion_assets.engine import embedded
from elexxion_assets.engine.embedded import Embedded
from elexxion_assets.lake.storage import DirectoryStorage

TEXTS = st.none() | st.sampled_from(["", "01001", "2A004", "É", "abc"])
ROWS = st.lists(st.tuples(TEXTS, st.none() | st.integers(-(2**62), 2**62), TEXTS), max_size=30, unique=True)


def _ordered(rows: pl.DataFrame, key: list[str], folder: Path) -> pl.DataFrame:
    frame = nw.from_native(rows.lazy())
    with Embedded().ordered(frame, key, DirectoryStorage(folder), folder, large=False) as (ordered, _):
        return ordered.collect()


@settings(max_examples=60, deadline=None)
@given(rows=ROWS)
def test_rows_come_in_the_order_of_their_key_missing_values_first(
    rows: list[tuple[str | None, int | None, str | None]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    frame = pl.DataFrame(rows, {"a": pl.String, "n": pl.Int64, "b": pl.String}, orient="row")
    key = ["a", "n", "b"]
    assert _ordered(frame, key, tmp_path_factory.mktemp("order")).equals(frame.sort(*key), null_equal=True)


def test_more_rows_than_are_sorted_at_once_come_in_order_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "SORTED_AT_ONCE", 10)
    frame = pl.DataFrame({"level": "bureau", "code": [f"{i * 37 % 100:03}" for i in range(100)]})
    assert _ordered(frame, ["level", "code"], tmp_path).equals(frame.sort("code"))


def test_rows_that_make_room_for_others_are_read_from_their_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "HELD", 5)
    engine, made = Embedded(), list[int]()

    def rows(count: int) -> nw.LazyFrame[pl.LazyFrame]:
        def noted(batch: pl.DataFrame) -> pl.DataFrame:
            made.append(count)
            return batch

        return nw.from_native(pl.LazyFrame({"n": range(count)}).map_batches(noted))

    with ExitStack() as stack:
        for count in (3, 4, 9):
            engine.once(rows(count), tmp_path / f"{count}.parquet", stack, few=True, again=True)
        made.clear()
        for count in (3, 4, 9):
            kept = engine.once(rows(count), tmp_path / f"{count}.parquet", stack, few=True, again=True)
            assert kept.collect().to_native()["n"].to_list() == list(range(count))
    assert made == []
