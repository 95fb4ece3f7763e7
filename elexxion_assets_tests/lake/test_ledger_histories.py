"""Histories of several daemons that interrupt each other and are killed, at every single request to the storage.

After each of them: one delivery per content, only legal changes, nothing that was promised is lost, and whoever comes
by next puts the documents right.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from elexxion_assets.lake.ledger import TRANSITIONS, Delivery, IllegalTransition, Ledger, State
from elexxion_assets.lake.storage import Conflict
from elexxion_assets_tests.services.memory import MemoryStorage

AT = datetime(2026, 11, 21, tzinfo=UTC)
# The hashes of the first two begin alike, as those of two contents may.
CONTENTS = ["1a2b3c4d" + "0" * 56, "1a2b3c4d" + "f" * 56, hashlib.sha256(b"").hexdigest()]


class Killed(BaseException):
    """The daemon is gone; nothing of its own code runs any more."""


class Connection:
    """One daemon's way to the shared storage; something happens at one of its requests."""

    def __init__(self, shared: MemoryStorage, at: int, before: bool, event: Callable[[], object]) -> None:
        self.shared, self.at, self.before, self.event = shared, at, before, event
        self.url = shared.url

    def _request(self, name: str, *arguments: Any, **options: Any) -> Any:
        self.at -= 1
        if self.at == 0 and self.before:
            self.event()
        answer = getattr(self.shared, name)(*arguments, **options)
        if name == "list":
            answer = iter([*answer])
        if self.at == 0 and not self.before:
            self.event()
        return answer

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *arguments, **options: self._request(name, *arguments, **options)


def killed() -> None:
    raise Killed


moments = st.tuples(st.integers(1, 12), st.booleans())
drops = st.tuples(st.sampled_from(CONTENTS), st.sampled_from(["a.csv", "b.csv"]), st.integers(0, 2))
steps = st.sampled_from(
    [
        (State.LANDED, {"raw": "raw/x"}),
        (State.LANDED, {"raw": "raw/crime/x", "theme": "crime"}),
        (State.READ, {"raw": "raw/crime/x", "theme": "crime", "tables": [{"rows": 1}]}),
        (State.READ, {"raw": "raw/crime/x", "theme": "crime", "tables": [{"rows": 2}]}),
        (State.READ, {"raw": "raw/crime/x", "theme": "election"}),
        (State.REFUSED, {"reasons": [{"rule": "a", "reason": "a"}]}),
        (State.EXPANDED, {"raw": "raw/x"}),
        (State.SUPERSEDED, {"superseded_by": "x"}),
    ]
)


