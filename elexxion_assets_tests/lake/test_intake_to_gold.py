"""From a file under `input/` to tables: nothing is lost, nothing counts twice, the good table stays."""

from __future__ import annotations

import dataclasses
import gzip
import io
import json
import zipfile
from pathlib import Path

import polars as pl
import pytest

from elexxion_assets.declare import Layer
from elexxion_assets.lake import layout
from elexxion_assets.lake.build import CORRECTS, periods_of, publish, stage, table_documents
from elexxion_assets.lake.due import Due, due, settle
from elexxion_assets.lake.explain import explain
from elexxion_assets.lake.intake import Taken, drop, initialise, take, waiting
from elexxion_assets.lake.ledger import Delivery, Ledger, State
from elexxion_assets.lake.storage import DirectoryStorage, Entry, Source
from elexxion_assets_tests.toy import THEMES, TOY, counts, csv

FACTS = TOY.table(Layer.SILVER, "facts")
SUMS = TOY.table(Layer.GOLD, "sums")


class Lake:
    """A lake in a directory, with the verbs of a pass."""

    def __init__(self, root: Path) -> None:
        self.storage = DirectoryStorage(root)
        self.ledger = Ledger(self.storage)

    def drop(self, name: str, content: bytes, **hints: str) -> list[Delivery]:
        drop(self.storage, name, content, hints)
        return self.take().deliveries

    def take(self) -> Taken:
        taken = Taken()
        for entry in list(waiting(self.storage, 0)):
            take(self.storage, self.ledger, THEMES, entry, taken)
        return taken

    def build(self) -> list[str]:
        built = []
        while groups := due(self.ledger, THEMES):
            for group in groups:
                built += self._build(group)
                settle(self.storage, self.ledger, THEMES, group)
        return built

    def _build(self, group: Due) -> list[str]:
        built = []
        for name in group.tables:
            layer, _, table = name.partition("/")
            for period in group.periods:
                with stage(self.storage, self.ledger, THEMES, TOY, TOY.table(Layer(layer), table), period) as staged:
                    if not staged.refused:
                        publish(self.storage, staged)
                        built.append(f"{name}/{period}")
        return built

    def rows(self, layer: Layer, table: str, period: str) -> list[tuple[object, ...]]:
        with self.storage.local(layout.table_key("toy", layer, table, period)) as file:
            return pl.read_parquet(file).drop("_delivery", "_line", "_rescued", strict=False).rows()

    def quarantined(self) -> list[dict[str, object]]:
        rows: list[dict[str, object]] = []
        for entry in self.storage.list(layout.QUARANTINE):
            if entry.key.startswith(layout.CLOSED):
                continue
            with self.storage.local(entry.key) as file:
                rows += pl.read_parquet(file).to_dicts()
        return rows


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def test_the_tree_is_made_once(lake: Lake) -> None:
    made = initialise(lake.storage, THEMES)
    assert {"input", "notebooks", "scripts", "raw/toy", "metadata/toy", "output/or/toy"} <= set(made)
    assert initialise(lake.storage, THEMES) == []
    assert list(waiting(lake.storage, 0)) == []


def test_a_file_goes_to_raw_byte_for_byte_and_its_rows_to_every_layer(lake: Lake) -> None:
    content = csv("01001;2020;3", "2A004;2020;4", "01001;2021;5")
    [delivery] = lake.drop("counts.csv", content)
    assert delivery.state is State.READ
    assert list(waiting(lake.storage, 0)) == []
    assert lake.storage.read(delivery.raw) == content
    assert delivery.raw.startswith(f"raw/toy/{delivery.id}_")
    assert lake.build() == ["silver/facts/2020", "silver/facts/2021", "gold/sums/2020", "gold/sums/2021"]
    assert lake.rows(Layer.SILVER, "facts", "2020") == [("01001", 2020, 3), ("2A004", 2020, 4)]
    assert lake.rows(Layer.GOLD, "sums", "2021") == [("01001", 2021, 5, 8)]
    assert lake.build() == []


def test_the_document_says_what_was_read(lake: Lake) -> None:
    [delivery] = lake.drop("comptes été.csv", csv("01001;2020;3"), note="x")
    facts = json.loads(lake.storage.read(delivery.document))
    assert facts["sha256"] == delivery.sha256
    assert facts["hints"] == {"note": "x"}
    assert (
        facts["tables"][0]
        | {
            "dataset": "counts",
            "encoding": "utf-8",
            "separator": ";",
            "rows": 1,
            "periods": {"2020": 1},
            "header": ["CODGEO", "annee", "nombre"],
        }
        == facts["tables"][0]
    )


