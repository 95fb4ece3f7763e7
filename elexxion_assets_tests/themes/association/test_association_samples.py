"""The generator: official layout to the letter, the same bytes for the same seed, nothing lost on the way to silver."""

from __future__ import annotations

import csv
import hashlib
import io
import tempfile
import zipfile
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elexxion_assets.declare import Layer
from elexxion_assets.lake.ledger import State
from elexxion_assets.themes.association.samples import (
    IMPORT_HEADER,
    WALDEC_HEADER,
    Place,
    field,
    places,
    samples,
    write_register,
)
from elexxion_assets_tests.themes.association.conftest import Lake


def texts(path: Path) -> dict[str, str]:
    """The files of an archive."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def test_the_samples_say_what_they_are_and_are_the_same_for_a_seed(tmp_path: Path) -> None:
    digests = []
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        (tmp_path / folder).mkdir()
        files = samples(tmp_path / folder, seed)
        assert all(file.name.startswith("exemple-synthetique-") for file in files)
        digests.append([hashlib.sha256(file.read_bytes()).hexdigest() for file in files])
    assert digests[0] == digests[1]
    assert digests[0] != digests[2]


def test_every_sample_row_is_in_silver_or_held_by_waldec(lake: Lake, tmp_path: Path) -> None:
    deliveries = lake.take(*samples(tmp_path, 1))
    assert {delivery.state for delivery in deliveries} == {State.READ, State.EXPANDED}
    silver, staged = lake.build(Layer.SILVER, "registre", "2024")
    assert staged.counts == {"source_rows": 1350, "quarantined": 0, "older_release": 0}
    # WALDEC has taken over 30 associations of the older file.
    assert silver.height == 1350 - 30
    assert silver["origine"].value_counts(sort=True).rows() == [("waldec", 1200), ("import", 120)]
    # The samples have what real files of the register have: characters that an earlier reading has destroyed.
    assert [result.name for result in staged.results if not result.passed] == ["readable_text"]


def test_a_register_is_an_archive_of_one_csv_per_departement(tmp_path: Path) -> None:
    target = tmp_path / "register.zip"
    write_register(target, 1000, 3)
    files = texts(target)
    assert len(files) == 98
    assert {"rna_waldec_20250101_dpt_01.csv", "rna_waldec_20250101_dpt_2A.csv"} < set(files)
    rows = [row for text in files.values() for row in csv.DictReader(io.StringIO(text), delimiter=";", strict=True)]
    assert len(rows) == 1000
    assert len({row["id"] for row in rows}) == 1000
    assert {row["position"] for row in rows} == {"A", "D", "S"}
    assert all(text.startswith(f"{WALDEC_HEADER}\n") for text in files.values())
    assert all("\r" not in text and None not in row.values() for text in files.values() for row in rows[:1])
    known = {place.code for place in places()}
    assert {row["adrs_codeinsee"] for row in rows} <= known
    # The habits of the official files, each of which a reader has to know.
    assert any('"' in row["titre"] for row in rows)
    assert any(";" in row["objet"] for row in rows)
    assert any('\\"' in row["objet"] for row in rows)
    assert any("\ufffd" in row["objet"] for row in rows)
    assert any(row["date_creat"] == "0001-01-01" for row in rows)
    assert any(row["position"] == "D" and row["date_disso"] > "0001-01-01" for row in rows)
    assert all(row["adrs_distrib"] == "_" for row in rows)


def test_the_headers_are_the_official_ones(real_data: Path) -> None:
    for name, header in (("waldec", WALDEC_HEADER), ("import", IMPORT_HEADER)):
        official = (real_data / f"association/rna_sample_{name}.csv").read_text(encoding="utf-8")
        assert official.splitlines()[0] == header


def test_fields_are_quoted_as_the_official_files_quote_them(real_data: Path) -> None:
    for name in ("waldec", "import"):
        official = (real_data / f"association/rna_sample_{name}.csv").read_text(encoding="utf-8")
        for line in official.splitlines()[1:]:
            cells = next(csv.reader([line], delimiter=";"))
            # An absent value is nothing, an empty text a pair of quotes: csv reads both as "".
            assert ";".join(field(cell) for cell in cells).replace('""', "") == line.replace('""', "")


AWKWARD = st.text(alphabet=st.sampled_from("aé\"';,\\|\n\t _0-«�"), max_size=40)


@settings(max_examples=8, deadline=None)
@given(st.lists(st.tuples(AWKWARD, AWKWARD), min_size=1, max_size=30))
def test_any_title_and_object_survive_the_way_to_silver(said: list[tuple[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        register = Path(folder) / "register.csv"
        write_register(register, len(said) + 3, 5, where=[Place("01", "01053", "01000", "Bourg-en-Bresse")])
        rows = list(csv.reader(io.StringIO(register.read_text(encoding="utf-8"), newline=""), delimiter=";"))
        titre, objet = rows[0].index("titre"), rows[0].index("objet")
        for row, (title, purpose) in zip(rows[1:], said, strict=False):
            row[titre], row[objet] = title, purpose
        text = "".join(";".join(field(cell) for cell in row) + "\n" for row in rows)
        lake = Lake(Path(folder) / "lake")
        (delivery,) = lake.take(content={"rna_waldec_20250101_dpt_01.csv": text.encode()})
        assert delivery.state is State.READ, delivery.reasons
        silver = {row["id_association"]: row for row in lake.registre("2024").to_dicts()}
        assert len(silver) == len(rows) - 1
        for row in rows[1:]:
            for name, position in (("titre", titre), ("objet", objet)):
                written = row[position].strip()
                assert silver[row[0]][name] == (written if written not in {"", "_"} else None)


@pytest.mark.parametrize("quote", ['""', '\\"'], ids=["doubled", "escaped"])
def test_quotes_escaped_by_a_backslash_are_read_like_doubled_ones(lake: Lake, tmp_path: Path, quote: str) -> None:
    write_register(tmp_path / "register.csv", 50, 8, where=places()[:3])
    text = (tmp_path / "register.csv").read_text(encoding="utf-8").replace('\\""', '""')
    official = pl.read_csv(io.BytesIO(text.encode()), separator=";", infer_schema=False)
    lines = text.splitlines(keepends=True)
    if quote == '\\"':
        # As an export of another kind writes it: only quotes inside quoted fields.
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=";")
        lines = [
            ";".join(f'"{c.replace(chr(34), quote)}"' if '"' in c or ";" in c else c for c in row) + "\n"
            for row in rows
        ]
    lake.take(content={"rna_waldec_20250101_dpt_01.csv": "".join(lines).encode()})
    silver = lake.registre("2024").sort("id_association")
    assert silver["objet"].to_list() == official.sort("id")["objet"].to_list()
    assert silver["titre"].to_list() == official.sort("id")["titre"].to_list()
