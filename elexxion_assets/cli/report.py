"""The command on quality as a whole: the page that can be sent by mail."""

from __future__ import annotations

import webbrowser
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from elexxion_assets.cli.console import AsJson, app, open_lake, out, print_json
from elexxion_assets.themes import all_themes


@app.command()
def report(
    file: Annotated[Path | None, typer.Option("--out", help="Write the page to this file too.")] = None,
    show: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    as_json: AsJson = False,
) -> None:
    """Renew the page on the quality of the lake, and the document of every delivery."""
    from elexxion_assets.lake import layout
    from elexxion_assets.lake.ledger import Ledger
    from elexxion_assets.lake.reports import renew
    from elexxion_assets.settings import settings

    storage = open_lake()
    facts = renew(storage, Ledger(storage), all_themes(), date.today())
    page = storage.read(layout.report_key("quality.html"))
    if show and file is None:
        file = settings().home / "quality.html"
    if file is not None:
        file.write_bytes(page)
    if as_json:
        print_json(facts)
    else:
        totals = facts["totals"]
        for words in (
            f"{totals['deliveries']:,} deliveries, {totals['refused']:,} refused; {totals['rows']:,} rows in "
            f"{totals['periods']:,} periods of {totals['tables']:,} tables",
            f"{totals['refused_tables']:,} refused by a check, {totals['warnings']:,} warnings, "
            f"{totals['rejected']:,} rows in quarantine, {totals['late']:,} releases late",
            f"kept as {storage.url}/{layout.report_key('quality.html')}" + (f", written to {file}" if file else ""),
        ):
            out.print(words, highlight=False, soft_wrap=True, markup=False)
    if show and file is not None:
        webbrowser.open(file.absolute().as_uri())
