"""Whatever can be written as CSV is read back: same cells, same lines, nothing lost."""

from __future__ import annotations

import csv
import io

from hypothesis import given, settings
from hypothesis import strategies as st
from reading_of import table_of

from elexxion_assets.declare import Refusal

FRENCH = "abcdefghijklmnopqrstuvwxyz ABCDEFGHIJ 0123456789 éèêàçùôîûïÉÈÀÇÊ'-.%()/°"
SPECIAL = ';,|\t"'
HEADERS = st.lists(st.text("abcdeéèà_", min_size=2, max_size=8), min_size=2, max_size=6, unique=True)


@st.composite
def written(draw: st.DrawFn) -> tuple[bytes, list[str], list[list[str]], list[int], dict[str, str]]:
    """A CSV file as bytes, with its header, its rows, their lines, and how it was written."""
    separator = draw(st.sampled_from(";,\t|"))
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "latin-1", "cp1252", "cp850", "utf-16"]))
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]))
    header = draw(HEADERS)
    cell = st.text(FRENCH + draw(st.sampled_from(["", SPECIAL, SPECIAL + "\n"])), max_size=8)
    # The first column is a code, as in official files: it tells data from the header.
    rows = draw(
        st.lists(
            st.lists(cell, min_size=0, max_size=len(header) - 1).map(lambda cells: ["01001", *cells]),
            min_size=1,
            max_size=12,
        )
    )
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=separator, quoting=quoting, lineterminator=newline)
    writer.writerow(header)
    lines = []
    for row in rows:
        lines.append(out.getvalue().count("\n") + 1)
        writer.writerow(row)
    # Accents so common that the encoding can be told.
    header[0] = "libellé département créé"
    text = out.getvalue()
    text = header[0] + text[text.index(separator) :]
    return text.encode(encoding), header, rows, lines, {"encoding": encoding, "separator": separator}


@given(written())
@settings(max_examples=250, deadline=None)
def test_a_written_file_is_read_back(file: tuple[bytes, list[str], list[list[str]], list[int], dict[str, str]]) -> None:
    content, header, rows, lines, how = file
    table, frame = table_of(content)
    kept = [name.strip() for name in header]
    assert [name.strip() for name in table.header] == kept
    assert frame["_line"].to_list() == lines
    width = len(table.columns)
    expected = [tuple(cell or None for cell in [*row, *[""] * (width - len(row))]) for row in rows]
    assert frame.select(table.columns).rows() == expected
    assert table.separator == how["separator"]


@given(st.lists(st.text('ab1;"\n ', max_size=12), min_size=2, max_size=8), st.sampled_from(["\n", "\r\n"]))
@settings(max_examples=300, deadline=None)
def test_odd_quotes_give_what_the_csv_module_gives(records: list[str], newline: str) -> None:
    """Any mess of quotes, separators and newlines below a header and a sound row."""
    text = newline.join(["code;nom;voix", "01;ab;12", *records, "02;cd;13", "03;ef;14"]) + newline
    expected = [row for row in csv.reader(io.StringIO(text, newline="\n"), delimiter=";") if row][1:]
    try:
        table, frame = table_of(text.encode())
    except Refusal as refusal:
        rule = refusal.rule
    else:
        rule = ""
    # A quote is open at the end when one more line would be swallowed.
    more = list(csv.reader(io.StringIO(text + "more;;" + newline, newline="\n"), delimiter=";"))
    if more[-1][0] != "more":
        assert rule == "unclosed_quote"
        return
    assert rule == ""
    width = len(table.columns)
    assert frame.select(table.columns).rows() == [
        tuple(cell or None for cell in [*row, *[""] * (width - len(row))]) for row in expected
    ]
