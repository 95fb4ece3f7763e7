"""JSON: an array of objects, or one object after the other."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

import polars as pl

from elexxion_assets.declare import Refusal, TextTable
from elexxion_assets.reading import limits
from elexxion_assets.reading.layout import column_names
from elexxion_assets.reading.spool import Spool
from elexxion_assets.reading.tabulation import SAMPLE_ROWS

_BLOCK = 1 << 20
_TOKEN = 64
"""An error this near to the end of what has been read may be a token that is cut there."""
_GAP = re.compile(r"[\s,]*")


class _Number(str):
    """A number as it is written."""

    __slots__ = ()


def read_json(
    path: Path, name: str, scratch: Path, hints: Mapping[str, str], most: int | None = None
) -> tuple[TextTable, pl.LazyFrame]:
    """The table of a JSON file, or of its first `most` objects: a row per object, a column per key as they appear.

    Numbers stay as written, true and false are words, null is null, nested values stay JSON.

    Raises:
        Refusal: `broken_json`, `truncated`, `not_a_table`, `huge_record`, `too_many_columns`, `no_rows`.
    """
    positions: dict[str, int] = {}
    spool = Spool(scratch, "objects")
    sample: list[list[str]] = []
    filled = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for number, value in enumerate(itertools.islice(_values(file), most), start=1):
                if not isinstance(value, dict):
                    raise Refusal("not_a_table", f"Record {number} of the JSON is no object with named values.")
                for key in value:
                    positions.setdefault(key, len(positions))
                filled += len(value)
                _refuse_sparse(len(positions), number, filled)
                cells = [""] * len(positions)
                for key, content in value.items():
                    cells[positions[key]] = _text(content)
                spool.add([(number, cells)])
                if number <= SAMPLE_ROWS:
                    sample.append(cells)
        header = tuple(positions)
        columns = column_names(header, len(header))
        frame = spool.frame(columns) if positions else None
    except UnicodeEncodeError:
        raise Refusal(
            "broken_json", "A text of the JSON holds half a sign (a lone surrogate), which is no text."
        ) from None
    except UnicodeDecodeError as error:
        raise Refusal("encoding", f"JSON must be UTF-8, and this is not ({error.reason}).") from None
    except RecursionError:
        raise Refusal("broken_json", "Values are nested too deeply.") from None
    if frame is None:
        raise Refusal("no_rows", "The JSON holds no object with values.")
    rows = tuple(tuple(cell or None for cell in [*cells, *[""] * (len(columns) - len(cells))]) for cells in sample)
    table = TextTable(
        file=name, columns=columns, header=header, sample=rows, encoding="utf-8", rows=spool.rows, hints=dict(hints)
    )
    return table, frame


def _refuse_sparse(width: int, number: int, filled: int) -> None:
    """Refuses objects that are no rows of one table: cells that nobody filled would fill memory."""
    if width > limits.MAX_COLUMNS:
        raise Refusal("too_many_columns", f"The first {number:,} objects have more than {limits.MAX_COLUMNS:,} names.")
    if width > 1000 and filled * 100 < width * number:
        raise Refusal("not_a_table", f"The first {number:,} objects have {width:,} names and share hardly any.")


def _values(file: TextIO) -> Iterator[Any]:
    """The values of the top array, or of a sequence of objects, one at a time."""
    values = _Values(file)
    for count, value in enumerate(values, start=1):
        if count == 1 and not values.array and _is_document(value) and values.at_end():
            raise Refusal("not_a_table", "This is one JSON object with values inside values, not an array of objects.")
        yield value


class _Values:
    """Decodes a file value by value, reading as much of it as the next value needs."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._decoder = json.JSONDecoder(
            parse_int=_Number, parse_float=_Number, parse_constant=_Number, object_pairs_hook=_without_repeats
        )
        self._buffer = file.read(_BLOCK).lstrip()
        if re.match(r'\{\s*"type"\s*:\s*"(FeatureCollection|Topology)"', self._buffer):
            raise Refusal(
                "not_a_table", "This is a map (GeoJSON), not a table; drop the CSV or Parquet of the same data."
            )
        self.array = self._buffer.startswith("[")
        self._position = int(self.array)
        self._count = 0

    def __iter__(self) -> Iterator[Any]:
        while not self.at_end():
            if self.array and self._buffer.startswith("]", self._position):
                self._position += 1
                if not self.at_end():
                    raise Refusal("broken_json", f"Something follows the array, after {self._count:,} objects.")
                return
            yield self._next()
            self._count += 1
        if self.array:
            raise self._truncated()

    def at_end(self) -> bool:
        """Whether nothing but blanks and commas follows."""
        while True:
            self._position = _GAP.match(self._buffer, self._position).end()  # type: ignore[union-attr]
            if self._position < len(self._buffer):
                return False
            self._buffer, self._position = self._file.read(_BLOCK), 0
            if not self._buffer:
                return True

    def _next(self) -> Any:
        while True:
            try:
                value, self._position = self._decoder.raw_decode(self._buffer, self._position)
            except json.JSONDecodeError as error:
                if error.pos < len(self._buffer) - _TOKEN and not error.msg.startswith("Unterminated string"):
                    raise Refusal("broken_json", f"Record {self._count + 1} is not valid JSON: {error.msg}.") from None
                self._read_more()
            else:
                return value

    def _read_more(self) -> None:
        rest = self._buffer[self._position :]
        if len(rest) > limits.MAX_RECORD:
            raise Refusal("huge_record", f"Record {self._count + 1} is longer than {limits.MAX_RECORD >> 20} MB.")
        block = self._file.read(max(_BLOCK, len(rest)))
        if not block:
            raise self._truncated()
        self._buffer, self._position = rest + block, 0

    def _truncated(self) -> Refusal:
        return Refusal(
            "truncated", f"The JSON ends in the middle, or is broken, after {self._count:,} objects. Get it again."
        )


def _is_document(value: Any) -> bool:
    return isinstance(value, dict) and any(isinstance(content, dict | list) for content in value.values())


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Refusal("broken_json", "An object names the same key twice: one of its values would be lost.")
    return found


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    match value:
        case _Number():
            return str(value)
        case dict():
            return (
                "{"
                + ", ".join(f"{json.dumps(key, ensure_ascii=False)}: {_json(item)}" for key, item in value.items())
                + "}"
            )
        case list():
            return "[" + ", ".join(map(_json, value)) + "]"
        case _:
            return json.dumps(value, ensure_ascii=False)
