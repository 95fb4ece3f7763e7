"""Reads a workbook in a process of its own and writes its sheets as plain CSV.

Run as a script, with the workbook and an empty folder as arguments. A workbook can ask for any amount of memory (one
cell in the last corner is a dense grid of 17 billion cells) and the library then ends the whole process: here it ends
this one. Nothing but the standard library and python-calamine is imported, so that it starts at once.

Writes `<n>.csv` per sheet (row number, then the cells as text) and `sheets.json`: name and number of rows of each.
"""

from __future__ import annotations

import contextlib
import csv
import datetime as dt
import errno
import json
import sys
from pathlib import Path
from typing import Any

import python_calamine

_EXACT = 2**53
_MACHINE = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE}
"""Faults that say nothing about the workbook."""


def _text(value: Any) -> str:
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case float():
            return str(int(value)) if value.is_integer() and abs(value) < _EXACT else repr(value)
        case dt.datetime():
            return value.date().isoformat() if value.time() == dt.time() else value.isoformat()
        case dt.date() | dt.time():
            return value.isoformat()
        case _:
            return str(value)


def _limit_memory(size: int) -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (size, size))


def main(source: str, target: str, memory: str) -> None:
    """Writes all worksheets of the workbook `source` into the folder `target`."""
    _limit_memory(int(memory))
    workbook = python_calamine.load_workbook(source)
    sheets = []
    for number, sheet in enumerate(workbook.sheets_metadata):
        if sheet.typ is not python_calamine.SheetTypeEnum.WorkSheet:
            continue
        cells = workbook.get_sheet_by_name(sheet.name)
        # iter_rows gives the rows from the top of the sheet, empty ones included.
        last = 0
        with (Path(target) / f"{number}.csv").open("w", encoding="utf-8", newline="", errors="replace") as out:
            writer = csv.writer(out)
            for line, row in enumerate(cells.iter_rows(), start=1):
                texts = [_text(value) for value in row]
                while texts and not texts[-1]:
                    texts.pop()
                if texts:
                    writer.writerow([line, *texts])
                    last = line
        sheets.append({"number": number, "name": sheet.name, "last": last})
    (Path(target) / "sheets.json").write_text(json.dumps(sheets), encoding="utf-8")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except python_calamine.PasswordError:
        sys.exit("encrypted")
    except MemoryError:
        sys.exit("too_big")
    except OSError as error:
        sys.exit(f"{'machine' if error.errno in _MACHINE else 'corrupt'}: {error}")
    except (python_calamine.CalamineError, python_calamine.ZipError, python_calamine.XmlError) as error:
        sys.exit(f"corrupt: {error}")
