"""Archives of old raw bytes: verified before anything goes, found again by themselves, and a crash loses nothing."""

from __future__ import annotations

import contextlib
import hashlib
import io
import subprocess
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from elexxion_assets.lake import archive as archives
from elexxion_assets.lake.archive import Lost, archive, raw_file
from elexxion_assets.lake.explain import explain
from elexxion_assets.lake.intake import Taken, drop, read_again, take, waiting
from elexxion_assets.lake.ledger import Ledger, State
from elexxion_assets.lake.storage import Storage
from elexxion_assets_tests.services.memory import MemoryStorage
from elexxion_assets_tests.toy import THEMES, csv

SOON = datetime.now(UTC) + timedelta(days=1)
FILES = {"a.csv": csv("01001;2020;1"), "b.csv": csv("01001;2021;2"), "été.csv": b"colour;taste\nred;sweet\n"}


def filled(storage: Storage) -> Ledger:
    """Two files that were read and one that was refused."""
    ledger = Ledger(storage)
    for name, content in FILES.items():
        drop(storage, name, content, {})
    for entry in list(waiting(storage, 0)):
        take(storage, ledger, THEMES, entry, Taken())
    return ledger


def contents(storage: Storage) -> set[bytes]:
    """The bytes of every delivery, wherever they lie."""
    found = set()
    for delivery in Ledger(storage).all():
        with raw_file(storage, delivery) as file:
            found.add(file.read_bytes())
    return found


def raw_keys(storage: Storage) -> list[str]:
    return [entry.key for entry in storage.list("raw/")]


def test_what_is_old_is_archived_once_and_then_removed(storage: Storage) -> None:
    ledger = filled(storage)
    assert archive(storage, ledger, SOON - timedelta(days=3)).written == []
    done = archive(storage, ledger, SOON)
    assert (len(done.written), done.deliveries, done.removed, done.problems) == (1, 3, [], [])
    assert len(raw_keys(storage)) == 3
    assert archive(storage, ledger, SOON).written == []
    done = archive(storage, ledger, SOON, remove=True)
    assert (done.written, len(done.removed)) == ([], 3)
    assert raw_keys(storage) == []
    assert contents(storage) == set(FILES.values())
    again = archive(storage, ledger, SOON, remove=True)
    assert (again.written, again.removed, again.problems) == ([], [], [])


