"""Commands on models: train them, write their card."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from elexxion_assets.cli.console import AsJson, Problem, app, err, open_lake, out, print_json
from elexxion_assets.declare import Layer, Model, Theme
from elexxion_assets.themes import all_themes


def _chosen(name: str) -> tuple[Theme, tuple[Model, ...]]:
    """The theme and its model, or all its models, that a person names."""
    theme_name, _, model_name = name.partition("/")
    theme = all_themes().get(theme_name)
    known = [f"{t.name}/{model.name}" for t in all_themes().values() for model in t.models]
    if theme is None or not theme.models or (model_name and model_name not in {m.name for m in theme.models}):
        raise Problem(f"no model {name}; there are {', '.join(known) or 'none'}")
    return theme, (theme.model(model_name),) if model_name else theme.models


@app.command()
def train(
    name: Annotated[str | None, typer.Argument(metavar="[THEME[/MODEL]]", help="Such as election/blocs.")] = None,
    period: Annotated[str | None, typer.Option(help="The period to predict; the newest that can be otherwise.")] = None,
    as_json: AsJson = False,
) -> None:
    """Train models, then make their predictions and their evaluation."""
    from elexxion_assets.defs.instance import prepare_home

    chosen = [_chosen(name)] if name else [(t, t.models) for t in all_themes().values() if t.models]
    if period is not None:
        for theme, _ in chosen:
            if problem := theme.periods.problem(period):
                raise Problem(f"--period: {problem}")
    prepare_home()
    from elexxion_assets.defs.training import train_models

    storage = open_lake()
    done: list[dict[str, Any]] = []
    with err.status("starting") as status:
        for theme, models in chosen:
            done += train_models(storage, theme, models, period, lambda words: status.update(words))
    if as_json:
        print_json(done)
    for item in done if not as_json else []:
        words = f"{item['model']} {item['period']}: " if item["period"] else f"{item['model']}: "
        out.print(words + item["said"], highlight=False, soft_wrap=True, markup=False)
    if any(item["failed"] for item in done) or not any(item["made"] for item in done):
        raise typer.Exit(1)


@app.command()
def card(
    name: Annotated[str, typer.Argument(metavar="THEME/MODEL", help="Such as election/blocs.")],
    period: Annotated[str | None, typer.Option(help="The period predicted; the newest otherwise.")] = None,
    file: Annotated[Path | None, typer.Option("--out", help="Write the card as an HTML page to this file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say what is known of a model, or write its card as a page."""
    from elexxion_assets.lake import layout
    from elexxion_assets.lake.models import read_model, released_periods

    storage = open_lake()
    theme, (model, *others) = _chosen(name)
    if others:
        raise Problem(f"{name} has {1 + len(others)} models; name one, such as {name}/{model.name}")
    known = released_periods(storage, theme.name, model.name)
    if not known:
        raise Problem(f"{name} was never trained: `elexxion train {name}`")
    if period is not None and period not in known:
        raise Problem(f"{name} has no card for {period}; it has {', '.join(known)}")
    period = period or known[-1]
    if file is not None:
        file.write_bytes(storage.read(layout.model_key(theme.name, model.name, period, "html")))
        out.print(f"written to {file}", highlight=False, soft_wrap=True, markup=False)
        return
    found = read_model(storage, theme.name, model.name, period)
    if found is None:
        raise Problem(f"{name} has no card for {period}")
    if as_json:
        print_json(found.card)
        return
    published = (
        "the model" if found.card["published"] == "modele" else f"its baseline « {found.card['baseline']['title']} »"
    )
    for words in (
        f"{name} {period}: {published} is published",
        found.card["reason"],
        found.card["decision"]["reason"],
        f"predictions: elexxion show {theme.name}/{Layer.PLATINUM}/predictions --period {period}",
    ):
        out.print(words, highlight=False, soft_wrap=True, markup=False)
