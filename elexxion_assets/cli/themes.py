"""Commands on themes of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from elexxion_assets.cli.console import AsJson, Problem, app, out, print_json
from elexxion_assets.settings import settings
from elexxion_assets.themes import all_themes

theme_app = typer.Typer(no_args_is_help=True, help="Themes of one's own.")
app.add_typer(theme_app, name="theme")


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
        print_json([str(path) for path in written])
        return
    for path in written:
        out.print(str(path), highlight=False, soft_wrap=True, markup=False)
