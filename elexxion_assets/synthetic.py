"""Our own synthetic sample files: they say so in their names, and lose against every real file."""

from __future__ import annotations

from elexxion_assets.declare import TextTable

PREFIX = "exemple-synthetique-"
"""How the names of synthetic files begin, and of the archives that hold them."""


def is_synthetic(table: TextTable) -> bool:
    """Whether a table is of a synthetic file, or of an archive of such files."""
    return any(part.lower().startswith(PREFIX) for part in table.file.split("/"))


def release_named(table: TextTable, words: str) -> str:
    """The release in words that sort: synthetic files sort before everything real."""
    return f"0 sample {words}" if is_synthetic(table) else words


def is_synthetic_release(release: str) -> bool:
    """Whether a release is one of synthetic files: in every theme theirs sort before everything real."""
    return release.startswith(("0 ", "0-"))
