"""What only a directory has: other people's files, links, kills in the middle of a write."""

import os
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Self

import pytest

from elexxion_assets.lake import storage as storage_module
from elexxion_assets.lake.storage import Conflict, DirectoryStorage


def keys(storage: DirectoryStorage, prefix: str = "") -> list[str]:
    return [entry.key for entry in storage.list(prefix)]


def test_files_put_there_by_people_are_objects(directory: DirectoryStorage) -> None:
    path = directory.root / "input" / "sub" / "a.csv"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"1;2")
    (entry,) = directory.list("input/")
    assert (entry.key, directory.read(entry.key)) == ("input/sub/a.csv", b"1;2")
    path.write_bytes(b"1;23")
    changed = directory.stat(entry.key)
    assert changed is not None
    assert changed.etag != entry.etag
    directory.delete(entry.key)
    assert keys(directory) == []


def test_a_file_put_there_meanwhile_is_not_overwritten_by_a_creation(directory: DirectoryStorage) -> None:
    class Slow:
        def read(self, size: int) -> bytes:
            (directory.root / "a").write_bytes(b"theirs")
            return b""

    with pytest.raises(Conflict):
        directory.write("a", Slow(), if_absent=True)  # type: ignore[arg-type]
    assert directory.read("a") == b"theirs"


def test_names_that_are_no_text_are_listed_and_read(directory: DirectoryStorage) -> None:
    folder = directory.root / "input"
    folder.mkdir(parents=True)
    Path(os.fsdecode(os.fsencode(folder) + b"/\xe9lections.csv")).write_bytes(b"1")
    (entry,) = directory.list("input/")
    assert directory.read(entry.key) == b"1"
    directory.delete(entry.key)
    assert keys(directory) == []


def test_links_are_followed_but_not_round_in_circles(directory: DirectoryStorage, tmp_path: Path) -> None:
    other_disk = tmp_path / "other"
    other_disk.mkdir()
    (other_disk / "b").write_bytes(b"2")
    directory.write("a/x", b"1")
    (directory.root / "linked").symlink_to(other_disk)
    (directory.root / "a" / "round").symlink_to(directory.root)
    (directory.root / "a" / "broken").symlink_to(tmp_path / "nowhere")
    assert keys(directory) == ["a/x", "linked/b"]
    directory.write("linked/c", b"3")
    assert (other_disk / "c").read_bytes() == b"3"


def test_what_is_no_file_is_no_object(directory: DirectoryStorage) -> None:
    directory.root.mkdir()
    os.mkfifo(directory.root / "pipe")
    (directory.root / "empty").mkdir()
    assert keys(directory) == []
    assert directory.stat("pipe") is None
    with pytest.raises(KeyError):
        directory.open("pipe")


def test_a_stamp_that_no_calendar_has_is_no_error(directory: DirectoryStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock(datetime):
        @classmethod
        def fromtimestamp(cls, timestamp: float, tz: tzinfo | None = None) -> Self:
            # As for the year 318,857, which some file systems hold and others do not.
            raise ValueError(f"year {timestamp} is out of range")

    directory.write("a", b"1")
    monkeypatch.setattr(storage_module, "datetime", Clock)
    (entry,) = directory.list("")
    assert entry.modified.year == 9999


def test_files_are_readable_for_whom_the_umask_allows(directory: DirectoryStorage) -> None:
    before = os.umask(0o027)
    try:
        directory.write("a", b"1")
    finally:
        os.umask(before)
    assert (directory.root / "a").stat().st_mode & 0o777 == 0o640


def test_a_list_reads_only_the_folders_that_it_needs(
    directory: DirectoryStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        directory.write(f"output/{number:02}/a", b"1")
    directory.write("input/a", b"1")
    scanned: list[str] = []
    original = os.scandir

    def scandir(path: Path) -> object:
        scanned.append(str(path))
        return original(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert [entry.key for entry in directory.list("input/")] == ["input/a"]
    assert [entry.key for entry in directory.list("output/", after="output/18/a")] == ["output/19/a"]
    assert len(scanned) <= 4


KILLED = """
import sys, time
from pathlib import Path
from elexxion_assets.lake.storage import DirectoryStorage

class Endless:
    def read(self, size):
        print("writing", flush=True)
        time.sleep(0.01)
        return b"x" * 1000

DirectoryStorage(Path(sys.argv[1])).write("a/b", Endless())
"""


def test_a_killed_writer_leaves_the_old_bytes_and_is_swept(directory: DirectoryStorage) -> None:
    directory.write("a/b", b"old")
    with subprocess.Popen([sys.executable, "-c", KILLED, directory.root], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    assert directory.read("a/b") == b"old"
    assert keys(directory) == ["a/b"]
    assert directory.sweep(timedelta(hours=1)) == 0
    time.sleep(0.02)
    assert directory.sweep(timedelta(0)) == 1
    assert directory.sweep(timedelta(0)) == 0
    assert directory.read("a/b") == b"old"


HOLDS_LOCK = """
import sys, time
from pathlib import Path
from elexxion_assets.lake.storage import DirectoryStorage

with DirectoryStorage(Path(sys.argv[1]))._lock("a"):
    print("locked", flush=True)
    time.sleep(60)
"""


def test_a_killed_holder_of_a_lock_blocks_nobody(directory: DirectoryStorage) -> None:
    entry = directory.write("a", b"1")
    with subprocess.Popen([sys.executable, "-c", HOLDS_LOCK, directory.root], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
    directory.write("a", b"2", if_match=entry.etag)
    assert directory.read("a") == b"2"


def test_a_full_disk_leaves_the_old_bytes(directory: DirectoryStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    directory.write("a", b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        directory.write("a", b"new")
    monkeypatch.undo()
    assert directory.read("a") == b"old"
    assert [path.name for path in directory.root.iterdir() if path.is_file()] == ["a"]
