"""Commands of the way in: make the lake, drop a file, ask what became of it, fetch releases."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table as Grid

from elexxion_assets.cli.console import AsJson, Problem, app, err, open_lake, out, print_grid, print_json
from elexxion_assets.settings import settings
from elexxion_assets.themes import all_themes


@app.command()
def init(as_json: AsJson = False) -> None:
    """Make the tree of the lake and Dagster's home; a second time changes nothing."""
    from elexxion_assets.defs.instance import prepare_home
    from elexxion_assets.lake.intake import initialise

    storage = open_lake()
    home = prepare_home()
    made = initialise(storage, all_themes())
    if as_json:
        print_json({"lake": storage.url, "dagster_home": str(home), "made": made})
        return
    out.print(f"lake: {storage.url}", f"dagster home: {home}", sep="\n", highlight=False, soft_wrap=True)
    out.print(f"{len(made)} folders made" if made else "nothing to do: the lake was there already", highlight=False)


@app.command()
def drop(
    paths: Annotated[list[str], typer.Argument(help="Files to drop; - reads the standard input.")],
    name: Annotated[str | None, typer.Option(help="Name of the file read from the standard input.")] = None,
    scrutin: Annotated[
        str | None, typer.Option(help="Which scrutin the file holds, such as 2022-presidentielle-t1.")
    ] = None,
    vintage: Annotated[
        int | None, typer.Option(min=1943, max=2100, help="Vintage of a reference file, such as 2024.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Put files into `input/`."""
    from elexxion_assets.lake.intake import drop as put

    said = {"scrutin": scrutin, "vintage": None if vintage is None else str(vintage)}
    hints = {name: value for name, value in said.items() if value is not None}
    if scrutin is not None and (problem := all_themes()["election"].periods.problem(scrutin)):
        raise Problem(f"--scrutin: {problem}")
    if "-" in paths and (len(paths) > 1 or not name):
        raise Problem("- reads one file from the standard input and needs --name to say what it is called")
    if name and paths != ["-"]:
        raise Problem("--name goes with - only; a file keeps its own name")
    if folders := [path for path in paths if Path(path).is_dir()]:
        raise Problem(f"a folder is not dropped, its files are: {', '.join(f'{folder}/*' for folder in folders)}")
    missing = [path for path in paths if path != "-" and not Path(path).is_file()]
    if missing:
        raise Problem(f"no such file: {', '.join(missing)}")
    storage = open_lake()
    dropped = []
    with err.status("dropping") as status:
        for path in paths:
            status.update(f"dropping {path}")
            if path == "-":
                entry = put(storage, name or "", sys.stdin.buffer, hints)
            else:
                entry = put(storage, Path(path).name, Path(path), hints)
            dropped.append({"key": entry.key, "bytes": entry.size})
    if as_json:
        print_json(dropped)
        return
    for item in dropped:
        out.print(f"{item['key']} ({item['bytes']:,} bytes)", highlight=False, soft_wrap=True, markup=False)


@app.command()
def why(
    name: Annotated[str, typer.Argument(help="Name of a file, part of it, or the identifier of a delivery.")],
    as_json: AsJson = False,
) -> None:
    """Say what became of a file, and why."""
    from elexxion_assets.lake.explain import explain
    from elexxion_assets.lake.ledger import Ledger

    storage = open_lake()
    found = explain(storage, Ledger(storage), all_themes(), name)
    if as_json:
        print_json(found)
    elif not found:
        raise Problem(f"nothing called « {name} » was ever dropped here ({storage.url})")
    for item in found if not as_json else []:
        out.print(f"[bold]{item['name'].replace('[', chr(92) + '[')}[/bold] {item['delivery']}", highlight=False)
        for sentence in item["story"]:
            out.print(f"  {sentence}", highlight=False, soft_wrap=True, markup=False)
    if not found:
        raise typer.Exit(1)


@app.command()
def fetch(
    names: Annotated[list[str] | None, typer.Argument(metavar="[DATASET]...", help="Such as crime/communale.")] = None,
    only_list: Annotated[bool, typer.Option("--list", help="List the addresses and what was last fetched.")] = False,
    as_json: AsJson = False,
) -> None:
    """Fetch the publishers' new releases into `input/`."""
    from elexxion_assets import catalogue

    storage = open_lake()
    chosen = catalogue.select(catalogue.sources(all_themes()), names or [])
    if only_list:
        rows = [catalogue.describe(storage, source) for source in chosen]
        if as_json:
            print_json(rows)
            return
        grid = Grid(*rows[0], box=None)
        for row in rows:
            grid.add_row(*row.values())
        print_grid(grid)
        return
    results = []
    with _progress_bar() as bar:
        task = bar.add_task("", total=None)
        limits = catalogue.limits(settings())
        for done in catalogue.fetch(
            chosen,
            storage,
            limits,
            lambda source, received, total: bar.update(task, description=source.name, completed=received, total=total),
        ):
            results.append(done)
            if not as_json:
                words = done.reason or done.key or "nothing new"
                printer = err if done.reason else out
                said = f"{done.outcome:<9} {done.source.name}: {words}"
                printer.print(said, highlight=False, soft_wrap=True, markup=False)
    if as_json:
        print_json([done.as_json() for done in results])
    if any(done.outcome is catalogue.Outcome.FAILED for done in results):
        raise typer.Exit(1)


def _progress_bar() -> Any:
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    return Progress(*columns, console=err, transient=True)
