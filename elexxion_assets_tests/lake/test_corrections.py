"""Rejected rows leave for a spreadsheet, come back corrected, and count once."""

from __future__ import annotations

import csv as csvs
import io
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from elexxion_assets.declare import Layer
from elexxion_assets.lake import layout
from elexxion_assets.lake.corrections import escape, export, rejections, unescape
from elexxion_assets.lake.explain import explain
from elexxion_assets.lake.intake import Taken, drop, read_again, take, waiting
from elexxion_assets.lake.ledger import Delivery, Ledger, State
from elexxion_assets_tests.lake.test_intake_to_gold import Crash, Crashing, Lake
from elexxion_assets_tests.toy import THEMES, csv


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


Row = dict[str, str]


def exported(lake: Lake, delivery: Delivery) -> list[Row]:
    with TemporaryDirectory() as folder:
        sink = Path(folder) / "rejected.csv"
        export(lake.storage, delivery, sink)
        with sink.open(encoding="utf-8-sig", newline="") as file:
            return list(csvs.DictReader(file, delimiter=";"))


def corrected(rows: list[Row], **cells: dict[int, str]) -> bytes:
    """The exported rows with other texts, by column and line."""
    made = [
        row | {name: by[int(row["_line"])] for name, by in cells.items() if int(row["_line"]) in by} for row in rows
    ]
    text = io.StringIO(newline="")
    writer = csvs.DictWriter(text, rows[0], delimiter=";")
    writer.writeheader()
    writer.writerows(made)
    return b"\xef\xbb\xbf" + text.getvalue().encode()


WRONG = csv("01001;2020;3", "BAD;2020;4", "01002;2020;x", "01003;20;1", "01001;2020;8")
"""Lines 3 to 6 are rejected: a code, a number, a year, a key that comes twice."""


def silver(lake: Lake, period: str = "2020") -> list[tuple[object, ...]]:
    return lake.rows(Layer.SILVER, "facts", period)


def balance(lake: Lake) -> dict[str, tuple[int, int]]:
    """Open and closed rows by period."""
    return {item["period"]: (item["open"], item["closed"]) for item in rejections(lake.storage, lake.ledger)}


def objects(lake: Lake) -> dict[str, bytes]:
    """All that the lake holds, but for the times in its documents."""
    return {entry.key: lake.storage.read(entry.key) for entry in lake.storage.list("")}


def test_corrected_rows_join_the_table_of_their_delivery(lake: Lake) -> None:
    [parent] = lake.drop("a.csv", WRONG)
    lake.build()
    rows = exported(lake, parent)
    assert [(row["_period"], row["_line"], row["_column"], row["_rule"]) for row in rows] == [
        ("2020", "3", "code_commune", "type"),
        ("2020", "4", "nombre", "type"),
        ("2020", "6", "code_commune, annee", "unique_key"),
        ("without-period", "5", "", "period"),
    ]
    [done] = lake.drop("fixed.csv", corrected(rows, CODGEO={3: "01009"}, annee={5: "2020"}, nombre={4: "seven"}))
    assert (done.state, done.hints["corrects"]) == (State.READ, parent.id)
    assert lake.build() == ["silver/facts/2020", "gold/sums/2020"]
    assert silver(lake) == [("01001", 2020, 3), ("01003", 2020, 1), ("01009", 2020, 4)]
    with lake.storage.local(layout.table_key("toy", Layer.SILVER, "facts", "2020")) as file:
        assert set(pl.read_parquet(file)["_delivery"]) == {parent.id}
    # Line 4 is still wrong, with the new text and the new reason.
    assert {row["_line"]: row["nombre"] for row in lake.quarantined()} == {4: "seven", 6: "8"}
    assert balance(lake) == {"2020": (2, 1), "without-period": (0, 1)}


def test_what_was_corrected_is_told(lake: Lake) -> None:
    [parent] = lake.drop("a.csv", WRONG)
    lake.build()
    [done] = lake.drop("fixed.csv", corrected(exported(lake, parent), CODGEO={3: "01009"}))
    lake.build()
    [of_parent] = explain(lake.storage, lake.ledger, THEMES, parent.id)
    [of_correction] = explain(lake.storage, lake.ledger, THEMES, done.id)
    assert f"1 of its rejected rows were corrected by fixed.csv ({done.id})" in " ".join(of_parent["story"])
    assert "1 closed by a correction, 3 open" in " ".join(of_parent["story"])
    assert f"corrects rejected rows of delivery {parent.id}" in " ".join(of_correction["story"])


