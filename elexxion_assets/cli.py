"""The command line `elexxion`."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table as Grid

from elexxion_assets.declare import Layer, Refusal
from elexxion_assets.lake.storage import Conflict, KeyRefused, Storage, Unavailable, open_storage
from elexxion_assets.settings import SettingsError, settings
from elexxion_assets.themes import all_themes

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="The lakehouse of French territorial open data.",
)
theme_app = typer.Typer(no_args_is_help=True, help="Themes of one's own.")
app.add_typer(theme_app, name="theme")
out = Console()
err = Console(stderr=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
SYNTHETIC = {"synthetic": "true"}


class Format(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


class Problem(Exception):
    """Something that the person can mend, said in words."""


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=1, default=str) + "\n")


def _storage() -> Storage:
    return open_storage(settings())


@app.command()
def init(as_json: AsJson = False) -> None:
    """Make the tree of the lake and Dagster's home; a second time changes nothing."""
    from elexxion_assets.defs.instance import prepare_home
    from elexxion_assets.lake.intake import initialise

    storage = _storage()
    home = prepare_home()
    made = initialise(storage, all_themes())
    if as_json:
        _print_json({"lake": storage.url, "dagster_home": str(home), "made": made})
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
    storage = _storage()
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
        _print_json(dropped)
        return
    for item in dropped:
        out.print(f"{item['key']} ({item['bytes']:,} bytes)", highlight=False, soft_wrap=True, markup=False)


