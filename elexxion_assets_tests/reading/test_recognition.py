"""A table is recognised by its columns and its values, never by its name."""

from __future__ import annotations

import datetime as dt

import narwhals as nw
import pytest
from reading_of import table_of

from elexxion_assets.columns import ANNEE, COMMUNE
from elexxion_assets.declare import Column, Dataset, Frame, Kind, Match, Refusal, TextTable, Theme, Yearly
from elexxion_assets.reading import recognise

CODE = COMMUNE.but(source_names=("CODGEO",))
NUMBER = Column(name="nombre", kind=Kind.INTEGER, description="Things counted")
RATE = Column(name="taux", kind=Kind.NUMBER, description="Rate", optional_in_file=True)


def dataset(name: str, *columns: Column, **more: object) -> Dataset:
    return Dataset(
        name=name,
        title=f"Title of {name}",
        source="Nobody",
        page="https://example.org",
        columns=columns,
        key=("code_commune",),
        period=lambda _: nw.col("annee"),
        release=lambda _, rows: max(rows),
        **more,  # type: ignore[arg-type]
    )


def themes(*datasets: Dataset) -> dict[str, Theme]:
    theme = Theme(
        name="toy",
        title="Toy",
        owner="team:toy",
        periods=Yearly(first=2000),
        fresh_within=dt.timedelta(days=1),
        datasets=datasets,
        tables=(),
    )
    return {"toy": theme}


def table(*rows: str) -> TextTable:
    return table_of("\n".join(rows).encode())[0]


COUNTS = dataset("counts", CODE, ANNEE, NUMBER, RATE)
ROWS = [f"{n:05};2016;{n}" for n in range(1001, 1021)]


def recognised(file: TextTable, *datasets: Dataset) -> str:
    return recognise(file, themes(*datasets))[1].name


def refusal_of(file: TextTable, *datasets: Dataset) -> Refusal:
    with pytest.raises(Refusal) as refused:
        recognise(file, themes(*datasets))
    return refused.value


def test_case_accents_and_order_of_names_do_not_count() -> None:
    assert recognised(table("Année;NOMBRE;codgeo", "2016;3;01001", "2016;4;2A004"), COUNTS) == "counts"


def test_the_dataset_that_explains_most_columns_wins() -> None:
    file = table("CODGEO;annee;nombre;taux", "01001;2016;3;0,5", "01002;2016;4;7,83e-03")
    fewer = dataset("fewer", CODE, ANNEE, NUMBER)
    assert recognised(file, fewer, COUNTS) == recognised(file, COUNTS, fewer) == "counts"


def test_codes_that_lost_their_zeros_are_still_codes() -> None:
    assert recognised(table("CODGEO;annee;nombre", "1001;2016;3", "1002.0;2016;4", "75056;2016;5"), COUNTS) == "counts"


def test_missing_and_secret_values_are_no_evidence() -> None:
    rows = ["01001;2016;ndiff", "01002;2016;s", "01003;2016;NA", "01004;2016;", "01005;2016;12"]
    assert recognised(table("CODGEO;annee;nombre", *rows), COUNTS) == "counts"


def test_a_column_of_other_values_under_the_right_name_is_missing() -> None:
    refusal = refusal_of(table("CODGEO;annee;nombre", *(f"9{row}" for row in ROWS)), COUNTS)
    assert refusal.rule == "unknown_dataset"
    assert "20 of 20 sampled values of « code_commune »" in refusal.reason
    assert "« 901001 »" in refusal.reason


def test_a_tenth_of_odd_values_is_borne() -> None:
    odd = [row.replace(";2016;", ";2016;x") for row in ROWS]
    assert recognised(table("CODGEO;annee;nombre", *odd[:2], *ROWS[2:]), COUNTS) == "counts"
    refusal = refusal_of(table("CODGEO;annee;nombre", *odd[:3], *ROWS[3:]), COUNTS)
    assert "3 of 20 sampled values of « nombre »" in refusal.reason


def test_values_are_judged_after_the_layout_was_normalised() -> None:
    def split(dataset: Dataset, frame: Frame, table: TextTable) -> Frame:
        code = nw.concat_str([nw.col("dep"), nw.col("com")]).alias("code_commune")
        return frame.select("_line", code, "annee", "nombre")

    file = table("dep;com;annee;nombre", "01;001;2016;1", "2A;004;2016;2", "75;056;2016;3")
    named = dataset("split", CODE.but(source_names=("dep",)), ANNEE, NUMBER, normalise=split)
    assert recognised(file, named) == "split"


def test_an_unknown_table_hears_of_the_nearest_dataset() -> None:
    other = dataset("other", Column(name="autre", kind=Kind.TEXT, description="Something else"))
    refusal = refusal_of(table("CODGEO;annee;total", *ROWS), other, COUNTS)
    assert refusal.rule == "unknown_dataset"
    assert "toy/counts (Title of counts); it lacks column « nombre » (Things counted)" in refusal.reason
    assert "CODGEO, annee, total" in refusal.reason


def test_two_datasets_that_fit_equally_are_both_named() -> None:
    twin = dataset("twin", CODE, ANNEE, NUMBER)
    refusal = refusal_of(table("CODGEO;annee;nombre", *ROWS), COUNTS, twin)
    assert refusal.rule == "ambiguous_dataset"
    assert "toy/counts" in refusal.reason
    assert "toy/twin" in refusal.reason


def test_a_refusal_of_one_dataset_leaves_the_others() -> None:
    def refuse(dataset: Dataset, table: TextTable) -> Match:
        raise Refusal("told_to", "it was said to refuse this file")

    file = table("CODGEO;annee;nombre", *ROWS)
    assert recognised(file, dataset("never", CODE, match=refuse), COUNTS) == "counts"


def test_a_table_without_header_is_refused() -> None:
    refusal = refusal_of(table(*ROWS), COUNTS)
    assert "no header" in refusal.reason
