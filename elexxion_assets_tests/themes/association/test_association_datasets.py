"""Which file is which, which year a snapshot is about, and what becomes of damaged rows."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import narwhals as nw
import polars as pl
import pytest

from elexxion_assets.declare import Column, Refusal, TextTable
from elexxion_assets.lake.ledger import State
from elexxion_assets.quality import contract
from elexxion_assets.themes.association import THEME
from elexxion_assets.themes.association.datasets import RNA_IMPORT, RNA_WALDEC, period, release, snapshot
from elexxion_assets.themes.association.samples import IMPORT_HEADER, WALDEC_HEADER

COLUMNS = {c.name: c for table in THEME.tables for c in table.columns} | {c.name: c for c in RNA_IMPORT.columns}


def table(file: str, *updates: str) -> TextTable:
    rows = tuple(("W012000001", update) for update in updates)
    return TextTable(file=file, columns=("id", "maj_time"), header=("id", "maj_time"), sample=rows, rows=len(rows))


def waldec(**fields: str) -> str:
    """One line of the WALDEC file."""
    said = {
        "id": "W012000001",
        "date_creat": "2010-01-02",
        "date_disso": "0001-01-01",
        "titre": "LA FANFARE",
        "objet_social1": "006030",
        "adrs_codeinsee": "01053",
        "position": "A",
        "maj_time": "2014-02-03 10:11:12",
    } | fields
    return ";".join(said.get(name, '""') for name in WALDEC_HEADER.split(";"))


def text(*lines: str, header: str = WALDEC_HEADER) -> bytes:
    return "\n".join([header, *lines, ""]).encode()


@pytest.mark.parametrize(
    ("file", "day"),
    [
        ("rna_waldec_20240601_dpt_01.csv", date(2024, 6, 1)),
        ("rna_import_20201201.zip", date(2020, 12, 1)),
        ("rna_waldec_20240601.zip/rna_waldec_20240603_dpt_2A.csv", date(2024, 6, 3)),
        ("rna_waldec_20240601.zip/ain.csv", date(2024, 6, 1)),
        ("exemple-synthetique-rna_waldec_20250101.zip", date(2025, 1, 1)),
        ("rna_waldec_20241399_dpt_01.csv", None),
        ("rna_sample_waldec.csv", None),
        ("export_20240601.csv", None),
    ],
)
def test_the_official_name_says_the_day_of_the_snapshot(file: str, day: date | None) -> None:
    assert snapshot(table(file)) == day


@pytest.mark.parametrize(
    ("file", "year"),
    [
        ("rna_waldec_20240601_dpt_01.csv", "2024"),
        ("rna_waldec_20241231_dpt_01.csv", "2024"),
        ("rna_waldec_20250101_dpt_01.csv", "2024"),
        ("rna_waldec_20250102_dpt_01.csv", "2025"),
    ],
)
def test_a_snapshot_is_of_the_year_that_it_closes(file: str, year: str) -> None:
    assert period(table(file, "2014-02-03 10:11:12")) == year


def test_all_files_of_an_archive_are_one_release_and_a_later_month_wins() -> None:
    ain, orne = (release(table(f"rna_waldec_20240601.zip/rna_waldec_20240601_dpt_{d}.csv"), {}) for d in ("01", "61"))
    later = release(table("rna_waldec_20250101_dpt_01.csv"), {"2024": 1})
    undated = release(table("ain.csv"), {"2024": 1})
    sample = release(table("exemple-synthetique-rna_waldec_20250101.zip/rna_waldec_20250101_dpt_01.csv"), {})
    assert ain == orne
    assert sample < undated < ain < later


def test_the_year_of_an_undated_file_is_that_of_the_latest_update_of_all_its_rows() -> None:
    rows = ["2009-01-01 00:00:00", " 2013-05-06 07:08:09", "0001-01-01 00:00:00", None, "demain"]
    found = period(table("ain.csv", "2009-01-01 00:00:00"))
    assert isinstance(found, nw.Expr)
    frame = nw.from_native(pl.LazyFrame({"maj_time": rows})).with_columns(year=found).to_native().collect()
    assert frame["year"].to_list() == ["2013"] * 5


def test_a_file_without_any_date_is_refused_in_words() -> None:
    for undated in (table("ain.csv"), table("ain.csv", "0001-01-01 00:00:00", "demain")):
        with pytest.raises(Refusal, match="rna_waldec_20240601_dpt_01") as refused:
            period(undated)
        assert refused.value.rule == "no_snapshot_date"


def test_a_name_older_than_the_content_is_refused() -> None:
    with pytest.raises(Refusal, match="2024-05-12") as refused:
        period(table("rna_waldec_20200301_dpt_01.csv", "2019-01-02 03:04:05", "2024-05-12 10:00:00"))
    assert refused.value.rule == "contradictory_date"


@pytest.mark.parametrize("gone", [(), ("telephone", "email")], ids=["2014", "since 2020"])
def test_both_layouts_of_waldec_are_recognised(lake, gone: tuple[str, ...]) -> None:
    # Since about 2020 the files come without telephone and email.
    kept = [i for i, name in enumerate(WALDEC_HEADER.split(";")) if name not in gone]
    lines = [";".join(line.split(";")[i] for i in kept) for line in (WALDEC_HEADER, waldec(telephone="0199000000"))]
    (delivery,) = lake.take(content={"rna_waldec_20240601_dpt_01.csv": text(*lines[1:], header=lines[0])})
    assert delivery.state is State.READ
    assert delivery.tables[0]["dataset"] == "rna_waldec"
    assert lake.registre("2024")["telephone"].to_list() == [None if gone else "0199000000"]


def test_an_import_without_the_code_of_the_commune_is_read(lake) -> None:
    header = [n for n in IMPORT_HEADER.split(";") if n not in {"adrs_codeinsee", "telephone", "email"}]
    said = {"id": "751P00085568", "titre": "INDIGO", "libcom": "PARIS", "position": "A", "objet_social1": "006030"}
    line = ";".join(said.get(name, '""') for name in header)
    (delivery,) = lake.take(content={"rna_import_20240601_dpt_75.csv": text(line, header=";".join(header))})
    assert delivery.tables[0]["dataset"] == "rna_import"
    registre = lake.registre("2024")
    assert registre.select("libelle_commune", "code_commune").rows() == [("PARIS", None)]


@pytest.mark.parametrize("day", ["0001-01-01", "1901-01-01", '""', "_"])
def test_days_that_mean_nothing_are_missing(lake, day: str) -> None:
    lake.take(content={"rna_waldec_20240601_dpt_01.csv": text(waldec(date_creat=day))})
    assert lake.registre("2024")["date_creation"].to_list() == [None]


def test_codes_that_lost_their_zeros_get_them_back(lake) -> None:
    fields = {"adrs_codeinsee": "1053", "adrs_codepostal": "1000", "objet_social1": "6030"}
    lake.take(content={"rna_waldec_20240601_dpt_01.csv": text(waldec(**fields))})
    columns = ["code_commune", "code_postal", "objet_social1", "famille_objet", "famille_objet_libelle"]
    assert lake.registre("2024").select(columns).row(0) == (
        "01053",
        "01000",
        "006030",
        "006",
        "Culture, pratiques d'activités artistiques, culturelles",
    )


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("id", "_", "id_association: no value"),
        ("id", "751P00085568", "id_association"),
        ("position", "X", "position: « X » is not among the known values"),
        ("adrs_codeinsee", "Bourg", "code_commune: « Bourg »"),
    ],
)
def test_a_broken_row_goes_to_quarantine_with_its_reason(lake, field: str, value: str, reason: str) -> None:
    good = waldec(id="W012000002")
    lake.take(content={"rna_waldec_20240601_dpt_01.csv": text(waldec(**{field: value}), good)})
    assert lake.registre("2024")["id_association"].to_list() == ["W012000002"]
    (row,) = lake.quarantined().to_dicts()
    assert reason in row["_reason"]
    assert row["_line"] == 2


def test_a_day_that_is_none_is_kept_beside_its_association(lake) -> None:
    lake.take(content={"rna_waldec_20240601_dpt_01.csv": text(waldec(date_creat="2014-02-30"))})
    [row] = lake.registre("2024").to_dicts()
    assert row["date_creation"] is None
    assert "2014-02-30" in row["_rescued"]


def test_an_association_called_na_keeps_its_name(lake) -> None:
    lake.take(content={"rna_waldec_20240601_dpt_01.csv": text(waldec(titre="NA"))})
    assert lake.registre("2024")["titre"].to_list() == ["NA"]


@pytest.mark.parametrize("column", [c for c in COLUMNS.values() if c.counter_examples], ids=lambda c: c.name)
def test_examples_keep_their_contract_and_counter_examples_break_it(column: Column) -> None:
    frame = nw.from_native(pl.LazyFrame({column.name: [*column.examples, *column.counter_examples]}))
    broken = contract.apply(frame, [column]).to_native().collect()[contract.REASON].is_not_null().to_list()
    assert broken == [False] * len(column.examples) + [True] * len(column.counter_examples)


def test_the_manager_s_data_are_tagged_personal_and_nothing_else_is() -> None:
    personal = {column.name for table in THEME.tables for column in table.columns if column.personal}
    assert personal == {
        "dir_civilite",
        "telephone",
        "email",
        "siteweb",
        *(f"adrg_{part}" for part in ("declarant", "complemid", "complemgeo", "libvoie", "distrib")),
        *(f"adrg_{part}" for part in ("codepostal", "achemine", "pays")),
    }


def test_the_two_datasets_are_never_taken_for_each_other(lake, tmp_path: Path) -> None:
    for dataset, header in ((RNA_WALDEC, IMPORT_HEADER), (RNA_IMPORT, WALDEC_HEADER)):
        columns = tuple(header.split(";"))
        assert dataset.match(dataset, TextTable(file="x.csv", columns=columns, header=columns)).missing