def test_the_same_file_twice_changes_nothing(lake: Lake) -> None:
    [parent] = lake.drop("a.csv", WRONG)
    lake.build()
    content = corrected(exported(lake, parent), CODGEO={3: "01009"})
    lake.drop("fixed.csv", content)
    lake.build()
    before = {key: content for key, content in objects(lake).items() if not key.startswith("metadata/")}
    assert lake.drop("again.csv", content) == []
    assert lake.build() == []
    assert {key: content for key, content in objects(lake).items() if not key.startswith("metadata/")} == before


def test_an_export_that_nobody_corrected_changes_nothing_and_says_so(lake: Lake) -> None:
    [parent] = lake.drop("a.csv", WRONG)
    lake.build()
    [refused] = lake.drop("same.csv", corrected(exported(lake, parent)))
    assert refused.state is State.REFUSED
    assert "no row" in refused.reasons[0]["reason"]
    assert lake.build() == []


def test_rows_that_are_not_of_the_delivery_are_refused_in_words_and_the_others_count(lake: Lake) -> None:
    [parent] = lake.drop("a.csv", WRONG)
    lake.build()
    rows = exported(lake, parent)
    foreign = [
        rows[0] | {"_line": "2", "CODGEO": "01055"},  # a line that was never rejected
        rows[0] | {"_line": "999"},
        rows[0] | {"_line": "three"},
        rows[0] | {"_delivery": "20200101T000000000000Z-00000000"},
        rows[0] | {"_delivery": f"{parent.id}.7"},
    ]
    [done] = lake.drop("fixed.csv", corrected([rows[0] | {"CODGEO": "01009"}, *foreign]))
    said = [reason["reason"] for reason in done.reasons]
    assert len(said) == 5
    for words in ("line 2 for 2020 of a.csv", "line 999", "« three » is no line", "00000000", "no table 7"):
        assert any(words in reason for reason in said), words
    lake.build()
    assert silver(lake) == [("01001", 2020, 3), ("01009", 2020, 4)]


def test_a_second_correction_of_a_row_wins(lake: Lake) -> None:
    [parent] = lake.drop("a.csv", WRONG)
    lake.build()
    rows = exported(lake, parent)
    lake.drop("1.csv", corrected(rows, CODGEO={3: "01009"}))
    lake.build()
    lake.drop("2.csv", corrected(rows, CODGEO={3: "01010"}, annee={5: "2020"}))
    lake.build()
    assert silver(lake) == [("01001", 2020, 3), ("01003", 2020, 1), ("01010", 2020, 4)]
    assert balance(lake) == {"2020": (2, 1), "without-period": (0, 1)}


def test_a_row_corrected_into_another_period_is_there_and_nowhere_else(lake: Lake) -> None:
    [parent] = lake.drop("a.csv", csv("01001;2020;3", "BAD;2020;4", "01001;2021;5"))
    lake.build()
    lake.drop("fixed.csv", corrected(exported(lake, parent), CODGEO={3: "01009"}, annee={3: "2022"}))
    lake.build()
    assert silver(lake) == [("01001", 2020, 3)]
    assert silver(lake, "2022") == [("01009", 2022, 4)]
    assert lake.quarantined() == []


@pytest.mark.parametrize("build_first", [True, False])
def test_corrections_survive_another_reading_of_the_raw_bytes(lake: Lake, build_first: bool) -> None:
    [parent] = lake.drop("a.csv", WRONG)
    lake.build()
    lake.drop("fixed.csv", corrected(exported(lake, parent), CODGEO={3: "01009"}, annee={5: "2020"}))
    if build_first:
        lake.build()
    for delivery in sorted(lake.ledger.all(), key=lambda found: found.received_at):
        read_again(lake.storage, lake.ledger, THEMES, delivery)
    lake.build()
    assert silver(lake) == [("01001", 2020, 3), ("01003", 2020, 1), ("01009", 2020, 4)]
    assert {row["_line"] for row in lake.quarantined()} == {4, 6}
    assert balance(lake) == {"2020": (2, 1), "without-period": (0, 1)}


def test_the_column_of_the_delivery_may_be_left_out_where_it_is_said(lake: Lake) -> None:
    [parent] = lake.drop("a.csv", WRONG)
    lake.build()
    rows = [{name: text for name, text in row.items() if name != "_delivery"} for row in exported(lake, parent)]
    [done] = lake.drop("fixed.csv", corrected(rows, CODGEO={3: "01009"}), corrects=parent.id)
    assert done.state is State.READ
    lake.build()
    assert ("01009", 2020, 4) in silver(lake)


def test_a_newer_release_wins_over_a_corrected_one(lake: Lake) -> None:
    [parent] = lake.drop("a.csv", WRONG)
    lake.build()
    lake.drop("new.csv", csv("01001;2020;50"), release="2030")
    lake.drop("fixed.csv", corrected(exported(lake, parent), CODGEO={3: "01009"}))
    lake.build()
    assert silver(lake) == [("01001", 2020, 50)]


