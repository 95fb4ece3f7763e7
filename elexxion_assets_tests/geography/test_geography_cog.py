"""The built-in COG: what it knows, where codes go, what it refuses."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import narwhals as nw
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import elexxion_assets.geography
from elexxion_assets.geography import Cog, Motif

COG = Cog.builtin()


def parts(code: str, vintage: int | None, target: int | None = None) -> dict[str, float]:
    rows = COG.passage(vintage, target).filter(pl.col("code_source") == code)
    return dict(rows.select("code_cible", "part").iter_rows())


def carried(codes: list[str | None], **options: object) -> list[tuple[str | None, str | None, float, str]]:
    frame = nw.from_native(pl.LazyFrame({"code_commune": codes}, schema={"code_commune": pl.String}))
    rows = COG.carry(frame, **options).collect().to_native()  # type: ignore[arg-type]
    return rows.sort("code_commune", "code_commune_cible").rows()


# Communes on 1 January, metropolitan France and overseas départements: Insee, « Le Code officiel géographique ». For
# 2014 Insee counted 36,681: it took note of the division of Loisey-Culey, of that day, a year later.
@pytest.mark.parametrize(
    ("vintage", "communes"),
    list(
        zip(
            range(2012, 2026),
            [36700, 36681, 36682, 36658, 35885, 35416, 35357, 34970, 34968, 34965, 34955, 34945, 34935, 34875],
            strict=True,
        )
    ),
)
def test_every_vintage_has_the_number_of_communes_that_insee_gives(vintage: int, communes: int) -> None:
    assert sum(not code.startswith(("975", "977", "978", "98")) for code in COG.codes(vintage)) == communes


def test_the_movements_lead_back_from_the_newest_communes_without_contradiction() -> None:
    assert COG.inconsistencies == []
    assert COG.newest == 2026
    assert set(COG.communes["code_commune"]) == COG.codes(2026)


def test_every_commune_has_a_departement_and_a_region() -> None:
    assert COG.communes.null_count().sum_horizontal().item() == 0
    assert set(COG.communes["code_departement"]) == set(COG.departements["code_departement"])
    assert set(COG.communes["code_region"]) == set(COG.regions["code_region"])


@pytest.mark.parametrize(
    ("code", "vintage", "expected"),
    [
        ("01001", 2012, {"01001": 1.0}),
        ("49372", 2012, {"49018": 1.0}),  # Baugé-en-Anjou, commune nouvelle of 2013, enlarged in 2016
        ("20004", 1970, {"2A004": 1.0}),  # Corsica, renumbered in 1976
        ("75004", 1960, {"92004": 1.0}),  # Seine, renumbered in 1968
        ("44060", 2012, {"49160": 1.0}),  # changed département for one day, then merged
        ("14513", 2017, {"50592": 1.0}),  # changed département and merged on the same day
        ("27676", 2018, {"27676": 1.0}),  # renumbered in 2021 and back in 2023
        ("97127", 2005, {"97801": 1.0}),  # Saint-Martin left Guadeloupe
    ],
)
def test_a_merged_or_renumbered_commune_goes_whole(code: str, vintage: int, expected: dict[str, float]) -> None:
    assert parts(code, vintage) == expected


def test_a_commune_that_was_restored_takes_its_own_former_figures_back() -> None:
    assert parts("55138", 1970) == {"55138": 1.0}
    assert parts("55298", 1970) == {"55298": 1.0}
    assert parts("85165", 2015) == {"85165": 1.0}


def test_figures_of_a_commune_that_was_divided_are_shared_by_population() -> None:
    shares = parts("85084", 2020)
    populations = dict(COG.populations.filter(pl.col("annee") == 2023).select("code_commune", "population").iter_rows())
    total = sum(populations[code] for code in ("85084", "85165", "85212"))
    assert shares == pytest.approx({code: populations[code] / total for code in ("85084", "85165", "85212")})
    assert set(COG.passage(2020).filter(pl.col("part") < 1)["motif"]) <= {Motif.SPLIT_BY_POPULATION.value}


def test_a_commune_made_of_parts_of_others_counts_once() -> None:
    # Val-de-Reuil was made in 1981 of land of eight communes: to each of them it counts an eighth of its people.
    people = dict(COG.populations.filter(pl.col("annee") == 2016).select("code_commune", "population").iter_rows())
    flows = COG.passage(1980, 1982).filter(pl.col("code_cible") == "27701")
    assert flows.height == 8
    known = {source: part for source, _, part, motif in flows.iter_rows() if motif == Motif.SPLIT_BY_POPULATION}
    assert len(known) >= 5
    assert known == pytest.approx({code: people["27701"] / 8 / (people["27701"] / 8 + people[code]) for code in known})


def test_without_a_known_population_the_shares_are_equal_and_say_so() -> None:
    blind = COG.extended(populations=pl.DataFrame({"code_commune": ["x"], "annee": [2016], "population": [1]}))
    blind = blind.extended(populations=pl.DataFrame({"code_commune": ["x"], "annee": [2023], "population": [1]}))
    rows = blind.passage(2020).filter(pl.col("code_source") == "85084")
    assert rows["part"].to_list() == pytest.approx([1 / 3] * 3)
    assert set(rows["motif"]) == {Motif.SPLIT_EQUALLY.value}


def test_an_unknown_vintage_is_searched_in_the_newest_that_has_the_code() -> None:
    assert parts("55138", None, 2010) == {"55298": 1.0}
    assert parts("55138", None, 2020) == {"55138": 1.0}
    assert parts("98501", None) == {"97601": 1.0}
    assert parts("50649", None) == {"50592": 1.0}


def test_figures_are_not_carried_back() -> None:
    with pytest.raises(ValueError, match=r"2022 cannot be carried back to 2017"):
        COG.passage(2022, 2017)


@pytest.mark.parametrize("vintage", [1942, 2027])
def test_a_vintage_that_is_not_known_is_named(vintage: int) -> None:
    with pytest.raises(ValueError, match=f"COG of {vintage} is not known"):
        COG.passage(vintage, 2026)


def test_what_cannot_be_placed_stays_with_a_reason() -> None:
    assert carried([None, "99999x", "ZZ012", "99352", "85165", "75112"], vintage=2015, target=2020) == [
        (None, None, 1.0, Motif.NO_CODE),
        ("75112", "75056", 1.0, Motif.ARRONDISSEMENT),
        ("85165", "85084", 1.0, Motif.MERGED),
        ("99352", "99352", 1.0, Motif.ABROAD),
        ("99999x", None, 1.0, Motif.UNKNOWN),
        ("ZZ012", "ZZ012", 1.0, Motif.ABROAD),
    ]


def test_a_code_that_is_younger_than_the_target_is_not_placed() -> None:
    assert carried(["97701"], target=2005) == [("97701", None, 1.0, Motif.LATER)]


def test_a_code_of_another_vintage_than_the_stated_one_is_followed_and_says_so() -> None:
    assert carried(["01003", "12218"], vintage=2017) == [
        ("01003", "01165", 1.0, Motif.OTHER_VINTAGE),
        ("12218", "12218", 1.0, Motif.OTHER_VINTAGE),
    ]


def test_arrondissements_may_stay() -> None:
    assert carried(["13055", "13201"], plm="arrondissements") == [
        ("13055", "13055", 1.0, Motif.UNCHANGED),
        ("13201", "13201", 1.0, Motif.UNCHANGED),
    ]


def test_other_columns_are_kept_as_they_are() -> None:
    frame = nw.from_native(pl.LazyFrame({"commune": ["85084"], "voix": [10]}))
    rows = COG.carry(frame, "commune", vintage=2020).collect().to_native()
    assert rows.columns == ["commune", "voix", "code_commune_cible", "part", "motif"]
    assert rows["voix"].to_list() == [10, 10, 10]


def test_a_frame_of_another_engine_is_refused() -> None:
    pandas = nw.from_native(pl.DataFrame({"code_commune": ["01001"]}).to_pandas()).lazy()
    with pytest.raises(ValueError, match="Polars and Spark frames"):
        COG.carry(pandas)


@pytest.mark.parametrize(("vintage", "name"), [(2012, "2012"), (2019, "2019"), (2022, "2022")])
def test_the_vintage_of_a_list_of_codes_is_recognised(vintage: int, name: str) -> None:
    found, unknown = COG.likely_vintage(COG.codes(vintage))
    assert COG.codes(found) == COG.codes(vintage), name
    assert unknown == 0


EVERY_CODE = [*sorted(set(COG.passage(None)["code_source"])), "ZZ001", "00000", "75101", "13216", "99100"]
VINTAGES = st.sampled_from(list(COG.vintages))


@st.composite
def journeys(draw: st.DrawFn) -> tuple[int, int]:
    source, target = sorted((draw(VINTAGES), draw(VINTAGES)))
    return source, target


@settings(max_examples=20, deadline=None)
@given(
    journey=journeys(),
    known=st.booleans(),
    rows=st.lists(st.tuples(st.sampled_from(EVERY_CODE), st.integers(0, 10**6)), min_size=1, max_size=60),
)
def test_totals_are_conserved_whatever_the_codes_and_vintages(
    journey: tuple[int, int], known: bool, rows: list[tuple[str, int]]
) -> None:
    source, target = journey
    frame = nw.from_native(pl.LazyFrame(rows, schema={"code_commune": pl.String, "voix": pl.Int64}, orient="row"))
    result = COG.carry(frame, vintage=source if known else None, target=target).collect().to_native()
    total = sum(count for _, count in rows)
    assert abs((result["voix"] * result["part"]).sum() - total) <= 1e-9 * max(total, 1)
    assert result.filter(pl.col("code_commune_cible").is_null())["part"].eq(1.0).all()


@settings(max_examples=12, deadline=None)
@given(journey=journeys())
def test_every_commune_of_a_vintage_is_placed_in_every_later_one(journey: tuple[int, int]) -> None:
    source, target = journey
    table = COG.passage(source, target)
    assert set(table["code_source"]) == COG.codes(source)
    assert set(table["code_cible"]) <= COG.codes(target)
    sums = table.group_by("code_source").agg(pl.col("part").sum())["part"]
    assert (sums - 1).abs().max() < 1e-9
    assert table["part"].min() > 0


@settings(max_examples=5, deadline=None)
@given(vintage=VINTAGES)
def test_a_vintage_carried_to_itself_is_itself(vintage: int) -> None:
    table = COG.passage(vintage, vintage)
    assert (table["code_source"] == table["code_cible"]).all()
    assert table["part"].eq(1.0).all()
    assert set(table["motif"]) == {Motif.UNCHANGED.value}


@settings(max_examples=6, deadline=None)
@given(journey=journeys())
def test_what_was_carried_stays_where_it_is(journey: tuple[int, int]) -> None:
    source, target = journey
    frame = nw.from_native(pl.LazyFrame({"code_commune": EVERY_CODE}))
    once = COG.carry(frame, vintage=source, target=target).collect().to_native()["code_commune_cible"].drop_nulls()
    again = (
        COG.carry(nw.from_native(pl.LazyFrame({"code_commune": once.unique()})), vintage=target, target=target)
        .collect()
        .to_native()
    )
    assert (again["code_commune"] == again["code_commune_cible"]).all()


def test_the_edition_is_small_and_says_where_it_comes_from() -> None:
    folder = Path(elexxion_assets.geography.__file__).parent / "edition"
    assert sum(file.stat().st_size for file in folder.iterdir()) < 900_000
    for name in ("departements.csv", "regions.csv"):
        first = (folder / name).read_text(encoding="utf-8").splitlines()[0]
        assert "Insee, Licence Ouverte" in first
        assert "2026" in first


def test_nothing_is_read_at_import() -> None:
    code = (
        "import elexxion_assets.geography as g; from elexxion_assets.geography.cog import Cog; "
        "assert Cog.builtin.cache_info().currsize == 0"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_whole_country_is_carried_in_well_under_a_second() -> None:
    fresh = dataclasses.replace(COG)
    frame = nw.from_native(pl.LazyFrame({"code_commune": sorted(COG.codes(2012))}))
    begun = time.process_time()
    placed = fresh.carry(frame, vintage=2012).collect()
    # 0.6 s where it was measured, with nothing worked out before.
    assert time.process_time() - begun < 2
    assert placed["code_commune_cible"].null_count() == 0


def test_departements_of_communes_follow_their_codes() -> None:
    seen: dict[str, set[str]] = defaultdict(set)
    for code, departement in COG.communes.select("code_commune", "code_departement").iter_rows():
        seen[departement].add(code[: len(departement)])
    assert all(prefixes == {departement} for departement, prefixes in seen.items())


def _next_vintage() -> Cog:
    """The built-in edition and a vintage after it, in which communes merge, one is divided and one is renumbered."""
    year = COG.newest + 1
    rows = [
        ("COM", code, libelle, departement, region) for code, libelle, departement, region in COG.communes.iter_rows()
    ]
    merged, divided, renumbered = ("01002", "01004"), ("85084", ("85084", "85998", "85999")), ("27676", "27999")
    kept = [row for row in rows if row[1] not in {merged[0], renumbered[0]}]
    kept += [("COM", code, "X", code[:2], "52") for code in (*divided[1][1:], renumbered[1])]
    listed = pl.DataFrame(kept, schema=["TYPECOM", "COM", "LIBELLE", "DEP", "REG"], orient="row")
    events = [
        ("32", *merged),
        ("32", merged[1], merged[1]),
        *(("20", divided[0], after) for after in divided[1]),
        ("50", *renumbered),
    ]
    moved = [(mod, f"{year}-01-01", "COM", before, "COM", after) for mod, before, after in events]
    names = ["MOD", "DATE_EFF", "TYPECOM_AV", "COM_AV", "TYPECOM_AP", "COM_AP"]
    people = pl.DataFrame(
        {"code_commune": ["85084", "85998", "85999"], "annee": [year] * 3, "population": [10, 20, 70]}
    )
    return COG.extended(
        communes=listed.with_columns(COMPARENT=pl.lit(None, dtype=pl.String)),
        vintage=year,
        movements=pl.DataFrame(moved, schema=names, orient="row"),
        populations=people,
    )


EXTENDED = _next_vintage()
LATER_CODES = [*EVERY_CODE, "85998", "85999", "27999"]


def test_a_later_vintage_adds_its_own_movements_and_changes_nothing_before() -> None:
    assert EXTENDED.inconsistencies == []
    assert EXTENDED.newest == COG.newest + 1
    for vintage in (1943, 1999, 2017, COG.newest):
        assert EXTENDED.codes(vintage) == COG.codes(vintage)
    moved = EXTENDED.passage(COG.newest).filter(pl.col("motif") != Motif.UNCHANGED.value)
    assert {(source, target): round(part, 9) for source, target, part, _ in moved.iter_rows()} == {
        ("01002", "01004"): 1.0,
        ("27676", "27999"): 1.0,
        ("85084", "85084"): 0.1,
        ("85084", "85998"): 0.2,
        ("85084", "85999"): 0.7,
    }


@settings(max_examples=15, deadline=None)
@given(
    vintage=st.none() | st.integers(1943, COG.newest + 1),
    rows=st.lists(st.tuples(st.sampled_from(LATER_CODES), st.integers(0, 10**6)), min_size=1, max_size=60),
)
def test_totals_are_conserved_into_a_later_vintage(vintage: int | None, rows: list[tuple[str, int]]) -> None:
    frame = nw.from_native(pl.LazyFrame(rows, schema={"code_commune": pl.String, "voix": pl.Int64}, orient="row"))
    result = EXTENDED.carry(frame, vintage=vintage).collect().to_native()
    unplaced = pl.col("code_commune_cible").is_null()
    before = sum(count for _, count in rows)
    placed = result.filter(~unplaced).select((pl.col("voix") * pl.col("part")).sum()).item()
    assert abs(placed + result.filter(unplaced)["voix"].sum() - before) <= 1e-9 * max(before, 1)
    known = EXTENDED.codes(EXTENDED.newest)
    assert all(code in known or code.startswith(("ZZ", "99")) for code in result["code_commune_cible"].drop_nulls())


@settings(max_examples=5, deadline=None)
@given(vintage=VINTAGES)
def test_a_list_of_all_communes_is_of_its_vintage_or_of_one_just_like_it(vintage: int) -> None:
    found = COG.vintage_of(COG.codes(vintage))
    assert found is not None
    assert found >= vintage

    def mainland(year: int) -> set[str]:
        return {code for code in COG.codes(year) if not code.startswith(("975", "977", "978", "98"))}

    assert mainland(found) == mainland(vintage)
    assert COG.vintage_of([*COG.codes(vintage), "01999"]) is None
    assert COG.vintage_of(mainland(vintage) - {"01001"}) is None
