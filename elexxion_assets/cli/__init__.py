"""The command line `elexxion`: one module per group of commands, each registered by being imported here."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from elexxion_assets.cli.console import Problem, app, err
from elexxion_assets.declare import Refusal
from elexxion_assets.lake.storage import Conflict, KeyRefused, Unavailable
from elexxion_assets.quality.rules import RulesError
from elexxion_assets.settings import SettingsError

for _module in sorted(module.name for module in iter_modules(__path__) if module.name != "__main__"):
    import_module(f"{__name__}.{_module}")

__all__ = ["app", "main"]


def main(entry: Callable[[], Any] = app) -> None:
    """Runs the command line; what a person can mend ends in one line of words and exit code 1."""
    try:
        entry()
    except (Problem, RulesError, SettingsError, Refusal, Conflict, KeyRefused, Unavailable, OSError) as problem:
        err.print(f"elexxion: {problem}", highlight=False, soft_wrap=True, markup=False)
        sys.exit(1)
