"""The truth about deliveries: what was dropped, exactly once by content, and what became of it.

    metadata/ledger/<2 hex>/<8 hex>.json        the record, one per content: created once, then replaced conditionally;
                                                contents whose SHA-256 begins alike queue up in `<8 hex>.1.json`, ...
    metadata/<folder>/<delivery>_<name>.json    the same for people: `landed` while it waits to be read, then the theme,
                                                `refused` where no theme was recognised, `archive` where it was expanded
    metadata/pending/<theme>/<period>_<mark>    a delivery by which a period still has to be built
    metadata/pending/raw/<mark>                 a delivery that still has to be read again

The record alone decides, and it never moves: whoever replaces it first has advanced the delivery, the others learn of
it. Documents follow the record: the new one is written before the old one is removed, so after a crash there is one too
many or one out of date, never none, and the next who comes by puts it right. Records are found by content or id from
their first eight digits, names in the keys of the documents.

Legal transitions (the same state with the same facts is always accepted, so that a killed step can be repeated):

    from        to
    SEEN        LANDED, REFUSED
    LANDED      LANDED (told more of a file whose reading was killed), READ, REFUSED, EXPANDED
    READ        READ (replay), SUPERSEDED
    REFUSED     READ, EXPANDED, REFUSED (replay)
    EXPANDED    -
    SUPERSEDED  -
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
import secrets
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from elexxion_assets.lake.layout import safe_name
from elexxion_assets.lake.storage import Conflict, Entry, Storage

RESERVED = ("ledger", "pending", "raw", "landed", "refused", "archive", "catalogue", "closed", "alerts")
"""Folders of `metadata/` or `quarantine/` that are no themes."""

_READING = "metadata/pending/raw/"

DROPS_KEPT = 1000
"""Repeated drops that a record remembers, the newest; a robot that drops one file every minute must not grow it."""


class State(StrEnum):
    """How far a delivery has come."""

    SEEN = "seen"
    LANDED = "landed"
    READ = "read"
    REFUSED = "refused"
    EXPANDED = "expanded"
    SUPERSEDED = "superseded"


TRANSITIONS: Mapping[State, frozenset[State]] = {
    State.SEEN: frozenset({State.LANDED, State.REFUSED}),
    State.LANDED: frozenset({State.LANDED, State.READ, State.REFUSED, State.EXPANDED}),
    State.READ: frozenset({State.READ, State.SUPERSEDED}),
    State.REFUSED: frozenset({State.READ, State.EXPANDED, State.REFUSED}),
    State.EXPANDED: frozenset(),
    State.SUPERSEDED: frozenset(),
}

NEEDS: Mapping[State, tuple[str, ...]] = {
    State.SEEN: (),
    State.LANDED: ("raw",),
    State.READ: ("raw", "theme"),
    State.REFUSED: ("reasons",),
    State.EXPANDED: ("raw",),
    State.SUPERSEDED: ("superseded_by",),
}
"""Facts without which a state means nothing."""


class IllegalTransition(ValueError):
    """A delivery cannot go from its state to the one asked for."""


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One content that was dropped, and what became of it.

    Attributes:
        id: UTC stamp of the first drop and the first eight hexadecimal digits of the content's SHA-256:
            `20261121T104512123456Z-1a2b3c4d`.
        name: Name under which the content was first dropped.
        sha256: SHA-256 of the content, hexadecimal.
        size: Bytes.
        received_at: When it was first dropped, UTC.
        state: How far it has come.
        theme: Theme, empty until it is known.
        raw: Key of the bytes in `raw/`, empty until landed.
        parent: Delivery of the archive that holds it, or empty.
        hints: What the person said when dropping it.
        reasons: Why it was refused: `rule` and `reason`.
        tables: What was read: member, dataset, release, encoding, separator, header, header_line, rows, periods
            (rows per period), defects, bronze keys, unknown (columns that nobody declared), rescued (per period, how
            many texts of which columns).
        drops: The later drops of the same content, oldest first: `name`, `at`, `hints`.
        supersedes: Delivery that this one replaces, or empty.
        superseded_by: Delivery that replaces this one, or empty.
        updated_at: When the record was last changed, UTC.
        record: Key of the record that these facts were read from; not a fact itself.
        etag: Version of that record; not a fact either.
    """

    id: str
    name: str
    sha256: str
    size: int
    received_at: datetime
    state: State = State.SEEN
    theme: str = ""
    raw: str = ""
    parent: str = ""
    hints: dict[str, str] = field(default_factory=dict)
    reasons: list[dict[str, str]] = field(default_factory=list)
    tables: list[dict[str, Any]] = field(default_factory=list)
    drops: list[dict[str, Any]] = field(default_factory=list)
    supersedes: str = ""
    superseded_by: str = ""
    updated_at: datetime
    record: str = field(default="", repr=False, compare=False)
    etag: str = field(default="", repr=False, compare=False)

    @property
    def document(self) -> str:
        """Key of the document for people; empty for a delivery that was only seen."""
        match self.state:
            case State.SEEN:
                return ""
            case State.LANDED:
                folder = "landed"
            case State.EXPANDED:
                folder = "archive"
            case _:
                folder = self.theme or "refused"
        return f"metadata/{folder}/{self.id}_{safe_name(self.name)}.json"

    def to_json(self) -> bytes:
        """The facts as JSON for people."""
        facts = dataclasses.asdict(self)
        del facts["record"], facts["etag"]
        text = json.dumps(facts, indent=2, ensure_ascii=False, allow_nan=False, default=_json_time)
        # Names from a file system may hold bytes that are no text; JSON can say them as escapes.
        return text.encode("utf-8", "backslashreplace") + b"\n"

    @classmethod
    def from_json(cls, text: bytes, record: str = "", etag: str = "") -> Delivery:
        """The delivery that `to_json` wrote."""
        facts = json.loads(text)
        for name in ("received_at", "updated_at"):
            facts[name] = datetime.fromisoformat(facts[name])
        return cls(**facts | {"state": State(facts["state"]), "record": record, "etag": etag})

    def same_facts(self, other: Delivery) -> bool:
        """Whether both say the same, apart from when it was written and how often the content was dropped."""
        return dataclasses.replace(self, updated_at=other.updated_at, drops=other.drops) == other


