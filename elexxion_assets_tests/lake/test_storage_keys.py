"""What every storage promises about keys: their order in lists, prefixes, odd ones, refused ones."""

import random
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from elexxion_assets.lake.storage import DirectoryStorage, KeyRefused, Storage
from elexxion_assets_tests.services.s3 import is_moto


def keys(storage: Storage, prefix: str = "", after: str = "") -> list[str]:
    return [entry.key for entry in storage.list(prefix, after)]


# Lists


NAMES = (
    "a",
    "a b",
    "a-b",
    "a.b",
    "a/b",
    "a/b-c",
    "a/b.c",
    "a/b0",
    "a/c/d",
    "a0",
    "ab",
    "b/a",
    "b/z/z",
    "é/é",
    "z",
    "𝄞",
)
TREE = tuple(name for name in NAMES if name != "a")  # a key that is another's folder is not for every store


def test_lists_are_in_order(storage: Storage) -> None:
    for key in random.Random(1).sample(TREE, len(TREE)):  # noqa: S311
        storage.write(key, b"1")
    assert keys(storage) == sorted(TREE, key=str.encode)


def test_prefixes_are_texts_not_folders(storage: Storage) -> None:
    for key in TREE:
        storage.write(key, b"1")
    for prefix in ["a", "a/", "a/b", "a/b/", "a ", "b/z/z", "b/z/z/", "é", "x", "zz", "a/c/d/e"]:
        assert keys(storage, prefix) == [key for key in sorted(TREE, key=str.encode) if key.startswith(prefix)]


def test_lists_start_after_a_key(storage: Storage) -> None:
    for key in TREE:
        storage.write(key, b"1")
    for after in ["a", "a-b", "a/", "a/b", "a/b/", "a/b-c", "a/z", "a0", "b/z", "a/c", "zz", "\U0010ffff"]:
        assert keys(storage, after=after) == [
            key for key in sorted(TREE, key=str.encode) if key.encode() > after.encode()
        ]


def test_prefix_and_after_together(storage: Storage) -> None:
    for key in TREE:
        storage.write(key, b"1")
    assert keys(storage, "a/", after="a/b-c") == ["a/b.c", "a/b0", "a/c/d"]
    assert keys(storage, "a/", after="A") == ["a/b", "a/b-c", "a/b.c", "a/b0", "a/c/d"]
    assert keys(storage, "a/", after="b") == []


def test_an_empty_store_lists_nothing(storage: Storage) -> None:
    assert keys(storage) == []
    assert keys(storage, "input/", after="input/a") == []


def test_a_list_can_be_walked_while_objects_go(storage: Storage) -> None:
    for number in range(20):
        storage.write(f"input/{number:02}", b"1")
    walked = []
    for entry in storage.list("input/"):
        walked.append(entry.key)
        storage.delete(entry.key)
    assert walked == [f"input/{number:02}" for number in range(20)]
    assert keys(storage) == []


segment = st.text(st.sampled_from("ab-./0 é"), min_size=1, max_size=3).filter(lambda text: "//" not in f"/{text}/")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.sets(segment, max_size=12), prefix=st.text("ab-/0", max_size=3), after=st.text("ab-/0é", max_size=4))
def test_a_directory_lists_as_s3_does(
    tmp_path_factory: pytest.TempPathFactory, names: set[str], prefix: str, after: str
) -> None:
    storage = DirectoryStorage(tmp_path_factory.mktemp("lake"))
    stored = []
    for name in sorted(names):
        try:
            storage.write(name, b"")
        except KeyRefused:
            continue
        stored.append(name)
    if "//" in f"/{prefix}":
        return
    expected = [k for k in sorted(stored, key=str.encode) if k.startswith(prefix) and k.encode() > after.encode()]
    assert keys(storage, prefix, after) == expected


# Keys


