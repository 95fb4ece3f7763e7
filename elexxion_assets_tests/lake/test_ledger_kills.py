"""Every way of a delivery, killed or interrupted at every single request to the storage; none is left to chance."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest

from elexxion_assets.lake.ledger import Delivery, IllegalTransition, Ledger, State
from elexxion_assets.lake.storage import Conflict
from elexxion_assets_tests.lake.test_ledger_histories import Connection, Killed, killed
from elexxion_assets_tests.services.memory import MemoryStorage

CONTENT = "1a2b3c4d" * 8
REQUESTS = 40

Step = tuple[State, dict[str, Any]]
LANDED: Step = (State.LANDED, {"raw": "raw/x"})
READ: Step = (State.READ, {"raw": "raw/x", "theme": "crime", "tables": [{"rows": 1}]})
READ_AGAIN: Step = (State.READ, {"raw": "raw/x", "theme": "crime", "tables": [{"rows": 2}]})
READ_ELSEWHERE: Step = (State.READ, {"raw": "raw/x", "theme": "election", "tables": []})
REFUSED: Step = (State.REFUSED, {"raw": "raw/x", "reasons": [{"rule": "a", "reason": "a"}]})
EXPANDED: Step = (State.EXPANDED, {"raw": "raw/x"})
SUPERSEDED: Step = (State.SUPERSEDED, {"superseded_by": "other"})

WAYS: list[list[Step]] = [
    [LANDED],
    [LANDED, READ],
    [REFUSED],
    [REFUSED, READ],
    [LANDED, REFUSED, READ],
    [LANDED, EXPANDED],
    [LANDED, READ, SUPERSEDED],
    [LANDED, READ, READ_AGAIN],
    [LANDED, READ, READ_ELSEWHERE],
]


def claim(storage: Any, name: str = "a.csv") -> Delivery:
    at = datetime(2026, 11, 21, tzinfo=UTC)
    return Ledger(storage).claim(sha256=CONTENT, name=name, size=1, at=at, hints={})


def take(storage: Any, way: list[Step]) -> Delivery:
    """Takes a delivery its way, from wherever it stands; as a run does that is tried again."""
    delivery = claim(storage)
    states = [state for state, _ in way]
    done = states.index(delivery.state) if delivery.state in states else 0
    for state, facts in way[done:]:
        delivery = Ledger(storage).advance(delivery, state, **facts)
    return delivery


def documents(storage: MemoryStorage) -> dict[str, Delivery]:
    return {
        key: Delivery.from_json(text)
        for key, (_, text) in storage.objects.items()
        if not key.startswith("metadata/ledger/")
    }


def names(way: list[Step]) -> str:
    return "-".join(state for state, _ in way)


@pytest.mark.parametrize("way", WAYS, ids=names)
@pytest.mark.parametrize("before", [True, False])
def test_a_way_that_is_killed_anywhere_is_taken_up_again(way: list[Step], before: bool) -> None:
    for moment in range(1, REQUESTS * len(way)):
        storage = MemoryStorage()
        try:
            take(Connection(storage, moment, before, killed), way)
        except Killed:
            finished = False
        else:
            finished = True
        left = Ledger(storage).by_content(CONTENT)
        if left is not None and any(key.startswith("metadata/") for key in documents(storage)):
            # Once it has a document it can always be found by its name.
            assert [found.id for found in Ledger(storage).find("a.csv")] == [left.id]
        final = take(storage, way)
        assert (final.state, final.drops) == (way[-1][0], [])
        assert list(Ledger(storage).all()) == [final]
        Ledger(storage).find("a.csv")
        assert documents(storage) == {final.document: final}
        assert [found.id for found in Ledger(storage).unfinished()] == [final.id] * (final.state is State.LANDED)
        if finished:
            return
    raise AssertionError("the way has more requests than were tried")


@pytest.mark.parametrize("way", [way for way in WAYS if len(way) > 1], ids=names)
@pytest.mark.parametrize("before", [True, False])
def test_a_delivery_that_has_a_document_always_has_one(way: list[Step], before: bool) -> None:
    for moment in range(1, REQUESTS):
        storage = MemoryStorage()
        delivery = take(storage, way[:-1])
        state, facts = way[-1]
        try:
            Ledger(Connection(storage, moment, before, killed)).advance(delivery, state, **facts)
        except Killed:
            assert delivery.id in {document.id for document in documents(storage).values()}
            assert [found.id for found in Ledger(storage).find("a.csv")] == [delivery.id]
        else:
            return
    raise AssertionError("the step has more requests than were tried")


LOOKS = [("find", way) for way in WAYS if len(way) > 1] + [
    ("unfinished", way) for way in WAYS if len(way) > 1 and way[-2] is LANDED
]


@pytest.mark.parametrize(("look", "way"), LOOKS, ids=[f"{look}-{names(way)}" for look, way in LOOKS])
def test_looking_puts_documents_into_their_place(look: str, way: list[Step]) -> None:
    for moment in range(1, REQUESTS):
        storage = MemoryStorage()
        delivery = take(storage, way[:-1])
        state, facts = way[-1]
        with suppress(Killed):
            Ledger(Connection(storage, moment, True, killed)).advance(delivery, state, **facts)
            return
        if look == "find":
            Ledger(storage).find("a.csv")
        else:
            list(Ledger(storage).unfinished())
        (record,) = Ledger(storage).all()
        assert set(documents(storage)) == {record.document}
    raise AssertionError("the step has more requests than were tried")


def steps() -> list[tuple[str, Callable[[Any, Delivery], object]]]:
    """What another daemon may do in between, knowing the delivery as it was or as it is."""

    def advance(step: Step, fresh: bool) -> Callable[[Any, Delivery], object]:
        def act(storage: Any, delivery: Delivery) -> None:
            known = Ledger(storage).get(delivery.id) if fresh else delivery
            if known is not None:
                with suppress(Conflict, IllegalTransition):
                    Ledger(storage).advance(known, step[0], **step[1])

        return act

    every = [LANDED, READ, READ_AGAIN, READ_ELSEWHERE, REFUSED, EXPANDED, SUPERSEDED]
    acts = [
        (f"{step[0]}-{number}-{fresh}", advance(step, fresh))
        for number, step in enumerate(every)
        for fresh in (True, False)
    ]
    acts.append(("dropped", lambda storage, _: claim(storage, "again.csv")))
    acts.append(("unfinished", lambda storage, _: list(Ledger(storage).unfinished())))
    acts.append(("find", lambda storage, _: Ledger(storage).find("a.csv")))
    return acts


@pytest.mark.parametrize("way", WAYS, ids=names)
@pytest.mark.parametrize(("name", "other"), steps(), ids=[name for name, _ in steps()])
def test_documents_are_right_at_once_after_two_daemons_that_live(
    way: list[Step], name: str, other: Callable[[Any, Delivery], object]
) -> None:
    for moment in range(1, REQUESTS):
        storage = MemoryStorage()
        delivery = take(storage, way[:-1]) if len(way) > 1 else claim(storage)
        happened: list[bool] = []

        def interrupt(
            storage: MemoryStorage = storage, delivery: Delivery = delivery, happened: Any = happened
        ) -> None:
            happened.append(True)
            other(storage, delivery)

        with suppress(Conflict, IllegalTransition):
            state, facts = way[-1]
            Ledger(Connection(storage, moment, True, interrupt)).advance(delivery, state, **facts)
        (record,) = Ledger(storage).all()
        assert documents(storage) == ({record.document: record} if record.document else {})
        if not happened:
            return
    raise AssertionError("the step has more requests than were tried")
