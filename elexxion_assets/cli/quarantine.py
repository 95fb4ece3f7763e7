"""Commands for rejected rows: what is in quarantine, how it leaves for a spreadsheet, how it comes back corrected."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table as Grid

from elexxion_assets.cli.console import AsJson, Problem, app, open_lake, out, print_grid, print_json
from elexxion_assets.themes import all_themes

commands = typer.Typer(no_args_is_help=True, help="Rejected rows: list them, export them, put corrected ones back.")
app.add_typer(commands, name="quarantine")


@commands.command("list")
def list_rejections(
    theme: Annotated[str, typer.Option(help="Only of this theme.")] = "",
    delivery: Annotated[
        str, typer.Option(help="Only of this delivery: its identifier, its name or a part of it.")
    ] = "",
    period: Annotated[str, typer.Option(help="Only of this period.")] = "",
    as_json: AsJson = False,
) -> None:
    """List what is in quarantine: open rows wait for a correction, closed ones had theirs."""
    from elexxion_assets.lake.corrections import rejections
    from elexxion_assets.lake.ledger import Ledger

    if theme and theme not in all_themes():
        raise Problem(f"no theme {theme}; there are {', '.join(all_themes())}")
    storage = open_lake()
    ledger = Ledger(storage)
    identity = _delivery(ledger, delivery).id if delivery else ""
    found = rejections(storage, ledger, theme=theme, delivery=identity, period=period)
    if as_json:
        print_json(found)
        return
    if not found:
        out.print("no row is in quarantine", highlight=False)
        return
    grid = Grid("dataset", "delivery", "file", "period", "open", "closed", "column: rule (rows)", box=None)
    for item in found:
        rules = ", ".join(f"{rule} ({count:,})" for rule, count in item["rules"].items())
        file = item["file"] + (f" « {item['member']} »" if item["member"] else "")
        counts = (f"{item['open']:,}", f"{item['closed']:,}")
        grid.add_row(f"{item['theme']}/{item['dataset']}", item["delivery"], file, item["period"], *counts, rules)
    print_grid(grid)


@commands.command()
def export(
    delivery: Annotated[str, typer.Argument(help="Identifier of the delivery, its name or a part of it.")],
    file: Annotated[Path, typer.Option("--out", help="CSV file to write.")],
    as_json: AsJson = False,
) -> None:
    """Write the open rows of a delivery, as they were written, to a CSV file for a spreadsheet."""
    from elexxion_assets.lake.corrections import export as write
    from elexxion_assets.lake.ledger import Ledger

    storage = open_lake()
    found = _delivery(Ledger(storage), delivery)
    rows = write(storage, found, file)
    if as_json:
        print_json({"delivery": found.id, "file": str(file), "rows": rows})
        return
    out.print(
        f"{rows:,} rows of {found.name} ({found.id}) in {file}. Correct their texts and leave the columns that begin "
        f"with _ alone; then: elexxion quarantine reinject {file}",
        highlight=False,
        soft_wrap=True,
        markup=False,
    )


@commands.command()
def reinject(
    file: Annotated[Path, typer.Argument(help="The exported CSV file, corrected.")],
    delivery: Annotated[
        str, typer.Option(help="The delivery that it corrects, where its column _delivery does not say it.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Put corrected rows back under their delivery; the next `elexxion run` builds its tables with them."""
    from elexxion_assets.lake.build import CORRECTS
    from elexxion_assets.lake.corrections import read_correction
    from elexxion_assets.lake.intake import Taken, drop, take
    from elexxion_assets.lake.ledger import Ledger, State

    if not file.is_file():
        raise Problem(f"no such file: {file}")
    storage = open_lake()
    ledger, themes = Ledger(storage), all_themes()
    hints = {CORRECTS: _delivery(ledger, delivery).id} if delivery else {}
    taken = Taken()
    if (known := _taken_before(ledger, file)) is None:
        # What it corrects is looked at first: a file that corrects nothing is not kept.
        read_correction(storage, ledger, themes, "", file, hints)
        take(storage, ledger, themes, drop(storage, file.name, file, hints), taken)
        known = next(iter(taken.deliveries), None)
    if known is None:
        raise Problem("; ".join(taken.left.values()) or "another pass is taking it")
    if known.state is not State.READ:
        raise Problem("; ".join(reason["reason"] for reason in known.reasons))
    rows = sum(count for facts in known.tables for count in facts["corrected"].values())
    refused = [reason["reason"] for reason in known.reasons]
    said: dict[str, Any] = {
        "correction": known.id,
        "delivery": known.hints[CORRECTS],
        "rows": rows,
        "refused": refused,
        "again": not taken.deliveries,
    }
    if as_json:
        print_json(said)
        return
    words = "was put back before; nothing changes" if said["again"] else "put back; `elexxion run` builds with them"
    out.print(f"{rows:,} corrected rows of {said['delivery']}: {words}", highlight=False, soft_wrap=True, markup=False)
    for reason in refused:
        out.print(f"refused   {reason}", highlight=False, soft_wrap=True, markup=False)


def _taken_before(ledger: Any, file: Path) -> Any:
    import hashlib

    from elexxion_assets.lake.ledger import State

    with file.open("rb") as source:
        known = ledger.by_content(hashlib.file_digest(source, "sha256").hexdigest())
    return known if known is not None and known.state is State.READ else None


def _delivery(ledger: Any, text: str) -> Any:
    from elexxion_assets.lake.build import CORRECTS

    found = [delivery for delivery in ledger.find(text) if delivery.tables and CORRECTS not in delivery.hints]
    if not found:
        raise Problem(f"no delivery called « {text} » was read")
    exact = [delivery for delivery in found if text in (delivery.id, delivery.name)] or found
    if len(exact) > 1:
        names = ", ".join(f"{delivery.id} ({delivery.name})" for delivery in exact[:5])
        raise Problem(f"« {text} » may be any of {names}: give the identifier")
    return exact[0]
