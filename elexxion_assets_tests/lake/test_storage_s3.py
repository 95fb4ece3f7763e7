"""What only S3 has: broken connections, lost answers, uploads left half done, consoles."""

import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from elexxion_assets.lake.storage import Conflict, KeyRefused, S3Storage, Unavailable, s3_client
from elexxion_assets_tests.services.s3 import is_moto


class Client:
    """The client of a bucket, with some operations replaced."""

    def __init__(self, client: Any, **operations: Callable[..., Any]) -> None:
        self._client, self._operations = client, operations

    def __getattr__(self, name: str) -> Any:
        return self._operations.get(name) or getattr(self._client, name)


def failure(status: int, code: str = "SlowDown") -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "Any")


def twice(operation: Callable[..., Any]) -> Callable[..., Any]:
    """The operation as a client repeats it when the first answer was lost on the way."""

    def repeated(**request: Any) -> Any:
        operation(**request)
        return operation(**request)

    return repeated


def test_the_bucket_may_exist(s3: S3Storage) -> None:
    s3.ensure_bucket()
    s3.ensure_bucket()
    assert list(s3.list("")) == []


def test_a_creation_whose_answer_was_lost_has_won(s3: S3Storage) -> None:
    s3.client = Client(s3.client, put_object=twice(s3.client.put_object))
    entry = s3.write("a", b"1", if_absent=True)
    assert s3.write("a", b"2", if_match=entry.etag).size == 1
    assert s3.read("a") == b"2"


def test_a_large_creation_whose_answer_was_lost_has_won(s3: S3Storage) -> None:
    s3.client = Client(s3.client, complete_multipart_upload=twice(s3.client.complete_multipart_upload))
    entry = s3.write("a", b"x" * (6 << 20), if_absent=True)
    stored = s3.stat("a")
    assert stored is not None
    assert (stored.size, stored.etag) == (6 << 20, entry.etag)


def test_a_creation_that_lost_to_the_same_bytes_has_lost(s3: S3Storage) -> None:
    s3.write("a", b"1")
    with pytest.raises(Conflict):
        s3.write("a", b"1", if_absent=True)


def test_a_conditional_write_waits_for_another_under_way(s3: S3Storage) -> None:
    refusals = [failure(409, "ConditionalRequestConflict")] * 2
    original = s3.client.put_object

    def put_object(**request: Any) -> Any:
        if refusals:
            raise refusals.pop()
        return original(**request)

    s3.client = Client(s3.client, put_object=put_object)
    s3.write("a", b"1", if_absent=True)
    assert s3.read("a") == b"1"


@pytest.mark.parametrize("status", [500, 503, 429])
def test_an_overloaded_store_is_unavailable(s3: S3Storage, status: int) -> None:
    def fails(**request: Any) -> Any:
        raise failure(status)

    s3.client = Client(s3.client, get_object=fails, put_object=fails, head_object=fails, list_objects_v2=fails)
    for attempt in (
        lambda: s3.read("a"),
        lambda: s3.write("a", b"1"),
        lambda: s3.stat("a"),
        lambda: list(s3.list("")),
    ):
        with pytest.raises(Unavailable, match=s3.url):
            attempt()


def test_a_store_that_is_not_there_is_unavailable() -> None:
    client = s3_client("http://127.0.0.1:9", "key", "secret")
    with pytest.raises(Unavailable, match="cannot be reached"):
        S3Storage("lake", client).stat("a")
    client.close()


class Breaks(io.BytesIO):
    """A body whose connection breaks after some bytes."""

    def __init__(self, body: Any, after: int) -> None:
        super().__init__(body.read(after))
        self.body = body

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        if not data:
            self.body.close()
            raise ReadTimeoutError(endpoint_url="http://test")
        return data


def breaking(s3: S3Storage, times: int, meanwhile: Callable[[], object] = lambda: None) -> Client:
    original, left = s3.client.get_object, iter(range(times))

    def get_object(**request: Any) -> Any:
        answer = original(**request)
        if next(left, None) is not None:
            answer["Body"] = Breaks(answer["Body"], 1000)
            meanwhile()
        return answer

    return Client(s3.client, get_object=get_object)


def test_a_broken_stream_is_resumed(s3: S3Storage) -> None:
    data = os.urandom(300_000)
    s3.write("a", data)
    s3.client = breaking(s3, 3)
    assert s3.read("a") == data
    s3.client = breaking(s3, 3)
    assert s3.read("a", 5_000, 50_000) == data[5_000:50_000]
    s3.client = breaking(s3, 3)
    with s3.local("a") as path:
        assert path.read_bytes() == data