def test_a_file_that_waits_is_told_by_its_beginning(lake: Lake) -> None:
    content = csv("01001;2020;3")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("counts.csv", content)
    waits = {"counts.csv": content, "cut.csv.gz": gzip.compress(content)[:-9], "all.zip": packed.getvalue()}
    for name, file in waits.items():
        drop(lake.storage, name, file, {})
    said = {item["name"]: item["story"][-1] for item in explain(lake.storage, lake.ledger, THEMES, "")}
    assert said["counts.csv"] == "It looks like toy/counts (Counts): utf-8, separator « ; », header on line 1."
    assert said["cut.csv.gz"].startswith("It would be refused: The gzip file ends too early")
    assert said["all.zip"].startswith("It is an archive")


def test_what_was_said_of_a_file_that_waits_counts_for_what_it_looks_like(lake: Lake) -> None:
    corrected = b"_line;annee\n2;2020\n"
    for name, hints in (("said.csv", {CORRECTS: "another"}), ("unsaid.csv", {})):
        drop(lake.storage, name, corrected, hints)
    said = {item["name"]: item["story"][-1] for item in explain(lake.storage, lake.ledger, THEMES, "said")}
    assert said["said.csv"] == "It is a correction of rejected rows."
    assert "none of the known datasets" in said["unsaid.csv"]


def test_rows_that_break_the_contract_are_kept_with_file_line_and_reason(lake: Lake) -> None:
    [delivery] = lake.drop("c.csv", csv("01001;2020;3", "BAD;2020;4", "01002;2020;x", "01003;20;1", "01001;2020;9"))
    lake.build()
    assert lake.rows(Layer.SILVER, "facts", "2020") == [("01001", 2020, 3)]
    found = {row["_line"]: row for row in lake.quarantined()}
    assert set(found) == {3, 4, 5, 6}
    assert {row["_file"] for row in found.values()} == {"c.csv"}
    assert "BAD" in str(found[3]["_reason"])
    assert found[4]["nombre"] == "x"
    assert "period" in str(found[5]["_reason"])
    assert "line 2" in str(found[6]["_reason"])
    assert delivery.tables[0]["rows"] == 5


def test_the_same_bytes_count_once_whatever_their_name(lake: Lake) -> None:
    content = csv("01001;2020;3")
    [first] = lake.drop("a.csv", content)
    lake.build()
    assert lake.drop("b.csv", content) == []
    assert lake.build() == []
    assert [d.id for d in lake.ledger.all()] == [first.id]
    assert list(waiting(lake.storage, 0)) == []


def test_new_bytes_under_an_old_name_are_a_new_version(lake: Lake) -> None:
    lake.drop("a.csv", csv("01001;2020;3", "01002;2020;1"))
    lake.drop("a.csv", csv("01001;2020;7"))
    lake.build()
    assert lake.rows(Layer.SILVER, "facts", "2020") == [("01001", 2020, 7), ("01002", 2020, 1)]


def test_the_newest_release_wins_whatever_the_order_of_arrival(lake: Lake) -> None:
    lake.drop("new.csv", csv("01001;2020;9"), release="2022")
    lake.drop("old.csv", csv("01001;2020;3", "01002;2020;1"), release="2021")
    lake.build()
    assert lake.rows(Layer.SILVER, "facts", "2020") == [("01001", 2020, 9)]
    [document] = [d for d in table_documents(lake.storage) if d["table"] == "toy/silver/facts"]
    assert document["counts"] == {"source_rows": 3, "quarantined": 0, "older_release": 2}


def test_a_table_that_fails_a_blocking_check_does_not_replace_the_good_one(lake: Lake) -> None:
    lake.drop("good.csv", csv("01001;2020;3"))
    lake.build()
    lake.drop("bad.csv", csv("01001;2020;5000", "01002;2020;200"))
    with stage(lake.storage, lake.ledger, THEMES, TOY, FACTS, "2020") as staged:
        assert [result.name for result in staged.refused] == ["sane"]
        assert staged.refused[0].examples[0]["nombre"] == 5000
        assert {r.name for r in staged.results if not r.passed} == {"sane", "small"}
        with pytest.raises(ValueError, match="sane"):
            publish(lake.storage, staged)
    assert lake.rows(Layer.SILVER, "facts", "2020") == [("01001", 2020, 3)]


def test_a_changed_year_rebuilds_the_years_that_look_back_on_it(lake: Lake) -> None:
    lake.drop("a.csv", csv("01001;2020;1", "01001;2021;2", "01001;2022;3"))
    lake.build()
    lake.drop("b.csv", csv("01001;2020;10"), release="2022")
    assert lake.build() == ["silver/facts/2020", "gold/sums/2020", "gold/sums/2021"]
    assert lake.rows(Layer.GOLD, "sums", "2021") == [("01001", 2021, 2, 12)]
    assert lake.rows(Layer.GOLD, "sums", "2022") == [("01001", 2022, 3, 5)]


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "empty"),
        (b"\x00\x01\x02\xff" * 500, "not text"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 12345\n", "LFS"),
        (b"colour;taste\nred;sweet\nblue;sour\n", "none of the known datasets"),
        (gzip.compress(csv("01001;2020;3"))[:-12], "cut"),
    ],
)
def test_a_bad_file_is_refused_in_words_kept_and_stops_nobody(lake: Lake, content: bytes, word: str) -> None:
    drop(lake.storage, "a-bad.csv", content, {})
    drop(lake.storage, "b-good.csv", csv("01001;2020;3"), {})
    bad, good = sorted(lake.take().deliveries, key=lambda delivery: delivery.name)
    assert good.state is State.READ
    assert bad.state is State.REFUSED
    assert word.lower() in bad.reasons[0]["reason"].lower()
    assert lake.storage.read(bad.raw) == content
    assert list(waiting(lake.storage, 0)) == []
    [story] = explain(lake.storage, lake.ledger, THEMES, "a-bad")
    assert word.lower() in " ".join(story["story"]).lower()


