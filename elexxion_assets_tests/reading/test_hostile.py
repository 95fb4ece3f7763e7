"""The corpus of hostile files: none crashes, hangs, fills memory or changes silently; refusals say why in words."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from hostile import CASES, HEAD
from reading_of import tables_of

from elexxion_assets.declare import Refusal

SECONDS = 30
MEGABYTES = 1500


def peak() -> int:
    """Megabytes of memory that this process has used at most since `forget_peak`."""
    found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) // 1024


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def outcome(content: bytes) -> tuple[object, object]:
    """The rows, or the rule of the refusal; and what was said."""
    try:
        found = tables_of(content)
    except Refusal as refusal:
        return refusal.rule, refusal.reason
    return [row for table, frame in found for row in frame.select(table.columns).rows()], found[0][0].defects


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_file_is_read_as_it_is_or_refused_in_words(name: str) -> None:
    make, wanted = CASES[name]
    content = make()
    forget_peak()
    began, before = time.monotonic(), peak()
    found, said = outcome(content)
    assert time.monotonic() - began < SECONDS
    assert peak() - before < MEGABYTES
    if isinstance(found, str):
        assert len(str(said).split()) > 4
    assert (len(found) if isinstance(wanted, int) and isinstance(found, list) else found) == wanted


# The big ones.


def test_a_cell_of_a_hundred_megabytes_is_refused() -> None:
    forget_peak()
    before = peak()
    assert outcome(HEAD + b"01;Ain;" + b"x" * (100 << 20) + b"\n")[0] == "huge_record"
    assert peak() - before < MEGABYTES


def test_a_quote_that_opens_a_hundred_megabytes_is_refused_with_its_line() -> None:
    forget_peak()
    before = peak()
    rule, said = outcome(HEAD + b'01;"Ain;1\n' + b"02;Aisne;2\n" * 9_000_000)
    assert (rule, "line 2" in str(said)) == ("unclosed_quote", True)
    assert peak() - before < MEGABYTES
