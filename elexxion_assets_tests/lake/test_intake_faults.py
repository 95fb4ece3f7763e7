"""What goes wrong around `input/`: files replaced, named badly, read again; nothing is lost, nothing counts twice."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import narwhals as nw
import polars as pl
import pytest
from typer.testing import CliRunner

from elexxion_assets import cli
from elexxion_assets.declare import Dataset, Frame, Layer, TextTable, Theme
from elexxion_assets.lake import layout
from elexxion_assets.lake.build import publish, stage, table_documents
from elexxion_assets.lake.due import due, settle
from elexxion_assets.lake.intake import Taken, drop, take, take_all, waiting
from elexxion_assets.lake.ledger import Ledger, State
from elexxion_assets.lake.storage import Conflict, DirectoryStorage, Entry, Source, Storage
from elexxion_assets.settings import settings
from elexxion_assets_tests.lake import test_intake_to_gold as passes
from elexxion_assets_tests.lake.test_intake_to_gold import FACTS, Lake
from elexxion_assets_tests.toy import CODE, COUNT, THEMES, TOY, counts, csv


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


Use = Callable[[Theme], None]


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Use:
    """Makes the passes of this test work with another theme than the toy as it is."""

    def chosen(theme: Theme) -> None:
        monkeypatch.setattr(passes, "THEMES", {"toy": theme})
        monkeypatch.setattr(passes, "TOY", theme)

    return chosen


def published(lake: Lake, layer: Layer, table: str, period: str) -> list[tuple[object, ...]]:
    """The rows that a reader finds; none where nothing is published."""
    if lake.storage.stat(layout.table_key("toy", layer, table, period)) is None:
        return []
    return lake.rows(layer, table, period)


def inputs(lake: Lake) -> list[str]:
    """The objects under `input/`, those that say something of a file included."""
    found = (entry.key.removeprefix(layout.INPUT) for entry in lake.storage.list(layout.INPUT))
    return [name for name in found if name != ".keep"]


def by_hint(table: TextTable) -> nw.Expr | str:
    return table.hints.get("year") or nw.col("annee")


YEAR_BY_HINT = dataclasses.replace(TOY, datasets=(dataclasses.replace(counts, period=by_hint),))


# Deliveries that are read again.


def test_a_delivery_read_again_for_another_period_counts_there_alone(lake: Lake, use: Use) -> None:
    use(YEAR_BY_HINT)
    content = csv("01001;2020;3")
    lake.drop("a.csv", content, year="2020")
    lake.build()
    assert published(lake, Layer.SILVER, "facts", "2020") == [("01001", 2020, 3)]
    lake.drop("a.csv", content, year="2021")
    lake.build()
    assert published(lake, Layer.SILVER, "facts", "2020") == []
    assert published(lake, Layer.GOLD, "sums", "2020") == []
    assert published(lake, Layer.SILVER, "facts", "2021") == [("01001", 2020, 3)]
    lake.drop("b.csv", csv("01009;2020;1"), year="2020")
    lake.build()
    assert published(lake, Layer.SILVER, "facts", "2020") == [("01009", 2020, 1)]


def test_a_period_that_keeps_other_deliveries_is_built_without_the_one_that_moved(lake: Lake, use: Use) -> None:
    use(YEAR_BY_HINT)
    content = csv("01001;2020;3")
    lake.drop("a.csv", content, year="2020")
    lake.drop("b.csv", csv("01002;2020;4"), year="2020")
    lake.build()
    assert len(published(lake, Layer.SILVER, "facts", "2020")) == 2
    lake.drop("a.csv", content, year="2021")
    lake.build()
    assert published(lake, Layer.SILVER, "facts", "2020") == [("01002", 2020, 4)]
    assert [row[0] for row in published(lake, Layer.GOLD, "sums", "2020")] == ["01002"]


def test_rows_once_without_a_period_leave_quarantine_when_a_hint_gives_them_one(lake: Lake, use: Use) -> None:
    use(YEAR_BY_HINT)
    content = csv("01001;20;3", "01002;20;4").replace(b";20;", b";2;")
    lake.drop("a.csv", content)
    assert len(lake.quarantined()) == 2
    [delivery] = lake.drop("a.csv", content, year="2020")
    assert delivery.tables[0]["periods"] == {"2020": 2}
    assert lake.quarantined() == []


def test_a_table_that_an_earlier_reading_found_stops_no_build(lake: Lake) -> None:
    [delivery] = lake.drop("a.csv", csv("01001;2020;3"))
    [bronze] = delivery.tables[0]["bronze"]
    second = layout.bronze_key("toy", "counts", "2020", delivery.id, 1)
    lake.storage.write(second, lake.storage.read(bronze))
    lake.build()
    assert published(lake, Layer.SILVER, "facts", "2020") == [("01001", 2020, 3)]


# Builders that overtake each other.


@pytest.mark.parametrize("before", [(), ("01009;2020;1",)])
def test_a_slow_builder_does_not_replace_a_newer_table(lake: Lake, before: tuple[str, ...]) -> None:
    if before:
        lake.drop("0.csv", csv(*before))
        lake.build()
    lake.drop("a.csv", csv("01001;2020;1"))
    with stage(lake.storage, lake.ledger, THEMES, TOY, FACTS, "2020") as slow:
        lake.drop("b.csv", csv("01002;2020;2"))
        lake.build()
        newer = published(lake, Layer.SILVER, "facts", "2020")
        with pytest.raises(Conflict):
            publish(lake.storage, slow)
    assert {("01001", 2020, 1), ("01002", 2020, 2)} <= set(newer)
    assert published(lake, Layer.SILVER, "facts", "2020") == newer


def test_two_datasets_that_change_one_period_each_reach_the_periods_that_look_back(lake: Lake, use: Use) -> None:
    other = dataclasses.replace(counts, name="other", columns=(*counts.columns[:2], COUNT.but(source_names=("autre",))))
    facts, sums = TOY.tables
    tables = (
        facts,
        dataclasses.replace(facts, name="facts2", inputs=("other",)),
        sums,
        dataclasses.replace(sums, name="sums2", inputs=("silver/facts2",)),
    )
    use(dataclasses.replace(TOY, datasets=(counts, other), tables=tables))

    def others(*rows: str) -> bytes:
        return csv(*rows).replace(b"nombre", b"autre")

    lake.drop("a.csv", csv("01001;2020;1", "01001;2021;2"))
    lake.drop("b.csv", others("01001;2020;1", "01001;2021;2"))
    lake.build()
    drop(lake.storage, "a2.csv", csv("01001;2020;10"), {"release": "2023"})
    drop(lake.storage, "b2.csv", others("01001;2020;20"), {"release": "2023"})
    lake.take()
    lake.build()
    assert published(lake, Layer.GOLD, "sums", "2021") == [("01001", 2021, 2, 12)]
    assert published(lake, Layer.GOLD, "sums2", "2021") == [("01001", 2021, 2, 22)]


def test_a_period_built_by_a_delivery_is_only_looked_back_from_when_another_of_its_periods_is(lake: Lake) -> None:
    lake.drop("a.csv", csv("01001;2020;1", "01001;2021;2"))
    [both] = due(lake.ledger, THEMES)
    first, second = both.one_by_one()
    for part in (second, first):
        for table in part.tables:
            layer, name = table.split("/")
            with stage(
                lake.storage, lake.ledger, THEMES, TOY, TOY.table(Layer(layer), name), part.periods[0]
            ) as staged:
                publish(lake.storage, staged)
        settle(lake.storage, lake.ledger, THEMES, part)
    [left] = due(lake.ledger, THEMES)
    assert (left.periods, left.tables) == (("2021",), ("gold/sums",))


# Names, times and hints of the files that wait.


def test_two_drops_of_one_name_are_both_taken_each_with_its_own_hints(lake: Lake) -> None:
    drop(lake.storage, "r.csv", csv("01001;2017;3"), {"note": "first"})
    drop(lake.storage, "r.csv", csv("01001;2022;3"), {})
    found = {tuple(delivery.tables[0]["periods"]): delivery.hints for delivery in lake.take().deliveries}
    assert found == {("2017",): {"note": "first"}, ("2022",): {}}
    assert inputs(lake) == []


def test_hints_are_not_said_of_other_bytes_copied_over_the_file(lake: Lake) -> None:
    drop(lake.storage, "r.csv", csv("01001;2017;3"), {"release": "9"})
    (lake.storage.root / "input/r.csv").write_bytes(csv("01001;2022;3"))
    [delivery] = lake.take().deliveries
    assert (delivery.state, delivery.hints) == (State.READ, {})
    assert inputs(lake) == []


def test_a_correction_copied_with_its_old_time_counts_as_the_last_to_arrive(lake: Lake, tmp_path: Path) -> None:
    lake.drop("first.csv", csv("01001;2020;1"))
    kept = tmp_path / "correction.csv"
    kept.write_bytes(csv("01001;2020;2"))
    os.utime(kept, (1e9, 1e9))
    shutil.copy2(kept, lake.storage.root / "input/correction.csv")
    [delivery] = lake.take().deliveries
    lake.build()
    assert abs(datetime.now(UTC) - delivery.received_at) < timedelta(minutes=1)
    assert published(lake, Layer.SILVER, "facts", "2020") == [("01001", 2020, 2)]


def test_a_file_from_the_future_is_taken_and_arrived_now(lake: Lake) -> None:
    drop(lake.storage, "a.csv", csv("01001;2020;1"), {})
    ahead = time.time() + 300 * 86400
    os.utime(lake.storage.root / "input/a.csv", (ahead, ahead))
    settled = waiting(lake.storage, 1.0, now=datetime.now(UTC) + timedelta(seconds=5))
    assert [entry.key for entry in settled] == ["input/a.csv"]
    [delivery] = lake.take().deliveries
    assert delivery.received_at < datetime.now(UTC) + timedelta(minutes=1)


def test_a_name_too_long_for_its_companion_is_reported_and_stops_nobody(lake: Lake) -> None:
    name = "a" * 243 + ".csv"
    folder = lake.storage.root / "input"
    folder.mkdir(parents=True)
    (folder / name).write_bytes(csv("01001;2020;3"))
    drop(lake.storage, "b.csv", csv("01002;2020;3"), {})
    taken = lake.take()
    assert State.READ in [delivery.state for delivery in taken.deliveries if delivery.name == "b.csv"]
    assert name in {*taken.left, *(delivery.name for delivery in taken.deliveries)}


def test_a_name_that_is_no_text_is_reported_and_stops_nobody(lake: Lake) -> None:
    folder = lake.storage.root / "input"
    folder.mkdir(parents=True)
    (Path(os.fsdecode(os.fsencode(folder) + b"/a-r\xe9sultats.csv"))).write_bytes(csv("01001;2020;3"))
    drop(lake.storage, "b.csv", csv("01002;2020;3"), {})
    taken = lake.take()
    assert State.READ in [delivery.state for delivery in taken.deliveries if delivery.name == "b.csv"]
    said = [*taken.left, *(delivery.name for delivery in taken.deliveries)]
    assert any(name.startswith("a-r") and name.endswith("sultats.csv") for name in said)


# Files that change, and passes that meet.


def test_a_delete_of_an_object_that_was_replaced_is_a_conflict(storage: Storage) -> None:
    old = storage.write("input/a.csv", b"old")
    new = storage.write("input/a.csv", b"newer")
    with pytest.raises(Conflict):
        storage.delete("input/a.csv", if_match=old.etag)
    assert storage.read("input/a.csv") == b"newer"
    storage.delete("input/a.csv", if_match=new.etag)
    assert storage.stat("input/a.csv") is None


class Replaced(DirectoryStorage):
    """A storage in a directory where somebody replaces a file just before it would be removed."""

    def delete(self, key: str, *, if_match: str | None = None) -> None:
        if key == "input/a.csv":
            DirectoryStorage(self.root).write(key, csv("01001;2021;9"))
        super().delete(key, if_match=if_match)


def test_a_file_replaced_just_before_it_is_removed_is_not_lost(lake: Lake) -> None:
    drop(lake.storage, "a.csv", csv("01001;2020;1"), {})
    storage, taken = Replaced(lake.storage.root), Taken()
    for entry in list(waiting(storage, 0)):
        take(storage, Ledger(storage), THEMES, entry, taken)
    assert "a.csv" in taken.left
    lake.take()
    lake.build()
    assert published(lake, Layer.SILVER, "facts", "2020") == [("01001", 2020, 1)]
    assert published(lake, Layer.SILVER, "facts", "2021") == [("01001", 2021, 9)]


class DroppedAgain(DirectoryStorage):
    """A storage in a directory where a new file of the same name is dropped as soon as the old one is removed."""

    def delete(self, key: str, *, if_match: str | None = None) -> None:
        super().delete(key, if_match=if_match)
        if key == "input/a.csv":
            drop(DirectoryStorage(self.root), "a.csv", csv("01001;2021;9"), {"note": "second"})


def test_what_is_said_of_the_next_file_of_that_name_is_not_removed_with_the_first(lake: Lake) -> None:
    drop(lake.storage, "a.csv", csv("01001;2020;1"), {"note": "first"})
    storage, taken = DroppedAgain(lake.storage.root), Taken()
    for entry in list(waiting(storage, 0)):
        take(storage, Ledger(storage), THEMES, entry, taken)
    [second] = lake.take().deliveries
    assert second.hints == {"note": "second"}


class Killed(DirectoryStorage):
    """A storage in a directory whose process dies when it is about to mark what is to be built."""

    def write(self, key: str, source: Source, *, if_absent: bool = False, if_match: str | None = None) -> Entry:
        if key.startswith("metadata/pending/"):
            raise KeyboardInterrupt
        return super().write(key, source, if_absent=if_absent, if_match=if_match)


@pytest.mark.parametrize("hints", [{}, {"note": "more is said"}])
def test_the_same_bytes_dropped_with_a_hint_after_a_kill_are_read(lake: Lake, hints: dict[str, str]) -> None:
    drop(lake.storage, "a.csv", csv("01001;2020;1"), {})
    storage = Killed(lake.storage.root)
    [entry] = waiting(storage, 0)
    with pytest.raises(KeyboardInterrupt):
        take(storage, Ledger(storage), THEMES, entry, Taken())
    assert [delivery.state for delivery in lake.ledger.all()] == [State.LANDED]
    lake.drop("a copy.csv", csv("01001;2020;1"), **hints)
    assert [(delivery.state, delivery.hints) for delivery in lake.ledger.all()] == [(State.READ, hints)]
    lake.build()
    assert inputs(lake) == []
    assert published(lake, Layer.SILVER, "facts", "2020") == [("01001", 2020, 1)]


def test_a_hint_that_moves_a_file_whose_reading_was_killed_leaves_nothing_behind(lake: Lake, use: Use) -> None:
    use(YEAR_BY_HINT)
    drop(lake.storage, "a.csv", csv("01001;2020;1"), {"year": "2020"})
    storage = Killed(lake.storage.root)
    [entry] = waiting(storage, 0)
    with pytest.raises(KeyboardInterrupt):
        take(storage, Ledger(storage), passes.THEMES, entry, Taken())
    for waits in list(lake.storage.list("input/")):
        lake.storage.delete(waits.key)
    lake.drop("a.csv", csv("01001;2020;1"), year="2021")
    lake.drop("b.csv", csv("01002;2020;2"), year="2020")
    lake.build()
    assert published(lake, Layer.SILVER, "facts", "2020") == [("01002", 2020, 2)]
    assert published(lake, Layer.SILVER, "facts", "2021") == [("01001", 2020, 1)]


class Overtaken(DirectoryStorage):
    """A storage in a directory where another pass takes everything while this one keeps the bytes of its first file."""

    overtaken = False

    def write(self, key: str, source: Source, *, if_absent: bool = False, if_match: str | None = None) -> Entry:
        if key.startswith(layout.RAW) and not self.overtaken:
            self.overtaken = True
            Lake(self.root).take()
        return super().write(key, source, if_absent=if_absent, if_match=if_match)


def test_of_two_passes_on_one_file_the_second_leaves_it(lake: Lake) -> None:
    drop(lake.storage, "a.csv", csv("01001;2020;1"), {})
    drop(lake.storage, "b.csv", csv("01002;2020;1"), {})
    storage, taken = Overtaken(lake.storage.root), Taken()
    for entry in list(waiting(storage, 0)):
        take(storage, Ledger(storage), THEMES, entry, taken)
    assert storage.overtaken
    assert "a.csv" in taken.left
    lake.take()
    lake.build()
    assert published(lake, Layer.SILVER, "facts", "2020") == [("01001", 2020, 1), ("01002", 2020, 1)]
    assert lake.quarantined() == []


def _take_all(lake: Lake, workers: int) -> tuple[Taken, list[str]]:
    taken, failed = Taken(), list[str]()
    entries = list(waiting(lake.storage, 0))
    take_all(lake.storage, lake.ledger, THEMES, entries, taken, lambda entry, _: failed.append(entry.key), workers)
    return taken, failed


def test_files_taken_at_the_same_time_count_in_the_order_of_their_names(lake: Lake) -> None:
    for number in range(30):
        drop(lake.storage, f"{number:02}.csv", csv(f"01001;2020;{number}", f"{2001 + number:05};2020;1"), {})
    taken, failed = _take_all(lake, 8)
    assert (failed, taken.left, len(taken.deliveries)) == ([], {}, 30)
    lake.build()
    assert ("01001", 2020, 29) in published(lake, Layer.SILVER, "facts", "2020")
    assert len(published(lake, Layer.SILVER, "facts", "2020")) == 31


def test_the_same_bytes_under_many_names_at_the_same_time_are_one_delivery(lake: Lake) -> None:
    for number in range(12):
        drop(lake.storage, f"{number:02}.csv", csv("01001;2020;1"), {})
    taken, failed = _take_all(lake, 8)
    assert (failed, len(taken.deliveries), len(taken.known), inputs(lake)) == ([], 1, 11, [])
    [delivery] = lake.ledger.all()
    assert len(delivery.drops) == 11


def test_a_file_that_no_one_can_take_stops_none_of_those_beside_it(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.csv", "b.csv", "c.csv"):
        drop(lake.storage, name, csv(f"0100{ord(name[0]) % 9};2020;1"), {})
    real = DirectoryStorage.open

    def broken(storage: DirectoryStorage, key: str) -> BinaryIO:
        if key == "input/b.csv":
            raise OSError("this one cannot be read")
        return real(storage, key)

    monkeypatch.setattr(DirectoryStorage, "open", broken)
    taken, failed = _take_all(lake, 4)
    assert (failed, len(taken.deliveries), inputs(lake)) == (["input/b.csv"], 2, ["b.csv"])


# What the contract and the eyes of others keep out.


def _by_kind(dataset: Dataset, frame: Frame, table: TextTable) -> Frame:
    kept = [nw.col("_line"), nw.col("CODGEO").alias("code_commune"), nw.col("annee")]
    kinds = [frame.select(*kept, nw.lit(k).alias("sorte"), nw.col(k).alias("nombre")) for k in ("vols", "incendies")]
    return nw.concat(kinds, how="vertical")


def test_a_bad_value_takes_its_wide_line_to_quarantine_and_no_other(lake: Lake, use: Use) -> None:
    kind = CODE.but(name="sorte", source_names=(), pattern=None, width=None, optional_in_file=True)
    wide = dataclasses.replace(
        counts,
        columns=(CODE, counts.columns[1], kind, COUNT.but(optional_in_file=True)),
        key=("code_commune", "annee", "sorte"),
        normalise=_by_kind,
    )
    facts = dataclasses.replace(FACTS, columns=(*FACTS.columns, kind), key=wide.key, rules=())
    use(dataclasses.replace(TOY, datasets=(wide,), tables=(facts,)))
    lake.drop("wide.csv", b"CODGEO;annee;vols;incendies\n01001;2020;x;1\n01001;2020;5;6\n01002;2020;7;8\n")
    lake.build()
    assert sorted(published(lake, Layer.SILVER, "facts", "2020"), key=str) == [
        ("01001", 2020, 5, "vols"),
        ("01001", 2020, 6, "incendies"),
        ("01002", 2020, 7, "vols"),
        ("01002", 2020, 8, "incendies"),
    ]
    assert [row["_line"] for row in lake.quarantined()] == [2]


SECRET = "01001"  # noqa: S105 - stands for somebody's name
facts_personal = dataclasses.replace(FACTS, columns=(FACTS.columns[0].but(personal=True), *FACTS.columns[1:]))
PERSONAL = dataclasses.replace(TOY, tables=(facts_personal,))


def test_examples_of_a_check_mask_what_is_personal(lake: Lake, use: Use) -> None:
    use(PERSONAL)
    lake.drop("a.csv", csv(f"{SECRET};2020;500"))
    with stage(lake.storage, lake.ledger, {"toy": PERSONAL}, PERSONAL, facts_personal, "2020") as staged:
        [small] = [result for result in staged.results if not result.passed]
    [example] = small.examples
    assert example["code_commune"] in (None, "***")
    assert example["nombre"] == 500
    lake.build()
    [document] = table_documents(lake.storage)
    assert SECRET not in json.dumps(document)


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_show_masks_what_is_personal(tmp_path: Path, use: Use, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    monkeypatch.setenv("ELEXXION_HOME", str(tmp_path))
    for module in (cli.console, cli.tables):
        monkeypatch.setattr(module, "all_themes", lambda: {"toy": PERSONAL})
    settings.cache_clear()
    try:
        use(PERSONAL)
        lake = Lake(settings().lake_directory)
        lake.drop("a.csv", csv(f"{SECRET};2020;77"))
        lake.build()
        said = CliRunner().invoke(cli.app, ["show", "toy/silver/facts", "--format", form])
    finally:
        settings.cache_clear()
    assert said.exit_code == 0, said.output
    assert "77" in said.output
    assert SECRET not in said.output
    with lake.storage.local(layout.table_key("toy", Layer.SILVER, "facts", "2020")) as file:
        assert pl.read_parquet(file)["code_commune"].to_list() == [SECRET]
