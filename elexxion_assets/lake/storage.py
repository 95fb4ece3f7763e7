"""Where the lake's bytes lie: a directory or a bucket, behind one small interface.

Keys are texts with `/` between their parts, the same on both. Every write is atomic: readers see the old bytes or the
new ones. A write can be conditional; the one that loses raises `Conflict`. What the keys mean is said in `layout`.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import secrets
import shutil
import stat as mode
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from elexxion_assets.settings import Settings

HIDDEN = ".elexxion-"
"""Beginning of the names of temporary and lock files; no key may have a part that begins so."""

Source = bytes | Path | BinaryIO


class Conflict(Exception):
    """A conditional write lost, or an object changed while it was read."""


class KeyRefused(ValueError):
    """A key that cannot be stored, with the reason in words."""


class Unavailable(Exception):
    """The store did not answer, after retries; trying again later may succeed."""


@dataclass(frozen=True)
class Entry:
    """One stored object.

    Attributes:
        key: Its key.
        size: Bytes.
        modified: When it was last written, UTC. Whole seconds on some stores: never decide a conflict by it.
        etag: Changes whenever the bytes change. Its form belongs to the store; it is not always an MD5.
    """

    key: str
    size: int
    modified: datetime
    etag: str


class Storage(Protocol):
    """The objects of one lake.

    Every method that takes a key raises `KeyRefused` for one that is not portable (see `check_key`), and `Unavailable`
    when the store cannot be reached.
    """

    @property
    def url(self) -> str:
        """Address for people, without secrets: `file:///srv/lake` or `s3://bucket`."""

    def list(self, prefix: str, after: str = "") -> Iterator[Entry]:
        """The objects whose key begins with `prefix` and sorts after `after`, in order of their keys' UTF-8 bytes."""

    def stat(self, key: str) -> Entry | None:
        """The object of that key, or None."""

    def read(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        """Its bytes from `start` up to, not including, `end`; fewer where it ends before. KeyError if absent."""

    def open(self, key: str) -> BinaryIO:
        """Its bytes as a stream, to be closed. KeyError if absent; `Conflict` if it is replaced meanwhile on S3."""

    def write(self, key: str, source: Source, *, if_absent: bool = False, if_match: str | None = None) -> Entry:
        """Stores the bytes whole or not at all.

        Args:
            key: Where.
            source: The bytes, a file that holds them, or a stream read to its end.
            if_absent: Only if there is no such object.
            if_match: Only if the object still has this etag.

        Raises:
            Conflict: The condition does not hold; nothing was written.
        """

    def delete(self, key: str, *, if_match: str | None = None) -> None:
        """Removes the object; none is fine. With `if_match`, raises `Conflict` if it is no longer that version."""

    def being_written(self, key: str) -> bool:
        """Whether somebody is known to be still writing the object."""

    def local(self, key: str) -> AbstractContextManager[Path]:
        """A local file with the object's bytes, not to be changed. KeyError if absent."""

    def sweep(self, older_than: timedelta) -> int:
        """Removes what writes that were killed left behind, if it is older; gives how many."""


def check_key(key: str) -> None:
    """Raises `KeyRefused` for a key that not every store can hold, or that could leave its place."""
    if not key:
        raise KeyRefused("A key cannot be empty.")
    if "\0" in key:
        raise KeyRefused(f"The key {key!r} holds a NUL character.")
    if len(os.fsencode(key)) > 1024:
        raise KeyRefused(f"The key {key[:60]!r}... is longer than 1024 bytes.")
    for part in key.split("/"):
        if part in ("", ".", ".."):
            raise KeyRefused(f"The key {key!r} has an empty, « . » or « .. » part.")
        if len(os.fsencode(part)) > 255:
            raise KeyRefused(f"The key {key[:60]!r}... has a part longer than 255 bytes.")
        if part.startswith(HIDDEN):
            raise KeyRefused(f"The key {key!r} has a part that begins with « {HIDDEN} », kept for temporary files.")


class DirectoryStorage:
    """Objects as files of a directory; several processes may write to it at once.

    Files put there by other means are objects as well. Conditions hold between all that write through this class on one
    machine, or on a network file system with locks.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root).absolute()

    @property
    def url(self) -> str:
        """Address of the directory."""
        return self.root.as_uri()

    def list(self, prefix: str, after: str = "") -> Iterator[Entry]:
        """See `Storage.list`. One folder at a time is held in memory; links that lead back to a parent are skipped."""
        folder = prefix.rpartition("/")[0]
        if folder:
            check_key(folder)
        yield from self._walk(f"{folder}/" if folder else "", prefix, after, ())

    def _walk(self, folder: str, prefix: str, after: str, parents: tuple[tuple[int, int], ...]) -> Iterator[Entry]:
        """The entries below `folder` (empty, or ending with `/`)."""
        path = self.root / folder
        try:
            facts = path.stat()
            with os.scandir(path) as found:
                # A folder sorts by the keys inside it: `a-b` comes before `a/b`, which comes before `a0`.
                keys = [folder + item.name + "/" * item.is_dir() for item in found if not item.name.startswith(HIDDEN)]
        except (FileNotFoundError, NotADirectoryError):
            return
        identity = (facts.st_dev, facts.st_ino)
        if identity in parents:
            return
        for key in sorted(keys, key=os.fsencode):
            if key.endswith("/"):
                may_hold_prefix = key.startswith(prefix) or prefix.startswith(key)
                wholly_before = os.fsencode(after) >= os.fsencode(key) and not after.startswith(key)
                if may_hold_prefix and not wholly_before:
                    yield from self._walk(key, prefix, after, (*parents, identity))
            elif key.startswith(prefix) and os.fsencode(key) > os.fsencode(after):
                entry = self._entry(key)
                if entry is not None:
                    yield entry

    def stat(self, key: str) -> Entry | None:
        """See `Storage.stat`."""
        check_key(key)
        return self._entry(key)

    def _entry(self, key: str) -> Entry | None:
        try:
            facts = (self.root / key).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        if not mode.S_ISREG(facts.st_mode):
            return None
        return Entry(key, facts.st_size, _time(facts.st_mtime), _etag(facts))

    def read(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        """See `Storage.read`."""
        _check_range(start, end)
        with self.open(key) as stream:
            stream.seek(start)
            return stream.read(-1 if end is None else max(0, end - start))

    def open(self, key: str) -> BinaryIO:
        """See `Storage.open`."""
        return self._path(key).open("rb")

    def _path(self, key: str) -> Path:
        if self.stat(key) is None:
            raise KeyError(key)
        return self.root / key

    def write(self, key: str, source: Source, *, if_absent: bool = False, if_match: str | None = None) -> Entry:
        """See `Storage.write`. The bytes are on the disk, not only in its cache, when this returns."""
        check_key(key)
        target = self.root / key
        try:
            _make_folder(target.parent)
        except (FileExistsError, NotADirectoryError):
            raise KeyRefused(f"The key {key!r} lies below another object.") from None
        temporary = target.parent / f"{HIDDEN}{secrets.token_hex(8)}.tmp"
        try:
            with temporary.open("xb") as stream:
                _copy(source, stream)
                stream.flush()
                os.fsync(stream.fileno())
            with self._lock(key):
                before = self._entry(key)
                if if_absent and before is not None:
                    raise Conflict(f"{key} exists already.")
                if if_match is not None and (before is None or before.etag != if_match):
                    raise Conflict(f"{key} has changed meanwhile.")
                # The kernel's own stamps are too coarse to tell two quick writes of one size apart.
                now = time.time_ns()
                os.utime(temporary, ns=(now, now))
                entry = Entry(key, (facts := temporary.stat()).st_size, _time(facts.st_mtime), _etag(facts))
                _move(temporary, target, exclusive=if_absent)
        finally:
            temporary.unlink(missing_ok=True)
        _sync_folder(target.parent)
        return entry

    @contextmanager
    def _lock(self, key: str) -> Iterator[None]:
        """Holds the lock of the key, shared with other threads and processes; kill -9 releases it."""
        folder = self.root / f"{HIDDEN}locks"
        folder.mkdir(exist_ok=True)
        # Two keys may share a lock; that costs a wait, and keeps the folder small.
        name = hashlib.sha256(os.fsencode(key)).hexdigest()[:2]
        with (folder / name).open("wb") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield

    def delete(self, key: str, *, if_match: str | None = None) -> None:
        """See `Storage.delete`. After a power failure, unlike a kill, the object may be there again."""
        if self.stat(key) is None:
            return
        with self._lock(key), suppress(FileNotFoundError):
            _check_same(self._entry(key), if_match)
            (self.root / key).unlink()

    def being_written(self, key: str) -> bool:
        """See `Storage.being_written`: the kernel grants no read lease on a file that somebody may write to."""
        try:
            descriptor = os.open(self.root / key, os.O_RDONLY)
        except OSError:
            return False
        try:
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        except BlockingIOError:
            return True
        except OSError:
            return False  # no leases here: the file's age alone tells
        finally:
            os.close(descriptor)
        return False

    @contextmanager
    def local(self, key: str) -> Iterator[Path]:
        """See `Storage.local`: the stored file itself."""
        yield self._path(key)

    def sweep(self, older_than: timedelta) -> int:
        """See `Storage.sweep`."""
        limit, swept = time.time() - older_than.total_seconds(), 0
        for path in self.root.rglob(f"{HIDDEN}*.tmp"):
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < limit:
                    path.unlink()
                    swept += 1
        return swept


def _time(seconds: float) -> datetime:
    """A file's stamp; files from elsewhere may carry stamps that no calendar has."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.max.replace(tzinfo=UTC) if seconds > 0 else datetime.min.replace(tzinfo=UTC)


def _etag(facts: os.stat_result) -> str:
    # Not the time of the last status change: it moves when the file is renamed into its place.
    return f"{facts.st_ino:x}-{facts.st_mtime_ns:x}-{facts.st_size:x}"


def _check_same(entry: Entry | None, if_match: str | None) -> None:
    if if_match is not None and entry is not None and entry.etag != if_match:
        raise Conflict(f"{entry.key} has changed meanwhile.")


def _check_range(start: int, end: int | None) -> None:
    if start < 0 or (end is not None and end < 0):
        raise ValueError("A range is counted from the beginning of the object.")


def _copy(source: Source, stream: BinaryIO) -> None:
    if isinstance(source, bytes):
        stream.write(source)
    elif isinstance(source, Path):
        with source.open("rb") as opened:
            shutil.copyfileobj(opened, stream, 1 << 20)
    else:
        shutil.copyfileobj(source, stream, 1 << 20)


def _move(temporary: Path, target: Path, *, exclusive: bool) -> None:
    """Gives the temporary file its name; exclusively also against those that do not take the lock."""
    try:
        if target.is_dir():
            target.rmdir()  # an empty folder is no object
        if exclusive:
            os.link(temporary, target)
        else:
            temporary.replace(target)
    except FileExistsError:
        raise Conflict(f"{target.name} exists already.") from None
    except (IsADirectoryError, OSError) as error:
        if target.is_dir():
            raise KeyRefused(f"The key ending in {target.name!r} is the folder of other objects.") from error
        raise


def _make_folder(folder: Path) -> None:
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def s3_client(
    endpoint: str | None = None, access_key: str | None = None, secret_key: str | None = None, region: str = "us-east-1"
) -> Any:
    """A boto3 S3 client with time limits and retries. Without keys, boto3 looks for them in its usual places.

    Args:
        endpoint: Address of a store other than AWS, such as `http://minio:9000`; it is then addressed by path.
        access_key: Access key.
        secret_key: Secret key.
        region: Region.
    """
    # Half a second of import that a lake in a directory need not pay.
    import boto3.session
    from botocore.config import Config

    return boto3.session.Session().client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        region_name=region,
        config=Config(
            connect_timeout=5,
            read_timeout=60,
            retries={"mode": "standard", "total_max_attempts": 5},
            s3={"addressing_style": "path" if endpoint else "auto"},
            max_pool_connections=16,
            tcp_keepalive=True,
        ),
    )


