"""What the register counts: stock, creations, dissolutions, and which file is right where both speak."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import narwhals as nw
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elexxion_assets.declare import Layer
from elexxion_assets.lake.build import empty_frame
from elexxion_assets.themes.association import THEME
from elexxion_assets.themes.association.objects import FAMILIES
from elexxion_assets.themes.association.samples import places, samples, write_import, write_register
from elexxion_assets.themes.association.tables import communes, creations

REGISTRE = THEME.table(Layer.SILVER, "registre")
TYPES = empty_frame(REGISTRE.columns).collect_schema()


def register(*rows: dict[str, Any]) -> nw.LazyFrame[Any]:
    """Silver rows; what is not said is an active association of Bourg-en-Bresse without any day."""
    whole = [
        {"id_association": f"W{n:09}", "code_commune": "01053", "position": "A", "famille_objet": "006", "part": 1.0}
        | row
        for n, row in enumerate(rows)
    ]
    whole = [{"code_commune_cible": row["code_commune"]} | row for row in whole]
    return nw.from_native(pl.DataFrame(whole, schema=TYPES).lazy())


def people(*rows: tuple[str, int, float | None, str]) -> nw.LazyFrame[Any]:
    """Populations as a lake gives them: commune, year, inhabitants, source."""
    schema = {"code_commune": pl.String, "annee": pl.Int64, "population": pl.Float64, "source": pl.String}
    return nw.from_native(pl.LazyFrame(list(rows), schema=schema, orient="row"))


def gold(frame: nw.LazyFrame[Any], year: int, populations: nw.LazyFrame[Any] | None = None) -> dict[str, Any]:
    (row,) = (
        communes(frame, people() if populations is None else populations, period=str(year))
        .to_native()
        .collect()
        .to_dicts()
    )
    return row


YEAR = 2024
BEFORE, IN_YEAR, LATER = date(2020, 3, 1), date(2024, 5, 6), date(2025, 1, 2)


@pytest.mark.parametrize(
    ("row", "counts"),
    [
        ({"date_creation": BEFORE}, (1, 0, 0)),
        ({"date_creation": IN_YEAR}, (1, 1, 0)),
        ({"date_creation": date(2024, 12, 31)}, (1, 1, 0)),
        ({"date_creation": LATER}, (0, 0, 0)),
        ({}, (1, 0, 0)),
        ({"position": "D", "date_creation": BEFORE, "date_dissolution": IN_YEAR}, (0, 0, 1)),
        ({"position": "D", "date_creation": BEFORE, "date_dissolution": date(2024, 12, 31)}, (0, 0, 1)),
        ({"position": "D", "date_creation": IN_YEAR, "date_dissolution": IN_YEAR}, (0, 1, 1)),
        ({"position": "D", "date_creation": BEFORE, "date_dissolution": date(2021, 1, 1)}, (0, 0, 0)),
        ({"position": "D", "date_creation": BEFORE, "date_dissolution": LATER}, (1, 0, 0)),
        ({"position": "D", "date_creation": BEFORE}, (0, 0, 0)),
        ({"position": "A", "date_creation": BEFORE, "date_dissolution": IN_YEAR}, (0, 0, 0)),
        ({"position": "S", "date_creation": IN_YEAR}, (0, 0, 0)),
        ({"position": "R", "date_creation": IN_YEAR}, (0, 0, 0)),
    ],
)
def test_who_is_counted_where(row: dict[str, Any], counts: tuple[int, int, int]) -> None:
    found = gold(register(row), YEAR)
    assert (found["stock"], found["creations"], found["dissolutions"]) == counts


def test_social_objects_and_the_unknown_ones_add_up() -> None:
    rows = [{"famille_objet": family.code} for family in FAMILIES] + [{"famille_objet": None}] * 2
    found = gold(register(*rows), YEAR)
    assert found["stock"] == len(FAMILIES) + 2
    assert all(found[f"stock_{family.name}"] == 1 for family in FAMILIES)
    assert found["stock_objet_inconnu"] == 2
    assert found["stock_sans_date_creation"] == found["stock"]


def test_the_register_says_how_far_it_reaches() -> None:
    found = gold(register({"date_maj": date(2024, 5, 30)}, {"date_maj": date(2009, 1, 1)}), YEAR)
    assert found["connu_jusqu_au"] == date(2024, 5, 30)


def test_history_counts_each_year_once_and_no_typing_errors() -> None:
    frame = register(
        {"date_creation": date(1987, 1, 1)},
        {"date_creation": date(1987, 6, 1), "position": "D", "date_dissolution": date(2003, 1, 1)},
        {"date_creation": date(1987, 6, 1), "position": "S"},
        {"date_creation": date(201, 6, 1)},
        {"date_creation": date(2201, 6, 1)},
        {},
    )
    rows = creations(frame, period="2024").to_native().collect().sort("annee").to_dicts()
    assert [(r["annee"], r["creations"], r["encore_actives"], r["dissolutions"]) for r in rows] == [
        (1987, 2, 1, 0),
        (2003, 0, 0, 1),
    ]


@pytest.mark.parametrize(
    ("year", "of", "known"),
    [(2024, 2023, 50_000.0), (2023, 2023, 50_000.0), (2020, 2016, 40_000.0), (2010, 2016, 40_000.0)],
    ids=["the last one", "its own", "the one before", "the first one after"],
)
def test_rates_are_per_thousand_inhabitants_of_the_nearest_year_known(year: int, of: int, known: float) -> None:
    populations = people(
        ("01053", 2016, 40_000.0, "edition"), ("01053", 2023, 50_000.0, "file"), ("01053", 2025, None, "file")
    )
    row = gold(register({"date_creation": date(year, 2, 1)}, {}), year, populations)
    assert (row["population"], row["population_annee"]) == (known, of)
    assert row["population_source"] == ("file" if of == 2023 else "edition")
    assert row["stock_pour_mille"] == pytest.approx(2000 / known)
    assert row["creations_pour_mille"] == pytest.approx(1000 / known)
    assert row["dissolutions_pour_mille"] == 0


@pytest.mark.parametrize("inhabitants", [None, 0.0])
def test_without_inhabitants_there_is_no_rate(inhabitants: float | None) -> None:
    row = gold(register({}), 2024, people(("01053", 2023, inhabitants, "file")))
    assert (row["stock"], row["stock_pour_mille"]) == (1, None)


DAYS = st.one_of(st.none(), st.dates(date(2019, 1, 1), date(2026, 12, 31)))
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "code_commune": st.sampled_from(["01053", "2A004", "75114", None]),
            "position": st.sampled_from("ADSR"),
            "famille_objet": st.sampled_from(["006", "011", None]),
            "date_creation": DAYS,
            "date_dissolution": DAYS,
        }
    ),
    max_size=30,
)


@settings(max_examples=40, deadline=None)
@given(ROWS)
def test_gold_counts_every_placed_association_once(rows: list[dict[str, Any]]) -> None:
    found = communes(register(*rows), people(), period="2024").to_native().collect()
    placed = [row for row in rows if row["code_commune"] is not None]
    assert set(found["code_commune"]) == {row["code_commune"] for row in placed}
    created = [r for r in placed if r["position"] in "AD" and r["date_creation"] and r["date_creation"].year == YEAR]
    dissolved = [r for r in placed if r["position"] == "D" and r["date_dissolution"]]
    assert found["creations"].sum() == len(created)
    assert found["dissolutions"].sum() == sum(r["date_dissolution"].year == YEAR for r in dissolved)
    history = creations(register(*rows), period="2024").to_native().collect()
    of_year = history.filter(pl.col("annee") == YEAR)
    assert of_year["creations"].sum() == found["creations"].sum()
    assert of_year["dissolutions"].sum() == found["dissolutions"].sum()
    for what in ("stock", "creations"):
        parts = found.select(
            pl.sum_horizontal(pl.col(f"^{what}_({'|'.join(f.name for f in FAMILIES)}|objet_inconnu)$"))
        )
        assert parts.to_series().to_list() == found[what].to_list()


def test_both_gold_tables_of_the_samples_are_published(lake, tmp_path: Path) -> None:
    lake.take(*samples(tmp_path, 1))
    silver = lake.registre("2024")
    gold, staged = lake.build(Layer.GOLD, "communes", "2024")
    history, _ = lake.build(Layer.GOLD, "creations", "2024")
    assert staged.synthetic is False  # said by the drop, not by the name
    active = silver.filter(pl.col("position") == "A", pl.col("date_dissolution").is_null())
    assert gold["stock"].sum() == active.height
    assert gold["connu_jusqu_au"].unique().to_list() == [date(2024, 12, 31)]
    counted = silver.filter(pl.col("position").is_in(["A", "D"]), pl.col("date_creation").is_not_null())
    assert history["creations"].sum() == counted.height


def test_waldec_is_right_where_both_files_hold_an_association(lake, tmp_path: Path) -> None:
    ain = [place for place in places() if place.departement == "01"]
    older, newer = tmp_path / "rna_import_20250101_dpt_01.csv", tmp_path / "rna_waldec_20250101_dpt_01.csv"
    write_import(older, 40, 1, where=ain, taken_over=25)
    lake.take(older)
    alone = lake.registre("2024")
    assert alone.height == 40
    assert gold_stock(lake) == alone.filter(pl.col("position") == "A").height
    # WALDEC holds the first ten only: the other fifteen stay as taken over, and count nowhere.
    write_register(newer, 10, 1, where=ain)
    lake.take(newer)
    both = lake.registre("2024")
    assert both["origine"].value_counts(sort=True).rows() == [("import", 30), ("waldec", 10)]
    assert both.filter(pl.col("position") == "R").height == 15


def gold_stock(lake) -> int:
    return int(lake.build(Layer.GOLD, "communes", "2024")[0]["stock"].sum())


def test_a_later_snapshot_of_the_year_replaces_all_of_an_earlier_one(lake, tmp_path: Path) -> None:
    ain = [place for place in places() if place.departement == "01"]
    june, january = tmp_path / "rna_waldec_20240601_dpt_01.csv", tmp_path / "rna_waldec_20250101_dpt_01.csv"
    write_register(january, 20, 2, where=ain)
    write_register(june, 30, 1, where=ain, snapshot=date(2024, 6, 1))
    lake.take(january, june)
    silver, staged = lake.build(Layer.SILVER, "registre", "2024")
    assert silver.height == 20
    assert staged.counts == {"source_rows": 50, "quarantined": 0, "older_release": 30}


def test_a_later_month_of_one_departement_replaces_that_one_alone(lake, tmp_path: Path) -> None:
    ain, corse = ([place for place in places() if place.departement == code] for code in ("01", "2B"))
    for name, rows, seed, where, day in (
        ("rna_waldec_20240601_dpt_01.csv", 30, 1, ain, date(2024, 6, 1)),
        ("rna_waldec_20240601_dpt_2B.csv", 40, 2, corse, date(2024, 6, 1)),
        ("rna_waldec_20240701_dpt_01.csv", 20, 3, ain, date(2024, 7, 1)),
    ):
        write_register(tmp_path / name, rows, seed, where=where, snapshot=day)
        lake.take(tmp_path / name)
    silver, staged = lake.build(Layer.SILVER, "registre", "2024")
    assert sorted(silver["id_association"].str.slice(1, 2).value_counts().rows()) == [("01", 20), ("2B", 40)]
    assert staged.counts == {"source_rows": 90, "quarantined": 0, "older_release": 30}
    # A file that was cut short replaces what it has, and makes nothing else disappear.
    cut = (tmp_path / "rna_waldec_20240601_dpt_2B.csv").read_text("utf-8").splitlines(keepends=True)[:4]
    lake.take(content={"rna_waldec_20240801_dpt_2B.csv": "".join(cut).encode()})
    silver = lake.registre("2024")
    assert sorted(silver["id_association"].str.slice(1, 2).value_counts().rows()) == [("01", 20), ("2B", 40)]
    assert silver["_delivery"].value_counts()["count"].sort().to_list() == [3, 20, 37]


def test_what_replaces_a_month_replaces_the_months_before_it(lake, tmp_path: Path) -> None:
    ain = [place for place in places() if place.departement == "01"]
    for month, rows in ((6, 100), (7, 40), (8, 20)):
        write_register(
            tmp_path / f"rna_waldec_20240{month}01_dpt_01.csv", rows, month, where=ain, snapshot=date(2024, month, 1)
        )
    june, july, august = sorted(tmp_path.glob("*.csv"))
    lake.take(june, july)
    origins = lake.registre("2024")["_delivery"].value_counts()["count"]
    assert origins.max() < 100
    assert 40 in origins
    lake.take(august)
    silver, staged = lake.build(Layer.SILVER, "registre", "2024")
    assert silver.height >= 100
    assert staged.counts["older_release"] == 0
    assert silver["_delivery"].value_counts()["count"].min() >= 20


def test_a_national_release_replaces_every_departement_and_samples_lose_whole(lake, tmp_path: Path) -> None:
    june, july, made_up = (
        tmp_path / name
        for name in (
            "rna_waldec_20240601_dpt_01.csv",
            "rna_waldec_20240701.csv",
            "exemple-synthetique-rna_waldec_20240901.csv",
        )
    )
    write_register(june, 30, 1, where=[place for place in places() if place.departement == "01"])
    write_register(july, 400, 2, snapshot=date(2024, 7, 1))
    write_register(made_up, 300, 3, snapshot=date(2024, 9, 1))
    lake.take(made_up, june, july)
    assert lake.registre("2024").height == 400


def test_the_files_of_one_archive_add_up(lake, tmp_path: Path) -> None:
    archive = tmp_path / "rna_waldec_20250101.zip"
    write_register(archive, 500, 1, where=[place for place in places() if place.departement in {"01", "2B", "971"}])
    lake.take(archive)
    silver, staged = lake.build(Layer.SILVER, "registre", "2024")
    assert silver.height == 500
    assert len(staged.inputs) == 3
    assert silver["id_association"].is_sorted()


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ({"code_commune": None}, "commune_connue"),
        ({"date_creation": date(201, 6, 1)}, "creation_plausible"),
        ({"date_creation": LATER, "date_maj": IN_YEAR}, "creation_plausible"),
        ({"position": "D", "date_creation": IN_YEAR, "date_dissolution": BEFORE}, "dissolution_apres_creation"),
        ({"position": "A", "date_dissolution": IN_YEAR}, "active_non_dissoute"),
    ],
)
def test_what_is_odd_in_the_register_is_said_and_blocks_nothing(row: dict[str, Any], rule: str) -> None:
    rules = {rule.name: rule for rule in REGISTRE.rules}
    found = register(row, {"date_creation": BEFORE, "date_maj": IN_YEAR}).select(
        *(rule.broken.alias(name) for name, rule in rules.items())
    )
    odd, fine = found.to_native().collect().to_dicts()
    assert [name for name in rules if odd[name]] == [rule]
    assert not any(fine.values())
    assert not rules[rule].blocking
