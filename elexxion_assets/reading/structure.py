"""The shape of a delimited text, measured in one pass over its bytes.

Separators, quotes and newlines are ASCII in every encoding read here, so the shape does not depend on the encoding.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from elexxion_assets.declare import Refusal
from elexxion_assets.reading import limits
from elexxion_assets.reading.encodings import Bytes, Encodings

_QUOTE, _LF, _CR = 34, 10, 13
_MARK = b"\xef\xbb\xbf"


@dataclass
class Structure:
    """What one pass over a text has found.

    Attributes:
        regular: Whether one line is one record and quotes stand only around whole fields, so that any CSV reader gives
            the same cells; the counts below hold only if so.
        quoted: Whether there are quotes at all.
        lines: Number of lines.
        widths: Number of lines per number of fields; blank lines are not counted.
        first_with: First line of each number of fields.
        blank: Numbers of the blank lines.
        lost: U+FFFD found: characters that were lost before the file came here.
        nuls: NUL characters found.
        marks: Byte order marks inside the text.
    """

    separator: str
    encodings: Encodings = field(default_factory=Encodings)
    regular: bool = True
    quoted: bool = False
    lines: int = 0
    widths: dict[int, int] = field(default_factory=dict)
    first_with: dict[int, int] = field(default_factory=dict)
    blank: list[int] = field(default_factory=list)
    lost: int = 0
    nuls: int = 0
    marks: int = 0

    @property
    def width(self) -> int:
        """Number of fields of the longest record."""
        return max(self.widths, default=0)


def measure(path: Path, separator: str) -> Structure:
    """Reads the whole file once.

    Raises:
        Refusal: `huge_record` or `too_many_columns`.
    """
    structure = Structure(separator)
    with path.open("rb") as file:
        if file.read(3) == _MARK:
            structure.encodings.start_mark = True
        else:
            file.seek(0)
        while block := file.read(limits.BLOCK):
            if not block.endswith(b"\n"):
                rest = file.readline(limits.MAX_RECORD)
                if len(rest) >= limits.MAX_RECORD:
                    line, size = structure.lines + block.count(b"\n") + 1, limits.MAX_RECORD >> 20
                    raise Refusal("huge_record", f"Line {line} is longer than {size} MB: is it a table?")
                block += rest
            _see(structure, block)
    return structure


def _see(structure: Structure, block: bytes) -> None:
    array = np.frombuffer(block, dtype=np.uint8)
    structure.encodings.see(block, array)
    # Looking for one byte is much faster than counting three, and latin-1 has bytes EF that mean nothing here.
    if b"\0" in block:
        structure.nuls += block.count(b"\0")
    if structure.encodings.utf8 and b"\xef" in block:
        structure.lost += block.count(b"\xef\xbf\xbd")
        structure.marks += block.count(_MARK)
    if structure.regular:
        whole = block if block.endswith(b"\n") else block + b"\n"
        sound = not block.endswith(b"\r")
        structure.regular = sound and _see_records(structure, whole, np.frombuffer(whole, dtype=np.uint8))


def _see_records(structure: Structure, block: bytes, array: Bytes) -> bool:
    """Counts the fields of every line of the block; False where the block is not regular."""
    if b"\r" in block and block.count(b"\r") != block.count(b"\r\n"):
        # A carriage return alone: only the csv module can be told what that means.
        return False
    marks = (array == ord(structure.separator)) | (array == _LF)
    if b'"' in block:
        structure.quoted = True
        marks |= array == _QUOTE
    positions = np.flatnonzero(marks)
    kinds = array[positions]
    if structure.quoted:
        quotes = kinds == _QUOTE
        inside = np.bitwise_xor.accumulate(quotes)
        if not _quotes_are_regular(array, positions, quotes, inside) or ((kinds == _LF) & inside).any():
            return False
        outside = ~(quotes | inside)
        positions, kinds = positions[outside], kinds[outside]
    ends = np.flatnonzero(kinds == _LF)
    _count(structure, np.diff(ends, prepend=-1), np.diff(positions[ends], prepend=-1), array, positions[ends])
    structure.lines += len(ends)
    return True


def _quotes_are_regular(
    array: Bytes,
    positions: npt.NDArray[np.intp],
    quotes: npt.NDArray[np.bool_],
    inside: npt.NDArray[np.bool_],
) -> bool:
    """Whether quotes only open and close whole fields, or are doubled inside quoted ones.

    Args:
        array: The block.
        positions: Where its quotes, separators and newlines are.
        quotes: Which of them are quotes.
        inside: After which of them a quoted field is open.
    """
    if inside[-1]:
        return False
    touches = np.diff(positions, prepend=-1) == 1
    # What touches an opening quote from the left is a separator, a newline, or the quote that has just closed.
    if not touches[quotes & inside].all():
        return False
    closing = np.flatnonzero(quotes & ~inside)
    return bool((touches[closing + 1] | (array[positions[closing] + 1] == _CR)).all())


def _count(
    structure: Structure,
    widths: npt.NDArray[np.intp],
    lengths: npt.NDArray[np.intp],
    array: Bytes,
    ends: npt.NDArray[np.intp],
) -> None:
    short = np.flatnonzero(lengths <= 2)
    is_blank = short[(lengths[short] == 1) | (array[ends[short] - 1] == _CR)]
    if len(is_blank):
        structure.blank.extend((is_blank + structure.lines + 1).tolist())
        # Width 0 stands for a blank line.
        widths[is_blank] = 0
    if int(widths.max()) > limits.MAX_COLUMNS:
        line = int(widths.argmax()) + structure.lines + 1
        raise Refusal("too_many_columns", f"Line {line} has more than {limits.MAX_COLUMNS:,} fields.")
    counts = np.bincount(widths)
    for width in np.flatnonzero(counts).tolist():
        if width:
            structure.widths[width] = structure.widths.get(width, 0) + int(counts[width])
            structure.first_with.setdefault(width, int(np.argmax(widths == width)) + structure.lines + 1)
