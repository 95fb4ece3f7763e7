"""Commands about quality: checks and the rows that break them, rules, freshness, where rows come from."""

from __future__ import annotations

import json
from contextlib import ExitStack
from datetime import date
from typing import Annotated, Any

import typer
from rich.table import Table as Grid

from elexxion_assets.cli.console import AsJson, Problem, app, open_lake, out, print_grid, print_json, table_name
from elexxion_assets.declare import Layer
from elexxion_assets.themes import all_themes

TableName = Annotated[str, typer.Argument(help="THEME/LAYER/TABLE, such as election/gold/communes.")]
Period = Annotated[str, typer.Option(help="A period of the table.")]


def _say(words: str) -> None:
    out.print(words, highlight=False, soft_wrap=True, markup=False)


@app.command()
def checks(table: TableName, period: Period, as_json: AsJson = False) -> None:
    """List what every check of a table found: in what is published, and in what was refused since."""
    from elexxion_assets.lake import layout

    theme, layer, name = table_name(table)
    if layer is Layer.BRONZE:
        raise Problem("bronze keeps files as they are; silver, gold and platinum tables have checks")
    storage = open_lake()
    found = {}
    for state, key in (("published", layout.table_document_key), ("refused", layout.refused_key)):
        place = key(theme, layer, name, period)
        if storage.stat(place) is not None:
            found[state] = json.loads(storage.read(place))["checks"]
    if not found:
        raise Problem(f"{table} has no period {period}")
    if as_json:
        print_json(found)
        return
    for state, results in found.items():
        _say(f"{state}:")
        grid = Grid("check", "result", "broken", "rows", "what must hold", box=None)
        for result in sorted(results, key=lambda result: (result["passed"], not result["blocking"])):
            failed = "FAILED" if result["blocking"] else "warning"
            said = "holds" if result["passed"] else failed
            grid.add_row(result["name"], said, f"{result['broken']:,}", f"{result['rows']:,}", result["description"])
        print_grid(grid)


