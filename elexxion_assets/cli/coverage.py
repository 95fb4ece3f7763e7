"""The command that proves that nothing was lost: where each row of each file is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table as Grid

from elexxion_assets.cli.console import AsJson, Problem, app, err, open_lake, out, print_grid, print_json
from elexxion_assets.themes import all_themes

if TYPE_CHECKING:
    from elexxion_assets.lake.coverage import Coverage
    from elexxion_assets.lake.ledger import Delivery


@app.command()
def coverage(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Names of files, or parts of them; all without one.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say where each row of each file is, and which communes are in the target COG; exit with 1 when one is nowhere."""
    from elexxion_assets.lake.coverage import coverage as cover
    from elexxion_assets.lake.ledger import Ledger

    storage = open_lake()
    ledger = Ledger(storage)
    asked = [delivery for name in names or () for delivery in _found(ledger.find(name), name)]
    deliveries = {delivery.id: delivery for delivery in (asked if names else ledger.all())}
    with err.status("counting") as status:
        found = []
        for one in cover(storage, ledger, all_themes(), sorted(deliveries.values(), key=lambda each: each.name)):
            status.update(f"counted {one.file}")
            found.append(one)
    if as_json:
        print_json([one.as_json() for one in found])
    else:
        _print_table(found)
    for one in found:
        for problem in one.problems:
            err.print(f"error     {_title(one)}: {problem}", highlight=False, soft_wrap=True, markup=False)
    if any(one.problems for one in found):
        raise typer.Exit(1)


def _found(deliveries: list[Delivery], name: str) -> list[Delivery]:
    if not deliveries:
        raise Problem(f"nothing called « {name} » was ever dropped here")
    return deliveries


def _title(one: Coverage) -> str:
    return one.file + (f" « {one.member} »" if one.member else "")


def _print_table(found: list[Coverage]) -> None:
    if not found:
        out.print("no file yet: drop one, then `elexxion run`")
        return
    grid = Grid(box=None)
    for heading in ("file", "dataset", "rows", "silver", "older", "elsewhere", "quarantined", "communes", "counts"):
        grid.add_column(heading, justify="left" if heading in ("file", "dataset") else "right")
    for one in found:
        if one.dataset:
            figures = (one.rows, one.silver, one.older, one.told_elsewhere, sum(one.quarantined.values()))
            grid.add_row(_title(one), one.dataset, *(f"{figure:,}" for figure in figures), _communes(one), _sums(one))
        else:
            grid.add_row(_title(one), "refused" if one.refusals else "not read")
    print_grid(grid)
    for one in found:
        said = [f"{rows:,} rows in quarantine: {reason}" for reason, rows in one.quarantined.items()]
        for words in [*said, *(f"not taken: {refusal}" for refusal in one.refusals)]:
            out.print(f"{_title(one)}: {words}", highlight=False, soft_wrap=True, markup=False)


def _communes(one: Coverage) -> str:
    """Communes in the target vintage, such as « 35,245 of 35,245 (100.00 %) »."""
    if not one.communes or one.communes_placed is None:
        return ""
    return f"{one.communes_placed:,} of {one.communes:,} ({100 * one.communes_placed / one.communes:.2f} %)"


def _sums(one: Coverage) -> str:
    """Counts in silver, such as « 35,132,947 of 35,132,947 voix (100.00 %) »."""
    if one.counts is None or not one.counts.read:
        return ""
    kept, read = one.counts.placed + one.counts.above, one.counts.read
    return f"{kept:,.0f} of {read:,.0f} {one.counted} ({100 * kept / read:.2f} %)"