class S3Storage:
    """Objects of an S3 bucket (AWS, MinIO and other stores that honour conditional writes).

    A key that goes on where another one ends (`a` and `a/b`) is two objects on AWS; MinIO stores both, but hides the
    second from lists while the first is there. The lake's own keys never do so.

    Args:
        bucket: Name of the bucket.
        client: A boto3 S3 client, see `s3_client`.
        part_size: Bytes of a part of a multipart upload, and so the memory that a write may take; at least 5 MiB.
    """

    def __init__(self, bucket: str, client: Any, part_size: int = 64 << 20) -> None:
        self.bucket = bucket
        self.client = client
        self.part_size = part_size

    @property
    def url(self) -> str:
        """Address of the bucket."""
        return f"s3://{self.bucket}"

    def ensure_bucket(self) -> None:
        """Creates the bucket if it is absent."""
        from botocore.exceptions import ClientError

        try:
            self._call("head_bucket")
        except ClientError as error:
            if _status(error) != 404:
                raise
        else:
            return
        region = self.client.meta.region_name
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        try:
            self._call("create_bucket", **place)
        except ClientError as error:
            if error.response["Error"]["Code"] != "BucketAlreadyOwnedByYou":
                raise

    def list(self, prefix: str, after: str = "") -> Iterator[Entry]:
        """See `Storage.list`. Folder markers, which some consoles create, are left out."""
        where = {"Prefix": prefix} | ({"StartAfter": after} if after else {})
        while True:
            page = self._call("list_objects_v2", **where)
            for item in page.get("Contents", ()):
                if not item["Key"].endswith("/"):
                    modified = item["LastModified"].astimezone(UTC)
                    yield Entry(item["Key"], item["Size"], modified, item["ETag"].strip('"'))
            if not page["IsTruncated"]:
                return
            where["ContinuationToken"] = page["NextContinuationToken"]

    def stat(self, key: str) -> Entry | None:
        """See `Storage.stat`."""
        head = self._head(key)
        if head is None:
            return None
        return Entry(key, head["ContentLength"], head["LastModified"].astimezone(UTC), head["ETag"].strip('"'))

    def _head(self, key: str) -> dict[str, Any] | None:
        from botocore.exceptions import ClientError

        try:
            return self._call("head_object", Key=_s3_key(key))
        except ClientError as error:
            if _status(error) == 404:
                return None
            raise

    def read(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        """See `Storage.read`."""
        _check_range(start, end)
        with _Reader(self, _s3_key(key), start, end) as stream:
            return stream.readall()

    def open(self, key: str) -> BinaryIO:
        """See `Storage.open`. A broken connection is resumed where it broke."""
        return io.BufferedReader(_Reader(self, _s3_key(key), 0, None), 1 << 20)

    def write(self, key: str, source: Source, *, if_absent: bool = False, if_match: str | None = None) -> Entry:
        """See `Storage.write`. More than one part goes up in parts, one after another."""
        _s3_key(key)
        condition = {"IfNoneMatch": "*"} if if_absent else {"IfMatch": f'"{if_match}"'} if if_match is not None else {}
        if isinstance(source, Path):
            with source.open("rb") as stream:
                return self._upload(key, stream, condition)
        return self._upload(key, io.BytesIO(source) if isinstance(source, bytes) else source, condition)

    def _upload(self, key: str, stream: BinaryIO, condition: dict[str, str]) -> Entry:
        # The mark tells our own write from another's when an answer is lost and the retry finds the object there.
        mark = secrets.token_hex(16)
        part = _fill(stream, self.part_size)
        if len(part) < self.part_size:
            request = {"Body": part, "Metadata": {"write": mark}}
            return self._settle("put_object", key, mark, len(part), request | condition)
        upload = self._call("create_multipart_upload", Key=key, Metadata={"write": mark})["UploadId"]
        try:
            size, parts = 0, list[dict[str, Any]]()
            while part:
                number = len(parts) + 1
                answer = self._call("upload_part", Key=key, UploadId=upload, PartNumber=number, Body=part)
                checksums = {name: value for name, value in answer.items() if name == "ChecksumCRC32"}
                parts.append({"PartNumber": number, "ETag": answer["ETag"], **checksums})
                size += len(part)
                part = _fill(stream, self.part_size)
            request = {"UploadId": upload, "MultipartUpload": {"Parts": parts}}
            return self._settle("complete_multipart_upload", key, mark, size, request | condition)
        except BaseException:
            # Best effort: what stays is removed by `sweep`.
            with suppress(Exception):
                self._call("abort_multipart_upload", Key=key, UploadId=upload)
            raise

    def _settle(self, operation: str, key: str, mark: str, size: int, request: dict[str, Any]) -> Entry:
        """The request that makes the object appear, and what its answer means."""
        from botocore.exceptions import ClientError

        conditional = "IfMatch" in request or "IfNoneMatch" in request
        for attempt in range(5):
            try:
                answer = self._call(operation, Key=key, **request)
            except ClientError as error:
                status = _status(error)
                if status not in (404, 409, 412):
                    raise
                head = self._head(key)
                if head is not None and head["Metadata"].get("write") == mark:
                    answer = head
                elif status == 409 and attempt < 4:  # another conditional write is under way
                    time.sleep(0.05 * 2**attempt)
                    continue
                elif conditional and error.response["Error"]["Code"] not in ("NoSuchBucket", "NoSuchUpload"):
                    raise Conflict(f"{key} has changed meanwhile, or exists already.") from error
                else:
                    raise
            date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
            modified = parsedate_to_datetime(date) if date else datetime.now(UTC)
            return Entry(key, size, modified, answer["ETag"].strip('"'))
        raise AssertionError("unreachable")

    def delete(self, key: str, *, if_match: str | None = None) -> None:
        """See `Storage.delete`. Between the look and the deletion another writer may still come."""
        if if_match is not None:
            _check_same(self.stat(key), if_match)
        self._call("delete_object", Key=_s3_key(key))

    def being_written(self, key: str) -> bool:
        """See `Storage.being_written`: an object appears when it is whole."""
        return False

    @contextmanager
    def local(self, key: str) -> Iterator[Path]:
        """See `Storage.local`: a download, removed at the end."""
        with tempfile.TemporaryDirectory(prefix="elexxion-") as folder:
            path = Path(folder) / f"object{Path(key).suffix[:20]}"
            with self.open(key) as stream, path.open("wb") as target:
                shutil.copyfileobj(stream, target, 1 << 20)
            yield path

    def sweep(self, older_than: timedelta) -> int:
        """See `Storage.sweep`: uploads in parts that were never completed."""
        limit, swept, where = datetime.now(UTC) - older_than, 0, dict[str, str]()
        while True:
            page = self._call("list_multipart_uploads", **where)
            for upload in page.get("Uploads", ()):
                if upload["Initiated"] < limit:
                    self._call("abort_multipart_upload", Key=upload["Key"], UploadId=upload["UploadId"])
                    swept += 1
            if not page["IsTruncated"]:
                return swept
            where = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}

    def _call(self, operation: str, **request: Any) -> dict[str, Any]:
        """One request; a store that cannot be reached or is overloaded raises `Unavailable`."""
        from botocore.exceptions import ClientError, ConnectionError, HTTPClientError  # noqa: A004

        try:
            answer: dict[str, Any] = getattr(self.client, operation)(Bucket=self.bucket, **request)
        except (ConnectionError, HTTPClientError) as error:
            raise Unavailable(f"{self.url} cannot be reached: {error}") from error
        except ClientError as error:
            if _status(error) >= 500 or _status(error) == 429:
                raise Unavailable(f"{self.url} is overloaded or failing: {error}") from error
            if error.response["Error"]["Code"] in ("XMinioParentIsObject", "XMinioObjectExistsAsDirectory"):
                raise KeyRefused(f"The key {request['Key']!r} is, or lies below, another object.") from error
            raise
        return answer


