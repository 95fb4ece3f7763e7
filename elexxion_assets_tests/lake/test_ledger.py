"""What a person or a daemon may rely on when asking the ledger."""

import hashlib
import json
import threading
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from elexxion_assets.lake.ledger import (
    NEEDS,
    TRANSITIONS,
    Delivery,
    IllegalTransition,
    Ledger,
    State,
)
from elexxion_assets.lake.storage import Conflict, DirectoryStorage, Storage
from elexxion_assets_tests.services.memory import MemoryStorage
from elexxion_assets_tests.services.s3 import is_moto

AT = datetime(2026, 11, 21, 10, 45, 12, 123456, tzinfo=UTC)
FACTS: dict[State, dict[str, Any]] = {
    State.SEEN: {},
    State.LANDED: {"raw": "raw/crime/x"},
    State.READ: {"raw": "raw/crime/x", "theme": "crime", "tables": [{"dataset": "communale", "rows": 3}]},
    State.REFUSED: {"reasons": [{"rule": "unknown_dataset", "reason": "no dataset has these columns"}]},
    State.EXPANDED: {"raw": "raw/archive/x"},
    State.SUPERSEDED: {"superseded_by": "20261121T104512123456Z-ffffffff"},
}
WAYS = {
    State.SEEN: (),
    State.LANDED: (State.LANDED,),
    State.READ: (State.LANDED, State.READ),
    State.REFUSED: (State.REFUSED,),
    State.EXPANDED: (State.LANDED, State.EXPANDED),
    State.SUPERSEDED: (State.LANDED, State.READ, State.SUPERSEDED),
}


@pytest.fixture
def memory() -> MemoryStorage:
    return MemoryStorage()


@pytest.fixture
def ledger(memory: MemoryStorage) -> Ledger:
    return Ledger(memory)


