"""The contract that every storage keeps: a directory, S3 as moto imitates it, a real MinIO, and the tests' memory."""

import hashlib
import io
import random
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from elexxion_assets.lake.storage import Conflict, Storage
from elexxion_assets_tests.services.memory import MemoryStorage
from elexxion_assets_tests.services.s3 import is_moto

BIG = random.Random(4).randbytes((11 << 20) + 3)  # noqa: S311 - three parts of the buckets in these tests


def keys(storage: Storage, prefix: str = "", after: str = "") -> list[str]:
    return [entry.key for entry in storage.list(prefix, after)]


class Trickle(io.RawIOBase):
    """A stream that gives few bytes at a time, as sockets do."""

    def __init__(self, data: bytes) -> None:
        self.data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        return self.data.readinto(memoryview(buffer)[:100_003])


# Writing and reading


def test_what_is_written_is_read(storage: Storage) -> None:
    storage.write("input/a.csv", b"un;deux")
    assert storage.read("input/a.csv") == b"un;deux"


def test_an_empty_object_is_an_object(storage: Storage) -> None:
    assert storage.write("a", b"").size == 0
    assert storage.read("a") == b""
    assert storage.stat("a") is not None


def test_bytes_of_any_value_survive(storage: Storage) -> None:
    data = bytes(range(256)) + b"\r\n\x00\xef\xbb\xbf"
    storage.write("a", data)
    assert storage.read("a") == data


def test_an_absent_object_cannot_be_read(storage: Storage) -> None:
    for attempt in (
        lambda: storage.read("a/b"),
        lambda: storage.read("a/b", 3, 5),
        lambda: storage.read("a/b", 0, 0),
        lambda: storage.open("a/b"),
    ):
        with pytest.raises(KeyError):
            attempt()
    with pytest.raises(KeyError), storage.local("a/b"):
        pass


def test_an_absent_object_has_no_facts(storage: Storage) -> None:
    storage.write("a/b/c", b"1")
    assert storage.stat("a/x") is None
    assert storage.stat("a/b") is None
    assert storage.stat("a/b/c/d") is None


def test_the_facts_of_a_write_are_the_stored_facts(storage: Storage) -> None:
    before = datetime.now(UTC) - timedelta(seconds=2)
    written = storage.write("a/b", b"12345")
    stored = storage.stat("a/b")
    assert stored is not None
    assert (
        (stored.key, stored.size, stored.etag) == ("a/b", 5, written.etag) == (written.key, written.size, stored.etag)
    )
    for entry in (written, stored, *storage.list("")):
        assert entry.modified.utcoffset() == timedelta(0)
        assert before <= entry.modified <= datetime.now(UTC) + timedelta(seconds=2)


def test_listed_facts_are_the_stored_facts(storage: Storage) -> None:
    storage.write("a/b", b"12345")
    stored = storage.stat("a/b")
    (listed,) = storage.list("a")
    assert stored is not None
    assert (listed.key, listed.size, listed.etag) == (stored.key, stored.size, stored.etag)


def test_an_overwrite_is_read_at_once(storage: Storage) -> None:
    for data in (b"one", b"two", b"threefold", b""):
        storage.write("a", data)
        assert storage.read("a") == data
        assert [entry.size for entry in storage.list("")] == [len(data)]


def test_an_overwrite_changes_the_etag(storage: Storage) -> None:
    etags = {storage.write("a", f"{number:03}".encode()).etag for number in range(20)}
    assert len(etags) == 20


def test_a_file_is_a_source(storage: Storage, tmp_path: Path) -> None:
    path = tmp_path / "source"
    path.write_bytes(BIG)
    assert storage.write("a", path).size == len(BIG)
    assert storage.read("a") == BIG
    assert path.read_bytes() == BIG


def test_a_stream_of_short_reads_is_a_source(storage: Storage) -> None:
    assert storage.write("a", Trickle(BIG)).size == len(BIG)  # type: ignore[arg-type]
    assert storage.read("a") == BIG


def test_a_stream_is_read_from_where_it_stands(storage: Storage) -> None:
    stream = io.BytesIO(b"0123456789")
    stream.seek(4)
    storage.write("a", stream)
    assert storage.read("a") == b"456789"


