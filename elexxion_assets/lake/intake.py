"""Takes files from `input/`: keeps them safe in `raw/`, recognises them, writes bronze, and only then acknowledges.

`input/` is a queue. A file leaves it once the ledger says what became of it; every step before can be done again after
a crash, under the same keys, with the same result.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from elexxion_assets.declare import Dataset, Layer, Refusal, Table, TextTable, Theme
from elexxion_assets.lake import layout
from elexxion_assets.lake.archive import raw_file
from elexxion_assets.lake.bronze import Bronze, rows_by_period, split_by_period, write_bronze
from elexxion_assets.lake.build import CORRECTS, NAME, text_table
from elexxion_assets.lake.corrections import corrections_of, is_correction, read_correction, write_correction
from elexxion_assets.lake.ledger import Delivery, Ledger, State
from elexxion_assets.lake.storage import Conflict, Entry, KeyRefused, Storage
from elexxion_assets.reading import check_evolution, is_archive, open_archive, read_tables, recognise

_BLOCK = 1 << 20
_SMALL = 1 << 20
_MET = "another pass is taking it"
# Threads of this process that hold the same bytes go one after the other; what other processes do, the ledger settles.
_SAME_BYTES = [threading.RLock() for _ in range(256)]
REFUSED = "refused"
ARCHIVE = "archive"


@dataclass
class Taken:
    """What one pass over `input/` did.

    Attributes:
        deliveries: Every delivery of the pass in its new state, members of archives included.
        known: Names of files whose very bytes had been taken before.
        left: Names of files left for the next pass, with the reason.
    """

    deliveries: list[Delivery] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)

    def periods(self) -> dict[tuple[str, str], set[str]]:
        """Periods read, by theme and dataset."""
        found: dict[tuple[str, str], set[str]] = {}
        for delivery in self.deliveries:
            if delivery.state is State.READ:
                for facts in delivery.tables:
                    found.setdefault((delivery.theme, facts["dataset"]), set()).update(facts["periods"])
        return found


def waiting(storage: Storage, settle_seconds: float, now: datetime | None = None) -> Iterator[Entry]:
    """The files of `input/` that nobody is writing any more, in order of their names.

    A file is settled once it has kept its size and time for `settle_seconds` and nobody is known to hold it open for
    writing; an unfinished multipart upload is not listed by S3 at all.
    """
    now = now or datetime.now(UTC)
    for entry in storage.list(layout.INPUT):
        # A file from a machine whose clock is ahead is as settled as any other.
        settled = not now - timedelta(seconds=settle_seconds) < entry.modified <= now
        if is_delivery(entry.key) and settled and not storage.being_written(entry.key):
            yield entry


def is_delivery(key: str) -> bool:
    """Whether an object of `input/` is a file to take, by its name: hidden files and companions are not."""
    name = key.rsplit("/", 1)[-1]
    return bool(name) and not name.startswith(".") and not name.endswith(layout.COMPANION)


def take_all(
    storage: Storage,
    ledger: Ledger,
    themes: Mapping[str, Theme],
    entries: Iterable[Entry],
    taken: Taken,
    failed: Callable[[Entry, Exception], None],
    workers: int = 1,
) -> None:
    """Takes files of `input/`, small ones several at a time: most of their time is spent waiting for the disk.

    Large ones are taken one after the other, so that memory stays that of one. Whichever ends first, they count as
    received in the order given.

    Args:
        storage: The lake.
        ledger: The deliveries.
        themes: Themes that a file can belong to.
        entries: The files, as listed.
        taken: Report of the pass.
        failed: Told of a file that could not be taken and why; the others go on.
        workers: Small files that are taken at the same time.
    """

    def one(entry: Entry, at: datetime) -> None:
        try:
            take(storage, ledger, themes, entry, taken, at)
        except Exception as error:  # whatever stops one file must not stop the others
            failed(entry, error)

    began = datetime.now(UTC)
    arrivals = [(entry, began + timedelta(microseconds=number)) for number, entry in enumerate(entries)]
    with ThreadPoolExecutor(workers) as threads:
        for arrival in arrivals:
            if arrival[0].size <= _SMALL:
                threads.submit(one, *arrival)
        for arrival in arrivals:
            if arrival[0].size > _SMALL:
                one(*arrival)
    for arrival in arrivals:
        # Perhaps it only met a file of this very pass.
        if taken.left.get(name := _name(arrival[0])) == _MET:
            del taken.left[name]
            one(*arrival)


def _name(entry: Entry) -> str:
    """The name of a file of `input/`; one from a file system may hold bytes that are no text."""
    return entry.key.removeprefix(layout.INPUT).encode("utf-8", "backslashreplace").decode()


def take(
    storage: Storage,
    ledger: Ledger,
    themes: Mapping[str, Theme],
    entry: Entry,
    taken: Taken,
    at: datetime | None = None,
) -> None:
    """Takes one file of `input/` through to bronze, or to a refusal that says why.

    Args:
        storage: The lake.
        ledger: The deliveries.
        themes: Themes that a file can belong to.
        entry: The file, as listed.
        taken: Report of the pass, to which what happened is added.
        at: When it counts as received; now without it.
    """
    name = _name(entry)
    with TemporaryDirectory(prefix="elexxion-") as directory:
        copy = Path(directory) / "file"
        try:
            sha256 = _copy(storage, entry.key, copy)
        except KeyError:
            return  # another pass acknowledged it since the listing
        except Conflict:
            taken.left[name] = "it changed while it was read"
            return
        now = storage.stat(entry.key)
        if now is None or now.etag != entry.etag:
            taken.left[name] = "it changed while it was read"
            return
        companion, hints = _companion(storage, entry.key, sha256)
        arrival = _Arrival(copy, name, sha256, at or datetime.now(UTC), hints)
        try:
            with _SAME_BYTES[int(sha256[:2], 16)]:
                _take_bytes(storage, ledger, themes, arrival, Path(directory), taken)
        except Conflict:
            taken.left[name] = _MET
            return
    try:
        if companion is not None:
            # Before the file: as long as that is there, `drop` writes neither another one nor what is said of it.
            storage.delete(companion.key, if_match=companion.etag)
        storage.delete(entry.key, if_match=entry.etag)
    except Conflict:
        taken.left[name] = "it was replaced while it was read; the new bytes are taken by the next pass"


@dataclass(frozen=True)
class _Arrival:
    """Bytes on the local disk, about to be taken."""

    file: Path
    name: str
    sha256: str
    at: datetime
    hints: Mapping[str, str]
    parent: str = ""


def _take_bytes(
    storage: Storage,
    ledger: Ledger,
    themes: Mapping[str, Theme],
    arrival: _Arrival,
    directory: Path,
    taken: Taken,
) -> None:
    known = ledger.by_content(arrival.sha256)
    delivery = ledger.claim(
        sha256=arrival.sha256,
        name=arrival.name,
        size=arrival.file.stat().st_size,
        at=arrival.at,
        hints=arrival.hints,
        parent=arrival.parent,
    )
    said_more = any(delivery.hints.get(key) != value for key, value in arrival.hints.items())
    done = known is not None and delivery.state not in {State.SEEN, State.LANDED, State.REFUSED}
    hints = {**delivery.hints, **arrival.hints}
    if done and not said_more:
        if not _dates_it_later(themes, delivery, arrival.name):
            taken.known.append(arrival.name)
            return
        hints[NAME] = arrival.name
    if is_archive(arrival.file):
        taken.deliveries.append(_expand(storage, ledger, themes, arrival, delivery, directory, taken))
    else:
        taken.deliveries.append(_read(storage, ledger, themes, delivery, arrival.file, hints, directory))


def _dates_it_later(themes: Mapping[str, Theme], delivery: Delivery, name: str) -> bool:
    """Whether the same bytes under this name are of a newer release: official names carry dates that contents lack."""
    if delivery.state is not State.READ or name == delivery.name or delivery.theme not in themes:
        return False
    return CORRECTS not in delivery.hints and any(
        themes[delivery.theme]
        .dataset(facts["dataset"])
        .release(replace(text_table(facts, delivery), file=name), facts["periods"])
        > facts["release"]
        for facts in delivery.tables
    )


def read_again(
    storage: Storage, ledger: Ledger, themes: Mapping[str, Theme], delivery: Delivery, taken: Taken | None = None
) -> Delivery:
    """Reads a delivery once more from its raw bytes, with today's code and limits.

    Args:
        storage: The lake.
        ledger: The deliveries.
        themes: Themes that it can belong to.
        delivery: The delivery; of an archive that was expanded, the members are read, each for itself.
        taken: Report to which the members of an archive that had been refused are added.

    Returns:
        The delivery as it is recorded now.

    Raises:
        Lost: its bytes are neither in `raw/` nor in an archive.
    """
    with TemporaryDirectory(prefix="elexxion-") as directory, raw_file(storage, delivery) as file:
        if not is_archive(file):
            return _read(storage, ledger, themes, delivery, file, delivery.hints, Path(directory))
        arrival = _Arrival(file, delivery.name, delivery.sha256, delivery.received_at, delivery.hints, delivery.parent)
        return _expand(storage, ledger, themes, arrival, delivery, Path(directory), taken or Taken())


def _read(
    storage: Storage,
    ledger: Ledger,
    themes: Mapping[str, Theme],
    delivery: Delivery,
    file: Path,
    hints: Mapping[str, str],
    directory: Path,
) -> Delivery:
    """Lands a delivery and writes its bronze; gives it in state `READ` or `REFUSED`."""
    if is_correction(file, hints):
        return _correct(storage, ledger, themes, delivery, file, hints)
    with TemporaryDirectory(prefix="read-", dir=directory) as scratch:
        try:
            tables = read_tables(file, hints.get(NAME, delivery.name), Path(scratch), hints)
            theme, found, ignored = _recognise_all(tables, themes)
        except Refusal as refusal:
            return _refuse(storage, ledger, delivery, file, [refusal])
        raw = layout.raw_key(theme.name, delivery.id, delivery.name)
        _keep(storage, raw, file)
        if delivery.state in {State.SEEN, State.LANDED}:
            delivery = ledger.advance(delivery, State.LANDED, theme=theme.name, raw=raw, hints=dict(hints))
        before = delivery.tables
        split: list[dict[str, Path]] = []
        try:
            # All that can refuse comes before anything that an earlier reading left is touched.
            for position, (table, frame, dataset) in enumerate(found):
                scratch_of_table = Path(scratch) / f"bronze-{position}"
                scratch_of_table.mkdir()
                split.append(split_by_period(theme, dataset, delivery.id, table, frame, scratch_of_table))
                dataset.release(table, rows_by_period(theme, split[-1]))
        except Refusal as refusal:
            return _refuse(storage, ledger, delivery, file, [refusal])
        for facts in before:
            # Rows that this reading rejects again are written again, here and when the tables are built.
            for entry in storage.list(f"{layout.QUARANTINE}{theme.name}/{facts['dataset']}/{delivery.id}/"):
                storage.delete(entry.key)
        read: list[dict[str, Any]] = []
        for position, ((table, _, dataset), parts) in enumerate(zip(found, split, strict=True)):
            bronze = write_bronze(storage, theme, dataset, delivery.id, position, table, parts)
            read.append(_facts(dataset, table, bronze))
    _correct_again(storage, ledger, themes, replace(delivery, state=State.READ, theme=theme.name, tables=read))
    for period in sorted({period for facts in read for period in facts["periods"]}):
        ledger.mark_pending(theme.name, period, delivery.id)
    done = ledger.advance(
        delivery,
        State.READ,
        theme=theme.name,
        raw=raw,
        hints=dict(hints),
        tables=read,
        reasons=_said(ignored),
    )
    _leave(storage, ledger, themes[delivery.theme or theme.name], before, read)
    return done


def _correct(
    storage: Storage,
    ledger: Ledger,
    themes: Mapping[str, Theme],
    delivery: Delivery,
    file: Path,
    hints: Mapping[str, str],
    parent: Delivery | None = None,
) -> Delivery:
    """Takes a corrected file: what it corrects is due again, under the delivery that it corrects."""
    try:
        if delivery.hints.get(CORRECTS, "") not in ("", hints.get(CORRECTS, "")):
            raise Refusal("corrects_another", f"these very bytes corrected delivery {delivery.hints[CORRECTS]} already")
        found = read_correction(storage, ledger, themes, delivery.id, file, hints, parent)
    except Refusal as refusal:
        return _refuse(storage, ledger, delivery, file, [refusal])
    theme = found.theme.name
    raw = layout.raw_key(theme, delivery.id, delivery.name)
    _keep(storage, raw, file)
    hints = {**hints, CORRECTS: found.parent.id}
    if delivery.state in {State.SEEN, State.LANDED}:
        delivery = ledger.advance(delivery, State.LANDED, theme=theme, raw=raw, hints=hints)
    before = {key for facts in delivery.tables for key in facts["bronze"]}
    facts = write_correction(storage, found)
    for period in sorted({period for made in [*delivery.tables, *facts] for period in made["periods"]}):
        ledger.mark_pending(theme, period, delivery.id)
    done = ledger.advance(
        delivery, State.READ, theme=theme, raw=raw, hints=hints, tables=facts, reasons=_said(found.refused)
    )
    for key in before - {key for made in facts for key in made["bronze"]}:
        storage.delete(key)
    return done


def _correct_again(storage: Storage, ledger: Ledger, themes: Mapping[str, Theme], parent: Delivery) -> None:
    """Puts the corrections of a delivery that is read again where its rows are now."""
    for correction in corrections_of(storage, ledger, parent):
        with raw_file(storage, correction) as file:
            _correct(storage, ledger, themes, correction, file, correction.hints, parent)


def _leave(
    storage: Storage, ledger: Ledger, theme: Theme, before: list[dict[str, Any]], now: list[dict[str, Any]]
) -> None:
    """Removes the bronze that an earlier reading made and this one did not, and what stood on it alone."""
    kept = {key for facts in now for key in facts["bronze"]}
    for facts in before:
        for key in facts["bronze"]:
            if key not in kept:
                storage.delete(key)
        for period in facts["periods"]:
            others = [
                layout.delivery_of(entry.key)[0]
                for entry in storage.list(layout.bronze_prefix(theme.name, facts["dataset"], period))
            ]
            if others:
                ledger.mark_pending(theme.name, period, others[0])
                continue
            for table in _tables_fed(theme, [facts["dataset"]], period, storage):
                storage.delete(layout.table_document_key(theme.name, table.layer, table.name, period))
                storage.delete(layout.table_key(theme.name, table.layer, table.name, period))


def _tables_fed(theme: Theme, datasets: list[str], period: str, storage: Storage) -> list[Table]:
    """The tables of a period that are made of these datasets and of no other one that holds rows for it."""
    fed = {*datasets}
    found = []
    for table in theme.tables:
        alive = {
            name
            for name in table.inputs
            if name not in fed
            and "/" not in name
            and any(True for _ in storage.list(layout.bronze_prefix(theme.name, name, period)))
        }
        alive |= {
            name
            for name in table.inputs
            if name.count("/") == 1
            and name not in fed
            and storage.stat(layout.table_key(theme.name, Layer(name.split("/")[0]), name.split("/")[1], period))
        }
        if fed.intersection(table.inputs) and not alive:
            fed.add(f"{table.layer}/{table.name}")
            found.append(table)
    return found


def _recognise_all(
    tables: list[tuple[TextTable, pl.LazyFrame]], themes: Mapping[str, Theme]
) -> tuple[Theme, list[tuple[TextTable, pl.LazyFrame, Dataset]], list[Refusal]]:
    """Recognises every table of a file; the sheets that are nothing known are reported, if at least one is known."""
    found: list[tuple[TextTable, pl.LazyFrame, Dataset]] = []
    ignored: list[Refusal] = []
    theme: Theme | None = None
    for table, frame in tables:
        try:
            candidate, dataset = recognise(table, themes)
        except Refusal as refusal:
            ignored.append(refusal)
            continue
        if theme is not None and candidate.name != theme.name:
            said = f"sheet « {table.member} » belongs to theme {candidate.name}, the others to {theme.name}"
            ignored.append(Refusal("other_theme", said))
            continue
        check_evolution(dataset, table)
        theme = candidate
        found.append((table, frame, dataset))
    if theme is None:
        raise ignored[0] if ignored else Refusal("no_table", "the file holds no table")
    return theme, found, ignored


def _facts(dataset: Dataset, table: TextTable, bronze: Bronze) -> dict[str, Any]:
    return {
        "member": table.member,
        "dataset": dataset.name,
        "release": dataset.release(table, bronze.periods),
        "encoding": table.encoding,
        "separator": table.separator,
        "header": list(table.header),
        "header_line": table.header_line,
        "columns": list(table.columns),
        "unknown": list(dataset.unknown(dataset, table)),
        "preamble": list(table.preamble),
        "footer": list(table.footer),
        "defects": list(table.defects),
        "rows": bronze.rows,
        "periods": bronze.periods,
        "quarantined": bronze.quarantined,
        "bronze": bronze.keys,
    }


def _expand(
    storage: Storage,
    ledger: Ledger,
    themes: Mapping[str, Theme],
    arrival: _Arrival,
    delivery: Delivery,
    directory: Path,
    taken: Taken,
) -> Delivery:
    """Takes every member of an archive as a delivery of its own."""
    members = 0
    refused: list[Refusal] = []
    try:
        for member, extracted in open_archive(arrival.file, directory):
            members += 1
            name = f"{arrival.name}/{member}"
            if isinstance(extracted, Refusal):
                refused.append(Refusal(extracted.rule, f"{member}: {extracted.reason}"))
                continue
            hints = arrival.hints
            part = _Arrival(extracted, name, _sha256(extracted), arrival.at, hints, delivery.id)
            _take_bytes(storage, ledger, themes, part, directory, taken)
            extracted.unlink(missing_ok=True)
    except Refusal as refusal:
        return _refuse(storage, ledger, delivery, arrival.file, [refusal])
    raw = layout.raw_key(ARCHIVE, delivery.id, delivery.name)
    _keep(storage, raw, arrival.file)
    if delivery.state is State.SEEN:
        delivery = ledger.advance(delivery, State.LANDED, raw=raw)
    if not members:
        refused.append(Refusal("empty_archive", "the archive holds no file"))
    return ledger.advance(delivery, State.EXPANDED, raw=raw, reasons=_said(refused))


def _refuse(storage: Storage, ledger: Ledger, delivery: Delivery, file: Path, refusals: list[Refusal]) -> Delivery:
    """Keeps the bytes of a file that cannot be taken, and the reasons; what was read of it before stays."""
    if delivery.state is State.READ:
        return ledger.advance(delivery, State.READ, reasons=_said(refusals))
    raw = delivery.raw or layout.raw_key(REFUSED, delivery.id, delivery.name)
    _keep(storage, raw, file)
    return ledger.advance(delivery, State.REFUSED, raw=raw, reasons=_said(refusals))


def _said(refusals: list[Refusal]) -> list[dict[str, str]]:
    return [{"rule": refusal.rule, "reason": refusal.reason} for refusal in refusals]


def _keep(storage: Storage, key: str, file: Path) -> None:
    """Writes the raw bytes once; an earlier, interrupted attempt under the same key holds the same bytes."""
    entry = storage.stat(key)
    if entry is None or entry.size != file.stat().st_size:
        storage.write(key, file)


def _copy(storage: Storage, key: str, target: Path) -> str:
    """Copies an object to a local file; gives its SHA-256."""
    digest = hashlib.sha256()
    with storage.open(key) as source, target.open("wb") as sink:
        while block := source.read(_BLOCK):
            digest.update(block)
            sink.write(block)
    return digest.hexdigest()


def _sha256(file: Path) -> str:
    with file.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def _companion(storage: Storage, key: str, sha256: str) -> tuple[Entry | None, dict[str, str]]:
    """The companion of a file, if it has one, and what it says of these very bytes: nothing if it is of others."""
    try:
        companion = storage.stat(key + layout.COMPANION)
    except KeyRefused:
        return None, {}  # a name so long that `drop` cannot have written one
    if companion is None:
        return None, {}
    try:
        said = json.loads(storage.read(companion.key, 0, 65536))
        if said["sha256"] == sha256:
            return companion, {str(name): str(value) for name, value in said["hints"].items()}
    except (KeyError, ValueError, TypeError, AttributeError):
        pass  # not of `drop`'s making
    return companion, {}


def hints_of(storage: Storage, key: str, file: Path) -> dict[str, str]:
    """What a person said when dropping a file that waits, of which `file` is a copy."""
    return _companion(storage, key, _sha256(file))[1]


def drop(storage: Storage, name: str, source: Any, hints: Mapping[str, str]) -> Entry:
    """Puts a file into `input/`, what is said of it first; beside one of the same name that still waits there.

    Args:
        storage: The lake.
        name: Name of the file.
        source: Bytes, a path or a binary stream.
        hints: What the person says of it, such as the scrutin.

    Returns:
        The object written.

    Raises:
        KeyRefused: the name is none that is taken from `input/`.
    """
    if not is_delivery(name):
        raise KeyRefused(f"« {name} » is a hidden name, which `input/` leaves alone: give the file another one.")
    with TemporaryDirectory(prefix="elexxion-") as directory:
        file = source if isinstance(source, Path) else Path(directory) / "file"
        if isinstance(source, bytes):
            file.write_bytes(source)
        elif not isinstance(source, Path):
            with file.open("wb") as sink:
                shutil.copyfileobj(source, sink, _BLOCK)
        stem, dot, ending = name.rpartition(".")
        for number in itertools.count(1):
            key = layout.INPUT + (name if number == 1 else f"{stem or ending} ({number}){dot + ending if stem else ''}")
            if storage.stat(key) is not None:
                continue
            if hints:
                said = {"sha256": _sha256(file), "hints": dict(hints)}
                storage.write(key + layout.COMPANION, json.dumps(said, ensure_ascii=False).encode())
            try:
                return storage.write(key, file, if_absent=True)
            except Conflict:
                continue
    raise AssertionError("unreachable")


def initialise(storage: Storage, themes: Mapping[str, Theme]) -> list[str]:
    """Makes the folders of the lake that are missing; gives the ones it made."""
    made = []
    for folder in layout.tree(themes.values()):
        key = f"{folder}/.keep"
        if storage.stat(key) is None:
            storage.write(key, b"")
            made.append(folder)
    return made
