"""The HTTP application. `POST /` and `POST /events` take S3 events: hints that a file waits, never the file."""

from __future__ import annotations

import hmac
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from starlette.concurrency import run_in_threadpool

from elexxion_assets.api.events import EventRefused, arrivals

LARGEST = 1 << 20
"""Bytes of a document; S3 events have a few hundred."""

REMEMBERED = 10_000
"""Events that are known again when they are sent twice."""


def make_app(*, token: str, bucket: str, prefix: str, is_file: Callable[[str], bool], wake: Callable[[], None]) -> Any:
    """The application.

    Args:
        token: Secret that every sender of events shows as `Authorization: Bearer`.
        bucket: Bucket of the lake; events of others are refused.
        prefix: Prefix below which files are taken.
        is_file: Whether an object of that prefix is a file to take.
        wake: Called once for a document that tells of a file, and quick to return.

    Returns:
        An ASGI application.
    """
    app = FastAPI(title="Elexxion", docs_url=None, redoc_url=None, openapi_url=None)
    seen: OrderedDict[tuple[str, str, str], None] = OrderedDict()

    async def take(request: Request) -> dict[str, Any]:
        _authorise(request, token)
        body = await _body(request)
        try:
            found = arrivals(body, bucket, prefix, is_file)
        except EventRefused as refused:
            raise HTTPException(refused.status, str(refused)) from refused
        new = [arrival for arrival in found if arrival.identity not in seen]
        if new:
            await run_in_threadpool(wake)
            # Remembered only now: an event whose wake failed may be sent again.
            for arrival in new:
                seen[arrival.identity] = None
                if len(seen) > REMEMBERED:
                    seen.popitem(last=False)
        return {"woken": bool(new), "files": len(new)}

    app.post("/")(take)
    app.post("/events")(take)

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    return app


def _authorise(request: Request, token: str) -> None:
    shown = request.headers.get("authorization", "").encode()
    if not hmac.compare_digest(shown, f"Bearer {token}".encode()):
        raise HTTPException(401, "show the token: Authorization: Bearer ...", {"WWW-Authenticate": "Bearer"})


async def _body(request: Request) -> bytes:
    """The document, refused as soon as it is too long, whatever it says of its length."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" or request.headers.get("content-encoding", "identity") != "identity":
        raise HTTPException(415, "events are application/json, not compressed")
    body = bytearray()
    async for block in request.stream():
        body += block
        if len(body) > LARGEST:
            raise HTTPException(413, f"no event document has more than {LARGEST} bytes")
    return bytes(body)
