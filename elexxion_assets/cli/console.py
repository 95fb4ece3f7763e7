"""What every command shares: the application, how it prints, how it tells a person what is wrong."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table as Grid

from elexxion_assets.declare import Layer
from elexxion_assets.lake.storage import Storage, open_storage
from elexxion_assets.settings import settings
from elexxion_assets.themes import all_themes

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="The lakehouse of French territorial open data.",
)
out = Console()
err = Console(stderr=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


class Problem(Exception):
    """Something that the person can mend, said in words."""


def print_json(value: Any) -> None:
    """Prints a value for a program."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=1, default=str) + "\n")


def open_lake() -> Storage:
    """The lake that the settings name."""
    return open_storage(settings())


def span(periods: list[str]) -> str:
    """A list of periods in few words."""
    return ", ".join(periods) if len(periods) < 4 else f"{periods[0]} to {periods[-1]} ({len(periods)} periods)"


def print_grid(grid: Grid) -> None:
    """Prints rows as wide as they are, except where a person's terminal sets the width."""
    console = out if out.is_terminal else Console(width=4000)
    console.print(grid, markup=False, no_wrap=not out.is_terminal, crop=False)


def table_name(table: str) -> tuple[str, Layer, str]:
    """The parts of a table's name, checked against what is declared."""
    declared = {
        f"{theme.name}/{layer}/{name}": (theme.name, layer, name)
        for theme in all_themes().values()
        for layer, name in [
            *((made.layer, made.name) for made in theme.all_tables),
            *((Layer.BRONZE, dataset.name) for dataset in theme.datasets),
        ]
    }
    if table not in declared:
        import difflib

        near = difflib.get_close_matches(table, declared, n=3, cutoff=0.5)
        raise Problem(f"no table {table}" + (f"; did you mean {', '.join(near)}?" if near else ""))
    return declared[table]
