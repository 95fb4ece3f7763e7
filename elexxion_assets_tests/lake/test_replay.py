"""What is read and built again, and nothing else; and a lake that is emptied, with what is not its own left alone."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from pathlib import Path

import narwhals as nw
import polars as pl
import pytest

from elexxion_assets.declare import Layer, Refusal, TextTable
from elexxion_assets.lake import layout
from elexxion_assets.lake.due import due
from elexxion_assets.lake.intake import Taken, initialise
from elexxion_assets.lake.ledger import State
from elexxion_assets.lake.replay import NothingSelected, mark, read_marked, select
from elexxion_assets.lake.reset import empty, own_objects
from elexxion_assets.lake.storage import Storage
from elexxion_assets_tests.lake.test_intake_to_gold import Lake
from elexxion_assets_tests.reading.workbooks import workbook
from elexxion_assets_tests.toy import THEMES, TOY, counts, csv


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Two files of two years each, built."""
    made = Lake(tmp_path / "lake")
    made.drop("a.csv", csv("01001;2020;1", "01001;2021;2"))
    made.drop("b.csv", csv("01002;2021;3", "01002;2022;4"))
    made.build()
    return made


def choose(lake: Lake, **what: str) -> Taken:
    """Selects, marks, and does what the marks ask of readings."""
    layer = Layer(what.pop("layer", "bronze"))
    mark(lake.ledger, select(lake.storage, lake.ledger, THEMES, layer=layer, **what))
    taken = Taken()
    for marked in lake.ledger.readings():
        read_marked(lake.storage, lake.ledger, THEMES, marked, taken)
    return taken


@pytest.mark.parametrize(
    ("what", "names"),
    [
        ({"delivery": "a.csv"}, ["a.csv"]),
        ({"period": "2022"}, ["b.csv"]),
        ({"period": "2021"}, ["a.csv", "b.csv"]),
        ({"theme": "toy"}, ["a.csv", "b.csv"]),
        ({"theme": "toy", "period": "2020"}, ["a.csv"]),
    ],
)
def test_the_deliveries_of_a_selection_are_read_again(lake: Lake, what: dict[str, str], names: list[str]) -> None:
    assert sorted(delivery.name for delivery in choose(lake, **what).deliveries) == names
    assert lake.ledger.readings() == []


def test_lost_bronze_and_tables_come_back_as_they_were(lake: Lake) -> None:
    def rows() -> dict[str, list[tuple[object, ...]]]:
        found = {}
        for entry in lake.storage.list("output/"):
            if entry.key.endswith(".parquet"):
                with lake.storage.local(entry.key) as file:
                    found[entry.key] = pl.read_parquet(file).rows()
        return found

    before = rows()
    for entry in list(lake.storage.list("output/")):
        lake.storage.delete(entry.key)
    choose(lake, theme="toy")
    lake.build()
    assert rows() == before
    assert len(before) > 8


@pytest.mark.parametrize(
    ("layer", "tables"),
    [("silver", {"silver/facts", "gold/sums"}), ("gold", {"gold/sums"})],
)
def test_a_layer_is_built_again_with_what_is_made_of_it_alone(lake: Lake, layer: str, tables: set[str]) -> None:
    assert choose(lake, layer=layer, period="2020").deliveries == []
    [group] = due(lake.ledger, THEMES)
    assert (set(group.tables), group.periods) == (tables, ("2020",))
    built = lake.build()
    assert {name for name in built if name.endswith("/2020")} == {f"{table}/2020" for table in tables}
    assert lake.build() == []


def test_a_period_asked_for_by_two_layers_is_built_from_the_lower_one(lake: Lake) -> None:
    choose(lake, layer="gold", period="2020")
    choose(lake, layer="silver", period="2020")
    [group] = due(lake.ledger, THEMES)
    assert set(group.tables) == {"silver/facts", "gold/sums"}


def test_a_refused_file_is_read_once_its_reason_is_gone(lake: Lake) -> None:
    [delivery] = lake.drop("c.csv", csv("01003;2023;9"), refuse="yes")
    assert delivery.state is State.REFUSED
    [again] = choose(lake, delivery="c.csv").deliveries
    assert again.state is State.REFUSED
    lake.ledger.advance(again, State.REFUSED, hints={}, reasons=again.reasons)
    [again] = choose(lake, delivery="c.csv").deliveries
    assert again.state is State.READ
    lake.build()
    assert lake.rows(Layer.SILVER, "facts", "2023") == [("01003", 2023, 9)]


