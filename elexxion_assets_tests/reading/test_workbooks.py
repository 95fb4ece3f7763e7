"""Workbooks: values as a person would write them, true row numbers, and no workbook that takes the process down."""

from __future__ import annotations

import datetime as dt
import io
import zipfile

import pytest
from reading_of import table_of, tables_of
from xlsx_bytes import sheet_xml, xlsx

from elexxion_assets.declare import Refusal
from elexxion_assets.reading import limits

HEADER = ["code", "nom", "valeur"]


def refusal_of(content: bytes) -> Refusal:
    with pytest.raises(Refusal) as refused:
        tables_of(content)
    return refused.value


def test_values_are_text_as_a_person_would_write_them() -> None:
    rows = {
        1: HEADER,
        2: [1.0, "Ain", 0.1],
        3: ["01", " espace ", 4344680000000000.0],
        4: [12.5, "a\nb", True],
        5: [dt.datetime(2017, 4, 23), dt.datetime(2017, 4, 23, 20, 30), 1e300],
    }
    table, frame = table_of(xlsx({"feuille": sheet_xml(rows)}))
    assert frame.select(table.columns).rows() == [
        ("1", "Ain", "0.1"),
        ("01", " espace ", "4344680000000000"),
        ("12.5", "a\nb", "true"),
        ("2017-04-23", "2017-04-23T20:30:00", "1e+300"),
    ]


def test_rows_keep_their_number_though_the_sheet_begins_lower() -> None:
    rows = {4: ["Un titre"], 6: HEADER, 7: [1, "Ain", 3], 9: [2, "Aisne", 4], 12: ["Source : Insee"]}
    table, frame = table_of(xlsx({"feuille": sheet_xml(rows)}))
    assert frame["_line"].to_list() == [7, 9]
    assert (table.header_line, table.preamble, table.footer) == (6, ("Un titre",), ("Source : Insee",))


def test_empty_columns_at_the_left_are_no_columns() -> None:
    rows = {1: [None, "code", "nom"], 2: [None, 1, "Ain"], 3: [None, 2, "Aisne"]}
    table, frame = table_of(xlsx({"feuille": sheet_xml(rows)}))
    assert table.columns == ("code", "nom")
    assert frame.row(0) == ("1", "Ain", 2)


def test_an_error_of_the_spreadsheet_is_not_taken_for_a_value() -> None:
    rows = {1: HEADER, 2: [1, "Ain", "#N/A"], 3: [2, "Aisne", 4]}
    _, frame = table_of(xlsx({"feuille": sheet_xml(rows)}))
    assert frame["valeur"].to_list() == [None, "4"]


def test_one_table_per_sheet_and_empty_ones_are_told() -> None:
    data = sheet_xml({1: HEADER, 2: [1, "Ain", 3]})
    found = tables_of(xlsx({"un": data, "vide": sheet_xml({}), "en-tête": sheet_xml({1: HEADER}), "deux": data}))
    assert [table.member for table, _ in found] == ["un", "deux"]
    for table, _ in found:
        assert [defect.split("»")[0] for defect in table.defects] == ["Sheet « vide ", "Sheet « en-tête "]


def test_a_false_dimension_changes_nothing() -> None:
    xml = sheet_xml({1: HEADER, 2: [1, "Ain", 3]}, dimension="A1:XFD1048576")
    table, _ = table_of(xlsx({"feuille": xml}))
    assert table.rows == 1


def test_a_lone_cell_in_the_last_corner_is_refused_and_harms_nobody() -> None:
    far = '<row r="1048575"><c r="XFD1048575"><v>1</v></c></row></sheetData>'
    xml = sheet_xml({1: HEADER, 2: [1, "Ain", 3]}).replace("</sheetData>", far)
    assert refusal_of(xlsx({"feuille": xml})).rule == "too_big"


def test_a_sheet_cut_at_its_last_row_is_refused() -> None:
    xml = sheet_xml({1: HEADER, 2: [1, "Ain", 3], 65_536: [2, "Aisne", 4]})
    refusal = refusal_of(xlsx({"feuille": xml}))
    assert refusal.rule == "cut_by_excel"
    assert "feuille" in refusal.reason


def test_entities_are_not_expanded() -> None:
    lol = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "lol">' + "".join(
        f'<!ENTITY {new} "{f"&{old};" * 10}">' for old, new in zip("abcdefghi", "bcdefghij", strict=True)
    )
    xml = sheet_xml({1: HEADER, 2: [1, "BOMB", 3], 3: [2, "Aisne", 4]}).replace("BOMB", "&j;")
    refusal = refusal_of(xlsx({"feuille": xml}, prolog=lol + "]>"))
    assert refusal.rule == "corrupt"
    assert "entity" in refusal.reason


def test_a_workbook_that_unfolds_beyond_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WORKBOOK_MEMORY", 256 << 20)
    xml = sheet_xml({1: HEADER, 2: [1, "BOMB", 3]}).replace("BOMB", "x" * (300 << 20))
    assert refusal_of(xlsx({"feuille": xml})).rule in {"too_big", "corrupt"}


def test_a_workbook_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WORKBOOK_SECONDS", 0.001)
    refusal = refusal_of(xlsx({"feuille": sheet_xml({1: HEADER, 2: [1, "Ain", 3]})}))
    assert refusal.rule == "too_big"


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_cut_workbook_is_refused(share: float) -> None:
    whole = xlsx({"feuille": sheet_xml(dict.fromkeys(range(1, 500), HEADER))})
    refusal = refusal_of(whole[: int(len(whole) * share)])
    assert refusal.rule == "corrupt"


def test_a_workbook_with_a_damaged_sheet_is_refused() -> None:
    assert refusal_of(xlsx({"feuille": "<worksheet><sheetData><row"})).rule == "corrupt"


def test_another_office_document_is_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("word/document.xml", "<document/>")
    assert refusal_of(out.getvalue()).rule == "corrupt"


def test_bytes_that_only_begin_like_an_old_workbook_are_refused() -> None:
    assert refusal_of(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 5000).rule == "corrupt"


def test_a_workbook_of_empty_sheets_is_refused() -> None:
    assert refusal_of(xlsx({"vide": sheet_xml({})})).rule == "no_rows"
