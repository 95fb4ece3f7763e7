"""Packs old raw deliveries into `.tar.gz` files that are verified before anything is removed, and finds them again.

    archive/<month>_<16 hex>.tar.gz     raw objects of deliveries received in one month, under their keys, and
                                        `MANIFEST.sha256`, which `sha256sum -c` reads
    archive/<month>_<16 hex>.json       which deliveries it holds; written once every byte was read back and compared

The name says what is inside, so whoever is killed half-way begins again under the same name. Only a verified archive
has its document, and only what a document names, and what is read back once more, is ever removed from `raw/`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, cast

from elexxion_assets.lake import layout
from elexxion_assets.lake.ledger import Delivery, Ledger, State
from elexxion_assets.lake.storage import Conflict, Storage

_BLOCK = 1 << 20
_MANIFEST = "MANIFEST.sha256"
_ARCHIVED = {State.READ, State.REFUSED, State.EXPANDED, State.SUPERSEDED}

BYTES = 2 << 30
"""Raw bytes of one archive, unless a single delivery has more: what the local disk must hold, compressed."""


class Lost(Exception):
    """The bytes of a delivery are neither in `raw/` nor in an archive, or are not those that were received."""


@dataclass
class Archived:
    """What one call did.

    Attributes:
        written: Keys of the archives that were written and verified.
        deliveries: Number of deliveries in them.
        bytes: Their raw bytes.
        removed: Raw keys that were removed.
        problems: What could not be archived or verified, in words; it stays where it is.
    """

    written: list[str] = field(default_factory=list)
    deliveries: int = 0
    bytes: int = 0
    removed: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def archive(
    storage: Storage,
    ledger: Ledger,
    before: datetime,
    *,
    remove: bool = False,
    progress: Callable[[str], None] = lambda words: None,
) -> Archived:
    """Archives the raw bytes of deliveries received before a time; a second time does nothing.

    Args:
        storage: The lake.
        ledger: The deliveries; those whose reading has not ended are left out.
        before: Deliveries received earlier are old.
        remove: Remove what is archived from `raw/`, once the archive that holds it was read back and every hash agreed.
        progress: Told in words what is being done.

    Returns:
        What was done.
    """
    done = Archived()
    known = {identifier for members in _documents(storage).values() for identifier in members}
    for month, group in _groups(storage, ledger, before, known, done):
        progress(f"archiving {len(group)} deliveries of {month}")
        _write(storage, month, group, done)
    if remove:
        for key, members in _documents(storage).items():
            _remove(storage, ledger, key, members, before, done, progress)
    return done


def _documents(storage: Storage) -> dict[str, dict[str, dict[str, str]]]:
    """The verified archives, oldest first, each with its deliveries."""
    return {
        entry.key.removesuffix(".json") + ".tar.gz": json.loads(storage.read(entry.key))["deliveries"]
        for entry in storage.list(layout.ARCHIVE)
        if entry.key.endswith(".json")
    }


def _groups(
    storage: Storage, ledger: Ledger, before: datetime, known: set[str], done: Archived
) -> Iterator[tuple[str, list[Delivery]]]:
    """Deliveries to archive, by the month of their reception, no more together than `BYTES`."""
    old = (d for d in ledger.all() if d.state in _ARCHIVED and d.received_at < before and d.id not in known)
    # Without the facts of their tables, hundreds of thousands fit in memory.
    light = [dataclasses.replace(delivery, tables=[], reasons=[], drops=[]) for delivery in old]
    months: dict[str, list[Delivery]] = {}
    for delivery in sorted(light, key=lambda delivery: delivery.id):
        if storage.stat(delivery.raw) is None:
            done.problems.append(f"{delivery.name} ({delivery.id}): {delivery.raw} is not there")
            continue
        months.setdefault(f"{delivery.received_at:%Y-%m}", []).append(delivery)
    for month, deliveries in months.items():
        group: list[Delivery] = []
        size = 0
        for delivery in deliveries:
            if group and size + delivery.size > BYTES:
                yield month, group
                group, size = [], 0
            group.append(delivery)
            size += delivery.size
        yield month, group


def _write(storage: Storage, month: str, group: list[Delivery], done: Archived) -> None:
    """Writes one archive, reads it back, then its document; without that nothing counts as archived."""
    with TemporaryDirectory(prefix="elexxion-") as folder:
        file = Path(folder) / "archive.tar.gz"
        packed = _pack(storage, group, file, done)
        if not packed:
            return
        name = hashlib.sha256("".join(f"{d.id} {d.sha256}\n" for d in packed).encode()).hexdigest()[:16]
        key = f"{layout.ARCHIVE}{month}_{name}.tar.gz"
        storage.write(key, file)
    wrong = _disagreements(storage, key, {delivery.raw: delivery.sha256 for delivery in packed})
    if wrong:
        done.problems += [f"{key}: {words}" for words in wrong]
        return
    document = {
        "archive": key,
        "written_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "deliveries": {
            delivery.id: {"raw": delivery.raw, "name": delivery.name, "sha256": delivery.sha256, "size": delivery.size}
            for delivery in packed
        },
    }
    text = json.dumps(document, ensure_ascii=False, indent=1).encode("utf-8", "backslashreplace")
    storage.write(key.removesuffix(".tar.gz") + ".json", text)
    done.written.append(key)
    done.deliveries += len(packed)
    done.bytes += sum(delivery.size for delivery in packed)


def _pack(storage: Storage, group: list[Delivery], file: Path, done: Archived) -> list[Delivery]:
    """Packs the raw bytes that are those of the ledger; the others are reported and left out."""
    packed: list[Delivery] = []
    with tarfile.open(file, "w:gz", compresslevel=6, format=tarfile.PAX_FORMAT) as tar:
        for delivery in group:
            with storage.local(delivery.raw) as raw:
                with raw.open("rb") as stream:
                    found = hashlib.file_digest(stream, "sha256").hexdigest()
                if found != delivery.sha256:
                    done.problems.append(f"{delivery.name} ({delivery.id}): {delivery.raw} is not what was received")
                    continue
                member = tarfile.TarInfo(delivery.raw)
                member.size = raw.stat().st_size
                member.mtime = int(delivery.received_at.timestamp())
                with raw.open("rb") as stream:
                    tar.addfile(member, stream)
            packed.append(delivery)
        text = "".join(f"{delivery.sha256}  {delivery.raw}\n" for delivery in packed).encode()
        member = tarfile.TarInfo(_MANIFEST)
        member.size = len(text)
        tar.addfile(member, io.BytesIO(text))
    return packed


def _members(storage: Storage, key: str) -> Iterator[tuple[str, BinaryIO]]:
    """The members of an archive as streams, each good until the next is asked for."""
    with storage.open(key) as stream, tarfile.open(fileobj=stream, mode="r|gz") as tar:
        for member in tar:
            if (content := tar.extractfile(member)) is not None:
                yield member.name, cast(BinaryIO, content)


def _disagreements(storage: Storage, key: str, expected: dict[str, str]) -> list[str]:
    """What an archive, read back whole, lacks or has otherwise than expected, in words."""
    found: dict[str, str] = {}
    try:
        for name, content in _members(storage, key):
            found[name] = _digest(content)
    except (tarfile.TarError, EOFError, OSError, KeyError) as error:
        return [f"it cannot be read back: {error}"]
    return [f"{name} is not as it was received" for name, sha256 in expected.items() if found.get(name) != sha256]


def _digest(content: BinaryIO, copy: BinaryIO | None = None) -> str:
    digest = hashlib.sha256()
    while block := content.read(_BLOCK):
        digest.update(block)
        if copy is not None:
            copy.write(block)
    return digest.hexdigest()


def _remove(
    storage: Storage,
    ledger: Ledger,
    key: str,
    members: dict[str, dict[str, str]],
    before: datetime,
    done: Archived,
    progress: Callable[[str], None],
) -> None:
    """Removes from `raw/` what one archive holds, after it was read back."""
    there = []
    for identifier in members:
        delivery = ledger.get(identifier)
        if delivery is None or delivery.state not in _ARCHIVED or delivery.received_at >= before:
            continue
        if (entry := storage.stat(delivery.raw)) is not None:
            there.append((delivery, entry))
    if not there:
        return
    progress(f"reading {key} back")
    # A delivery that was recognised as of another theme since lies elsewhere in `raw/` than in the archive.
    wrong = _disagreements(storage, key, {members[d.id]["raw"]: d.sha256 for d, _ in there})
    if wrong:
        done.problems += [f"{key}: {words}; nothing that it holds was removed" for words in wrong]
        return
    for delivery, entry in there:
        with suppress(Conflict):
            storage.delete(delivery.raw, if_match=entry.etag)
            done.removed.append(delivery.raw)


def archive_of(storage: Storage, delivery: Delivery) -> str:
    """Key of the verified archive that holds a delivery, or nothing."""
    for entry in storage.list(f"{layout.ARCHIVE}{delivery.received_at:%Y-%m}_"):
        if entry.key.endswith(".json") and delivery.id in json.loads(storage.read(entry.key))["deliveries"]:
            return entry.key.removesuffix(".json") + ".tar.gz"
    return ""


@contextmanager
def raw_file(storage: Storage, delivery: Delivery) -> Iterator[Path]:
    """A local file with the bytes of a delivery, from `raw/` or from the archive that they were moved to.

    Raises:
        Lost: they are in neither.
    """
    with ExitStack() as stack:
        try:
            file = stack.enter_context(storage.local(delivery.raw))
        except KeyError:
            folder = stack.enter_context(TemporaryDirectory(prefix="elexxion-"))
            file = Path(folder) / f"raw{Path(delivery.raw).suffix[:20]}"
            _extract(storage, delivery, file)
        yield file


def _extract(storage: Storage, delivery: Delivery, file: Path) -> None:
    key = archive_of(storage, delivery)
    if not key:
        raise Lost(f"the bytes of {delivery.name} ({delivery.id}) are neither in {delivery.raw} nor in an archive")
    member = json.loads(storage.read(key.removesuffix(".tar.gz") + ".json"))["deliveries"][delivery.id]["raw"]
    for name, content in _members(storage, key):
        if name == member:
            with file.open("wb") as sink:
                if _digest(content, sink) == delivery.sha256:
                    return
            break
    raise Lost(f"{key} should hold {member} as it was received, and does not")