@app.command()
def broken(
    table: TableName,
    check: Annotated[str, typer.Argument(help="Name of a check, as `elexxion checks` has it.")],
    period: Period,
    again: Annotated[bool, typer.Option("--again", help="Make the table again: for one that was refused.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="Largest number of rows.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Print the rows of a table that break a check."""
    import polars as pl

    from elexxion_assets.lake import layout
    from elexxion_assets.lake.build import communes_of, stage
    from elexxion_assets.lake.ledger import Ledger
    from elexxion_assets.quality.checks import broken_rows, check_names, examples

    owner, layer, name = table_name(table)
    if layer is Layer.BRONZE:
        raise Problem("bronze keeps files as they are; silver, gold and platinum tables have checks")
    themes, storage = all_themes(), open_lake()
    theme = themes[owner]
    declared = theme.table(layer, name)
    if check not in check_names(declared):
        raise Problem(f"{table} has no check {check}; it has {', '.join(check_names(declared))}")
    with ExitStack() as stack:
        if again:
            path = stack.enter_context(stage(storage, Ledger(storage), themes, theme, declared, period)).file
        elif storage.stat(layout.table_key(owner, layer, name, period)) is None:
            raise Problem(f"{table} has no period {period}")
        else:
            path = stack.enter_context(storage.local(layout.table_key(owner, layer, name, period)))
        rows = broken_rows(declared, pl.scan_parquet(path), check, communes_of(storage, declared))
        if rows is None:
            raise Problem(f"{check} speaks of the table as a whole: `elexxion checks {table} --period {period} --json`")
        found = examples(declared, rows, limit)
    if as_json:
        print_json(found)
        return
    if not found:
        _say(f"no row of {table} {period} breaks {check}")
        return
    grid = Grid(*found[0], box=None)
    for row in found:
        grid.add_row(*("" if value is None else str(value) for value in row.values()))
    print_grid(grid)


@app.command()
def rules(
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of a file of rules.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the business rules and thresholds of all tables, those of `ELEXXION_RULES` among them."""
    from elexxion_assets.quality.rules import json_schema

    if schema:
        print_json(json_schema())
        return
    found = [
        {
            "table": f"{theme.name}/{table.layer}/{table.name}",
            "rule": rule.name,
            "severity": "block" if rule.blocking else "warn",
            "allowed": rule.allowed,
            "sql": rule.holds,
            "description": rule.description,
        }
        for theme in all_themes().values()
        for table in theme.tables
        for rule in table.rules
    ]
    if as_json:
        print_json(found)
        return
    grid = Grid("table", "rule", "severity", "what must hold", box=None)
    for item in found:
        grid.add_row(*(str(item[name]) for name in ("table", "rule", "severity", "description")))
    print_grid(grid)


@app.command()
def freshness(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[THEME]...", help="Such as crime; all otherwise.")
    ] = None,
    only_late: Annotated[bool, typer.Option("--late", help="Only what is late.")] = False,
    day: Annotated[str | None, typer.Option(help="Judge as of a day, such as 2026-05-01; today otherwise.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say per theme and period what is there, what is late and what is due next. Exit code 3 when something is late."""
    from elexxion_assets.lake.ledger import Ledger
    from elexxion_assets.lake.received import standing
    from elexxion_assets.quality.freshness import Freshness

    themes = all_themes()
    if unknown := sorted(set(names or ()) - set(themes)):
        raise Problem(f"no theme {', '.join(unknown)}; there are {', '.join(themes)}")
    try:
        today = date.fromisoformat(day) if day else date.today()
    except ValueError:
        raise Problem(f"« {day} » is no day; write it as 2026-05-01") from None
    ledger = Ledger(open_lake())
    found = [item for name in names or themes for item in standing(ledger, themes[name], today)]
    late = [item for item in found if item.state is Freshness.LATE]
    shown = late if only_late else found
    if as_json:
        print_json([item.as_json() for item in shown])
    elif not shown:
        _say("nothing is late" if only_late else "nothing is expected")
    for item in [] if as_json else shown:
        _say(f"{item.state:<6} {item.words}")
    if late:
        raise typer.Exit(3)


@app.command()
def trace(
    table: TableName,
    period: Period,
    key: Annotated[
        list[str] | None, typer.Option(help="COLUMN=VALUE, such as code_commune=69123; may be repeated.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Walk back from rows of a table to the deliveries, files and lines that they come from."""
    from elexxion_assets.lake import layout
    from elexxion_assets.lake.ledger import Ledger
    from elexxion_assets.lake.trace import trace as walk

    owner, layer, name = table_name(table)
    if layer is Layer.BRONZE:
        raise Problem("bronze rows say their line themselves; trace a silver, gold or platinum table")
    pairs = [item.partition("=") for item in key or ()]
    if wrong := [column for column, equals, _ in pairs if not equals]:
        raise Problem(f"--key is COLUMN=VALUE, such as code_commune=69123 (got {', '.join(wrong)})")
    storage = open_lake()
    if storage.stat(layout.table_document_key(owner, layer, name, period)) is None:
        raise Problem(f"{table} has no period {period}")
    try:
        found = walk(storage, Ledger(storage), all_themes(), table, period, {c: value for c, _, value in pairs})
    except ValueError as problem:
        raise Problem(str(problem)) from problem
    if as_json:
        print_json(found)
    else:
        _print_trace(found, 0)
    if not found["rows"]:
        raise Problem(f"{table} {period} has no such row")


def _print_trace(found: dict[str, Any], depth: int) -> None:
    indent = "  " * depth
    key = ", ".join(f"{column}={value}" for column, value in found["key"].items())
    _say(f"{indent}{found['table']} {found['period']}{f' ({key})' if key else ''}: {found['rows']:,} rows")
    for item in found.get("from", ()):
        _print_trace(item, depth + 1)
    for file in found.get("files", ()):
        member = f", sheet « {file['member']} »" if file.get("member") else ""
        name = file.get("name", "a delivery that the ledger has lost")
        _say(f"{indent}  {name}{member} ({file['delivery']}): lines {file['lines']}")
        if "raw" in file:
            _say(f"{indent}    {file['dataset']}, release « {file['release']} », kept as {file['raw']}; {file['page']}")
