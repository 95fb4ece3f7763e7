"""Batches whose different texts are looked at once come out as rows that are looked at one by one."""

from __future__ import annotations

from unittest import mock

import narwhals as nw
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from elexxion_assets import columns as vocabulary
from elexxion_assets.declare import Column, Kind, once, once_per_text
from elexxion_assets.quality import contract, typed

COLUMNS = (
    vocabulary.COMMUNE,
    Column(name="n", kind=Kind.INTEGER, description="count", ge=0, le=10**9),
    Column(name="annee", kind=Kind.INTEGER, description="year", required=False, missing=("", "9999")),
    Column(name="x", kind=Kind.NUMBER, description="rate", required=False, le=100),
    Column(name="unite", kind=Kind.TEXT, description="unit", isin=("a", "b")),
    Column(name="jour", kind=Kind.DATE, description="day", required=False),
    Column(name="vrai", kind=Kind.BOOLEAN, description="flag", required=False),
    Column(name="titre", kind=Kind.TEXT, description="free", required=False),
)
RESCUED = ("x", "jour")
NUMBERS = (
    "1",
    "12",
    "1,5",
    "-3",
    "+7",
    "1e3",
    "1e0005",
    "nan",
    "inf",
    "1.",
    ".5",
    "1 234",
    "12 %",
    "1,2,3",
    "7,83e-03",
)
CODES = ("NA", "ndiff", "", " ", "9999", "01001", "1001.0", "2A004", "a", "b", " a ", "\u0661", "0" * 30)
LONG = tuple("9" * length for length in (15, 16, 18, 19))
TEXTS = st.one_of(
    st.none(),
    st.sampled_from(
        [
            *NUMBERS,
            *CODES,
            *LONG,
            "oui",
            "0",
            "2024-02-29",
            "2024-02-29\n",
            "01/02/2024",
            "2023-02-29",
            "l'été\n",
            'dit "le"',
        ]
    ),
    st.text(max_size=6),
    st.integers().map(str),
    st.floats(allow_nan=False).map(lambda number: str(number).replace(".", ",")),
)
ROWS = st.lists(st.tuples(*[TEXTS] * len(COLUMNS)), min_size=1, max_size=30)


@settings(max_examples=30, deadline=None)
@given(rows=ROWS, often=st.sampled_from([1, 1000]))
def test_a_batch_is_typed_and_judged_as_its_rows_are(rows: list[tuple[str | None, ...]], often: int) -> None:
    schema = dict.fromkeys((column.name for column in COLUMNS), pl.String)
    # Some rows again: a text that comes once in a column is looked at by itself.
    frame = pl.DataFrame(rows + rows[:5], schema, orient="row").with_row_index("_line").lazy()
    alone = contract.apply(nw.from_native(frame), COLUMNS, RESCUED).drop(contract.REASON).to_native().collect()
    with mock.patch.multiple(typed, FEW_ROWS=0, _OFTEN=often):
        together = typed.apply(nw.from_native(frame), COLUMNS, RESCUED).to_native().collect()
    assert_frame_equal(together, alone)


def test_large_batches_stream_and_keep_their_order() -> None:
    count = 300_000
    frame = pl.select(
        _line=pl.int_range(count),
        n=pl.int_range(count).cast(pl.String),
        unite=pl.when(pl.int_range(count) % 100_000 == 7).then(pl.lit("c")).otherwise(pl.lit("a")),
    ).lazy()
    columns = [column for column in COLUMNS if column.name in ("n", "unite")]
    done = typed.apply(nw.from_native(frame), columns).to_native().collect(engine="streaming").sort("_line")
    assert done["n"].to_list() == list(range(count))
    assert done.filter(pl.col(contract.BREACHES).is_not_null())["_line"].to_list() == [7, 100_007, 200_007]


@pytest.mark.parametrize("small", [0, 100])
def test_a_text_is_worked_on_once_and_every_row_gets_what_came_of_it(small: int) -> None:
    frame = nw.from_native(pl.LazyFrame({"a": ["x", None, "x", "y"]}))
    with mock.patch.object(once, "FEW_ROWS", small):
        upper = once_per_text(frame, a=lambda text: nw.coalesce(text.str.to_uppercase(), nw.lit("?")))
        assert upper.collect()["a"].to_list() == ["X", "?", "X", "Y"]