def sha(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


def drop(
    ledger: Ledger, content: str = "a", name: str = "base.csv", at: datetime = AT, hints: dict[str, str] | None = None
) -> Delivery:
    return ledger.claim(sha256=sha(content), name=name, size=len(content), at=at, hints=hints or {})


def bring(ledger: Ledger, delivery: Delivery, state: State) -> Delivery:
    for step in WAYS[state]:
        delivery = ledger.advance(delivery, step, **FACTS[step])
    return delivery


def documents(storage: Storage) -> list[str]:
    folders = ("metadata/ledger/", "metadata/pending/")
    return [entry.key for entry in storage.list("metadata/") if not entry.key.startswith(folders)]


# On every storage


def test_a_delivery_goes_its_way(storage: Storage) -> None:
    ledger = Ledger(storage)
    delivery = drop(ledger, name="Délinquance 2024.csv", hints={"scrutin": "2022-presidentielle-t1"})
    assert (delivery.state, delivery.size, delivery.theme) == (State.SEEN, 1, "")
    assert documents(storage) == []
    landed = ledger.advance(delivery, State.LANDED, raw="raw/crime/x", theme="crime")
    assert [found.id for found in ledger.unfinished()] == [delivery.id]
    read = ledger.advance(landed, State.READ, tables=[{"dataset": "communale", "periods": {"2024": 7}}])
    assert list(ledger.unfinished()) == []
    assert documents(storage) == [f"metadata/crime/{delivery.id}_Delinquance_2024.csv.json"]
    other = Ledger(storage)
    for found in (other.by_content(sha("a")), other.get(delivery.id), *other.find("délinquance"), *other.all("crime")):
        assert found == read


def test_a_refusal_is_replayed(storage: Storage) -> None:
    ledger = Ledger(storage)
    refused = bring(ledger, drop(ledger), State.REFUSED)
    assert documents(storage) == [f"metadata/refused/{refused.id}_base.csv.json"]
    again = ledger.advance(refused, State.REFUSED, reasons=[{"rule": "other", "reason": "still not"}])
    read = ledger.advance(again, State.READ, raw="raw/crime/x", theme="crime", reasons=[])
    assert documents(storage) == [f"metadata/crime/{refused.id}_base.csv.json"]
    assert ledger.get(refused.id) == read


def test_a_second_claimer_gets_the_first_ones_delivery(storage: Storage) -> None:
    first = drop(Ledger(storage), name="first.csv")
    second = drop(Ledger(storage), name="second.csv", at=AT + timedelta(hours=1))
    assert (second.id, second.name, second.received_at) == (first.id, "first.csv", AT)
    assert [(d["name"], d["at"]) for d in second.drops] == [("second.csv", (AT + timedelta(hours=1)).isoformat())]
    assert len(list(Ledger(storage).all())) == 1


def test_of_two_who_advance_one_loses(storage: Storage) -> None:
    one, two = Ledger(storage), Ledger(storage)
    delivery = bring(one, drop(one), State.LANDED)
    read = one.advance(delivery, State.READ, theme="crime")
    with pytest.raises(Conflict, match=r"landed.*read"):
        two.advance(delivery, State.REFUSED, **FACTS[State.REFUSED])
    assert two.get(delivery.id) == read


def test_pending_periods(storage: Storage) -> None:
    ledger = Ledger(storage)
    one, two = drop(ledger, "a").id, drop(ledger, "b").id
    ledger.mark_pending("crime", "2023", one)
    ledger.mark_pending("crime", "2024", one)
    ledger.mark_pending("crime", "2024", two)
    ledger.mark_pending("election", "2022-presidentielle-t1", two)
    assert marked(Ledger(storage).pending()) == {
        "crime": {"2023": [one], "2024": sorted([one, two])},
        "election": {"2022-presidentielle-t1": [two]},
    }
    assert marked(ledger.pending("election")) == {"election": {"2022-presidentielle-t1": [two]}}
    done = ledger.pending()["crime"]["2024"]
    ledger.clear_pending("crime", "2024", done)
    ledger.clear_pending("crime", "2024", done[:1])
    assert marked(ledger.pending("crime")) == {"crime": {"2023": [one]}}


def marked(pending: dict[str, dict[str, list[str]]]) -> dict[str, dict[str, list[str]]]:
    """The deliveries of the marks."""
    return {
        theme: {period: [mark.partition(".")[0] for mark in marks] for period, marks in periods.items()}
        for theme, periods in pending.items()
    }


def test_many_claimers_at_once_make_one_delivery(storage: Storage) -> None:
    if isinstance(storage, MemoryStorage) or is_moto(storage):
        pytest.skip("an imitation whose conditions are not atomic between threads")
    claimed: list[Delivery] = []
    barrier = threading.Barrier(6)

    def claim(number: int) -> None:
        barrier.wait()
        claimed.append(drop(Ledger(storage), name=f"{number}.csv", at=AT + timedelta(seconds=number)))

    threads = [threading.Thread(target=claim, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({(delivery.id, delivery.name) for delivery in claimed}) == 1
    recorded = Ledger(storage).by_content(sha("a"))
    assert recorded is not None
    assert {recorded.name} | {d["name"] for d in recorded.drops} == {f"{number}.csv" for number in range(6)}


# Claims


def test_the_id_is_the_stamp_and_the_content(ledger: Ledger) -> None:
    assert drop(ledger).id == f"20261121T104512123456Z-{sha('a')[:8]}"


def test_stamps_are_utc(ledger: Ledger) -> None:
    paris = AT.astimezone(timezone(timedelta(hours=1)))
    assert drop(ledger, at=paris).id.startswith("20261121T104512")
    with pytest.raises(ValueError, match="time zone"):
        drop(ledger, at=AT.replace(tzinfo=None))


@pytest.mark.parametrize("wrong", ["", "abc", "A" * 64, "../" + "a" * 61, "a" * 65])
def test_what_is_no_hash_is_refused(ledger: Ledger, wrong: str) -> None:
    with pytest.raises(ValueError, match="SHA-256"):
        ledger.claim(sha256=wrong, name="x", size=1, at=AT, hints={})


def test_the_same_drop_again_is_not_another_drop(ledger: Ledger) -> None:
    drop(ledger)
    later = AT + timedelta(hours=1)
    for _ in range(3):
        drop(ledger)
        drop(ledger, at=later, hints={"scrutin": "x"})
    assert drop(ledger).drops == [{"name": "base.csv", "at": later.isoformat(), "hints": {"scrutin": "x"}}]


def test_a_drop_changes_nothing_else(ledger: Ledger) -> None:
    read = bring(ledger, drop(ledger), State.READ)
    again = drop(ledger, name="again.csv", hints={"scrutin": "x"})
    assert again.same_facts(read)
    assert len(again.drops) == 1


def test_a_drop_does_not_stop_whoever_is_reading(ledger: Ledger) -> None:
    landed = bring(ledger, drop(ledger), State.LANDED)
    drop(ledger, name="again.csv")
    read = ledger.advance(landed, State.READ, theme="crime")
    assert [d["name"] for d in read.drops] == ["again.csv"]


def test_a_robot_that_drops_for_ever_does_not_grow_the_record(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("elexxion_assets.lake.ledger.DROPS_KEPT", 5)
    for number in range(9):
        delivery = drop(ledger, at=AT + timedelta(minutes=number))
    assert [d["at"] for d in delivery.drops] == [(AT + timedelta(minutes=n)).isoformat() for n in range(4, 9)]


def test_two_contents_never_share_an_id(ledger: Ledger) -> None:
    """Their hashes begin alike and they came at the same moment, which stores that count in seconds make likely."""
    ids = [ledger.claim(sha256="1a2b3c4d" + f"{n:056x}", name="x", size=1, at=AT, hints={}).id for n in range(4)]
    assert len(set(ids)) == 4
    assert {i[-8:] for i in ids} == {"1a2b3c4d"}
    assert [getattr(ledger.get(i), "sha256", "")[-1] for i in ids] == ["0", "1", "2", "3"]


def test_a_member_knows_its_archive(ledger: Ledger) -> None:
    archive = drop(ledger, "zip")
    member = ledger.claim(sha256=sha("m"), name="a.zip/m.csv", size=1, at=AT, hints={}, parent=archive.id)
    found = ledger.get(member.id)
    assert found is not None
    assert found.parent == archive.id


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a/b/../c.csv",
        "\n.csv",
        "x" * 4000,
        "\udce9lections.csv",
        "élections\0.csv",
        '"quoted".csv',
        "文件 🗳️.csv",
        "..",
        "/",
    ],
    ids=range(10),
)
def test_a_delivery_may_have_any_name(directory: DirectoryStorage, name: str) -> None:
    ledger = Ledger(directory)
    read = bring(ledger, drop(ledger, name=name), State.READ)
    found = Ledger(directory).get(read.id)
    assert found is not None
    assert found.name == name
    (key,) = documents(directory)
    assert key.startswith(f"metadata/crime/{read.id}_")
    assert Delivery.from_json(directory.read(key)) == read


# Transitions


@pytest.mark.parametrize("start", State)
@pytest.mark.parametrize("end", State)
def test_only_legal_transitions_are_made(ledger: Ledger, start: State, end: State) -> None:
    before = bring(ledger, drop(ledger), start)
    changes = FACTS[end] | {"hints": {"new": "fact"}}
    if end in TRANSITIONS[start]:
        after = ledger.advance(before, end, **changes)
        assert (after.state, after.hints) == (end, {"new": "fact"})
        assert after.updated_at > before.updated_at
    else:
        with pytest.raises(IllegalTransition, match=rf"« {start} » to « {end} »"):
            ledger.advance(before, end, **changes)
        assert ledger.get(before.id) == before


@pytest.mark.parametrize("state", State)
def test_a_step_can_be_repeated(ledger: Ledger, memory: MemoryStorage, state: State) -> None:
    reached = bring(ledger, drop(ledger), state)
    writes = len(memory.history)
    assert ledger.advance(reached, state, **FACTS[state]) == reached
    assert len(memory.history) == writes


def test_a_step_can_be_repeated_from_where_it_began(ledger: Ledger) -> None:
    """As after a kill between the record and what came next."""
    landed = bring(ledger, drop(ledger), State.LANDED)
    read = ledger.advance(landed, State.READ, **FACTS[State.READ])
    assert ledger.advance(landed, State.READ, **FACTS[State.READ]) == read


def test_a_step_that_is_repeated_too_late_is_told(ledger: Ledger) -> None:
    landed = bring(ledger, drop(ledger), State.LANDED)
    bring(ledger, landed, State.READ)
    with pytest.raises(Conflict, match="is « read » meanwhile"):
        ledger.advance(landed, State.LANDED)


@pytest.mark.parametrize("state", [state for state in State if NEEDS[state]])
def test_a_state_needs_its_facts(ledger: Ledger, state: State) -> None:
    before = next(start for start in (State.SEEN, State.LANDED, State.READ) if state in TRANSITIONS[start])
    delivery = bring(ledger, drop(ledger), before)
    facts: dict[str, Any] = {name: [] if name == "reasons" else "" for name in NEEDS[state]}
    with pytest.raises(IllegalTransition, match=NEEDS[state][0]):
        ledger.advance(delivery, state, **facts)


@pytest.mark.parametrize(
    "fact", ["id", "name", "sha256", "size", "received_at", "parent", "drops", "updated_at", "etag"]
)
def test_what_a_claim_has_fixed_is_never_changed(ledger: Ledger, fact: str) -> None:
    with pytest.raises(TypeError, match=fact):
        ledger.advance(drop(ledger), State.LANDED, raw="raw/x", **{fact: "other"})


@pytest.mark.parametrize("theme", ["ledger", "pending", "landed", "refused", "archive", "a/b", "..", " ", "é"])
def test_a_theme_cannot_take_the_ledgers_own_folders(ledger: Ledger, theme: str) -> None:
    with pytest.raises(ValueError, match="name of a theme"):
        ledger.advance(drop(ledger), State.LANDED, raw="raw/x", theme=theme)
    with pytest.raises(ValueError, match="name of a theme"):
        ledger.mark_pending(theme, "2024", "id")


def test_facts_come_back_as_they_are_kept(ledger: Ledger) -> None:
    landed = bring(ledger, drop(ledger), State.LANDED)
    read = ledger.advance(landed, State.READ, theme="crime", tables=[{"header": ("a", "b"), "rows": 2}])
    assert read.tables == [{"header": ["a", "b"], "rows": 2}]
    assert ledger.get(read.id) == read


def test_numbers_that_json_does_not_know_are_refused(ledger: Ledger) -> None:
    landed = bring(ledger, drop(ledger), State.LANDED)
    with pytest.raises(ValueError, match="JSON"):
        ledger.advance(landed, State.READ, theme="crime", tables=[{"rows": float("nan")}])
    assert ledger.get(landed.id) == landed


def test_a_clock_that_goes_back_does_not_undo_a_change(ledger: Ledger) -> None:
    future = datetime.now(UTC) + timedelta(days=1)
    landed = bring(ledger, drop(ledger, at=future), State.LANDED)
    assert landed.updated_at > future


# Documents for people


def test_a_document_is_for_people(ledger: Ledger, memory: MemoryStorage) -> None:
    read = bring(ledger, drop(ledger, name="Élections.csv"), State.READ)
    text = memory.read(read.document).decode()
    assert '\n  "name": "Élections.csv",\n' in text
    assert '\n  "state": "read",\n' in text
    assert json.loads(text)["received_at"] == "2026-11-21T10:45:12.123456+00:00"
    assert "etag" not in json.loads(text)


@pytest.mark.parametrize(
    ("state", "folder"),
    [
        (State.LANDED, "landed"),
        (State.READ, "crime"),
        (State.REFUSED, "refused"),
        (State.EXPANDED, "archive"),
        (State.SUPERSEDED, "crime"),
    ],
)
def test_the_folder_of_a_document(ledger: Ledger, memory: MemoryStorage, state: State, folder: str) -> None:
    delivery = bring(ledger, drop(ledger), state)
    assert documents(memory) == [delivery.document] == [f"metadata/{folder}/{delivery.id}_base.csv.json"]


def test_a_recognised_file_that_is_refused_stays_with_its_theme(ledger: Ledger, memory: MemoryStorage) -> None:
    landed = ledger.advance(drop(ledger), State.LANDED, raw="raw/x", theme="crime")
    ledger.advance(landed, State.REFUSED, **FACTS[State.REFUSED])
    assert documents(memory) == [f"metadata/crime/{landed.id}_base.csv.json"]


def test_a_document_that_a_person_damaged_is_written_anew(ledger: Ledger, memory: MemoryStorage) -> None:
    read = bring(ledger, drop(ledger), State.READ)
    for damage in (b"", b"{", b"{}", b"[]", b"\xff"):
        memory.write(read.document, damage)
        again = ledger.advance(read, State.READ, hints={"damage": repr(damage)})
        assert Delivery.from_json(memory.read(read.document)) == again
        read = again


def test_a_document_that_a_person_removed_is_written_anew(ledger: Ledger, memory: MemoryStorage) -> None:
    read = bring(ledger, drop(ledger), State.READ)
    memory.delete(read.document)
    drop(ledger)
    assert documents(memory) == [read.document]


def test_a_damaged_record_is_named(ledger: Ledger, memory: MemoryStorage) -> None:
    drop(ledger)
    memory.write(f"metadata/ledger/{sha('a')[:2]}/{sha('a')[:8]}.json", b"{")
    with pytest.raises(ValueError, match=rf"{sha('a')[:8]}.json is damaged"):
        ledger.by_content(sha("a"))


# Finding


def test_finding_by_name(ledger: Ledger) -> None:
    names = ["Base communale 2024.csv", "base communale.csv", "Résultats (T1).txt", "other.zip/base communale.csv"]
    ids = {}
    for number, name in enumerate(names):
        delivery = drop(ledger, name, name=name, at=AT + timedelta(minutes=number))
        ids[name] = bring(ledger, delivery, State.READ if number % 2 else State.REFUSED).id
    assert [d.name for d in ledger.find("BASE communale.csv")] == [names[1], names[3]]
    assert [d.name for d in ledger.find("communale")] == [names[3], names[1], names[0]]
    assert [d.name for d in ledger.find("résultats (t1)")] == [names[2]]
    assert [d.name for d in ledger.find(f" {ids[names[2]]} ")] == [names[2]]
    assert ledger.find("nothing like it") == ledger.find("") == ledger.find(" ") == []


def test_versions_of_one_name_are_found_newest_first(ledger: Ledger) -> None:
    for number in range(3):
        bring(ledger, drop(ledger, f"v{number}", at=AT + timedelta(days=number)), State.READ)
    assert [delivery.received_at.day for delivery in ledger.find("base.csv")] == [23, 22, 21]


@pytest.mark.parametrize(
    "text", ["", "x", "20261121T104512123456Z-1a2b3c4d", "20261121T104512123456Z-", "../..", "a" * 64]
)
def test_what_is_not_there_is_not_found(ledger: Ledger, text: str) -> None:
    drop(ledger)
    assert ledger.get(text) is None
    assert ledger.find(text) == []
    assert ledger.by_content("0" * 64) is None


def test_all_of_a_theme(ledger: Ledger) -> None:
    for number, theme in enumerate(["crime", "crime", "election"]):
        ledger.advance(drop(ledger, f"{number}"), State.LANDED, raw="raw/x", theme=theme)
    drop(ledger, "unknown")
    assert len(list(ledger.all())) == 4
    assert len(list(ledger.all("crime"))) == 2
    assert list(ledger.all("emploi")) == []


# Pending


def test_what_is_marked_during_a_build_is_built_again(ledger: Ledger) -> None:
    ledger.mark_pending("crime", "2024", "d1")
    began_with = ledger.pending()["crime"]["2024"]
    ledger.mark_pending("crime", "2024", "d1")  # a replay, while the build reads the old rows
    ledger.clear_pending("crime", "2024", began_with)
    (mark,) = ledger.pending()["crime"]["2024"]
    assert mark.partition(".")[0] == "d1"
    ledger.clear_pending("crime", "2024", [mark])
    assert ledger.pending() == {}


def test_a_mark_gives_its_delivery(ledger: Ledger) -> None:
    delivery = drop(ledger)
    ledger.mark_pending("crime", "2024", delivery.id)
    ledger.mark_pending("crime", "2024", delivery.id)
    assert [ledger.get(mark) for mark in ledger.pending()["crime"]["2024"]] == [delivery, delivery]


def test_periods_may_hold_underscores_and_dashes(ledger: Ledger) -> None:
    for period in ("2024", "2022-presidentielle-t1", "a_b", "2024-01-31"):
        ledger.mark_pending("crime", period, "d1")
        assert marked(ledger.pending()) == {"crime": {period: ["d1"]}}
        ledger.clear_pending("crime", period, ledger.pending()["crime"][period])


@pytest.mark.parametrize(
    ("period", "delivery"), [("a/b", "d"), ("", "d"), ("..", "d"), ("2024", "a_b"), ("2024", ""), ("2024", "a.b")]
)
def test_marks_that_could_not_be_read_back_are_refused(ledger: Ledger, period: str, delivery: str) -> None:
    with pytest.raises(ValueError, match="«"):
        ledger.mark_pending("crime", period, delivery)
    assert ledger.pending() == {}


class Counting(MemoryStorage):
    """Counts the objects that are listed or touched."""

    touched = 0

    def list(self, prefix: str, after: str = "") -> Any:
        for entry in super().list(prefix, after):
            self.touched += 1
            yield entry

    def stat(self, key: str) -> Any:
        self.touched += 1
        return super().stat(key)


def test_the_cost_of_a_tick_does_not_grow_with_what_is_stored() -> None:
    storage = Counting()
    ledger = Ledger(storage)
    costs = []
    for number in range(200):
        delivery = bring(ledger, drop(ledger, f"{number}"), State.READ)
        ledger.mark_pending("crime", "2024", delivery.id)
        ledger.clear_pending("crime", "2024", ledger.pending()["crime"]["2024"])
        if number in (9, 199):
            waiting = bring(ledger, drop(ledger, f"waiting {number}"), State.LANDED)
            storage.touched = 0
            assert ledger.pending() == {}
            assert [found.id for found in ledger.unfinished()] == [waiting.id]
            assert ledger.by_content(sha("0")) is not None
            costs.append(storage.touched)
            ledger.advance(waiting, State.READ, theme="crime")
    assert costs[0] == costs[1] <= 5