class Histories(RuleBasedStateMachine):
    """The moves of several daemons over one storage."""

    known = Bundle("known")

    @initialize()
    def begin(self) -> None:
        self.shared = MemoryStorage()
        self.promised: dict[str, list[Delivery]] = {}
        self.dropped: dict[str, set[tuple[str, str]]] = {}
        self.marks: set[tuple[str, str]] = set()

    def promise(self, delivery: Delivery) -> Delivery:
        """What a call has returned must hold from then on."""
        self.promised.setdefault(delivery.sha256, []).append(delivery)
        return delivery

    def claim(self, storage: Any, drop: tuple[str, str, int]) -> Delivery:
        content, name, hour = drop
        at = AT + timedelta(hours=hour)
        delivery = self.promise(Ledger(storage).claim(sha256=content, name=name, size=1, at=at, hints={}))
        self.dropped.setdefault(content, set()).add((name, at.isoformat()))
        return delivery

    def advance(self, storage: Any, delivery: Delivery, step: tuple[State, dict[str, Any]]) -> Delivery | None:
        state, facts = step
        with suppress(Conflict, IllegalTransition):
            advanced = self.promise(Ledger(storage).advance(delivery, state, **facts))
            assert advanced.state is state
            assert all(getattr(advanced, name) == value for name, value in facts.items())
            return advanced
        return None

    @rule(target=known, drop=drops)
    def one_claims(self, drop: tuple[str, str, int]) -> Delivery:
        return self.claim(self.shared, drop)

    @rule(drop=drops, moment=moments)
    def one_claims_and_is_killed(self, drop: tuple[str, str, int], moment: tuple[int, bool]) -> None:
        with suppress(Killed):
            self.claim(Connection(self.shared, *moment, killed), drop)

    @rule(target=known, drop=drops, other=drops, moment=moments)
    def two_claim(self, drop: tuple[str, str, int], other: tuple[str, str, int], moment: tuple[int, bool]) -> Any:
        between: list[Delivery] = []
        connection = Connection(self.shared, *moment, lambda: between.append(self.claim(self.shared, other)))
        return multiple(self.claim(connection, drop), *between)

    @rule(target=known, delivery=known, step=steps)
    def one_advances(self, delivery: Delivery, step: tuple[State, dict[str, Any]]) -> Any:
        advanced = self.advance(self.shared, delivery, step)
        return multiple() if advanced is None else advanced

    @rule(delivery=known, step=steps, moment=moments)
    def one_advances_and_is_killed(
        self, delivery: Delivery, step: tuple[State, dict[str, Any]], moment: tuple[int, bool]
    ) -> None:
        with suppress(Killed):
            self.advance(Connection(self.shared, *moment, killed), delivery, step)

    @rule(target=known, delivery=known, step=steps, other=steps, moment=moments, fresh=st.booleans())
    def two_advance(
        self,
        delivery: Delivery,
        step: tuple[State, dict[str, Any]],
        other: tuple[State, dict[str, Any]],
        moment: tuple[int, bool],
        fresh: bool,
    ) -> Any:
        done: list[Delivery | None] = []

        def interrupt() -> None:
            current = Ledger(self.shared).by_content(delivery.sha256) if fresh else delivery
            assert current is not None
            done.append(self.advance(self.shared, current, other))

        done.append(self.advance(Connection(self.shared, *moment, interrupt), delivery, step))
        return multiple(*(found for found in done if found is not None))

    @rule(target=known, delivery=known, step=steps, drop=drops, moment=moments)
    def one_advances_while_it_is_dropped_again(
        self,
        delivery: Delivery,
        step: tuple[State, dict[str, Any]],
        drop: tuple[str, str, int],
        moment: tuple[int, bool],
    ) -> Any:
        done: list[Delivery | None] = []
        connection = Connection(
            self.shared, *moment, lambda: done.append(self.claim(self.shared, (delivery.sha256, *drop[1:])))
        )
        done.append(self.advance(connection, delivery, step))
        return multiple(*(found for found in done if found is not None))

    @rule(target=known, delivery=known)
    def one_reads_it_again(self, delivery: Delivery) -> Delivery:
        current = Ledger(self.shared).get(delivery.id)
        assert current is not None
        return current

    @rule(delivery=known, step=steps, moment=moments)
    def one_resumes_while_another_advances(
        self, delivery: Delivery, step: tuple[State, dict[str, Any]], moment: tuple[int, bool]
    ) -> None:
        connection = Connection(self.shared, *moment, lambda: self.advance(self.shared, delivery, step))
        for _ in Ledger(connection).unfinished():
            pass

    @rule(moment=moments)
    def one_resumes_and_is_killed(self, moment: tuple[int, bool]) -> None:
        with suppress(Killed):
            for _ in Ledger(Connection(self.shared, *moment, killed)).unfinished():
                pass

    @rule(delivery=known, period=st.sampled_from(["2023", "2024"]))
    def one_marks(self, delivery: Delivery, period: str) -> None:
        Ledger(self.shared).mark_pending("crime", period, delivery.id)
        self.marks.add((period, delivery.id))

    @rule(delivery=known, period=st.sampled_from(["2023", "2024"]), moment=moments)
    def one_builds_while_another_marks(self, delivery: Delivery, period: str, moment: tuple[int, bool]) -> None:
        marked_meanwhile: list[tuple[str, str]] = []

        def mark() -> None:
            self.one_marks(delivery, period)
            marked_meanwhile.append((period, delivery.id))

        marks = Ledger(self.shared).pending("crime").get("crime", {}).get(period, [])
        Ledger(Connection(self.shared, *moment, mark)).clear_pending("crime", period, marks)
        self.marks -= {(period, mark.partition(".")[0]) for mark in marks}
        self.marks |= set(marked_meanwhile)

    @invariant()
    def every_content_has_one_delivery_for_ever(self) -> None:
        recorded = {delivery.sha256: delivery for delivery in Ledger(self.shared).all()}
        assert len({delivery.id for delivery in recorded.values()}) == len(recorded)
        for content, promised in self.promised.items():
            assert {(d.id, d.name, d.received_at) for d in promised} == {
                (recorded[content].id, recorded[content].name, recorded[content].received_at)
            }

    @invariant()
    def every_change_was_legal(self) -> None:
        for versions in self.versions().values():
            assert versions[0].state is State.SEEN
            for before, after in pairwise(versions):
                only_dropped_again = after.same_facts(before) and len(after.drops) == len(before.drops) + 1
                assert only_dropped_again or after.state in TRANSITIONS[before.state]
                assert after.updated_at > before.updated_at

    def versions(self) -> dict[str, list[Delivery]]:
        found: dict[str, list[Delivery]] = {}
        for key, text in self.shared.history:
            if key.startswith("metadata/ledger/"):
                assert text is not None, "a record was removed"
                delivery = Delivery.from_json(text)
                found.setdefault(delivery.sha256, []).append(delivery)
        return found

    @invariant()
    def nothing_that_was_promised_is_lost(self) -> None:
        versions = self.versions()
        for content, promised in self.promised.items():
            assert all(delivery in versions[content] for delivery in promised)
        for content, dropped in self.dropped.items():
            last = versions[content][-1]
            known = {(last.name, last.received_at.isoformat())} | {(d["name"], d["at"]) for d in last.drops}
            assert dropped <= known

    @invariant()
    def what_was_promised_is_found_without_looking_at_everything(self) -> None:
        looked_at = copy.deepcopy(
            self.shared
        )  # looking puts documents right; the next move is to find them as they are
        unfinished = {delivery.id for delivery in Ledger(looked_at).unfinished()}
        named = {delivery.id for delivery in Ledger(looked_at).find(".csv")}
        for content, promised in self.promised.items():
            current = Ledger(looked_at).by_content(content)
            assert current is not None
            if any(delivery.state is not State.SEEN for delivery in promised):
                assert current.id in named
            if current.state is State.LANDED and current in promised:
                assert current.id in unfinished

    @invariant()
    def what_is_marked_is_pending(self) -> None:
        pending = Ledger(self.shared).pending().get("crime", {})
        found = {(period, mark.partition(".")[0]) for period, marks in pending.items() for mark in marks}
        assert self.marks <= found

    def teardown(self) -> None:
        """Whoever comes by next leaves one document per delivery, which says what the record says."""
        if not hasattr(self, "shared"):
            return
        ledger = Ledger(self.shared)
        list(ledger.unfinished())
        for delivery in ledger.all():
            ledger.claim(sha256=delivery.sha256, name=delivery.name, size=1, at=delivery.received_at, hints={})
        ledger.find(".csv")
        recorded = [delivery for delivery in ledger.all() if delivery.state is not State.SEEN]
        documents = {
            key: text
            for key, (_, text) in self.shared.objects.items()
            if not key.startswith(("metadata/ledger/", "metadata/pending/"))
        }
        assert {delivery.document for delivery in recorded} == set(documents)
        for delivery in recorded:
            assert Delivery.from_json(documents[delivery.document]) == delivery


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=120, stateful_step_count=15, deadline=None)
