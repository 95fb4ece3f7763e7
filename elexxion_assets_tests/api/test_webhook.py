"""What senders of events are answered, and when somebody is woken."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from elexxion_assets.api.app import LARGEST, make_app
from elexxion_assets.lake.intake import is_delivery

TOKEN = "-".join(["a", "token", "of", "some", "length"])


class Service:
    """The application without a network, and how often it woke somebody."""

    def __init__(self) -> None:
        self.wakes = 0
        self.broken = False
        self.app = make_app(token=TOKEN, bucket="lake", prefix="input/", is_file=is_delivery, wake=self.wake)

    def wake(self) -> None:
        if self.broken:
            raise OSError("nobody there")
        self.wakes += 1

    async def _post(self, path: str, content: Any, headers: dict[str, str]) -> httpx.Response:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://hook") as client:
            return await client.post(path, content=content, headers=headers)

    def post(self, content: Any, path: str = "/", **headers: str) -> httpx.Response:
        import anyio

        sent = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json", **headers}
        return anyio.run(self._post, path, content, {name: value for name, value in sent.items() if value})


@pytest.fixture
def service() -> Service:
    return Service()


def record(key: str = "input/a.csv", bucket: str = "lake", event: str = "ObjectCreated:Put", version: str = "1") -> Any:
    held = {"key": key, "eTag": f"tag-{version}", "sequencer": f"00{version}", "size": 3}
    return {"eventName": f"s3:{event}", "s3": {"bucket": {"name": bucket}, "object": held}}


def document(*records: Any) -> bytes:
    return json.dumps({"EventName": "s3:ObjectCreated:Put", "Key": "lake/input/a.csv", "Records": records}).encode()


@pytest.mark.parametrize("path", ["/", "/events"])
def test_an_event_wakes_at_once_and_one_document_wakes_once(service: Service, path: str) -> None:
    keys = ["input/a+b.csv", "input/2024/%C3%A9t%C3%A9/r%C3%A9sultats%20t1.csv", "input%2Fplain.csv"]
    answer = service.post(document(*map(record, keys)), path)
    assert answer.status_code == 200
    assert answer.json() == {"woken": True, "files": 3}
    assert service.wakes == 1


def test_a_replayed_event_is_accepted_and_wakes_nobody(service: Service) -> None:
    assert service.post(document(record())).json()["woken"]
    assert service.post(document(record())).json() == {"woken": False, "files": 0}
    assert service.post(document(record(version="2"))).json()["woken"], "new bytes under the same name"
    assert service.wakes == 2


def test_an_event_whose_wake_failed_may_be_sent_again(service: Service) -> None:
    service.broken = True
    assert service.post(document(record())).status_code == 500
    service.broken = False
    assert service.post(document(record())).json()["woken"]


@pytest.mark.parametrize("shown", ["", TOKEN, f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer ", "Basic YTpi", "é"])
def test_whoever_shows_no_token_is_refused(service: Service, shown: str) -> None:
    answer = service.post(document(record()), authorization=shown.encode("latin-1"))  # type: ignore[arg-type]
    assert answer.status_code == 401
    assert "token" in answer.json()["detail"]
    assert service.wakes == 0


DEEP = b"[" * 100_000


@pytest.mark.parametrize(
    ("content", "status", "word"),
    [
        (b"", 400, "JSON"),
        (b"{", 400, "JSON"),
        (b"\xff\xfe", 400, "JSON"),
        (DEEP, 400, "JSON"),
        (b"[]", 422, "Records"),
        (b'"text"', 422, "Records"),
        (b'{"Records": []}', 422, "Records"),
        (b'{"Records": {"0": 1}}', 422, "Records"),
        (b'{"Records": [null]}', 422, "lacks"),
        (b'{"Records": [{"eventName": "x", "s3": "y"}]}', 422, "lacks"),
        (document(record(bucket="other")), 403, "another bucket"),
        (document(record(key="output/or/x.parquet")), 422, "input/"),
        (document(record(key="input%2F%ff.csv")), 422, "UTF-8"),
        (document(record(key=f"input%2F{'é' * 600}.csv")), 422, "1024 bytes"),
        (b" " * (LARGEST + 1), 413, "bytes"),
    ],
)
def test_what_tells_of_no_file_of_ours_is_refused_in_words(
    service: Service, content: bytes, status: int, word: str
) -> None:
    answer = service.post(content)
    assert answer.status_code == status
    assert word in answer.json()["detail"]
    assert service.wakes == 0


def test_other_content_is_refused(service: Service) -> None:
    assert service.post(document(record()), **{"content-type": "text/plain"}).status_code == 415
    assert service.post(document(record()), **{"content-encoding": "gzip"}).status_code == 415
    assert service.wakes == 0


@pytest.mark.parametrize("name", ["input/.keep", "input/a.csv.elexxion.json", "input/"])
def test_hidden_objects_and_removals_wake_nobody(service: Service, name: str) -> None:
    assert service.post(document(record(key=name))).json() == {"woken": False, "files": 0}
    assert service.post(document(record(event="ObjectRemoved:Delete"))).json() == {"woken": False, "files": 0}


def test_foreign_records_beside_ours_do_not_hide_them(service: Service) -> None:
    answer = service.post(document(record(bucket="other"), record(), None))
    assert answer.json() == {"woken": True, "files": 1}


def test_an_endless_body_is_cut_off(service: Service) -> None:
    sent = 0

    async def endless() -> Any:
        nonlocal sent
        while sent < 64 << 20:
            sent += 1 << 16
            yield b" " * (1 << 16)

    assert service.post(endless()).status_code == 413
    assert sent < 4 << 20


def test_the_service_says_that_it_lives(service: Service) -> None:
    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(service.app), base_url="http://hook") as client:
            return await client.get("/health")

    import anyio

    assert anyio.run(ask).json() == {"status": "ok"}
