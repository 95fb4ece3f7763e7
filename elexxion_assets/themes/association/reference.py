"""The reference lists that lie beside this theme's code."""

from __future__ import annotations

import csv
from pathlib import Path


def rows_of(name: str) -> list[list[str]]:
    """The rows of a list without its header; lines that begin with # say where it comes from."""
    with Path(__file__).with_name(name).open(encoding="utf-8", newline="") as file:
        rows = csv.reader((line for line in file if not line.startswith("#")), delimiter=";")
        next(rows)
        return list(rows)