ODD = [
    "input/Résultats définitifs 2022.csv",
    "input/ leading and trailing ",
    "input/a#b?c%20d+e&f=g.csv",
    "input/'quoted' \"twice\" <tag> [x] {y} | ; : , @ $ ! ~ ^ `",
    "input/tab\tname",
    "input/…",
    "input/e\u0301 is not é",
    "input/%2e%2e%2fescape",
    "input/..hidden",
    "input/.dot",
    "input/-rf *",
    "input/文件 🗳️.csv",
    "input/" + "n" * 255,
    "input/" + "é" * 127,
    "/".join(["d" * 100] * 10),
]


def test_odd_keys_are_kept_as_they_are(storage: Storage) -> None:
    for key in ODD:
        entry = storage.write(key, key.encode(), if_absent=True)
        storage.write(key, key.encode() + b"!", if_match=entry.etag)
        assert keys(storage) == [key]
        assert keys(storage, key) == [key]
        assert storage.read(key) == key.encode() + b"!"
        with storage.open(key) as stream, storage.local(key) as path:
            assert stream.read() == path.read_bytes()
        storage.delete(key)
        assert keys(storage) == []


@pytest.mark.parametrize("key", ["input/two\nlines.csv", "input/back\\slash", "input/C:\\x"])
def test_keys_that_some_stores_cannot_hold_work_or_are_refused(storage: Storage, key: str) -> None:
    if is_moto(storage):
        pytest.skip("moto does not route such names")
    try:
        storage.write(key, b"1")
    except KeyRefused:
        assert keys(storage) == []
    else:
        assert keys(storage) == [key]
        assert storage.read(key) == b"1"


def test_neighbours_do_not_mix(storage: Storage) -> None:
    names = ["a", "A", "aa", "a.csv", "a.csv.gz", "a ", "é", "e\u0301"]
    for name in names:
        storage.write(f"input/{name}", name.encode())
    assert {entry.key: storage.read(entry.key) for entry in storage.list("")} == {
        f"input/{name}": name.encode() for name in names
    }


REFUSED = [
    "",
    "/",
    "/etc/passwd",
    "..",
    "../x",
    "a/../b",
    "a/..",
    "./a",
    "a/./b",
    "a//b",
    "a/",
    "a\0b",
    ".elexxion-x",
    "a/.elexxion-locks/b",
    "n" * 256,
    "a/" + "é" * 128,
    "/".join(["d" * 100] * 11),
]


def test_keys_that_are_not_portable_are_refused(storage: Storage) -> None:
    for key in REFUSED:
        for attempt in (
            lambda key: storage.write(key, b"1"),
            storage.read,
            storage.stat,
            storage.open,
            storage.delete,
            lambda key: storage.local(key).__enter__(),
        ):
            with pytest.raises(KeyRefused, match="key"):
                attempt(key)
    assert keys(storage) == []


@pytest.mark.parametrize(("first", "second"), [("a/b", "a/b/c"), ("a/b/c", "a/b"), ("a/b/c", "a"), ("a/b", "a/b/c/d")])
@pytest.mark.parametrize("if_absent", [True, False])
def test_a_key_below_another_works_or_is_refused(storage: Storage, first: str, second: str, if_absent: bool) -> None:
    storage.write(first, b"1")
    try:
        storage.write(second, b"2", if_absent=if_absent)
    except KeyRefused:
        assert keys(storage) == [first]
    else:
        # MinIO takes the second, but hides it from lists while the first is there.
        assert storage.read(second) == b"2"
    assert storage.read(first) == b"1"


def test_sweeping_leaves_objects_and_fresh_writes(storage: Storage) -> None:
    storage.write("a", b"1")
    assert storage.sweep(timedelta(hours=1)) == 0
    assert keys(storage) == ["a"]


def test_the_address_is_for_people(storage: Storage) -> None:
    assert storage.url.startswith(("file:///", "s3://lake-", "memory://"))
    assert "secret" not in storage.url
