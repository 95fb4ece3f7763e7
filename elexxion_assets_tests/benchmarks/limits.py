"""What the machine needs at least: to unpack the bytes, or to make columns of text of them.

`python -m elexxion_assets_tests.benchmarks.limits unpacked|parsed OUT FILE...`
"""

from __future__ import annotations

import gzip
import sys
import zipfile
from pathlib import Path
from typing import IO

import polars as pl

_BLOCK = 1 << 20


def _read(stream: IO[bytes]) -> int:
    size = 0
    while block := stream.read(_BLOCK):
        size += len(block)
    return size


def unpacked(files: list[Path], _out: Path) -> int:
    """Number of bytes of all files, unpacked and thrown away."""
    size = 0
    for file in files:
        if file.suffix == ".zip":
            with zipfile.ZipFile(file) as archive:
                for name in archive.namelist():
                    with archive.open(name) as member:
                        size += _read(member)
        else:
            with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as plain:
                size += _read(plain)
    return size


def parsed(files: list[Path], out: Path) -> int:
    """Number of rows of all files, written as columns of text to Parquet."""
    out.mkdir(parents=True, exist_ok=True)
    rows = 0
    for number, file in enumerate(files):
        made = out / f"{number}.parquet"
        frame = pl.scan_csv(
            file,
            separator=";",
            infer_schema=False,
            has_header=False,
            skip_rows=1,
            encoding="utf8-lossy",
            quote_char=None,
        )
        frame.sink_parquet(made)
        rows += int(pl.scan_parquet(made).select(pl.len()).collect().item())
    return rows


if __name__ == "__main__":
    print(
        {"unpacked": unpacked, "parsed": parsed}[sys.argv[1]]([Path(name) for name in sys.argv[3:]], Path(sys.argv[2]))
    )