@pytest.mark.parametrize("after", range(20))
def test_a_crash_at_any_change_loses_no_correction_and_counts_none_twice(tmp_path: Path, after: int) -> None:
    lake = Lake(tmp_path / "lake")
    [parent] = lake.drop("a.csv", WRONG)
    lake.build()
    content = corrected(exported(lake, parent), CODGEO={3: "01009"}, annee={5: "2020"}, nombre={4: "seven"})
    drop(lake.storage, "fixed.csv", content, {})
    entry = next(iter(waiting(lake.storage, 0)))
    crashing = Crashing(tmp_path / "lake", after)
    try:
        take(crashing, Ledger(crashing), THEMES, entry, Taken())
        assert crashing.left >= 0
    except Crash:
        pass
    lake.build()
    lake.take()
    lake.build()
    assert silver(lake) == [("01001", 2020, 3), ("01003", 2020, 1), ("01009", 2020, 4)]
    assert {row["_line"]: row["nombre"] for row in lake.quarantined()} == {4: "seven", 6: "8"}
    assert balance(lake) == {"2020": (2, 1), "without-period": (0, 1)}
    assert len(list(lake.ledger.all())) == 2


GOOD = [f"0{number};2020;0" for number in range(2001, 2081)]
BROKEN = {"CODGEO": "BAD", "annee": "20", "nombre": "many"}


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.sampled_from(["", *BROKEN]), min_size=2, max_size=8).filter(any),
    chosen=st.sets(st.integers(0, 7)),
)
def test_any_rows_put_right_give_what_the_file_would_have_given(rows: list[str], chosen: set[int]) -> None:
    right = [{"CODGEO": f"0100{n + 1}", "annee": "2020", "nombre": str(n)} for n in range(len(rows))]
    wrong = [row | ({name: BROKEN[name]} if name else {}) for row, name in zip(right, rows, strict=True)]

    def file_of(texts: list[Row]) -> bytes:
        # A file is only known for what it is where most of its codes are codes.
        return csv(*(";".join(text.values()) for text in texts), *GOOD)

    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        lake, wanted = Lake(Path(one)), Lake(Path(other))
        [parent] = lake.drop("a.csv", file_of(wrong))
        lake.build()
        cells: dict[str, dict[int, str]] = {name: {} for name in BROKEN}
        for number in chosen & {position for position, name in enumerate(rows) if name}:
            cells[rows[number]][number + 2] = right[number][rows[number]]
        lake.drop("fixed.csv", corrected(exported(lake, parent), **cells))
        lake.build()
        wanted.drop(
            "a.csv", file_of([r if n in chosen else w for n, (r, w) in enumerate(zip(right, wrong, strict=True))])
        )
        wanted.build()
        assert silver(lake) == silver(wanted)
        left = lake.quarantined()
        assert sorted((row["_line"], row["_reason"]) for row in left) == sorted(
            (row["_line"], row["_reason"]) for row in wanted.quarantined()
        )
        assert len(silver(lake)) + len(left) == len(rows) + len(GOOD)


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_what_leaves_for_a_spreadsheet_comes_back_as_it_was(text: str) -> None:
    cell = escape(text)
    assert unescape(cell) == text
    assert not cell.startswith(("=", "@", "\t", "\r"))


def test_the_exported_file_holds_no_formula(lake: Lake) -> None:
    [parent] = lake.drop("a.csv", csv("01001;2020;3", "=1+1;2020;4", "01002;2020;-7"))
    lake.build()
    rows = {row["_line"]: row for row in exported(lake, parent)}
    assert rows["3"]["CODGEO"] == "'=1+1"
    assert rows["4"]["nombre"] == "-7"
    lake.drop("fixed.csv", corrected(list(rows.values()), nombre={3: "5", 4: "7"}))
    lake.build()
    assert [row["CODGEO"] for row in lake.quarantined()] == ["=1+1"]
    assert json.dumps(silver(lake)) == '[["01001", 2020, 3], ["01002", 2020, 7]]'


def test_columns_of_a_file_that_are_called_like_ours_are_kept_and_corrected(lake: Lake) -> None:
    content = b"CODGEO;annee;nombre;_reason;_member\n01001;2020;3;a;b\nBAD;2020;4;c;d\n01003;20;1;e;f\n"
    [parent] = lake.drop("a.csv", content)
    lake.build()
    rows = exported(lake, parent)
    assert {row["_reason (file)"] for row in rows} == {"c", "e"}
    lake.drop("fixed.csv", corrected(rows, CODGEO={3: "01009"}, annee={4: "2020"}))
    lake.build()
    assert silver(lake) == [("01001", 2020, 3), ("01003", 2020, 1), ("01009", 2020, 4)]
