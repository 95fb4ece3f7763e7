"""The command that serves HTTP."""

from __future__ import annotations

from typing import Annotated

import typer

from elexxion_assets.cli.console import Problem, app
from elexxion_assets.settings import settings


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8000,
) -> None:
    """Take the bucket's events (`POST /`): the sensor on `input/` looks at once instead of every few seconds."""
    token = settings().webhook_token
    if token is None:
        raise Problem("set ELEXXION_WEBHOOK_TOKEN, which the bucket's events must show")
    import uvicorn

    from elexxion_assets.api.app import make_app
    from elexxion_assets.defs.wake import Dagster, Waker
    from elexxion_assets.lake.intake import is_delivery
    from elexxion_assets.lake.layout import INPUT

    waker = Waker(Dagster(settings().webserver), settings().settle_seconds)
    served = make_app(
        token=token.get_secret_value(),
        bucket=settings().bucket,
        prefix=INPUT,
        is_file=is_delivery,
        wake=waker.wake,
    )
    uvicorn.run(served, host=host, port=port, log_level="warning", timeout_keep_alive=30)
