"""Which encoding a French text is in, and its transcription to UTF-8. Everything here sees the whole file."""

from __future__ import annotations

import codecs
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from elexxion_assets.declare import Refusal
from elexxion_assets.reading import limits

Bytes = npt.NDArray[np.uint8]

_COMMON = set("éèêàçùôîûïëâœÉÈÀÇÊÔÎ°«»’‘“”–—…€²³\xa0·ºª")
_POSSIBLE = set("äöüÿæÂÛÙËÏÜÖÄŒÆÿñÑáíóúãõ½¼§©®µ£±×÷´¨ß")


def _table(codec: str) -> str:
    """The 256 characters of a single-byte codec; bytes that it leaves undefined are controls, as browsers read them."""
    return "".join(bytes([byte]).decode(codec, errors="ignore") or chr(byte) for byte in range(256))


_TABLES = {codec: _table(codec) for codec in ("latin-1", "cp1252", "cp850")}

# Length of the UTF-8 characters that French texts hold, by first byte. Other bytes that pass for UTF-8 are letters
# of a single-byte encoding that happen to follow each other.
_LENGTHS = np.ones(256, dtype=np.int64)
_LENGTHS[[0xC2, 0xC3, 0xC5, 0xCB]] = 2
_LENGTHS[[0xE2, 0xEF]] = 3


def _weight(character: str) -> int:
    if character in _COMMON:
        return 4
    if character in _POSSIBLE:
        return 1
    if character.isalpha():
        return -1
    return -6 if "\x80" <= character <= "\x9f" else -2


_WEIGHTS = {
    codec: np.array([0] * 128 + [_weight(character) for character in table[128:]]) for codec, table in _TABLES.items()
}


@dataclass
class Encodings:
    """Evidence about the encoding, gathered block by block; a block must not cut a character in two."""

    start_mark: bool = False
    utf8: int = 0
    histogram: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(256, dtype=np.int64))
    invalid_blocks: int = 0

    def see(self, block: bytes, array: Bytes) -> None:
        """Takes the evidence of one block, given as bytes and as an array."""
        if block.isascii():
            return
        try:
            self.utf8 += len(block) - len(block.decode("utf-8"))
        except UnicodeDecodeError:
            self.invalid_blocks += 1
            high = np.flatnonzero(array >= 0x80)
            first = array[high]
            length = _LENGTHS[first]
            within = np.zeros(len(high), dtype=bool)
            for following in (1, 2):
                after = array[np.minimum(high + following, len(array) - 1)]
                length[(length > following) & ((after & 0xC0) != 0x80)] = 1
            for following in (1, 2) if (length > 1).any() else ():
                within |= np.isin(high, high[length > following] + following)
            self.utf8 += int((length[~within] - 1).sum())
            self.histogram += np.bincount(first[~within & (length == 1)], minlength=256)

    @property
    def valid(self) -> bool:
        """Whether every byte seen so far is UTF-8."""
        return not self.invalid_blocks

    @property
    def mixed(self) -> bool:
        """Whether some lines are UTF-8 and others are not."""
        return not self.valid and self.utf8 * 50 > int(self.histogram.sum())

    @property
    def single_byte(self) -> str:
        """The single-byte encoding under which the other bytes look most like French."""
        scores = {codec: int((self.histogram * weights).sum()) for codec, weights in _WEIGHTS.items()}
        # Ties go to the first: latin-1 and cp1252 differ only between 0x80 and 0x9F.
        return max(scores, key=lambda codec: scores[codec])

    @property
    def name(self) -> str:
        """Name of the encoding of the file."""
        if self.valid or self.mixed:
            return "utf-8-sig" if self.start_mark else "utf-8"
        return self.single_byte


def transcribe(source: Path, target: Path, evidence: Encodings) -> tuple[int, int]:
    """Writes `source` as UTF-8, line by line where encodings are mixed.

    Returns:
        Number of lines that were not UTF-8 in a mixed file, and the first of them (from 1; 0 if there is none).
    """
    foreign = first = line = 0
    with source.open("rb") as file, target.open("wb") as out:
        while block := file.read(limits.BLOCK) + file.readline():
            if not evidence.mixed:
                out.write(_decode(block, evidence.single_byte).encode())
                continue
            if _is_utf8(block):
                out.write(block)
                line += block.count(b"\n")
                continue
            for text in _lines(block):
                line += 1
                if _is_utf8(text):
                    out.write(text)
                else:
                    foreign += 1
                    first = first or line
                    out.write(_decode(text, evidence.single_byte).encode())
    return foreign, first


def _decode(block: bytes, codec: str) -> str:
    # The built-in latin-1 is ten times faster than a table.
    return block.decode("latin-1") if codec == "latin-1" else codecs.charmap_decode(block, "strict", _TABLES[codec])[0]


def _lines(block: bytes) -> list[bytes]:
    lines = block.split(b"\n")
    return [line + b"\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def _is_utf8(block: bytes) -> bool:
    try:
        block.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def wide_encoding(head: bytes) -> str | None:
    """`utf-16` (or 32) when the first bytes are in an encoding of two or four bytes per character, or None."""
    if head.startswith((b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")):
        return "utf-32"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    even, odd = head[0:2000:2].count(0), head[1:2000:2].count(0)
    half = max(len(head[:2000]) // 2, 1)
    if odd > 0.6 * half and even < 0.1 * half:
        return "utf-16-le"
    return "utf-16-be" if even > 0.6 * half and odd < 0.1 * half else None


def transcribe_wide(source: Path, target: Path, encoding: str) -> None:
    """Writes a UTF-16 or UTF-32 file as UTF-8.

    Raises:
        Refusal: `encoding`, when the bytes are not what they claim to be.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with source.open("rb") as file, target.open("wb") as out:
            while block := file.read(limits.BLOCK):
                out.write(decoder.decode(block).encode())
            out.write(decoder.decode(b"", final=True).encode())
    except UnicodeError as error:
        raise Refusal("encoding", f"The file says that it is {encoding.upper()} but is not ({error}).") from None


def unix_newlines(source: Path, target: Path) -> None:
    """Copies a file whose lines end by CR alone, with LF."""
    with source.open("rb") as file, target.open("wb") as out:
        while block := file.read(limits.BLOCK):
            out.write(block.replace(b"\r", b"\n"))