def _json_time(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{value!r} cannot be kept in a delivery's document")


def _folder_name(text: str, kind: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", text) or text in RESERVED:
        raise ValueError(f"« {text} » cannot be the name of a {kind}.")
    return text


class Ledger:
    """The deliveries of one lake. Any number of processes may use it at once."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    def claim(
        self, *, sha256: str, name: str, size: int, at: datetime, hints: Mapping[str, str], parent: str = ""
    ) -> Delivery:
        """The one delivery of a content: a new one, or the one that it has been since its first drop.

        Args:
            sha256: SHA-256 of the content, hexadecimal.
            name: Name under which it was dropped.
            size: Bytes.
            at: When it was dropped. The same `name` and `at` are the same drop, tried again; another one is added to
                `drops`.
            hints: What the person said.
            parent: Delivery of the archive that holds it.
        """
        if not re.fullmatch(r"[0-9a-f]{64}", sha256):
            raise ValueError(f"{sha256!r} is not a SHA-256 in lower case hexadecimal digits.")
        if at.tzinfo is None:
            raise ValueError("The time of a drop needs its time zone.")
        at = at.astimezone(UTC)
        neighbours: set[str] = set()
        for key in _record_keys(sha256[:8]):
            there = self._read(key)
            if there is None:
                delivery = Delivery(
                    id=_free_id(sha256, at, neighbours),
                    name=name,
                    sha256=sha256,
                    size=size,
                    received_at=at,
                    parent=parent,
                    hints=dict(hints),
                    updated_at=at,
                )
                try:
                    entry = self.storage.write(key, delivery.to_json(), if_absent=True)
                except Conflict:
                    there = self._reload(key)
                else:
                    return dataclasses.replace(delivery, record=key, etag=entry.etag)
            if there.sha256 == sha256:
                # Whoever advanced it may have been killed before its document was written.
                self._show(there, stale=_earlier_documents(there))
                return self._add_drop(there, {"name": name, "at": at.isoformat(), "hints": dict(hints)})
            neighbours.add(there.id)
        raise AssertionError("there is always a free key")

    def _add_drop(self, delivery: Delivery, drop: dict[str, Any]) -> Delivery:
        while True:
            known = {(delivery.name, delivery.received_at.isoformat()), *((d["name"], d["at"]) for d in delivery.drops)}
            if (drop["name"], drop["at"]) in known:
                return delivery
            drops = [*delivery.drops, drop][-DROPS_KEPT:]
            try:
                added = self._replace(delivery, dataclasses.replace(delivery, drops=drops, updated_at=_later(delivery)))
            except Conflict:
                delivery = self._reload(delivery.record)
            else:
                self._show(added)
                return added

    def advance(self, delivery: Delivery, state: State, **changes: Any) -> Delivery:
        """Brings a delivery to a state, with the facts that were found on the way.

        Args:
            delivery: The delivery as it was last read.
            state: The state to reach.
            **changes: Facts: theme, raw, hints, reasons, tables, supersedes, superseded_by.

        Returns:
            The delivery as it is recorded now; also where it was there already, with the same facts.

        Raises:
            IllegalTransition: The state cannot be reached from the delivery's, or lacks facts that it needs.
            Conflict: Somebody else has advanced the delivery since it was read.
        """
        changeable = {"theme", "raw", "hints", "reasons", "tables", "supersedes", "superseded_by"}
        if unknown := set(changes) - changeable:
            raise TypeError(f"These facts of a delivery cannot be changed: {', '.join(sorted(unknown))}")
        if changes.get("theme"):
            _folder_name(changes["theme"], "theme")
        wanted = dataclasses.replace(delivery, state=state, **changes)
        # Tuples become lists, as they will be read back.
        wanted = Delivery.from_json(wanted.to_json(), record=delivery.record)
        stale = [delivery.document]
        while not wanted.same_facts(delivery):
            _check_transition(delivery, wanted)
            try:
                advanced = self._replace(
                    delivery, dataclasses.replace(wanted, drops=delivery.drops, updated_at=_later(delivery))
                )
            except Conflict:
                current = self._reload(delivery.record)
                if not (current.same_facts(delivery) or current.same_facts(wanted)):
                    raise _advanced_meanwhile(delivery, current) from None
                delivery = current
            else:
                self._show(advanced, stale)
                return advanced
        current = self._reload(delivery.record)
        if not current.same_facts(wanted):
            raise _advanced_meanwhile(delivery, current)
        self._show(current, [*stale, *_earlier_documents(current)])
        return current

    def note_rescued(self, delivery: Delivery, position: int, period: str, counts: Mapping[str, int]) -> None:
        """Notes how many texts of a table and a period found no column in silver, by column.

        Nothing is written where the delivery, as it was last read, says it already.
        """
        current: Delivery | None = delivery
        while current is not None and current.state is State.READ and position < len(current.tables):
            said = current.tables[position].get("rescued", {})
            rescued = {key: found for key, found in {**said, period: dict(counts)}.items() if found}
            if rescued == said:
                return
            facts = {**current.tables[position], "rescued": rescued}
            tables = [*current.tables[:position], facts, *current.tables[position + 1 :]]
            try:
                self.advance(current, State.READ, tables=tables)
            except Conflict:
                current = self.get(delivery.id)
            else:
                return

    def _replace(self, before: Delivery, after: Delivery) -> Delivery:
        entry = self.storage.write(before.record, after.to_json(), if_match=before.etag)
        return dataclasses.replace(after, etag=entry.etag)

    def _show(self, delivery: Delivery, stale: Iterable[str] = ()) -> None:
        """Writes the document of a delivery unless a newer one is there, and removes those at its `stale` keys."""
        if not delivery.document:
            return
        self._write_document(delivery)
        for key in {*stale} - {"", delivery.document}:
            self.storage.delete(key)
        current = self._reload(delivery.record)
        if current.document != delivery.document:
            # Another has moved it on, perhaps before our document was there for it to be removed.
            self._show(current, stale=[delivery.document])

    def _write_document(self, delivery: Delivery) -> None:
        key, text = delivery.document, delivery.to_json()
        while True:
            there = self.storage.stat(key)
            try:
                if there is None:
                    self.storage.write(key, text, if_absent=True)
                elif _updated_at(self.storage.read(key)) < delivery.updated_at:
                    self.storage.write(key, text, if_match=there.etag)
            except (Conflict, KeyError):
                continue
            return

    def by_content(self, sha256: str) -> Delivery | None:
        """The delivery of that content, or None."""
        return next((delivery for delivery in self._alike(sha256[:8]) if delivery.sha256 == sha256), None)

    def _alike(self, digits: str) -> Iterator[Delivery]:
        """The deliveries of contents whose SHA-256 begins with these eight digits, in the order of their claims."""
        for key in _record_keys(digits):
            delivery = self._read(key)
            if delivery is None:
                return
            yield delivery

    def _read(self, key: str) -> Delivery | None:
        """The record as it was when its etag was asked for, or later: an etag too old only makes a replacement fail."""
        entry = self.storage.stat(key)
        if entry is None:
            return None
        try:
            return Delivery.from_json(self.storage.read(key), key, entry.etag)
        except (ValueError, TypeError) as error:
            raise ValueError(f"The record {self.storage.url}/{key} is damaged: {error}") from error

    def _reload(self, key: str) -> Delivery:
        delivery = self._read(key)
        if delivery is None:
            raise KeyError(key)  # records are never removed
        return delivery

    def get(self, id: str) -> Delivery | None:  # noqa: A002 - the word of the rest of the lake
        """The delivery of that id (or of a mark of `pending`), or None."""
        identity = id.partition(".")[0]
        if not re.fullmatch(r"\d{8}T\d{12}Z-[0-9a-f]{8}", identity):
            return None
        return next((delivery for delivery in self._alike(identity[-8:]) if delivery.id == identity), None)

    def find(self, text: str) -> list[Delivery]:
        """Deliveries by id, or by name: those of exactly that name first, then those that hold the text, newest first.

        Case does not count. Names longer than 150 characters are found by their first 99 or last 50, or whole. A
        delivery that was only seen has no document yet and is found by its id alone.
        """
        if (delivery := self.get(text.strip())) is not None:
            return [delivery]
        wanted = safe_name(text.strip()).lower()
        found: dict[str, Delivery] = {}
        for entry in self._documents() if wanted else ():
            identity, name = _parts(entry)
            if wanted in name.lower() and (delivery := self.get(identity)) is not None:
                found[identity] = delivery
                if entry.key != delivery.document:
                    self._show(delivery, stale=[entry.key])
        newest_first = [found[identity] for identity in sorted(found, reverse=True)]
        return sorted(newest_first, key=lambda delivery: delivery.name.lower() != text.strip().lower())

    def _documents(self) -> Iterator[Entry]:
        """The documents for people, without stepping through the records that lie among them."""
        for entry in self.storage.list("metadata/"):
            if entry.key.startswith("metadata/ledger/"):
                break
            yield entry
        for entry in self.storage.list("metadata/", after="metadata/ledger/\U0010ffff"):
            if not entry.key.startswith("metadata/pending/"):
                yield entry

    def all(self, theme: str | None = None) -> Iterator[Delivery]:
        """Every delivery, of one theme if it is given, in no particular order. Reads every record."""
        for entry in self.records():
            delivery = self._reload(entry.key)
            if theme in (None, delivery.theme):
                yield delivery

    def records(self) -> Iterator[Entry]:
        """The records as they are stored, unread: who remembers a version need not read it again."""
        yield from self.storage.list("metadata/ledger/")

    def unfinished(self) -> Iterator[Delivery]:
        """The deliveries that were landed and not read yet, oldest first; the cost is that of their number.

        A delivery that was only seen is not among them: its bytes are still where they were dropped.
        """
        for entry in self.storage.list("metadata/landed/"):
            delivery = self.get(_parts(entry)[0])
            if delivery is None:
                continue
            if delivery.state is State.LANDED:
                yield delivery
            else:  # whoever advanced it was killed before the document moved
                self._show(delivery, stale=[entry.key])

    def mark_pending(self, theme: str, period: str, delivery_id: str, layer: str = "") -> None:
        """Notes that a period has to be built because of a delivery: all of it, or from a layer on."""
        if not re.fullmatch(r"[A-Za-z0-9-]+", delivery_id):
            raise ValueError(f"« {delivery_id} » is no delivery's id.")
        key = f"metadata/pending/{_folder_name(theme, 'theme')}/{_folder_name(period, 'period')}_{delivery_id}"
        # Every mark is a new one: a build that began before, or one of the past, knows nothing of it.
        self.storage.write(f"{key}.{secrets.token_hex(4)}" + (f".{layer}" if layer else ""), b"")

    def mark_reading(self, delivery_id: str) -> None:
        """Notes that a delivery has to be read again."""
        self.storage.write(f"{_READING}{delivery_id}.{secrets.token_hex(4)}", b"")

    def readings(self) -> list[str]:
        """The marks of deliveries that have to be read again, oldest delivery first."""
        return [entry.key.removeprefix(_READING) for entry in self.storage.list(_READING)]

    def clear_reading(self, mark: str) -> None:
        """Forgets a mark, given as `readings` gave it before the reading began."""
        self.storage.delete(f"{_READING}{mark}")

    def pending(self, theme: str | None = None) -> dict[str, dict[str, list[str]]]:
        """What has to be built: theme, period, marks. The cost is that of what is pending, not of what is stored.

        A mark is a delivery's id and, after a dot, what makes it the only one of its kind; after another one, the layer
        from which on the period has to be built.
        """
        found: dict[str, dict[str, list[str]]] = {}
        for entry in self.storage.list("metadata/pending/" if theme is None else f"metadata/pending/{theme}/"):
            if entry.key.startswith(_READING):
                continue
            _, _, of_theme, name = entry.key.split("/")
            period, _, mark = name.rpartition("_")
            found.setdefault(of_theme, {}).setdefault(period, []).append(mark)
        return found

    def clear_pending(self, theme: str, period: str, delivery_ids: Iterable[str]) -> None:
        """Forgets the marks, given as `pending` gave them before the build began."""
        for mark in delivery_ids:
            self.storage.delete(f"metadata/pending/{theme}/{period}_{mark}")


def _record_keys(digits: str) -> Iterator[str]:
    """Where the record of a content with these first eight digits may lie: at the first key that is free or its own."""
    yield f"metadata/ledger/{digits[:2]}/{digits}.json"
    for number in itertools.count(1):
        yield f"metadata/ledger/{digits[:2]}/{digits}.{number}.json"


def _free_id(sha256: str, at: datetime, neighbours: Container[str]) -> str:
    """An id that no other content has: thousands may be dropped in one second, and some stores know no less."""
    while (chosen := f"{at:%Y%m%dT%H%M%S%f}Z-{sha256[:8]}") in neighbours:
        at += timedelta(microseconds=1)
    return chosen


def _parts(document: Entry) -> tuple[str, str]:
    """The delivery's id and safe name, from the key of its document."""
    identity, _, name = document.key.rpartition("/")[2].removesuffix(".json").partition("_")
    return identity, name


def _earlier_documents(delivery: Delivery) -> list[str]:
    """Where the document of a delivery may have been left when somebody was killed while it moved."""
    return [f"metadata/{folder}/{delivery.document.rpartition('/')[2]}" for folder in ("landed", "refused")]


def _updated_at(document: bytes) -> datetime:
    """When a document was written; one that a person has damaged counts as old."""
    try:
        return Delivery.from_json(document).updated_at
    except (ValueError, TypeError, KeyError):
        return datetime.min.replace(tzinfo=UTC)


def _advanced_meanwhile(delivery: Delivery, current: Delivery) -> Conflict:
    return Conflict(f"Delivery {delivery.id} was read as « {delivery.state} » and is « {current.state} » meanwhile.")


def _later(delivery: Delivery) -> datetime:
    """Now; but later than the last change also where the clocks of two machines differ."""
    return max(datetime.now(UTC), delivery.updated_at + timedelta(microseconds=1))


def _check_transition(before: Delivery, after: Delivery) -> None:
    if after.state not in TRANSITIONS[before.state]:
        raise IllegalTransition(f"Delivery {before.id} cannot go from « {before.state} » to « {after.state} ».")
    if lacking := [name for name in NEEDS[after.state] if not getattr(after, name)]:
        raise IllegalTransition(f"Delivery {before.id} cannot be « {after.state} » without {', '.join(lacking)}.")
