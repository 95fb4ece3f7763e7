"""The contract types texts without guessing, and says in words why a row is rejected."""

from __future__ import annotations

import datetime as dt

import narwhals as nw
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from elexxion_assets import columns as vocabulary
from elexxion_assets.declare import Column, Kind
from elexxion_assets.quality import contract
from elexxion_assets.themes import all_themes

COLUMNS = {
    **{c.name: c for c in vars(vocabulary).values() if isinstance(c, Column)},
    **{
        f"{theme.name}/{dataset.name}/{c.name}": c
        for theme in all_themes().values()
        for dataset in theme.datasets
        for c in dataset.columns
    },
}


def judge(column: Column, *texts: str | None) -> list[tuple[object, str | None]]:
    frame = pl.LazyFrame({column.name: pl.Series(texts, dtype=pl.String)})
    done = contract.apply(nw.from_native(frame), [column]).collect()
    return list(zip(done[column.name].to_list(), done[contract.REASON].to_list(), strict=True))


@pytest.mark.parametrize("name", [name for name, column in COLUMNS.items() if column.examples])
def test_every_example_of_a_column_is_accepted(name: str) -> None:
    assert [reason for _, reason in judge(COLUMNS[name], *COLUMNS[name].examples)] == [None] * len(
        COLUMNS[name].examples
    )


@pytest.mark.parametrize("name", [name for name, column in COLUMNS.items() if column.counter_examples])
def test_every_counter_example_of_a_column_is_rejected(name: str) -> None:
    assert all(reason is not None for _, reason in judge(COLUMNS[name], *COLUMNS[name].counter_examples))


def test_codes_stay_text_and_get_back_the_zeros_that_a_spreadsheet_cut() -> None:
    found = judge(vocabulary.COMMUNE, "01001", "2A004", "75056", "1004", "1004.0", " 01001 ")
    assert [value for value, _ in found] == ["01001", "2A004", "75056", "01004", "01004", "01001"]


INTEGER = Column(name="n", kind=Kind.INTEGER, description="count", ge=0, required=False)
NUMBER = Column(name="x", kind=Kind.NUMBER, description="rate", required=False)
DATE = Column(name="d", kind=Kind.DATE, description="day", required=False)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ("38 759 907", 38759907),
        ("1\u202f234", 1234),
        ("1\u00a0234", 1234),
        ("12,0", 12),
        ("NA", None),
        ("", None),
    ],
)
def test_integers_as_french_files_write_them(text: str, value: int | None) -> None:
    assert judge(INTEGER, text) == [(value, None)]


@pytest.mark.parametrize(
    ("text", "value"),
    [("7,83e-03", 0.00783), ("4.34468E+15", 4.34468e15), ("74,62%", 74.62), ("308491,160051384", 308491.160051384)],
)
def test_numbers_as_french_files_write_them(text: str, value: float) -> None:
    assert judge(NUMBER, text) == [(value, None)]


@pytest.mark.parametrize("text", ["ndiff", "s", "12x", "1,2,3", "1.234,5", "--3", "0x1F", "1e999e", "१२"])
def test_what_is_no_number_is_said_never_guessed(text: str) -> None:
    for column in (INTEGER, NUMBER):
        [(value, reason)] = judge(column, text)
        assert value is None
        assert reason is not None
        assert text in reason


def test_all_that_is_wrong_with_a_row_is_listed() -> None:
    frame = pl.LazyFrame({"n": ["-1"], "x": ["bad"], "d": ["2023-02-29"]})
    [reason] = contract.apply(nw.from_native(frame), [INTEGER, NUMBER, DATE]).collect()[contract.REASON].to_list()
    assert [part.split(":")[0] for part in reason.split("; ")] == ["n", "x", "d"]


@given(st.dates())
def test_every_date_is_read_in_both_french_and_iso_form(day: dt.date) -> None:
    french = f"{day.day:02}/{day.month:02}/{day.year:04}"
    assert judge(DATE, day.isoformat(), french) == [(day, None), (day, None)]


@given(st.from_regex(r"\A\d{4}-\d{2}-\d{2}\Z"))
def test_a_day_that_does_not_exist_is_rejected(text: str) -> None:
    try:
        expected = dt.date.fromisoformat(text)
    except ValueError:
        expected = None
    [(value, reason)] = judge(DATE, text)
    assert value == expected
    assert (reason is None) == (expected is not None)


@given(st.integers(min_value=0, max_value=10**17))
@example(2**53 + 1)
def test_integers_survive_thousands_separators(number: int) -> None:
    assert judge(INTEGER, f"{number:,}".replace(",", " ")) == [(number, None)]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_survive_the_decimal_comma(number: float) -> None:
    assert judge(NUMBER, repr(number).replace(".", ",")) == [(number, None)]


@pytest.mark.parametrize("name", [name for name, column in COLUMNS.items() if column.pattern])
def test_patterns_name_the_digits_they_mean(name: str) -> None:
    """`\\d` is every digit of every script, which no code is written in."""
    assert "\\d" not in (COLUMNS[name].pattern or "")