def test_a_stream_that_breaks_for_ever_is_unavailable(s3: S3Storage) -> None:
    def get_object(**request: Any) -> Any:
        answer = original(**request)
        answer["Body"] = Breaks(answer["Body"], 0)
        return answer

    s3.write("a", b"1")
    original = s3.client.get_object
    s3.client = Client(s3.client, get_object=get_object)
    with pytest.raises(Unavailable, match="broke off"):
        s3.read("a")


def test_a_stream_is_not_resumed_in_other_bytes(s3: S3Storage) -> None:
    s3.write("a", b"o" * 300_000)
    s3.client = breaking(s3, 1, meanwhile=lambda: s3.write("a", b"n" * 300_000))
    with pytest.raises(Conflict, match="replaced while it was read"):
        s3.read("a")


def test_a_stream_is_not_resumed_where_nothing_is_left(s3: S3Storage) -> None:
    s3.write("a", b"o" * 300_000)
    s3.client = breaking(s3, 1, meanwhile=lambda: s3.delete("a"))
    with pytest.raises(Conflict, match="replaced while it was read"):
        s3.read("a")


def uploads(s3: S3Storage) -> list[str]:
    # MinIO lists the uploads of one exact key only.
    return [u["Key"] for u in s3.client.list_multipart_uploads(Bucket=s3.bucket, Prefix="a").get("Uploads", ())]


def test_an_upload_that_fails_leaves_no_parts(s3: S3Storage) -> None:
    def parts() -> Iterator[bytes]:
        yield b"x" * (6 << 20)
        raise OSError("the disk is gone")

    source = parts()

    class Fails(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            return next(source)

    with pytest.raises(OSError, match="the disk is gone"):
        s3.write("a", Fails())  # type: ignore[arg-type]
    assert uploads(s3) == []


def test_a_large_write_that_lost_leaves_no_parts(s3: S3Storage) -> None:
    s3.write("a", b"1")
    with pytest.raises(Conflict):
        s3.write("a", b"x" * (6 << 20), if_absent=True)
    assert uploads(s3) == []


def test_folder_markers_of_consoles_are_no_objects(s3: S3Storage) -> None:
    s3.client.put_object(Bucket=s3.bucket, Key="input/", Body=b"")
    s3.write("input/a", b"1")
    assert [entry.key for entry in s3.list("")] == ["input/a"]


def test_names_that_are_no_text_are_refused(s3: S3Storage) -> None:
    with pytest.raises(KeyRefused, match="not valid Unicode"):
        s3.write("input/\udce9lections.csv", b"1")


def test_lists_go_on_over_pages(s3: S3Storage) -> None:
    original = s3.client.list_objects_v2
    s3.client = Client(s3.client, list_objects_v2=lambda **request: original(MaxKeys=3, **request))
    for number in range(10):
        s3.write(f"a/{number}", b"1")
    assert [entry.key for entry in s3.list("a/")] == [f"a/{number}" for number in range(10)]
    assert [entry.key for entry in s3.list("a/", after="a/4")] == [f"a/{number}" for number in range(5, 10)]


def test_abandoned_uploads_are_swept(s3: S3Storage) -> None:
    upload = s3.client.create_multipart_upload(Bucket=s3.bucket, Key="a")
    s3.client.upload_part(Bucket=s3.bucket, Key="a", UploadId=upload["UploadId"], PartNumber=1, Body=b"x" * (5 << 20))
    assert uploads(s3) == ["a"]
    if not is_moto(s3):  # where every upload began in 2010
        assert s3.sweep(timedelta(hours=1)) == 0
        assert uploads(s3) == ["a"]
    s3.sweep(timedelta(hours=-1))
    assert uploads(s3) == []


def test_other_credentials_are_refused_in_words(minio: Any) -> None:
    client = s3_client(minio.endpoint, minio.access_key, "wrong-secret-key")
    with pytest.raises(ClientError, match="403"):
        S3Storage("lake", client).stat("a")
    client.close()


def test_a_lake_in_a_directory_does_not_import_boto3() -> None:
    code = "import sys, elexxion_assets.lake.storage, elexxion_assets.lake.ledger; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"boto3", "botocore"} & set(loaded)