@pytest.mark.parametrize("size", [(5 << 20) - 1, 5 << 20, (5 << 20) + 1, 10 << 20])
def test_sizes_around_a_part(storage: Storage, size: int) -> None:
    data = BIG[:size]
    assert storage.write("a", data).size == size
    stored = storage.stat("a")
    assert stored is not None
    assert stored.size == size
    assert hashlib.sha256(storage.read("a")).digest() == hashlib.sha256(data).digest()


def test_a_source_that_fails_leaves_the_old_bytes(storage: Storage) -> None:
    class Fails(io.RawIOBase):
        left = 7 << 20

        def read(self, size: int = -1) -> bytes:
            if self.left <= 0:
                raise OSError("the disk is gone")
            self.left -= 1 << 20
            return b"x" * (1 << 20)

    storage.write("a", b"old")
    for condition in ({}, {"if_absent": True}):
        for key in ("a", "b"):
            with pytest.raises(OSError, match="the disk is gone"):
                storage.write(key, Fails(), **condition)  # type: ignore[arg-type]
    assert storage.read("a") == b"old"
    assert keys(storage) == ["a"]


def test_a_source_file_that_is_absent_writes_nothing(storage: Storage, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        storage.write("a", tmp_path / "absent")
    assert keys(storage) == []


# Ranges and streams


def test_ranges(storage: Storage) -> None:
    storage.write("a", b"0123456789")
    for start, end, expected in (
        (0, 4, b"0123"),
        (3, 7, b"3456"),
        (9, 10, b"9"),
        (6, None, b"6789"),
        (6, 100, b"6789"),
        (10, None, b""),
        (10, 12, b""),
        (100, 200, b""),
        (0, 0, b""),
        (5, 3, b""),
    ):
        assert storage.read("a", start, end) == expected


def test_a_range_of_an_empty_object_is_empty(storage: Storage) -> None:
    storage.write("a", b"")
    assert storage.read("a", 0, 10) == b""
    assert storage.read("a", 5) == b""


def test_ranges_across_parts(storage: Storage) -> None:
    storage.write("a", BIG)
    border = 5 << 20
    assert storage.read("a", border - 10, border + 10) == BIG[border - 10 : border + 10]
    assert storage.read("a", len(BIG) - 8) == BIG[-8:]


def test_a_negative_range_is_refused(storage: Storage) -> None:
    storage.write("a", b"0123456789")
    with pytest.raises(ValueError, match="from the beginning"):
        storage.read("a", -4)


def test_a_stream_gives_everything(storage: Storage) -> None:
    storage.write("a", BIG)
    digest = hashlib.sha256()
    with storage.open("a") as stream:
        assert stream.read(10) == BIG[:10]
        digest.update(BIG[:10])
        while piece := stream.read(1 << 16):
            digest.update(piece)
        assert stream.read(10) == b""
    assert digest.digest() == hashlib.sha256(BIG).digest()


def test_a_stream_can_be_left_early(storage: Storage) -> None:
    storage.write("a", BIG)
    with storage.open("a") as stream:
        stream.read(10)
    assert stream.closed


def test_a_stream_gives_lines(storage: Storage) -> None:
    storage.write("a", b"un\ndeux\ntrois")
    with storage.open("a") as stream:
        assert list(stream) == [b"un\n", b"deux\n", b"trois"]


def test_a_reader_never_sees_a_mixture(storage: Storage) -> None:
    old, new = b"o" * (6 << 20), b"n" * (6 << 20)
    storage.write("a", old)
    with storage.open("a") as stream:
        pieces = [stream.read(100)]
        storage.write("a", new)
        try:
            pieces.append(stream.read())
        except Conflict:
            return
    assert b"".join(pieces) in (old, new)


def test_a_local_file_holds_the_bytes(storage: Storage) -> None:
    storage.write("a/b.csv", BIG)
    with storage.local("a/b.csv") as path:
        assert path.read_bytes() == BIG
    assert storage.read("a/b.csv", 0, 5) == BIG[:5]


# Removal


def test_a_removed_object_is_gone_at_once(storage: Storage) -> None:
    storage.write("a/b", b"1")
    storage.delete("a/b")
    assert storage.stat("a/b") is None
    assert keys(storage) == []
    with pytest.raises(KeyError):
        storage.read("a/b")


def test_removing_what_is_absent_is_fine(storage: Storage) -> None:
    storage.write("a/b", b"1")
    for key in ("x", "a/x", "a", "a/b/c", "x/y/z"):
        storage.delete(key)
    assert keys(storage) == ["a/b"]


def test_a_removed_object_can_come_back(storage: Storage) -> None:
    storage.write("a", b"1")
    storage.delete("a")
    storage.write("a", b"2", if_absent=True)
    assert storage.read("a") == b"2"


def test_an_object_can_take_the_place_of_an_emptied_folder(storage: Storage) -> None:
    storage.write("a/b", b"1")
    storage.delete("a/b")
    storage.write("a", b"2")
    assert keys(storage) == ["a"]


# Conditions


def test_only_the_first_creates(storage: Storage) -> None:
    storage.write("a", b"first", if_absent=True)
    with pytest.raises(Conflict):
        storage.write("a", b"second", if_absent=True)
    assert storage.read("a") == b"first"


def test_a_large_object_is_created_once(storage: Storage) -> None:
    storage.write("a", BIG, if_absent=True)
    with pytest.raises(Conflict):
        storage.write("a", BIG[::-1], if_absent=True)
    assert storage.read("a", 0, 10) == BIG[:10]
    assert keys(storage) == ["a"]


def test_an_object_is_replaced_if_it_is_the_one_known(storage: Storage) -> None:
    entry = storage.write("a", b"1")
    entry = storage.write("a", b"2", if_match=entry.etag)
    (listed,) = storage.list("a")
    storage.write("a", b"3", if_match=listed.etag)
    assert storage.read("a") == b"3"


def test_an_object_that_changed_is_not_replaced(storage: Storage) -> None:
    known = storage.write("a", b"1")
    storage.write("a", b"2")
    with pytest.raises(Conflict):
        storage.write("a", b"3", if_match=known.etag)
    assert storage.read("a") == b"2"


def test_a_large_object_that_changed_is_not_replaced(storage: Storage) -> None:
    if is_moto(storage):
        pytest.skip("moto completes uploads without looking at If-Match")
    known = storage.write("a", BIG)
    newer = storage.write("a", b"2", if_match=known.etag)
    with pytest.raises(Conflict):
        storage.write("a", BIG, if_match=known.etag)
    assert storage.read("a") == b"2"
    storage.write("a", BIG, if_match=newer.etag)
    assert storage.read("a") == BIG


def test_an_object_that_is_gone_is_not_replaced(storage: Storage) -> None:
    known = storage.write("a", b"1")
    storage.delete("a")
    with pytest.raises(Conflict):
        storage.write("a", b"2", if_match=known.etag)
    with pytest.raises(Conflict):
        storage.write("never", b"2", if_match=known.etag)
    assert keys(storage) == []


def in_parallel(count: int, action: Callable[[int], None]) -> None:
    barrier = threading.Barrier(count)

    def start(number: int) -> None:
        barrier.wait()
        action(number)

    threads = [threading.Thread(target=start, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.fixture
def shared(storage: Storage) -> Storage:
    """Storages that several threads may use; moto answers conditions without holding a lock between."""
    if isinstance(storage, MemoryStorage) or is_moto(storage):
        pytest.skip("an imitation whose conditions are not atomic between threads")
    return storage


def test_of_many_creators_one_wins(shared: Storage) -> None:
    won: list[int] = []

    def create(number: int) -> None:
        try:
            shared.write("a/b", f"{number}".encode(), if_absent=True)
        except Conflict:
            return
        won.append(number)

    in_parallel(8, create)
    (winner,) = won
    assert shared.read("a/b") == f"{winner}".encode()


def test_no_count_is_lost_among_many(shared: Storage) -> None:
    shared.write("counter", b"0")

    def add(_: int) -> None:
        for _ in range(5):
            while True:
                entry = shared.stat("counter")
                assert entry is not None
                try:
                    shared.write("counter", f"{int(shared.read('counter')) + 1}".encode(), if_match=entry.etag)
                except Conflict:
                    continue
                break

    in_parallel(4, add)
    assert shared.read("counter") == b"20"


def test_readers_see_whole_objects_while_writers_replace_them(shared: Storage) -> None:
    shared.write("a", b"0" * 200_000)
    torn: list[bytes] = []

    def work(number: int) -> None:
        for turn in range(10):
            if number < 2:
                shared.write("a", f"{(number + turn) % 10}".encode() * 200_000)
            else:
                data = shared.read("a")
                if len(data) != 200_000 or len(set(data)) != 1:
                    torn.append(data[:10])

    in_parallel(4, work)
    assert torn == []
