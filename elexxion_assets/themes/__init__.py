"""The themes: one package each under this one, found by being there; each offers its declaration as `THEME`."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from elexxion_assets.declare import Theme


@cache
def all_themes() -> dict[str, Theme]:
    """Every theme by name, in alphabetical order."""
    modules = (importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__))
    return {theme.name: theme for module in modules if isinstance(theme := getattr(module, "THEME", None), Theme)}
