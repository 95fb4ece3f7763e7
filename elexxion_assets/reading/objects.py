"""JSON: an array of objects, or one object after the other."""

from __future__ import annotations

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


def read_json(path: Path, name: str, scratch: Path, hints: Mapping[str, str]) -> tuple[TextTable, pl.LazyFrame]:
    """The table of a JSON file: one row per object, one column per key in order of appearance.

    Numbers stay as written, true and false are words, null is null, nested values stay JSON.

    Raises:
        Refusal: `broken_json`, `truncated`, `not_a_table`, `huge_record`, `no_rows`.
    """
    positions: dict[str, int] = {}
    spool = Spool(scratch, "objects")
    sample: list[list[str]] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for number, value in enumerate(_values(file), start=1):
                if not isinstance(value, dict):
                    raise Refusal("not_a_table", f"Record {number} of the JSON is no object with named values.")
                for key in value:
                    positions.setdefault(key, len(positions))
                cells = [""] * len(positions)
                for key, content in value.items():
                    cells[positions[key]] = _text(content)
                spool.add(number, cells)
                if number <= SAMPLE_ROWS:
                    sample.append(cells)
    except UnicodeDecodeError as error:
        raise Refusal("encoding", f"JSON must be UTF-8, and this is not ({error.reason}).") from None
    except RecursionError:
        raise Refusal("broken_json", "Values are nested too deeply.") from None
    if not positions:
        raise Refusal("no_rows", "The JSON holds no object with values.")
    header = tuple(positions)
    columns = column_names(header, len(header))
    rows = tuple(tuple(cell or None for cell in [*cells, *[""] * (len(columns) - len(cells))]) for cells in sample)
    table = TextTable(
        file=name, columns=columns, header=header, sample=rows, encoding="utf-8", rows=spool.rows, hints=dict(hints)
    )
    return table, spool.frame(columns)


def _values(file: TextIO) -> Iterator[Any]:
    """The values of the top array, or of a sequence of objects, one at a time."""
    decoder = json.JSONDecoder(
        parse_int=_Number, parse_float=_Number, parse_constant=_Number, object_pairs_hook=_without_repeats
    )
    buffer = file.read(_BLOCK).lstrip()
    if re.match(r'\{\s*"type"\s*:\s*"(FeatureCollection|Topology)"', buffer):
        raise Refusal("not_a_table", "This is a map (GeoJSON), not a table; drop the CSV or Parquet of the same data.")
    array = buffer.startswith("[")
    position, count = int(array), 0
    while True:
        position = _GAP.match(buffer, position).end()  # type: ignore[union-attr]
        if array and buffer.startswith("]", position):
            if (buffer[position + 1 :] + file.read(_BLOCK)).strip():
                raise Refusal("broken_json", f"Something follows the end of the array, after {count:,} objects.")
            return
        try:
            if position == len(buffer):
                raise json.JSONDecodeError("", buffer, position)
            value, position = decoder.raw_decode(buffer, position)
        except json.JSONDecodeError as error:
            cut = error.pos >= len(buffer) - _TOKEN or error.msg.startswith("Unterminated string")
            block = file.read(max(_BLOCK, len(buffer) - position)) if cut else ""
            if block:
                if len(buffer) - position > limits.MAX_RECORD:
                    raise Refusal(
                        "huge_record", f"Record {count + 1} is longer than {limits.MAX_RECORD >> 20} MB."
                    ) from None
                buffer, position = buffer[position:] + block, 0
                continue
            if position == len(buffer) and not array:
                return
            if cut:
                raise Refusal(
                    "truncated", f"The JSON ends in the middle, after {count:,} objects. Get it again."
                ) from None
            raise Refusal("broken_json", f"Record {count + 1} is not valid JSON: {error.msg}.") from None
        count += 1
        if count == 1 and not array and _is_document(value):
            buffer += file.read(_BLOCK)
            if buffer[position:].strip():
                yield value
                continue
            raise Refusal("not_a_table", "This is one JSON object with values inside values, not an array of objects.")
        yield value


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
