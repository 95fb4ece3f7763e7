"""Excel and OpenDocument workbooks: one table per sheet."""

from __future__ import annotations

import csv
import itertools
import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from elexxion_assets.declare import Refusal, TextTable
from elexxion_assets.reading import limits
from elexxion_assets.reading.spool import NumberedRow, Spool
from elexxion_assets.reading.tabulation import tabulate

_BATCH = 1000
_LAST_ROWS = {65_536: "xls, Excel 97 to 2003", 1_048_576: "xlsx"}


def read_workbook(
    path: Path, name: str, scratch: Path, hints: Mapping[str, str]
) -> list[tuple[TextTable, pl.LazyFrame]]:
    """One table per sheet with data; sheets without are named in the defects of the others.

    Whole numbers lose their `.0`, other numbers keep all their digits, dates are ISO. Blank rows are left out; `_line`
    is the number of the row as the spreadsheet shows it.

    Raises:
        Refusal: `encrypted`, `corrupt`, `too_big`, `cut_by_excel`, or `no_rows` where no sheet holds a table.
        OSError: The machine failed, not the workbook (no space left).
    """
    folder = scratch / "sheets"
    folder.mkdir()
    tables, ignored = [], []
    for sheet in _unfold(path, folder):
        source = folder / f"{sheet['number']}.csv"
        if sheet["last"] in _LAST_ROWS:
            raise Refusal(
                "cut_by_excel",
                f"Sheet « {sheet['name']} » ends at row {sheet['last']:,}, the last one that a spreadsheet can hold "
                f"({_LAST_ROWS[sheet['last']]}): the rest of the table was cut off. Drop the original CSV.",
            )
        try:
            table = tabulate(_rows(source), Spool(scratch, f"sheet-{sheet['number']}"))
        except Refusal as refusal:
            if refusal.rule not in {"empty", "no_rows"}:
                raise
            ignored.append(str(sheet["name"]))
        else:
            if len(table.columns) > 1:
                tables.append((str(sheet["name"]), table))
            else:
                # A column of prose, as documentation sheets are.
                ignored.append(str(sheet["name"]))
        source.unlink()
    if not tables:
        raise Refusal("no_rows", "No sheet of the workbook holds a table with data.")
    defects = [f"Sheet « {sheet} » holds no table and was ignored." for sheet in ignored]
    return [table.facts(name, hints, member=member, defects=defects) for member, table in tables]


def _unfold(path: Path, folder: Path) -> list[dict[str, Any]]:
    script = Path(__file__).with_name("sheets_process.py")
    command = [sys.executable, "-I", str(script), str(path.absolute()), str(folder), str(limits.WORKBOOK_MEMORY)]
    try:
        done = subprocess.run(  # noqa: S603 - our own script
            command, capture_output=True, text=True, errors="replace", timeout=limits.WORKBOOK_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise Refusal("too_big", f"The workbook was not read within {limits.WORKBOOK_SECONDS} seconds.") from None
    if done.returncode == 0:
        sheets: list[dict[str, Any]] = json.loads((folder / "sheets.json").read_text(encoding="utf-8"))
        return sheets
    said = (done.stderr.strip().splitlines() or [""])[-1]
    if said == "encrypted":
        raise Refusal("encrypted", "The workbook is protected by a password; drop it without one.")
    if said.startswith("machine"):
        raise OSError(said)
    if (
        said == "too_big"
        or done.returncode == -signal.SIGKILL
        or "memory allocation" in done.stderr
        or "capacity overflow" in done.stderr
    ):
        raise Refusal(
            "too_big", "The workbook needs more memory than a table may: perhaps a lone cell stands in its far corner."
        )
    raise Refusal("corrupt", f"The workbook is damaged or not a workbook ({said.removeprefix('corrupt: ')[:160]}).")


def _rows(source: Path) -> Iterator[list[NumberedRow]]:
    csv.field_size_limit(limits.MAX_RECORD)
    with source.open(encoding="utf-8", newline="") as file:
        numbered = ((int(line), cells) for line, *cells in csv.reader(file))
        while batch := list(itertools.islice(numbered, _BATCH)):
            yield batch
