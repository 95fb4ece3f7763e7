"""Commands that build: one pass without daemons, the demonstration, the Dagster UI."""

from __future__ import annotations

import os
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from elexxion_assets.cli.console import AsJson, app, err, open_lake, out, print_json, span
from elexxion_assets.cli.intake import init
from elexxion_assets.cli.tables import tables
from elexxion_assets.themes import all_themes

SYNTHETIC = {"synthetic": "true"}


@app.command()
def run(
    strict: Annotated[
        bool, typer.Option(help="Exit with 3 when a file was refused or a table, by a check that blocks.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Take all of `input/` and build everything due, once, without daemons."""
    _pass(strict=strict, as_json=as_json)


def _pass(*, strict: bool, as_json: bool) -> None:
    from elexxion_assets.lake.ledger import State

    done = run_everything()
    refused = [
        delivery
        for delivery in done.deliveries
        if delivery.state is State.REFUSED or (delivery.state is State.EXPANDED and delivery.reasons)
    ]
    if as_json:
        print_json(done.as_json())
    else:
        print_pass(done)
    if done.errors:
        raise typer.Exit(1)
    if strict and (refused or any(check["blocking"] for check in done.failed_checks)):
        raise typer.Exit(3)


def run_everything() -> Any:
    """One pass without daemons, with its progress shown; gives what it did."""
    from elexxion_assets.defs.instance import prepare_home

    prepare_home()
    from elexxion_assets.defs.headless import run_pass
    from elexxion_assets.lake.ledger import Ledger

    storage = open_lake()
    ledger = Ledger(storage)
    if not err.is_terminal:
        return run_pass(storage, ledger, _log)
    with err.status("starting") as status:
        return run_pass(storage, ledger, lambda words: status.update(words))


def _log(words: str) -> None:
    """One line of progress, for a log."""
    err.print(f"{datetime.now():%H:%M:%S}  {words}", highlight=False, soft_wrap=True, markup=False)


def print_pass(done: Any) -> None:
    """Says for a person what a pass did."""
    for delivery in done.deliveries:
        read = "; ".join(
            f"{delivery.theme}/{facts['dataset']}: {facts['rows']:,} rows, {span(sorted(facts['periods']))}"
            for facts in delivery.tables
        )
        reasons = "; ".join(reason["reason"] for reason in delivery.reasons)
        said = "; ".join(filter(None, [read, reasons]))
        words = f"{delivery.state:<9} {delivery.name}" + (f": {said}" if said else "")
        out.print(words, highlight=False, soft_wrap=True, markup=False)
    built: dict[str, set[str]] = {}
    for item in done.tables:
        built.setdefault(item["table"], set()).add(item["period"])
    for table, periods in built.items():
        out.print(f"built     {table}: {span(sorted(periods))}", highlight=False, soft_wrap=True, markup=False)
    for words in dict.fromkeys(map(_check_words, done.failed_checks)):
        out.print(words, highlight=False, soft_wrap=True, markup=False)
    for problem in done.errors:
        err.print(f"error     {problem}", highlight=False, soft_wrap=True, markup=False)
    if not done.deliveries and not done.tables and not done.errors:
        out.print("nothing to do", highlight=False)


def _check_words(check: dict[str, Any]) -> str:
    found = "no row" if check["check"] == "not_empty" else f"{check['check']} fails for {check['broken']:,} rows"
    kept = "; the table was not replaced" if check["blocking"] else " (a warning)"
    if check["period"] is None:  # of a theme: its calendar
        late = f"{check['broken']:,} releases are late (a warning); `elexxion freshness --late` says which"
        return f"check     {check['table'].partition('/')[0]}: {late}"
    return f"check     {check['table']} {check['period']}: {found}{kept}"


@app.command()
def demo(
    no_ui: Annotated[bool, typer.Option("--no-ui", help="Stop after the summary.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of the synthetic files.")] = 1,
    port: Annotated[int, typer.Option(help="Port of the Dagster UI.")] = 3000,
) -> None:
    """Make a lake, drop synthetic sample files, build every table, then open the Dagster UI."""
    from elexxion_assets.lake.intake import drop as put

    init()
    storage = open_lake()
    with tempfile.TemporaryDirectory(prefix="elexxion-") as folder:
        for theme in all_themes().values():
            if theme.samples is not None:
                target = Path(folder) / theme.name
                target.mkdir()
                for path in theme.samples(target, seed):
                    put(storage, path.name, path, SYNTHETIC)
                    out.print(f"dropped   {path.name} (synthetic data)", highlight=False, soft_wrap=True)
    _pass(strict=True, as_json=False)
    tables()
    if not no_ui:
        ui(port=port)


@app.command()
def ui(
    port: Annotated[int, typer.Option(help="Port of the Dagster UI.")] = 3000,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
) -> None:
    """Open the Dagster UI with its daemon: the sensor on `input/` runs."""
    from elexxion_assets.defs.instance import prepare_home

    prepare_home()
    out.print(f"Dagster UI: http://{host}:{port}  (Ctrl-C stops it)", highlight=False)
    dagster = str(Path(sys.executable).with_name("dagster"))
    arguments = ["dev", "-m", "elexxion_assets.definitions", "-h", host, "-p", str(port)]
    os.execv(dagster, [dagster, *arguments])  # noqa: S606
