"""Fixtures that read election files as the lake does, without the lake."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from elexxion_assets.reading import read_tables
from elexxion_assets.themes.election import THEME
from elexxion_assets_tests.themes.election.delivered import Delivered, Lake, take, text_table


@pytest.fixture
def deliver() -> Callable[..., Delivered]:
    """Builds a table from a header and rows, and recognises it."""

    def build(header: str | Sequence[str], *rows: str | Sequence[str | None], **facts: object) -> Delivered:
        names = header.split(";") if isinstance(header, str) else header
        cells = [row.split(";") if isinstance(row, str) else row for row in rows]
        return take(*text_table(names, cells, **facts))

    return build


@pytest.fixture
def read(tmp_path: Path) -> Callable[[Path], list[Delivered]]:
    """Reads a file with the reading room and recognises those of its tables that are election results."""

    def tables(path: Path) -> list[Delivered]:
        scratch = tmp_path / path.name
        scratch.mkdir()
        found = read_tables(path, path.name, scratch)
        known = [
            (table, text)
            for table, text in found
            if any(not dataset.match(dataset, table).missing for dataset in THEME.datasets)
        ]
        return [take(table, text) for table, text in known]

    return tables


@pytest.fixture
def lake() -> Callable[..., Lake]:
    return lambda *delivered: Lake(delivered[0].period, delivered)
