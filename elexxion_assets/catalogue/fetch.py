"""Fetches what is new at the permanent addresses into `input/`, and remembers what was fetched.

The memory is one document per dataset, `metadata/catalogue/<theme>/<dataset>.json`. It is written after the drop: a
crash in between fetches the same bytes once more, which the intake knows by their hash.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from elexxion_assets.catalogue.download import FetchFailed, Limits, Release, download
from elexxion_assets.catalogue.sources import Source
from elexxion_assets.lake import layout
from elexxion_assets.lake.intake import drop
from elexxion_assets.lake.storage import Storage
from elexxion_assets.settings import Settings

_BLOCK = 1 << 20


class Outcome(StrEnum):
    """What came of asking one address."""

    NEW = "new"
    UNCHANGED = "unchanged"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """What came of asking one address.

    Attributes:
        source: The source.
        outcome: New, unchanged or failed.
        release: The newest release known of the address; None where there never was one.
        key: Object in `input/` under which a new release was dropped.
        reason: Why it failed, in words.
    """

    source: Source
    outcome: Outcome
    release: Release | None = None
    key: str = ""
    reason: str = ""

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        release = None if self.release is None else dataclasses.asdict(self.release)
        return {
            "dataset": self.source.name,
            "address": self.source.address,
            "outcome": str(self.outcome),
            "key": self.key,
            "reason": self.reason,
            "release": release,
        }


def limits(chosen: Settings) -> Limits:
    """What the settings allow a download."""
    hosts = tuple(host.strip().lower() for host in chosen.fetch_hosts.split(","))
    return Limits(hosts=hosts, max_bytes=chosen.fetch_max_bytes)


def describe(storage: Storage, source: Source) -> dict[str, str]:
    """A source and what was last fetched of it, as texts for people."""
    release = last_release(storage, source)
    return {
        "dataset": source.name,
        "publisher": source.dataset.source,
        "licence": source.dataset.licence,
        "rhythm": f"at least every {source.theme.fresh_within.days} days",
        "address": source.address,
        "last file": release.name if release else "",
        "last sha256": release.sha256 if release else "",
    }


def fetch(
    sources: Iterable[Source],
    storage: Storage,
    limits: Limits,
    progress: Callable[[Source, int, int | None], None] = lambda source, received, total: None,
) -> Iterator[Fetched]:
    """Asks every source for a release newer than the last one and drops it into `input/`; one failure stops no other.

    Args:
        sources: What to ask.
        storage: The lake.
        limits: What a download may do.
        progress: Told of the bytes as they come.

    Yields:
        What came of each source, as soon as it is known.
    """
    for source in sources:
        known = last_release(storage, source)
        with TemporaryDirectory(prefix="elexxion-") as folder:
            file = Path(folder) / "release"
            try:
                release = download(source.address, file, limits, known, partial(progress, source))
            except FetchFailed as failure:
                yield Fetched(source=source, outcome=Outcome.FAILED, release=known, reason=str(failure))
                continue
            if release is None:
                yield Fetched(source=source, outcome=Outcome.UNCHANGED, release=known)
                continue
            unchanged = known is not None and known.sha256 == release.sha256
            key = "" if unchanged else _drop(storage, release, file)
        _remember(storage, source, release)
        yield Fetched(source=source, outcome=Outcome.UNCHANGED if unchanged else Outcome.NEW, release=release, key=key)


def last_release(storage: Storage, source: Source) -> Release | None:
    """The release of an address that was fetched last; None without one that can be read."""
    said = _memory(storage, source)["addresses"].get(source.address)
    names = {field.name for field in dataclasses.fields(Release)}
    try:
        return None if said is None else Release(**{name: value for name, value in said.items() if name in names})
    except TypeError:
        return None


def _drop(storage: Storage, release: Release, file: Path) -> str:
    """Puts a release into `input/`; beside, not over, another file of that name that waits there."""
    name = release.name
    if _waits_with_other_bytes(storage, name, release.sha256):
        path = PurePosixPath(name)
        name = f"{path.stem}-{release.sha256[:8]}{path.suffix}"
    return drop(storage, name, file, {}).key


def _waits_with_other_bytes(storage: Storage, name: str, sha256: str) -> bool:
    digest = hashlib.sha256()
    try:
        with storage.open(layout.INPUT + name) as waiting:
            while block := waiting.read(_BLOCK):
                digest.update(block)
    except KeyError:
        return False
    return digest.hexdigest() != sha256


def _memory(storage: Storage, source: Source) -> dict[str, Any]:
    try:
        said = json.loads(storage.read(layout.catalogue_key(source.theme.name, source.dataset.name)))
    except (KeyError, ValueError):
        said = {}
    return said if isinstance(said, dict) and isinstance(said.get("addresses"), dict) else {"addresses": {}}


def _remember(storage: Storage, source: Source, release: Release) -> None:
    document = _memory(storage, source) | {"dataset": source.name, "licence": source.dataset.licence}
    fetched_at = datetime.now(UTC).isoformat(timespec="seconds")
    document["addresses"][source.address] = dataclasses.asdict(release) | {"fetched_at": fetched_at}
    text = json.dumps(document, ensure_ascii=False, indent=1)
    storage.write(layout.catalogue_key(source.theme.name, source.dataset.name), text.encode())