@app.command()
def run(
    strict: Annotated[bool, typer.Option(help="Exit with 3 when a file was refused or a check failed.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take all of `input/` and build everything due, once, without daemons."""
    _pass(strict=strict, as_json=as_json)


def _pass(*, strict: bool, as_json: bool) -> None:
    from elexxion_assets.defs.instance import prepare_home

    prepare_home()
    from elexxion_assets.defs.headless import run_pass
    from elexxion_assets.lake.ledger import Ledger, State

    storage = _storage()
    with err.status("starting") as status:
        done = run_pass(storage, Ledger(storage), lambda words: status.update(words))
    refused = [
        delivery
        for delivery in done.deliveries
        if delivery.state is State.REFUSED or (delivery.state is State.EXPANDED and delivery.reasons)
    ]
    if as_json:
        _print_json(
            {
                "deliveries": [json.loads(delivery.to_json()) for delivery in done.deliveries],
                "tables": done.tables,
                "failed_checks": done.failed_checks,
                "errors": done.errors,
                "left": done.left,
            }
        )
    else:
        _print_pass(done)
    if done.errors:
        raise typer.Exit(1)
    if strict and (refused or done.failed_checks):
        raise typer.Exit(3)


def _print_pass(done: Any) -> None:
    for delivery in done.deliveries:
        read = "; ".join(
            f"{delivery.theme}/{facts['dataset']}: {facts['rows']:,} rows, {_span(sorted(facts['periods']))}"
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
        out.print(f"built     {table}: {_span(sorted(periods))}", highlight=False, soft_wrap=True, markup=False)
    for words in dict.fromkeys(map(_check_words, done.failed_checks)):
        out.print(words, highlight=False, soft_wrap=True, markup=False)
    for problem in done.errors:
        err.print(f"error     {problem}", highlight=False, soft_wrap=True, markup=False)
    if not done.deliveries and not done.tables and not done.errors:
        out.print("nothing to do", highlight=False)


def _check_words(check: dict[str, Any]) -> str:
    found = "no row" if check["check"] == "not_empty" else f"{check['check']} fails for {check['broken']:,} rows"
    kept = "; the table was not replaced" if check["blocking"] else " (a warning)"
    return f"check     {check['table']} {check['period']}: {found}{kept}"


def _span(periods: list[str]) -> str:
    return ", ".join(periods) if len(periods) < 4 else f"{periods[0]} to {periods[-1]} ({len(periods)} periods)"


@app.command()
def tables(as_json: AsJson = False) -> None:
    """List every table with its layer, periods, rows, bytes and path."""
    from elexxion_assets.lake.build import table_documents

    storage = _storage()
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
        _print_json(list(found.values()))
        return
    if not found:
        out.print("no table yet: drop a file, then `elexxion run`")
        return
    grid = Grid("table", "layer", "periods", "rows", "bytes", "path", box=None)
    for item in found.values():
        name = item["table"] + (" (synthetic data)" if item["synthetic"] else "")
        grid.add_row(
            name, item["layer"], _span(item["periods"]), f"{item['rows']:,}", f"{item['bytes']:,}", item["path"]
        )
    _print_grid(grid)


@app.command()
def show(
    table: Annotated[str, typer.Argument(help="THEME/LAYER/TABLE, such as election/gold/communes.")],
    period: Annotated[str | None, typer.Option(help="One period; all of them otherwise.")] = None,
    limit: Annotated[int | None, typer.Option(min=0, help="Largest number of rows; 20 for --format table.")] = None,
    form: Annotated[Format, typer.Option("--format", help="How the rows are printed.")] = Format.TABLE,
    as_json: AsJson = False,
) -> None:
    """Print the rows of a table."""
    from contextlib import ExitStack

    import narwhals as nw
    import polars as pl

    from elexxion_assets.lake import layout
    from elexxion_assets.lake.build import periods_of
    from elexxion_assets.quality.checks import masked

    form = Format.JSON if as_json else form
    theme, layer, name = _table_name(table)
    storage = _storage()
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
        masks = [masked(column) for column in declared if column.personal]
        frame = nw.from_native(pl.scan_parquet(files)).with_columns(*masks or [nw.all()]).to_native()
        if limit is not None:
            frame = frame.head(limit)
        _print_rows(frame, form)


def _print_grid(grid: Grid) -> None:
    """Prints rows as wide as they are, except where a person's terminal sets the width."""
    console = out if out.is_terminal else Console(width=4000)
    console.print(grid, markup=False, no_wrap=not out.is_terminal, crop=False)


def _table_name(table: str) -> tuple[str, Layer, str]:
    """The parts of a table's name, checked against what is declared."""
    declared = {
        f"{theme.name}/{layer}/{name}": (theme.name, layer, name)
        for theme in all_themes().values()
        for layer, name in [
            *((made.layer, made.name) for made in theme.tables),
            *((Layer.BRONZE, dataset.name) for dataset in theme.datasets),
        ]
    }
    if table not in declared:
        import difflib

        near = difflib.get_close_matches(table, declared, n=3, cutoff=0.5)
        raise Problem(f"no table {table}" + (f"; did you mean {', '.join(near)}?" if near else ""))
    return declared[table]


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
        _print_json(frame.collect().to_dicts())
    else:
        rows = frame.collect()
        grid = Grid(*rows.columns, box=None)
        for row in rows.iter_rows():
            grid.add_row(*("" if value is None else str(value) for value in row))
        _print_grid(grid)


@app.command()
def why(
    name: Annotated[str, typer.Argument(help="Name of a file, part of it, or the identifier of a delivery.")],
    as_json: AsJson = False,
) -> None:
    """Say what became of a file, and why."""
    from elexxion_assets.lake.explain import explain
    from elexxion_assets.lake.ledger import Ledger

    storage = _storage()
    found = explain(storage, Ledger(storage), all_themes(), name)
    if as_json:
        _print_json(found)
    elif not found:
        raise Problem(f"nothing called « {name} » was ever dropped here ({storage.url})")
    for item in found if not as_json else []:
        out.print(f"[bold]{item['name'].replace('[', chr(92) + '[')}[/bold] {item['delivery']}", highlight=False)
        for sentence in item["story"]:
            out.print(f"  {sentence}", highlight=False, soft_wrap=True, markup=False)
    if not found:
        raise typer.Exit(1)


@app.command()
def dictionary(
    folder: Annotated[Path, typer.Option("--out", help="Folder to write into.")] = Path("dictionary"),
    as_json: AsJson = False,
) -> None:
    """Write the data dictionary: a page per dataset and table."""
    from elexxion_assets.publishing.dictionary import write_dictionary

    written = write_dictionary(all_themes(), folder)
    if as_json:
        _print_json([str(path) for path in written])
        return
    out.print(f"{len(written)} pages in {folder}", highlight=False, soft_wrap=True, markup=False)


@theme_app.command("new")
def theme_new(
    name: Annotated[str, typer.Argument(help="Name of the theme, snake case, such as logement.")],
    as_json: AsJson = False,
) -> None:
    """Write the folder of a new theme that works at once: declaration, example file, page, test."""
    import elexxion_assets
    from elexxion_assets.templates import NameRefused, new_theme

    chosen, checkout = settings(), Path(elexxion_assets.__file__).resolve().parents[1]
    themes, tests = chosen.themes_directory, None
    # Who works on the project itself adds to it; everybody else adds beside what is installed.
    if chosen.themes is None and (checkout / "pyproject.toml").is_file() and Path.cwd().is_relative_to(checkout):
        themes, tests = checkout / "elexxion_assets" / "themes", checkout / "elexxion_assets_tests" / "themes"
    try:
        written = new_theme(name, themes, tests, all_themes())
    except NameRefused as refused:
        raise Problem(str(refused)) from refused
    if as_json:
        _print_json([str(path) for path in written])
        return
    for path in written:
        out.print(str(path), highlight=False, soft_wrap=True, markup=False)


@app.command()
def fetch(
    names: Annotated[list[str] | None, typer.Argument(metavar="[DATASET]...", help="Such as crime/communale.")] = None,
    only_list: Annotated[bool, typer.Option("--list", help="List the addresses and what was last fetched.")] = False,
    as_json: AsJson = False,
) -> None:
    """Fetch the publishers' new releases into `input/`."""
    from elexxion_assets import catalogue

    storage = _storage()
    chosen = catalogue.select(catalogue.sources(all_themes()), names or [])
    if only_list:
        rows = [catalogue.describe(storage, source) for source in chosen]
        if as_json:
            _print_json(rows)
            return
        grid = Grid(*rows[0], box=None)
        for row in rows:
            grid.add_row(*row.values())
        _print_grid(grid)
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
        _print_json([done.as_json() for done in results])
    if any(done.outcome is catalogue.Outcome.FAILED for done in results):
        raise typer.Exit(1)


def _progress_bar() -> Any:
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    return Progress(*columns, console=err, transient=True)


@app.command()
def demo(
    no_ui: Annotated[bool, typer.Option("--no-ui", help="Stop after the summary.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of the synthetic files.")] = 1,
    port: Annotated[int, typer.Option(help="Port of the Dagster UI.")] = 3000,
) -> None:
    """Make a lake, drop synthetic sample files, build every table, then open the Dagster UI."""
    from elexxion_assets.lake.intake import drop as put

    init()
    storage = _storage()
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


def main(entry: Callable[[], Any] = app) -> None:
    """Runs the command line; what a person can mend ends in one line of words and exit code 1."""
    try:
        entry()
    except (Problem, SettingsError, Refusal, Conflict, KeyRefused, Unavailable, OSError) as problem:
        err.print(f"elexxion: {problem}", highlight=False, soft_wrap=True, markup=False)
        sys.exit(1)


if __name__ == "__main__":
    main()