def test_a_refused_reading_leaves_what_the_one_before_made(lake: Lake) -> None:
    content = csv("01003;2023;9", "BAD;2023;1", "01003;20;1")
    lake.drop("c.csv", content)
    lake.build()
    before = {entry.key: entry.etag for entry in lake.storage.list("quarantine/")}
    assert len(before) == 2
    [again] = lake.drop("c again.csv", content, refuse="yes")
    assert (again.state, again.reasons[0]["rule"]) == (State.READ, "told_to")
    assert {entry.key: entry.etag for entry in lake.storage.list("quarantine/")} == before
    assert lake.build() == []


def test_a_sheet_that_is_refused_leaves_the_bronze_of_the_others(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    def period(table: TextTable) -> nw.Expr | str:
        if table.member == "second" and table.hints.get("refuse"):
            raise Refusal("told_to", "it was said to refuse this sheet")
        return nw.col("annee")

    monkeypatch.setitem(THEMES, "toy", replace(TOY, datasets=(replace(counts, period=period),)))
    head = ["CODGEO", "annee", "nombre"]
    book = workbook({"first": [head, ["01003", "2023", 9]], "second": [head, ["01004", "2023", 9]]})
    [read] = lake.drop("c.xlsx", book)
    before = {key: lake.storage.stat(key) for facts in read.tables for key in facts["bronze"]}
    assert len(before) == 2
    [again] = lake.drop("d.xlsx", book, refuse="yes")
    assert again.reasons[0]["rule"] == "told_to"
    assert {key: lake.storage.stat(key) for key in before} == before


def test_an_archive_stands_for_its_members(lake: Lake) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("x.csv", csv("01004;2020;1"))
        archive.writestr("y.csv", csv("01005;2020;1"))
    lake.drop("both.zip", packed.getvalue())
    chosen = select(lake.storage, lake.ledger, THEMES, delivery="both.zip")
    assert {item.name for item in chosen.readings} == {"both.zip/x.csv", "both.zip/y.csv"}


def test_nothing_selected_is_said(lake: Lake) -> None:
    for what in ({"period": "1999"}, {"delivery": "nothing.csv"}, {"theme": "crime"}):
        with pytest.raises(NothingSelected, match=next(iter(what.values()))):
            select(lake.storage, lake.ledger, THEMES, **what)  # type: ignore[arg-type]


def test_a_mark_of_a_reading_is_no_mark_of_a_theme(lake: Lake) -> None:
    mark(lake.ledger, select(lake.storage, lake.ledger, THEMES, theme="toy"))
    assert len(lake.ledger.readings()) == 2
    assert lake.ledger.pending() == {}
    assert due(lake.ledger, THEMES) == []


def test_a_reset_leaves_what_is_not_its_own(storage: Storage) -> None:
    initialise(storage, THEMES)
    foreign = ["archive/photos.zip", "backup.tar", "inputs/x.csv", "models/mine.pkl", "notebooks/mine.ipynb"]
    foreign += ["other/raw/x", "raw.txt", "reports/mine.pdf", "scripts/mine.py"]
    own = [
        "input/waiting.csv",
        "raw/toy/x_a.csv",
        layout.table_key("toy", Layer.GOLD, "sums", "2020"),
        "metadata/ledger/00/00000000.json",
        "quarantine/toy/counts/x/2020.parquet",
        "archive/2020-01_0.tar.gz",
        "archive/2020-01_0.json",
        layout.report_key("quality.html"),
        layout.report_key("memory.json"),
        layout.delivery_report_key("x"),
        layout.model_key("toy", "model", "2020", "json"),
        layout.model_key("toy", "model", "2020", "html"),
        layout.model_text_key("toy", "model", "2020", "0123456789abcdef"),
    ]
    for key in [*foreign, *own]:
        storage.write(key, b"x")
    counted = sum(1 for _ in own_objects(storage))
    assert empty(storage) == counted
    assert [entry.key for entry in storage.list("")] == foreign
    assert empty(storage) == 0
    assert initialise(storage, THEMES) != []
