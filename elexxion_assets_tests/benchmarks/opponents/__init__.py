"""The same ways from raw files to gold without a lake: no recognition, no checks, no quarantine, no lineage.

They import nothing of the package and get the reference tables as Parquet, so that nothing of ours slows them down.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path


def run(ways: Mapping[str, Callable[[Path, Path, Path], object]]) -> None:
    """Runs the way that the command line names: its name, the file, the reference tables, where to write."""
    way, file, reference, out = sys.argv[1], *map(Path, sys.argv[2:])
    for layer in ("silver", "gold"):
        (out / layer).mkdir(parents=True)
    ways[way](file, reference, out)
