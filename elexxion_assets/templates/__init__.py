"""Writes the folder of a theme of one's own, to be filled in: what is written works as it is."""

from __future__ import annotations

import keyword
import os
import re
from collections.abc import Collection
from importlib.resources import files
from pathlib import Path
from string import Template

from elexxion_assets.lake.ledger import RESERVED

_TAKEN = ("intake", *RESERVED)
"""Names that the lake and the Dagster project use for something else."""


class NameRefused(ValueError):
    """A name that no theme can have, with the reason in words."""


def problem(name: str, known: Collection[str]) -> str | None:
    """Why no new theme can be called `name`, in words, or None.

    Args:
        name: Name asked for.
        known: Names of the themes that there are.
    """
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name) or len(name) > 30:
        return (
            f"« {name} » is no name for a theme: letters a to z, digits and _ between words, such as logement or "
            "eau_potable, 30 characters at most"
        )
    if keyword.iskeyword(name):
        return f"« {name} » is a word of Python; choose another name"
    if name in _TAKEN:
        return f"« {name} » means something else in the lake; choose another name"
    if name in known:
        return f"there is a theme {name} already; choose another name"
    return None


def new_theme(name: str, themes: Path, tests: Path | None, known: Collection[str]) -> list[Path]:
    """Writes a theme with one dataset, one silver and one gold table, an example file, a page and a test.

    Args:
        name: Name of the theme, snake case.
        themes: Folder of themes; the theme gets a folder of its own in it.
        tests: Folder of the tests of themes, or None to put the test beside the theme.
        known: Names of the themes that there are.

    Returns:
        The files written; the declaration, without which nothing of it is loaded, comes last.

    Raises:
        NameRefused: the name cannot be had, or a folder of that name is there already.
    """
    folder = themes / name
    folder_of_tests = tests / name if tests is not None else folder
    reason = problem(name, known)
    taken = next((path for path in (folder, folder_of_tests) if path.exists()), None)
    if reason is None and taken is not None:
        reason = f"{taken} is there already; nothing was written"
    if reason is not None:
        raise NameRefused(reason)
    written = {
        folder / "exemple.csv": "exemple.csv.txt",
        folder / "README.md": "README.md.txt",
        folder_of_tests / f"test_{name}_theme.py": "test_theme.py.txt",
        folder / "__init__.py": "theme.py.txt",
    }
    words = {
        "name": name,
        "title": name.replace("_", " ").capitalize(),
        "folder": os.path.relpath(folder, folder_of_tests).replace(os.sep, "/"),
    }
    for path, template in written.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        text = files(__package__).joinpath(template).read_text(encoding="utf-8")
        path.write_text(Template(text).substitute(words), encoding="utf-8")
    return list(written)