class _Reader(io.RawIOBase):
    """The bytes of one object, or of a range of it; a broken connection is resumed where it broke."""

    def __init__(self, storage: S3Storage, key: str, start: int, end: int | None) -> None:
        self.storage, self.key, self.position, self.end = storage, key, start, end
        self.etag: str | None = None
        self.body: Any = None
        self._connect()

    def _connect(self) -> None:
        """Opens the body at the position; leaves none where nothing is left to read."""
        from botocore.exceptions import ClientError

        request = {"IfMatch": self.etag} if self.etag else {}
        if self.end is not None and self.end <= self.position:
            if self.storage.stat(self.key) is None:
                raise KeyError(self.key)
            return
        if self.position or self.end is not None:
            request["Range"] = f"bytes={self.position}-{'' if self.end is None else self.end - 1}"
        try:
            answer = self.storage._call("get_object", Key=self.key, **request)
        except ClientError as error:
            if _status(error) == 416:
                return
            if _status(error) == 412 or (_status(error) == 404 and self.etag):
                raise Conflict(f"{self.key} was replaced while it was read.") from error
            if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
                raise KeyError(self.key) from None
            raise
        self.etag, self.body = answer["ETag"], answer["Body"]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        from botocore.exceptions import BotoCoreError

        if self.body is None:
            return 0
        for attempt in range(4):
            try:
                data = self.body.read(len(buffer))
            except (BotoCoreError, OSError) as error:
                if attempt == 3:
                    raise Unavailable(f"{self.storage.url} broke off in the middle of {self.key}: {error}") from error
                self.body.close()
                self.body = None
                self._connect()
                if self.body is None:
                    return 0
            else:
                buffer[: len(data)] = data
                self.position += len(data)
                return len(data)
        raise AssertionError("unreachable")

    def close(self) -> None:
        if self.body is not None:
            self.body.close()
            self.body = None
        super().close()


def _s3_key(key: str) -> str:
    check_key(key)
    try:
        key.encode()
    except UnicodeEncodeError:
        raise KeyRefused(f"The key {key!r} is not valid Unicode; S3 cannot hold it.") from None
    return key


def _status(error: Any) -> int:
    return int(error.response["ResponseMetadata"]["HTTPStatusCode"])


def _fill(stream: BinaryIO, size: int) -> bytes:
    """Exactly `size` bytes, fewer only at the end of the stream (sockets give short reads)."""
    pieces, missing = [], size
    while missing and (piece := stream.read(missing)):
        pieces.append(piece)
        missing -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def open_storage(settings: Settings) -> Storage:
    """The lake that the settings name; a bucket that does not exist yet is made."""
    if settings.s3_endpoint is None:
        return DirectoryStorage(settings.lake_directory)
    access_key, secret_key = (
        key.get_secret_value() if key else None for key in (settings.s3_access_key, settings.s3_secret_key)
    )
    client = s3_client(settings.s3_endpoint, access_key, secret_key, settings.s3_region)
    storage = S3Storage(settings.bucket, client)
    storage.ensure_bucket()
    return storage
