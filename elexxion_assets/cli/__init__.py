"""The command line `elexxion`: one module per group of commands, each registered by being imported here."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from elexxion_assets.cli import building, console, intake, models, tables, themes
from elexxion_assets.cli.console import Problem, app, err
from elexxion_assets.declare import Refusal
from elexxion_assets.lake.storage import Conflict, KeyRefused, Unavailable
from elexxion_assets.settings import SettingsError

__all__ = ["app", "building", "console", "intake", "main", "models", "tables", "themes"]


def main(entry: Callable[[], Any] = app) -> None:
    """Runs the command line; what a person can mend ends in one line of words and exit code 1."""
    try:
        entry()
    except (Problem, SettingsError, Refusal, Conflict, KeyRefused, Unavailable, OSError) as problem:
        err.print(f"elexxion: {problem}", highlight=False, soft_wrap=True, markup=False)
        sys.exit(1)
