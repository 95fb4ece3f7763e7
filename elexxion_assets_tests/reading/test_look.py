"""What a file is, from its beginning alone, is what reading all of it says."""

from __future__ import annotations

import gzip
import io
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from hostile import CASES
from xlsx_bytes import sheet_xml, xlsx

from elexxion_assets import reading
from elexxion_assets.declare import Refusal, TextTable
from elexxion_assets.reading import look, read_tables, recognise, text
from elexxion_assets.themes import all_themes

THEMES = all_themes()
ROWS = 60_000


def looked(path: Path) -> list[TextTable]:
    with tempfile.TemporaryDirectory() as scratch:
        return look(path, "dropped", Path(scratch))


def read(path: Path) -> list[TextTable]:
    with tempfile.TemporaryDirectory() as scratch:
        return [table for table, _ in read_tables(path, "dropped", Path(scratch))]


def facts(tables: list[TextTable]) -> list[tuple[object, ...]]:
    """What the beginning of a file must tell of it, and the dataset that it is taken for."""
    found: list[tuple[object, ...]] = []
    for table in tables:
        try:
            theme, dataset = recognise(table, THEMES)
            known = f"{theme.name}/{dataset.name}"
        except Refusal as refusal:
            known = refusal.rule
        layout = (table.encoding, table.separator, table.header_line, table.preamble)
        found.append((known, table.member, *layout, table.columns, table.header, table.sample))
    return found


def outcome(way: Callable[[Path], list[TextTable]], path: Path) -> list[tuple[object, ...]] | str:
    """The facts, or the rule by which the file is refused."""
    try:
        return facts(way(path))
    except Refusal as refusal:
        return refusal.rule


def test_every_real_file_is_known_by_its_beginning(real_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Small, so that few files are read whole.
    monkeypatch.setattr(reading, "SAMPLE", 1 << 16)
    monkeypatch.setattr(text, "SAMPLE", 1 << 16)
    for path in sorted(real_data.glob("*/*")):
        assert outcome(looked, path) == outcome(read, path), path.name


def lines(*, end: str = "\n", cell: str = "Château d'Œx") -> str:
    body = "".join(f"{n:05};{cell};{n % 97},5;2020{end}" for n in range(ROWS))
    return f"Titre{end}code;nom;valeur;année{end}{body}"


def records(sep: str) -> str:
    """Records over several lines, one of which the end of the beginning cuts."""
    return f"code{sep}nom\n" + "".join(f'{n}{sep}"first line\nsecond « {n} »"\n' for n in range(ROWS))


def parquet() -> bytes:
    out = io.BytesIO()
    pl.DataFrame({"code": [f"{n:05}" for n in range(300_000)], "n": range(300_000)}).write_parquet(out)
    return out.getvalue()


OBJECTS = [{"code": f"{n:05}", "nom": "Ain", "valeurs": [n, n + 1]} for n in range(ROWS)]
FILES = {
    "utf-8": lines().encode(),
    "utf-8-sig": lines().encode("utf-8-sig"),
    "latin-1": lines(end="\r\n", cell="Évêché").encode("latin-1"),
    "cp1252": lines().encode("cp1252"),
    "cp850": lines(cell="Évêché").encode("cp850"),
    "utf-16": lines().encode("utf-16"),
    "old Macintosh": lines(end="\r").encode(),
    "packed": gzip.compress(lines().encode("latin-1", "replace"), 1),
    "packed twice": gzip.compress(gzip.compress(lines().encode(), 1), 1),
    "records over lines": records(";").encode(),
    "records over lines, packed": gzip.compress(records(",").encode("cp1252"), 1),
    "glued": lines().encode("utf-8-sig")[:3] + (lines() + "\ufeff" + lines()).encode(),
    "no header": "".join(f"{n};{n * 2};2020-01-01\n" for n in range(100_000)).encode(),
    "array": json.dumps(OBJECTS).encode(),
    "array, packed": gzip.compress(json.dumps(OBJECTS).encode(), 1),
    "objects": "".join(json.dumps(item) + "\n" for item in OBJECTS).encode(),
    "parquet": parquet(),
    "parquet, packed": gzip.compress(parquet(), 1),
    "workbook": xlsx({"a": sheet_xml({1: ["code", "n"], 2: ["01", 2], 3: ["02", 3]})}),
}


@pytest.mark.parametrize("name", FILES)
def test_a_large_file_is_told_by_its_beginning(tmp_path: Path, name: str) -> None:
    path = tmp_path / "dropped"
    path.write_bytes(FILES[name])
    assert outcome(looked, path) == outcome(read, path)


@pytest.mark.parametrize("name", ["utf-8", "packed", "objects"])
def test_damage_further_down_is_left_to_the_reading(tmp_path: Path, name: str) -> None:
    content = FILES[name]
    path = tmp_path / "dropped"
    path.write_bytes(content)
    wanted = facts(looked(path))
    # A quote that is never closed, or nothing more of a packed file.
    path.write_bytes(content[: len(content) * 3 // 4] + (b"" if name == "packed" else b'\n"a";"' + b"b;" * 99))
    assert facts(looked(path)) == wanted
    assert isinstance(outcome(read, path), str)


@pytest.mark.parametrize("name", CASES)
def test_the_beginning_of_a_hostile_file_is_told_or_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(reading, "SAMPLE", 300)
    monkeypatch.setattr(text, "SAMPLE", 300)
    path = tmp_path / "dropped"
    path.write_bytes(CASES[name][0]())
    try:
        found = [table.columns for table in looked(path)]
    except Refusal as refusal:
        found = [tuple(refusal.reason.split())]
    assert all(found)
