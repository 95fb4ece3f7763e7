"""Reads S3 event documents, as MinIO and AWS write them, and says which files of `input/` they tell of."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

LONGEST = 1024
"""Largest key of S3, in bytes."""


class EventRefused(Exception):
    """A document that tells nothing of our `input/`, with the HTTP status and the reason in words."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True)
class Arrival:
    """One object that appeared in `input/`.

    Attributes:
        key: Its key, decoded.
        identity: The same for the same event sent again, another one for the next version of the object.
    """

    key: str
    identity: tuple[str, str, str]


def arrivals(body: bytes, bucket: str, prefix: str, is_file: Callable[[str], bool]) -> list[Arrival]:
    """The files that a document says have appeared; none where it tells of removals or hidden objects alone.

    Args:
        body: The document, JSON with a list `Records`.
        bucket: Bucket of the lake.
        prefix: Prefix below which files are taken.
        is_file: Whether an object of that prefix is a file to take.

    Raises:
        EventRefused: it is no such document, or none of its records is of this bucket and prefix.
    """
    try:
        document = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise EventRefused(400, f"this is not JSON: {type(error).__name__}") from error
    records = document.get("Records") if isinstance(document, dict) else None
    if not isinstance(records, list) or not records:
        raise EventRefused(422, "this is no S3 event document: it has no list « Records »")
    found: list[Arrival] = []
    reasons: list[EventRefused] = []
    for number, record in enumerate(records, 1):
        try:
            found += _arrival(record, bucket, prefix, is_file)
        except EventRefused as refused:
            reasons.append(EventRefused(refused.status, f"record {number}: {refused}"))
    if len(reasons) == len(records):
        raise reasons[0]
    return found


def _arrival(record: Any, bucket: str, prefix: str, is_file: Callable[[str], bool]) -> Iterator[Arrival]:
    try:
        name = str(record["eventName"])
        of_bucket = str(record["s3"]["bucket"]["name"])
        held = record["s3"]["object"]
        key = unquote_plus(str(held["key"]), errors="strict")
        identity = (key, str(held.get("sequencer", "")), str(held.get("eTag", "")))
    except (KeyError, TypeError, AttributeError) as error:
        raise EventRefused(422, "it lacks eventName, s3.bucket.name or s3.object.key") from error
    except UnicodeDecodeError as error:
        raise EventRefused(422, "its key is not UTF-8") from error
    if max(len(text.encode(errors="replace")) for text in identity) > LONGEST:
        raise EventRefused(422, f"its key, sequencer or eTag is longer than the {LONGEST} bytes of S3's longest key")
    if of_bucket != bucket:
        raise EventRefused(403, "it is of another bucket")
    if not key.startswith(prefix):
        raise EventRefused(422, f"its key is not under {prefix}")
    if name.removeprefix("s3:").startswith("ObjectCreated:") and is_file(key):
        yield Arrival(key, identity)
