"""A storage in memory, for tests that try thousands of histories. It keeps the same contract as the real ones."""

import io
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory
from typing import BinaryIO

from elexxion_assets.lake.storage import Conflict, Entry, Source, check_key


class MemoryStorage:
    """Objects in a dictionary. `history` holds every write and removal, in order."""

    def __init__(self) -> None:
        self.url = f"memory://{token_hex(8)}"
        self.objects: dict[str, tuple[Entry, bytes]] = {}
        self.history: list[tuple[str, bytes | None]] = []
        self._versions = itertools.count()

    def list(self, prefix: str, after: str = "") -> Iterator[Entry]:
        found = [key for key in self.objects if key.startswith(prefix) and key.encode() > after.encode()]
        for key in sorted(found, key=str.encode):
            yield self.objects[key][0]

    def stat(self, key: str) -> Entry | None:
        check_key(key)
        return self.objects[key][0] if key in self.objects else None

    def read(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        check_key(key)
        if start < 0:
            raise ValueError("A range is counted from the beginning of the object.")
        return self.objects[key][1][start:end]

    def open(self, key: str) -> BinaryIO:
        return io.BytesIO(self.read(key))

    def write(self, key: str, source: Source, *, if_absent: bool = False, if_match: str | None = None) -> Entry:
        check_key(key)
        if isinstance(source, bytes):
            data = source
        elif isinstance(source, Path):
            data = source.read_bytes()
        else:
            data = b"".join(iter(lambda: source.read(1 << 20), b""))
        there = self.stat(key)
        if (if_absent and there is not None) or (if_match is not None and (there is None or there.etag != if_match)):
            raise Conflict(key)
        entry = Entry(key, len(data), datetime.now(UTC), f"v{next(self._versions)}")
        self.objects[key] = entry, data
        self.history.append((key, data))
        return entry

    def being_written(self, key: str) -> bool:
        return False

    def delete(self, key: str, *, if_match: str | None = None) -> None:
        check_key(key)
        there = self.stat(key)
        if if_match is not None and there is not None and there.etag != if_match:
            raise Conflict(key)
        if self.objects.pop(key, None) is not None:
            self.history.append((key, None))

    @contextmanager
    def local(self, key: str) -> Iterator[Path]:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "object"
            path.write_bytes(self.read(key))
            yield path

    def sweep(self, older_than: timedelta) -> int:
        return 0
