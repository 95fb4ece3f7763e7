"""Commands that keep a lake: do again, tell Dagster again, pack old bytes away, begin from nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from elexxion_assets.cli.building import print_pass, run_everything
from elexxion_assets.cli.console import AsJson, Problem, app, err, open_lake, out, print_json
from elexxion_assets.declare import Layer
from elexxion_assets.settings import settings
from elexxion_assets.themes import all_themes

OLD = timedelta(days=365)


@app.command()
def replay(
    delivery: Annotated[str, typer.Option(help="Identifier of a delivery, or its name or a part of it.")] = "",
    theme: Annotated[str, typer.Option(help="All deliveries of a theme.")] = "",
    period: Annotated[str, typer.Option(help="All deliveries that hold a period.")] = "",
    layer: Annotated[
        Layer | None, typer.Option(help="Begin there: bronze reads the raw bytes again, the others build tables.")
    ] = None,
    now: Annotated[bool, typer.Option("--now/--later", help="Do it here, or leave it to the daemons.")] = True,
    as_json: AsJson = False,
) -> None:
    """Read deliveries again from `raw/`, or build tables again, and what follows from it."""
    from elexxion_assets.lake.ledger import Ledger
    from elexxion_assets.lake.replay import NothingSelected, mark, select

    if not (delivery or theme or period or layer):
        raise Problem("say what to do again: --delivery, --theme, --period or --layer")
    if theme and theme not in all_themes():
        raise Problem(f"no theme {theme}; there are {', '.join(all_themes())}")
    storage = open_lake()
    ledger = Ledger(storage)
    try:
        selection = select(
            storage,
            ledger,
            all_themes(),
            delivery=delivery,
            theme=theme,
            period=period,
            layer=layer or Layer.BRONZE,
        )
    except NothingSelected as nothing:
        raise Problem(str(nothing)) from nothing
    mark(ledger, selection)
    chosen = {
        "layer": str(selection.layer),
        "deliveries": [{"delivery": item.id, "name": item.name} for item in selection.readings],
        "periods": sorted({f"{name}/{key}" for name, key, _ in selection.builds}),
    }
    if not as_json:
        what = (
            f"{len(selection.readings)} deliveries to read again"
            if selection.readings
            else f"{len(chosen['periods'])} periods to build again from {selection.layer}"
        )
        out.print(what + ("" if now else ": marked, the sensor or `elexxion run` does it"), highlight=False)
    if not now:
        if as_json:
            print_json(chosen)
        return
    done = run_everything()
    if as_json:
        print_json({**chosen, **done.as_json()})
    else:
        print_pass(done)
    if done.errors:
        raise typer.Exit(1)


@app.command()
def resync(as_json: AsJson = False) -> None:
    """Tell Dagster again what the lake holds, after its own records were lost."""
    from elexxion_assets.defs.instance import prepare_home

    prepare_home()
    from dataclasses import asdict

    import dagster as dg

    from elexxion_assets.defs.resync import resync as report
    from elexxion_assets.lake.ledger import Ledger

    storage = open_lake()
    with err.status("reading the lake") as status, dg.DagsterInstance.get() as instance:
        done = report(storage, Ledger(storage), all_themes(), instance, lambda words: status.update(words))
    if as_json:
        print_json(asdict(done))
    elif done.materializations or done.partitions:
        words = f"{done.partitions} periods, {done.materializations} tables of a period and {done.checks} checks"
        out.print(f"told Dagster of {words}; it knew of {done.known} tables", highlight=False)
    else:
        out.print("nothing to do: Dagster knows all that the lake holds", highlight=False)


@app.command()
def archive(
    before: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Deliveries received before that day; by default a year ago."),
    ] = None,
    remove: Annotated[
        bool, typer.Option("--remove", help="Then remove from `raw/` what an archive, read back, holds.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Pack the bytes of old deliveries into verified `.tar.gz` archives."""
    from dataclasses import asdict

    from elexxion_assets.lake.archive import archive as pack
    from elexxion_assets.lake.ledger import Ledger

    storage = open_lake()
    limit = before.replace(tzinfo=UTC) if before else datetime.now(UTC) - OLD
    with err.status("reading the ledger") as status:
        done = pack(storage, Ledger(storage), limit, remove=remove, progress=lambda words: status.update(words))
    if as_json:
        print_json(asdict(done))
    else:
        for key in done.written:
            out.print(f"written and verified: {storage.url}/{key}", highlight=False, soft_wrap=True, markup=False)
        if done.removed:
            out.print(f"removed {len(done.removed)} files from raw/", highlight=False)
        for problem in done.problems:
            err.print(f"error     {problem}", highlight=False, soft_wrap=True, markup=False)
        if not (done.written or done.removed or done.problems):
            out.print("nothing to do", highlight=False)
    if done.problems:
        raise typer.Exit(1)


@app.command()
def reset(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove everything that the lake holds, and what Dagster knows of it; objects of others stay."""
    from elexxion_assets.defs.instance import prepare_home

    prepare_home()
    import dagster as dg

    from elexxion_assets.defs.resync import active_runs, forget
    from elexxion_assets.lake.reset import empty, own_objects

    storage = open_lake()
    with dg.DagsterInstance.get() as instance:
        if running := active_runs(instance):
            raise Problem(f"{len(running)} runs are active ({', '.join(running)}): end them first")
        objects = size = 0
        for entry in own_objects(storage):
            objects, size = objects + 1, size + entry.size
        if not yes:
            name = settings().bucket
            words = f"{storage.url}: {objects:,} objects, {size:,} bytes, raw deliveries and archives among them."
            err.print(words, highlight=False, soft_wrap=True, markup=False)
            if typer.prompt(f"Type the name of the lake ({name}) to remove them", err=True) != name:
                raise Problem("that is not its name; nothing was removed")
        with err.status("removing") as status:
            removed = empty(storage, lambda count: status.update(f"{count:,} of {objects:,} objects removed"))
        forget(instance, all_themes())
    if as_json:
        print_json({"lake": storage.url, "removed": removed})
    else:
        out.print(f"{removed:,} objects removed from {storage.url}", highlight=False, soft_wrap=True, markup=False)
