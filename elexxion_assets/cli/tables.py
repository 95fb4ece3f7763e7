"""Commands that read: the list of tables, their rows, their dictionary."""

from __future__ import annotations

import sys
import tempfile
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table as Grid

from elexxion_assets.cli.console import (
    AsJson,
    Problem,
    app,
    open_lake,
    out,
    print_grid,
    print_json,
    span,
    table_name,
)
from elexxion_assets.declare import Layer
from elexxion_assets.themes import all_themes


class Format(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


@app.command()
def tables(as_json: AsJson = False) -> None:
    """List every table with its layer, periods, rows, bytes and path."""
    from elexxion_assets.lake.build import table_documents

    storage = open_lake()
    found: dict[str, dict[str, Any]] = {}
    for document in table_documents(storage):
        item = found.setdefault(
            document["table"],
            {
                "table": document["table"],
                "layer": document["table"].split("/")[1],
                "periods": [],
                "rows": 0,
                "bytes": 0,
                "path": f"{storage.url}/{document['key'].rsplit('/', 1)[0]}/",
                "synthetic": False,
            },
        )
        item["periods"].append(document["period"])
        item["rows"] += document["rows"]
        item["bytes"] += document["bytes"]
        item["synthetic"] |= document["synthetic"]
    if as_json:
        print_json(list(found.values()))
        return
    if not found:
        out.print("no table yet: drop a file, then `elexxion run`")
        return
    grid = Grid("table", "layer", "periods", "rows", "bytes", "path", box=None)
    for item in found.values():
        name = item["table"] + (" (synthetic data)" if item["synthetic"] else "")
        grid.add_row(
            name, item["layer"], span(item["periods"]), f"{item['rows']:,}", f"{item['bytes']:,}", item["path"]
        )
    print_grid(grid)


@app.command()
def show(
    table: Annotated[str, typer.Argument(help="THEME/LAYER/TABLE, such as election/gold/communes.")],
    period: Annotated[str | None, typer.Option(help="One period; all of them otherwise.")] = None,
    limit: Annotated[int | None, typer.Option(min=0, help="Largest number of rows; 20 for --format table.")] = None,
    columns: Annotated[str | None, typer.Option(help="Only these columns, in this order: a,b.")] = None,
    form: Annotated[Format, typer.Option("--format", help="How the rows are printed.")] = Format.TABLE,
    as_json: AsJson = False,
) -> None:
    """Print the rows of a table."""
    from contextlib import ExitStack

    import narwhals as nw
    import polars as pl

    from elexxion_assets.lake import layout
    from elexxion_assets.lake.build import periods_of
    from elexxion_assets.quality.checks import masks_of

    form = Format.JSON if as_json else form
    theme, layer, name = table_name(table)
    storage = open_lake()
    if layer is Layer.BRONZE:
        raise Problem("bronze keeps the columns of each file as they are; show a silver, gold or platinum table")
    known = periods_of(storage, all_themes()[theme], layer, name)
    if not known:
        raise Problem(f"{table} has no period yet: drop a file that it is made from, then `elexxion run`")
    if period is not None and period not in known:
        raise Problem(f"{table} has no period {period}; it has {', '.join(known)}")
    if limit is None and form is Format.TABLE:
        limit = 20
    with ExitStack() as stack:
        files = [
            stack.enter_context(storage.local(layout.table_key(theme, layer, name, key)))
            for key in known
            if period is None or key == period
        ]
        declared = all_themes()[theme].table(layer, name).columns
        rows = nw.from_native(pl.concat(map(pl.scan_parquet, files), how="diagonal"))
        frame = rows.with_columns(*masks_of(declared, rows.collect_schema().names()) or [nw.all()]).to_native()
        if columns is not None:
            frame = frame.select(_chosen(columns, frame.collect_schema().names(), table))
        if limit is not None:
            frame = frame.head(limit)
        _print_rows(frame, form)


def _chosen(said: str, known: list[str], table: str) -> list[str]:
    """The columns that a person names, each once."""
    wanted = list(dict.fromkeys(name.strip() for name in said.split(",") if name.strip()))
    if wrong := [name for name in wanted if name not in known]:
        import difflib

        near = list(
            dict.fromkeys(match for name in wrong for match in difflib.get_close_matches(name, known, cutoff=0.6))
        )
        hint = f"did you mean {', '.join(near)}?" if near else f"it has {', '.join(known)}"
        raise Problem(f"{table} has no column {', '.join(wrong)}; {hint}")
    if not wanted:
        raise Problem(f"--columns names none; {table} has {', '.join(known)}")
    return wanted


def _print_rows(frame: Any, form: Format) -> None:
    import polars as pl

    if form is Format.PARQUET:
        with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
            frame.sink_parquet(file.name)
            with Path(file.name).open("rb") as source:
                while block := source.read(1 << 20):
                    sys.stdout.buffer.write(block)
    elif form is Format.CSV:
        # A spreadsheet runs a text that begins like a formula; the apostrophe is how it is told not to.
        text = pl.selectors.string()
        formula = text.str.contains(r"^[=+\-@\t\r]") & ~text.str.contains(r"^[+-]?\d+([.,]\d+)?$")
        safe = frame.with_columns(pl.when(formula).then(pl.lit("'") + text).otherwise(text).name.keep())
        safe.sink_csv(sys.stdout.buffer)
    elif form is Format.JSON:
        _print_json_rows(frame)
    else:
        rows = frame.collect()
        grid = Grid(*rows.columns, box=None)
        for row in rows.iter_rows():
            grid.add_row(*("" if value is None else str(value) for value in row))
        print_grid(grid)


def _print_json_rows(frame: Any) -> None:
    """Prints an array of objects, one row per line, however many there are: the rows pass by on the disk."""
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as file:
        frame.sink_ndjson(file.name)
        sys.stdout.buffer.write(b"[")
        with Path(file.name).open("rb") as rows:
            for number, row in enumerate(rows):
                sys.stdout.buffer.write((b",\n" if number else b"\n") + row.rstrip(b"\n"))
        sys.stdout.buffer.write(b"\n]\n")
        sys.stdout.flush()


@app.command()
def dictionary(
    folder: Annotated[Path, typer.Option("--out", help="Folder to write into.")] = Path("dictionary"),
    as_json: AsJson = False,
) -> None:
    """Write the data dictionary: a page per dataset and table."""
    from elexxion_assets.publishing.dictionary import write_dictionary

    written = write_dictionary(all_themes(), folder)
    if as_json:
        print_json([str(path) for path in written])
        return
    out.print(f"{len(written)} pages in {folder}", highlight=False, soft_wrap=True, markup=False)