def test_a_refused_file_is_read_when_it_comes_again_with_a_better_hint(lake: Lake) -> None:
    content = csv("01001;2020;3")
    [refused] = lake.drop("a.csv", content, refuse="yes")
    assert refused.state is State.REFUSED
    [read] = lake.drop("a.csv", content, refuse="")
    assert (read.id, read.state) == (refused.id, State.READ)
    assert lake.build() == ["silver/facts/2020", "gold/sums/2020"]


def test_every_member_of_an_archive_is_a_delivery_of_its_own(lake: Lake) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("2020.csv", csv("01001;2020;3"))
        archive.writestr("readme.txt", "nothing to see")
        archive.writestr("deep/2021.csv", csv("01001;2021;4"))
    found = {delivery.name: delivery for delivery in lake.drop("all.zip", packed.getvalue())}
    assert found["all.zip"].state is State.EXPANDED
    assert found["all.zip/2020.csv"].state is State.READ
    assert found["all.zip/deep/2021.csv"].parent == found["all.zip"].id
    assert found["all.zip/readme.txt"].state is State.REFUSED
    lake.build()
    assert periods_of(lake.storage, TOY, Layer.GOLD, "sums") == ["2020", "2021"]


def test_a_file_that_is_still_being_written_is_left_alone(lake: Lake) -> None:
    drop(lake.storage, "a.csv", csv("01001;2020;3"), {})
    assert list(waiting(lake.storage, 60)) == []
    assert len(list(waiting(lake.storage, 0))) == 1


class Crash(Exception):
    """Stands for the end of the process."""


class Crashing(DirectoryStorage):
    """A storage in a directory that dies at the n-th change."""

    def __init__(self, root: Path, after: int) -> None:
        super().__init__(root)
        self.left = after

    def _step(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Crash

    def write(self, key: str, source: Source, *, if_absent: bool = False, if_match: str | None = None) -> Entry:
        self._step()
        return super().write(key, source, if_absent=if_absent, if_match=if_match)

    def delete(self, key: str, *, if_match: str | None = None) -> None:
        self._step()
        super().delete(key, if_match=if_match)


@pytest.mark.parametrize("after", range(16))
def test_a_crash_at_any_change_loses_no_row_and_counts_none_twice(tmp_path: Path, after: int) -> None:
    lake = Lake(tmp_path / "lake")
    drop(lake.storage, "a.csv", csv("01001;2020;3", "01002;2021;4", "BAD;2020;1"), {})
    entry = next(iter(waiting(lake.storage, 0)))
    crashing = Crashing(tmp_path / "lake", after)
    try:
        take(crashing, Ledger(crashing), THEMES, entry, Taken())
        assert crashing.left >= 0
    except Crash:
        pass
    lake.take()
    lake.build()
    assert lake.rows(Layer.SILVER, "facts", "2020") == [("01001", 2020, 3)]
    assert lake.rows(Layer.SILVER, "facts", "2021") == [("01002", 2021, 4)]
    assert [row["CODGEO"] for row in lake.quarantined()] == ["BAD"]
    assert len(list(lake.ledger.all())) == 1
    assert list(waiting(lake.storage, 0)) == []


def test_the_same_bytes_under_a_name_of_a_newer_release_are_of_that_release(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_name = dataclasses.replace(counts, release=lambda table, rows: "2024" if "2024" in table.file else "2023")
    monkeypatch.setitem(THEMES, "toy", dataclasses.replace(TOY, datasets=(by_name,)))
    content = csv("01001;2020;3")
    lake.drop("mine.csv", content)
    lake.drop("older-2023.csv", csv("01001;2020;9"))
    [delivery] = lake.drop("official-2024.csv", content)
    assert delivery.tables[0]["release"] == "2024"
    lake.build()
    assert lake.rows(Layer.SILVER, "facts", "2020") == [("01001", 2020, 3)]
    assert lake.drop("official-2024.csv", content) == []


def test_a_year_that_nothing_covers_is_not_built_because_an_earlier_one_changed(lake: Lake) -> None:
    lake.drop("a.csv", csv("01001;2020;1", "01001;2022;1"))
    lake.build()
    lake.drop("b.csv", csv("01001;2020;2"), release="2023")
    assert lake.build() == ["silver/facts/2020", "gold/sums/2020", "gold/sums/2022"]
