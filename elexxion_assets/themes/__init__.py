"""The themes: one package each under this one or in the folder `ELEXXION_THEMES`, found by being there.

Each offers its declaration as `THEME`. Those of the folder are imported as `elexxion_assets.themes.<name>` too, so that
a theme reads the same wherever it lies.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from pathlib import Path

from elexxion_assets.declare import Theme
from elexxion_assets.quality.rules import with_rules
from elexxion_assets.settings import SettingsError, settings


@cache
def all_themes() -> dict[str, Theme]:
    """Every theme by name, in alphabetical order.

    The rules of `rules.yaml` beside a theme and of `ELEXXION_RULES` are among those of its tables.

    Raises:
        RulesError: a file of rules is wrong.
        SettingsError: a theme of the folder has the name of one of the package, or a theme is not called as its folder.
    """
    ours, folder = Path(__file__).parent, settings().themes_directory
    if folder.is_dir() and not folder.samefile(ours):
        known = {found.name for found in pkgutil.iter_modules([str(ours)])}
        twice = sorted(known & {found.name for found in pkgutil.iter_modules([str(folder)])})
        if twice:
            raise SettingsError(f"{folder} holds {', '.join(twice)}, which the package has already: rename the folder")
        __path__.append(str(folder))
    themes = {}
    for found in sorted(pkgutil.iter_modules(__path__), key=lambda found: found.name):
        module = importlib.import_module(f"{__name__}.{found.name}")
        theme = getattr(module, "THEME", None)
        if isinstance(theme, Theme):
            if theme.name != found.name:
                raise SettingsError(f"the theme in {found.name}/ calls itself {theme.name}: make both names the same")
            beside = Path(module.__file__ or "").parent / "rules.yaml"
            deployed = settings().rules
            over = [deployed / f"{theme.name}.yaml"] if deployed is not None else []
            themes[theme.name] = with_rules(theme, beside, *over)
    return themes
