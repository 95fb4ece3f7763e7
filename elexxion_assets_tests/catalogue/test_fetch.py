"""New releases reach `input/` whole or not at all, whatever the publisher's server does."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import json
import random
import tracemalloc
from collections.abc import Iterator

import pytest

from elexxion_assets.catalogue import Fetched, Limits, Outcome, Source, fetch, select, sources
from elexxion_assets.catalogue.download import file_name
from elexxion_assets.declare import Refusal
from elexxion_assets.lake.storage import Storage
from elexxion_assets.settings import Settings
from elexxion_assets.themes import all_themes
from elexxion_assets_tests.catalogue.publisher import Publisher, endless, file, publishing, redirect, status
from elexxion_assets_tests.services.memory import MemoryStorage
from elexxion_assets_tests.toy import TOY, counts, csv

BODY = csv(*(f"01{n:03};2020;{n}" for n in range(1, 999)))
NEWER = csv(*(f"01{n:03};2020;{n + 1}" for n in range(1, 999)))
LIMITS = Limits(hosts=("127.0.0.1",), max_bytes=1_000_000, waits=(0, 0, 0), timeout=5)


@pytest.fixture
def publisher(monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with publishing() as server:
        yield server


@pytest.fixture
def storage() -> Storage:
    return MemoryStorage()


def source(*addresses: str) -> list[Source]:
    theme = dataclasses.replace(TOY, datasets=(dataclasses.replace(counts, addresses=addresses),))
    return sources({"toy": theme})


def fetched(storage: Storage, *addresses: str, limits: Limits = LIMITS) -> list[Fetched]:
    return list(fetch(source(*addresses), storage, limits))


def waiting(storage: Storage) -> dict[str, bytes]:
    return {entry.key.removeprefix("input/"): storage.read(entry.key) for entry in storage.list("input/")}


def test_a_release_is_dropped_once_and_remembered(publisher: Publisher, storage: Storage) -> None:
    url = publisher.at("/counts.csv", file(BODY, etag='"1"'))
    [done] = fetched(storage, url)
    assert (done.outcome, done.key) == (Outcome.NEW, "input/counts.csv")
    assert waiting(storage) == {"counts.csv": BODY}
    said = json.loads(storage.read("metadata/catalogue/toy/counts.json"))
    assert said["addresses"][url]["sha256"] == hashlib.sha256(BODY).hexdigest()
    storage.delete(done.key)
    [again] = fetched(storage, url)
    assert again.outcome is Outcome.UNCHANGED
    assert waiting(storage) == {}
    assert publisher.requests("/counts.csv")[-1]["If-None-Match"] == '"1"'


def test_without_tag_and_date_the_hash_tells_that_nothing_is_new(publisher: Publisher, storage: Storage) -> None:
    url = publisher.at("/counts.csv", file(BODY))
    assert [fetched(storage, url)[0].outcome for _ in range(2)] == [Outcome.NEW, Outcome.UNCHANGED]
    storage.delete("input/counts.csv")
    publisher.at("/counts.csv", file(NEWER))
    [done] = fetched(storage, url)
    assert done.outcome is Outcome.NEW
    assert waiting(storage) == {"counts.csv": NEWER}


def test_a_new_release_behind_a_permanent_address_is_seen_even_with_an_older_date(
    publisher: Publisher, storage: Storage
) -> None:
    date = "Wed, 01 Jan 2025 00:00:00 GMT"
    publisher.at("/2024.csv", file(BODY, date=date))
    publisher.at("/2025.csv", file(NEWER, date=date))
    url = publisher.at("/r/counts", redirect("/2024.csv"))
    fetched(storage, url)
    publisher.at("/r/counts", redirect("/2025.csv"))
    [done] = fetched(storage, url)
    assert done.outcome is Outcome.NEW
    assert waiting(storage) == {"2024.csv": BODY, "2025.csv": NEWER}


@pytest.mark.parametrize("validator", [{"etag": '"1"'}, {"date": "Wed, 01 Jan 2025 00:00:00 GMT"}])
def test_a_broken_connection_is_resumed_where_it_broke(
    publisher: Publisher, storage: Storage, validator: dict[str, str]
) -> None:
    broken = file(BODY, breaks_after=5000, **validator)  # type: ignore[arg-type]
    url = publisher.at("/counts.csv", broken, broken, file(BODY, **validator))  # type: ignore[arg-type]
    [done] = fetched(storage, url)
    assert done.outcome is Outcome.NEW
    assert waiting(storage) == {"counts.csv": BODY}
    ranges = [headers.get("Range") for headers in publisher.requests("/counts.csv")]
    assert ranges[:3] == [None, "bytes=5000-", "bytes=10000-"]


def test_content_that_changes_between_two_parts_is_never_mixed(publisher: Publisher, storage: Storage) -> None:
    broken = file(BODY, etag='"1"', breaks_after=5000)
    url = publisher.at("/counts.csv", broken, file(NEWER, etag='"2"'))
    [done] = fetched(storage, url)
    assert done.outcome is Outcome.NEW
    assert waiting(storage) == {"counts.csv": NEWER}


def test_a_server_that_ignores_if_range_is_caught_by_the_tag_of_its_answer(
    publisher: Publisher, storage: Storage
) -> None:
    def careless(exchange: object) -> None:
        del exchange.headers["If-Range"]  # type: ignore[attr-defined]
        file(NEWER, etag='"2"')(exchange)  # type: ignore[arg-type]

    url = publisher.at("/counts.csv", file(BODY, etag='"1"', breaks_after=5000), careless)
    assert fetched(storage, url)[0].outcome is Outcome.NEW
    assert waiting(storage) == {"counts.csv": NEWER}


def test_without_anything_to_tell_versions_apart_a_broken_download_starts_again(
    publisher: Publisher, storage: Storage
) -> None:
    url = publisher.at("/counts.csv", file(BODY, breaks_after=5000), file(NEWER))
    assert fetched(storage, url)[0].outcome is Outcome.NEW
    assert waiting(storage) == {"counts.csv": NEWER}
    assert "Range" not in publisher.requests("/counts.csv")[1]


def test_a_passing_fault_is_waited_out(publisher: Publisher, storage: Storage) -> None:
    url = publisher.at("/counts.csv", status(503), status(429), file(BODY))
    assert fetched(storage, url)[0].outcome is Outcome.NEW


def test_a_fault_that_stays_ends_after_four_attempts(publisher: Publisher, storage: Storage) -> None:
    url = publisher.at("/counts.csv", status(503))
    [done] = fetched(storage, url)
    assert done.outcome is Outcome.FAILED
    assert "503, after 4 attempts" in done.reason
    assert len(publisher.requests("/counts.csv")) == 4


def test_a_file_that_is_gone_is_not_asked_for_again(publisher: Publisher, storage: Storage) -> None:
    [done] = fetched(storage, publisher.url("/gone.csv"))
    assert "there is no such file" in done.reason
    assert len(publisher.requests("/gone.csv")) == 1


@pytest.mark.parametrize("announced", [len(BODY) + 10, len(BODY) - 10])
def test_a_lie_about_the_length_is_found_out(publisher: Publisher, storage: Storage, announced: int) -> None:
    url = publisher.at("/counts.csv", file(BODY, etag='"1"', announces=announced))
    [done] = fetched(storage, url)
    assert done.outcome is Outcome.FAILED
    assert waiting(storage) == {}


def test_one_failure_stops_no_other_and_leaves_no_partial_file(publisher: Publisher, storage: Storage) -> None:
    broken = publisher.at("/broken.csv", file(BODY, breaks_after=100))
    good = publisher.at("/good.csv", file(BODY))
    outcomes = [done.outcome for done in fetched(storage, broken, good)]
    assert outcomes == [Outcome.FAILED, Outcome.NEW]
    assert waiting(storage) == {"good.csv": BODY}


@pytest.mark.parametrize(
    ("location", "word"),
    [
        ("http://localhost/x.csv", "localhost is not among the allowed hosts"),
        ("https://example.org/x.csv", "example.org is not among the allowed hosts"),
        ("https://insee.fr.example.org/x.csv", "not among the allowed hosts"),
        ("https://notinsee.fr/x.csv", "not among the allowed hosts"),
        ("http://www.insee.fr/x.csv", "not a plain https address"),
        ("https://www.insee.fr:8443/x.csv", "not a plain https address"),
        ("https://somebody@www.insee.fr/x.csv", "not a plain https address"),
        ("file:///etc/passwd", "not among the allowed hosts"),
        ("http://169.254.169.254/latest/meta-data/", "not among the allowed hosts"),
    ],
)
def test_a_redirect_leads_to_allowed_hosts_only(
    publisher: Publisher, storage: Storage, location: str, word: str
) -> None:
    url = publisher.at("/r/counts", redirect(location))
    [done] = fetched(storage, url, limits=dataclasses.replace(LIMITS, hosts=("127.0.0.1", "insee.fr")))
    assert done.outcome is Outcome.FAILED
    assert word in done.reason


def test_redirects_in_a_circle_end(publisher: Publisher, storage: Storage) -> None:
    [done] = fetched(storage, publisher.at("/r", redirect("/r")))
    assert "redirects" in done.reason
    assert len(publisher.requests("/r")) < 10


def test_an_endless_body_ends_at_the_limit_in_bounded_memory(publisher: Publisher, storage: Storage) -> None:
    url = publisher.at("/endless", endless)
    limits = dataclasses.replace(LIMITS, max_bytes=50_000_000)
    tracemalloc.start()
    [done] = fetched(storage, url, limits=limits)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "ELEXXION_FETCH_MAX_BYTES" in done.reason
    assert waiting(storage) == {}
    assert peak < 5_000_000


def test_a_release_that_says_it_is_too_big_is_not_even_begun(publisher: Publisher, storage: Storage) -> None:
    url = publisher.at("/big", file(BODY, announces=2_000_000))
    [done] = fetched(storage, url)
    assert "2,000,000 bytes" in done.reason
    assert len(publisher.requests("/big")) == 1


def test_a_web_page_and_nothing_are_no_releases(publisher: Publisher, storage: Storage) -> None:
    page = publisher.at("/page", file(b"<html>maintenance</html>", Content_Type="text/html; charset=utf-8"))
    empty = publisher.at("/empty.csv", file(b""))
    assert [done.outcome for done in fetched(storage, page, empty)] == [Outcome.FAILED] * 2
    assert waiting(storage) == {}


def test_a_compressed_file_stays_compressed(publisher: Publisher, storage: Storage) -> None:
    packed = gzip.compress(BODY)
    fetched(storage, publisher.at("/counts.csv.gz", file(packed, Content_Encoding="gzip")))
    assert waiting(storage) == {"counts.csv.gz": packed}


@pytest.mark.parametrize(("right", "outcome"), [(True, Outcome.NEW), (False, Outcome.FAILED)])
def test_the_checksum_of_the_catalogue_is_held_against_the_bytes(
    publisher: Publisher, storage: Storage, right: bool, outcome: Outcome
) -> None:
    resource = "12345678-1234-1234-1234-123456789012"
    sha1 = hashlib.sha1(BODY if right else NEWER).hexdigest()  # noqa: S324
    facts = {"resource": {"filetype": "file", "checksum": {"type": "sha1", "value": sha1}}}
    publisher.at(f"/api/2/datasets/resources/{resource}/", file(json.dumps(facts).encode()))
    url = publisher.at(f"/fr/datasets/r/{resource}", redirect("/static/counts.csv"))
    publisher.at("/static/counts.csv", file(BODY))
    [done] = fetched(storage, url)
    assert done.outcome is outcome
    assert list(waiting(storage)) == (["counts.csv"] if right else [])


def test_two_releases_of_one_name_do_not_replace_each_other(publisher: Publisher, storage: Storage) -> None:
    one = publisher.at("/1/export.csv", file(BODY))
    two = publisher.at("/2/export.csv", file(NEWER))
    fetched(storage, one, two)
    assert sorted(waiting(storage).values()) == sorted([BODY, NEWER])


@pytest.mark.parametrize(
    ("disposition", "url", "name"),
    [
        ('attachment; filename="rna_waldec_20240601.zip"', "https://a/x", "rna_waldec_20240601.zip"),
        ("attachment; filename*=UTF-8''r%C3%A9sultats.csv", "https://a/x", "résultats.csv"),
        ('attachment; filename="../../raw/crime/x.csv"', "https://a/x", "x.csv"),
        ('attachment; filename="C:\\\\temp\\\\x.csv"', "https://a/x", "x.csv"),
        ('attachment; filename=".elexxion-locks"', "https://a/x", "elexxion-locks"),
        ("", "https://a/fr/%2e%2e/base.zip?token=1", "base.zip"),
        ("inline", "https://a/", "file"),
    ],
)
def test_the_publisher_s_name_is_kept_and_made_safe(disposition: str, url: str, name: str) -> None:
    assert file_name(disposition, url) == name


def test_random_breaks_never_give_other_bytes(publisher: Publisher, storage: Storage) -> None:
    chance = random.Random(1)  # noqa: S311
    body = chance.randbytes(300_000)
    for number in range(10):
        breaks = [file(body, etag='"1"', breaks_after=chance.randrange(0, 150_000)) for _ in range(3)]
        [done] = fetched(storage, publisher.at(f"/{number}.bin", *breaks, file(body, etag='"1"')))
        assert done.outcome is Outcome.NEW
    assert set(waiting(storage).values()) == {body}


def test_every_declared_address_may_be_asked_and_is_declared_once() -> None:
    known = sources(all_themes())
    limits = Limits(hosts=tuple(Settings(_env_file=None).fetch_hosts.split(",")), max_bytes=1)  # type: ignore[call-arg]
    import httpx

    for one in known:
        limits.check(httpx.URL(one.address))
        assert one.dataset.licence
    assert len({one.address for one in known}) == len(known)


def test_people_name_a_dataset_a_theme_or_nothing() -> None:
    known = sources(all_themes())
    assert [one.name for one in select(known, ["crime/communale"])] == ["crime/communale"]
    assert {one.theme.name for one in select(known, ["crime"])} == {"crime"}
    assert select(known, []) == known
    with pytest.raises(Refusal, match="crime/communale"):
        select(known, ["crime/comunale"])