def test_ordinary_tools_read_an_archive_and_its_manifest(tmp_path: Path) -> None:
    storage = MemoryStorage()
    [key] = archive(storage, filled(storage), SOON).written
    assert key.startswith(f"archive/{datetime.now(UTC):%Y-%m}_")
    (tmp_path / "a.tar.gz").write_bytes(storage.read(key))
    subprocess.run(["tar", "xzf", "a.tar.gz"], cwd=tmp_path, check=True)
    said = subprocess.run(
        ["sha256sum", "-c", "MANIFEST.sha256"], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert said.stdout.count(": OK") == 3
    assert {path.read_bytes() for path in (tmp_path / "raw").rglob("*.csv")} == set(FILES.values())


def test_a_delivery_whose_bytes_went_into_an_archive_is_read_again_from_there() -> None:
    storage = MemoryStorage()
    ledger = filled(storage)
    archive(storage, ledger, SOON, remove=True)
    [delivery] = ledger.find("a.csv")
    assert read_again(storage, ledger, THEMES, delivery).state is State.READ
    assert storage.read(delivery.raw) == FILES["a.csv"]
    [story] = explain(storage, ledger, THEMES, "b.csv")
    assert "archive/" in " ".join(story["story"])


def damaged(content: bytes) -> bytes:
    """The archive with the first byte of one member turned over, valid in itself."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(content)) as old, tarfile.open(fileobj=whole, mode="w:gz") as new:
        for number, member in enumerate(old):
            held = old.extractfile(member)
            assert held is not None
            data = held.read()
            new.addfile(member, io.BytesIO(bytes([data[0] ^ 1]) + data[1:] if number == 1 else data))
    return whole.getvalue()


@pytest.mark.parametrize("harm", [damaged, lambda content: content[:-40], lambda content: b"", lambda content: None])
def test_nothing_is_removed_when_an_archive_does_not_read_back(harm: Any) -> None:
    storage = MemoryStorage()
    ledger = filled(storage)
    [key] = archive(storage, ledger, SOON).written
    harmed = harm(storage.read(key))
    storage.delete(key) if harmed is None else storage.write(key, harmed)
    done = archive(storage, ledger, SOON, remove=True)
    assert done.removed == []
    assert "nothing that it holds was removed" in done.problems[0]
    assert contents(storage) == set(FILES.values())


def test_raw_bytes_that_are_not_those_received_are_told_and_left() -> None:
    storage = MemoryStorage()
    ledger = filled(storage)
    [delivery] = ledger.find("a.csv")
    storage.write(delivery.raw, b"something else")
    done = archive(storage, ledger, SOON, remove=True)
    assert "a.csv" in done.problems[0]
    assert raw_keys(storage) == [delivery.raw]


def test_bytes_that_are_nowhere_are_told_in_words() -> None:
    storage = MemoryStorage()
    ledger = filled(storage)
    [delivery] = ledger.find("a.csv")
    storage.delete(delivery.raw)
    with pytest.raises(Lost, match=r"neither in raw/.* nor in an archive"):
        read_again(storage, ledger, THEMES, delivery)
    assert "a.csv" in archive(storage, ledger, SOON).problems[0]


def test_large_groups_become_several_archives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "BYTES", 40)
    storage = MemoryStorage()
    ledger = filled(storage)
    assert len(archive(storage, ledger, SOON, remove=True).written) == 3
    assert contents(storage) == set(FILES.values())


class Killed(Exception):
    pass


class Mortal(MemoryStorage):
    """A storage before or after whose n-th operation the process dies."""

    def __init__(self, objects: dict[str, Any], at: int, after: bool) -> None:
        super().__init__()
        self.objects = objects
        self.left, self.after = at, after

    def _count(self, operation: Any, *arguments: Any, **options: Any) -> Any:
        self.left -= 1
        if self.left == 0 and not self.after:
            raise Killed
        answer = operation(*arguments, **options)
        if self.left == 0:
            raise Killed
        return answer

    def write(self, *arguments: Any, **options: Any) -> Any:
        return self._count(super().write, *arguments, **options)

    def delete(self, *arguments: Any, **options: Any) -> Any:
        return self._count(super().delete, *arguments, **options)

    def read(self, *arguments: Any, **options: Any) -> Any:
        return self._count(super().read, *arguments, **options)

    def stat(self, *arguments: Any, **options: Any) -> Any:
        return self._count(super().stat, *arguments, **options)


@pytest.mark.parametrize("after", [False, True])
def test_a_crash_at_any_operation_loses_nothing_and_the_next_call_ends_it(after: bool) -> None:
    survived = False
    for at in range(1, 1000):
        storage = MemoryStorage()
        filled(storage)
        mortal = Mortal(storage.objects, at, after)
        with contextlib.suppress(Killed):
            archive(mortal, Ledger(mortal), SOON, remove=True)
            survived = True
        assert contents(storage) == set(FILES.values()), at
        done = archive(storage, Ledger(storage), SOON, remove=True)
        assert done.problems == []
        assert raw_keys(storage) == []
        assert len([entry for entry in storage.list("archive/") if entry.key.endswith(".tar.gz")]) == 1, at
        assert contents(storage) == set(FILES.values()), at
        if survived:
            break
    assert survived
    assert at > 10
    assert {hashlib.sha256(content).hexdigest() for content in FILES.values()} == {
        delivery.sha256 for delivery in Ledger(storage).all()
    }
