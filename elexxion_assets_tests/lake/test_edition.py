"""The geography of a lake: files of a later vintage extend the built-in edition, and bad ones change nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import narwhals as nw
import polars as pl
import pytest

from elexxion_assets.columns import ANNEE, COMMUNE, COMMUNE_CIBLE, MOTIF, PART
from elexxion_assets.declare import Column, Dataset, Frame, Geography, Kind, Layer, Table, Theme, Yearly
from elexxion_assets.geography import Cog, Motif
from elexxion_assets.lake.build import stage
from elexxion_assets.lake.edition import BUILT_IN, edition_of, populations_of
from elexxion_assets.lake.storage import DirectoryStorage, Entry
from elexxion_assets.themes.reference import THEME as REFERENCE
from elexxion_assets_tests.small_lake import SmallLake

COG = Cog.builtin()
NEXT = COG.newest + 1
VILLAGES = ("01002", "01004", "01005")

COUNT = Column(name="nombre", kind=Kind.INTEGER, description="Things counted", unit="things", ge=0)
TOTAL = Column(name="total", kind=Kind.NUMBER, description="Things counted in the communes of the target vintage")
PEOPLE = Column(name="population", kind=Kind.NUMBER, description="Inhabitants", required=False)
SOURCE = Column(name="source", kind=Kind.TEXT, description="Where they are from", required=False)


def _totals(facts: Frame, populations: Frame, *, period: str) -> Frame:
    sums = facts.group_by("code_commune_cible").agg((nw.col("nombre") * nw.col("part")).sum().alias("total"))
    people = populations.filter(nw.col("annee") == int(period))
    return sums.rename({"code_commune_cible": "code_commune"}).join(people, on="code_commune", how="left")


COUNTS = Dataset(
    name="counts",
    title="Counts",
    source="Nobody",
    page="https://example.org",
    columns=(COMMUNE.but(source_names=("CODE",)), ANNEE, COUNT.but(source_names=("nombre",))),
    key=("code_commune", "annee"),
    period=lambda table: nw.col("annee"),
    release=lambda table, rows: max(rows, default=""),
    geography=Geography(vintage=lambda table, period: None),
)
PLACES = Theme(
    name="places",
    title="Things in communes",
    owner="team:toy",
    periods=Yearly(first=2000),
    fresh_within=dt.timedelta(days=400),
    datasets=(COUNTS,),
    tables=(
        Table(
            layer=Layer.SILVER,
            name="counts",
            description="Counts as published.",
            columns=(COMMUNE, ANNEE, COUNT, COMMUNE_CIBLE, PART, MOTIF),
            key=("code_commune", "annee", "code_commune_cible"),
            inputs=("counts",),
            function=lambda rows, period: rows,
        ),
        Table(
            layer=Layer.GOLD,
            name="totals",
            description="Counts per commune of the target vintage.",
            columns=(COMMUNE, TOTAL, PEOPLE, SOURCE),
            key=("code_commune",),
            inputs=("silver/counts",),
            function=_totals,
            populations=True,
        ),
    ),
)
THEMES = {"places": PLACES, "reference": REFERENCE}
YEAR = "2023"


class Listings(DirectoryStorage):
    """A lake in a directory that counts how often the reference tables are listed."""

    listed = 0

    def list(self, prefix: str, after: str = "") -> Iterator[Entry]:
        if prefix.startswith("output/argent/reference"):
            self.listed += 1
        return super().list(prefix, after)


class Lake(SmallLake):
    """A lake of the geography and of one theme that stands on it."""

    def totals(self) -> dict[str, float]:
        return dict(self.rows("places/gold/totals", YEAR).select("code_commune", "total").iter_rows())


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake that holds counts of three villages, built."""
    lake = Lake(Listings(tmp_path / "lake"), THEMES)
    lake.drop("counts.csv", counts(dict.fromkeys(VILLAGES, 10)))
    lake.build()
    return lake


def counts(of: dict[str, int]) -> str:
    return "CODE;annee;nombre\n" + "".join(f"{code};{YEAR};{count}\n" for code, count in of.items())


def communes(
    gone: dict[str, str] | None = None, new: dict[str, str] | None = None, parts: dict[str, str] | None = None
) -> str:
    """The list of the vintage after the built-in one: communes that went into another, new ones, delegated ones."""
    gone, new, parts = gone or {}, new or {}, parts or {}
    rows = [f"COM,{code},84,01,01D,012,5,X,X,{name},0108," for code, name in new.items()]
    for code, name, departement, region in COG.communes.iter_rows():
        if code not in gone and not code.startswith(("975", "977", "978", "98")):
            rows.append(f'COM,{code},{region},{departement},01D,012,5,X,X,"{name}",0108,')
    rows += [f"COMD,{code},,,,,5,X,X,Part,,{commune}" for code, commune in parts.items()]
    return "\n".join(["TYPECOM,COM,REG,DEP,CTCD,ARR,TNCC,NCC,NCCENR,LIBELLE,CAN,COMPARENT", *rows]) + "\n"


def events(*moved: tuple[str, str, str], day: str = f"{NEXT}-01-01") -> str:
    """A file of events: kind, code before, code after."""
    header = "MOD,DATE_EFF,TYPECOM_AV,COM_AV,LIBELLE_AV,TYPECOM_AP,COM_AP,LIBELLE_AP"
    rows = (f"{mod},{day},COM,{before},A{before},COM,{after},B{after}" for mod, before, after in moved)
    return "\n".join([header, *rows]) + "\n"


MERGER = (("32", "01002", "01004"), ("32", "01004", "01004"))


def test_a_list_of_the_next_vintage_with_its_events_becomes_the_target(lake: Lake) -> None:
    assert lake.totals() == dict.fromkeys(VILLAGES, 10.0)
    assert lake.document("places/silver/counts", YEAR)["cog"] == {"target": str(COG.newest), "version": str(COG.newest)}
    lake.drop(f"v_commune_{NEXT}.csv", communes(gone={"01002": "01004"}))
    lake.drop(f"v_mvt_commune_{NEXT}.csv", events(*MERGER))
    built = lake.build()
    assert lake.totals() == {"01004": 20.0, "01005": 10.0}
    silver = lake.rows("places/silver/counts", YEAR).row(by_predicate=pl.col("code_commune") == "01002", named=True)
    assert (silver["code_commune_cible"], silver["part"], silver["motif"]) == ("01004", 1.0, Motif.MERGED)
    document = lake.document("places/silver/counts", YEAR)
    assert document["cog"]["target"] == str(NEXT)
    assert document["cog"]["version"].startswith(f"{NEXT}-")
    told = {(item.get("table"), item.get("period")) for item in document["inputs"]}
    assert told >= {("reference/silver/communes", str(NEXT)), ("reference/silver/mouvements", str(NEXT))}
    # Reference tables first, each table of the others once, and nothing is due any more.
    assert [name for name in built if name.startswith("places")] == built[-2:]
    assert lake.build() == []
    assert f"the newest communes known are those of {NEXT}" in lake.why(f"v_commune_{NEXT}.csv")


def test_what_arrives_after_it_is_carried_to_it_at_once(lake: Lake) -> None:
    lake.drop(f"v_commune_{NEXT}.csv", communes(gone={"01002": "01004"}, parts={"01002": "01004"}))
    # Both are due together: the geography is built first.
    lake.drop("more.csv", counts(dict.fromkeys(VILLAGES, 7)).replace(YEAR, "2022"))
    built = lake.build()
    assert built.index(f"reference/silver/communes/{NEXT}") < built.index("places/silver/counts/2022")
    assert built.count("places/silver/counts/2022") == 1
    carried = lake.rows("places/silver/counts", "2022")
    assert set(carried["code_commune_cible"]) == {"01004", "01005"}
    # The first counts, built before, followed: no event says so, but the list's delegated communes do.
    assert lake.totals() == {"01004": 20.0, "01005": 10.0}


def test_the_same_content_again_makes_nothing_due(lake: Lake) -> None:
    text = communes(gone={"01002": "01004"}, parts={"01002": "01004"})
    lake.drop(f"v_commune_{NEXT}.csv", text)
    lake.build()
    lake.drop("v_commune_again.csv", text.replace("\n", "\r\n"), vintage=str(NEXT))
    assert lake.build() == [f"reference/silver/communes/{NEXT}", f"reference/gold/communes/{NEXT}"]


@pytest.mark.parametrize(
    ("listed", "words"),
    [
        (communes().split("COM,02001")[0], "nothing says what became of it|does not say what became of"),
        (communes(new={"01999": "Nulle-Part"}), "01999"),
        (communes(gone={"01002": "01004"}), "01002"),
    ],
    ids=["cut short", "a commune from nowhere", "a commune that vanished"],
)
@pytest.mark.parametrize("with_events", [False, True], ids=["alone", "with events"])
def test_a_list_that_does_not_add_up_changes_nothing(lake: Lake, listed: str, words: str, with_events: bool) -> None:
    if with_events:
        # Other communes merge: the list and the events contradict each other.
        lake.drop(f"v_mvt_commune_{NEXT}.csv", events(("32", "01008", "01007"), ("32", "01007", "01007")))
    lake.drop(f"v_commune_{NEXT}.csv", listed)
    assert all(name.startswith("reference") for name in lake.build())
    assert lake.totals() == dict.fromkeys(VILLAGES, 10.0)
    assert edition_of(lake.storage).cog is COG
    told = lake.why(f"v_commune_{NEXT}.csv")
    assert "No code is carried by it, and all tables stay as they are" in told
    assert any(word in told for word in words.split("|"))


def test_wrong_events_do_not_keep_a_right_list_away(lake: Lake) -> None:
    lake.drop(f"v_mvt_commune_{NEXT}.csv", events(("32", "01008", "01007"), ("32", "01007", "01007")))
    lake.drop(f"v_commune_{NEXT}.csv", communes(gone={"01002": "01004"}, parts={"01002": "01004"}))
    lake.build()
    assert lake.totals() == {"01004": 20.0, "01005": 10.0}
    assert "No code is carried by it" in lake.why(f"v_mvt_commune_{NEXT}.csv")


def test_an_older_list_that_differs_is_told_of_and_the_built_in_edition_counts(lake: Lake) -> None:
    lake.drop(f"v_commune_{COG.newest}.csv", communes(gone={"01002": "01004"}, new={"01999": "Nulle-Part"}))
    built = lake.build()
    assert all(name.startswith("reference") for name in built)
    assert edition_of(lake.storage).cog is COG
    told = lake.why(f"v_commune_{COG.newest}.csv")
    assert f"It differs from the built-in edition, which counts up to {COG.newest}" in told
    assert f"01002 is here in {COG.newest} but not in the list" in told
    assert f"01999 is in the list of {COG.newest} but not here" in told
    rows = lake.rows("reference/silver/communes", str(COG.newest))
    assert rows.filter(~pl.col("est_connue"))["code_commune"].to_list() == ["01999"]


def test_a_lake_without_reference_files_pays_one_listing_per_table(lake: Lake) -> None:
    assert isinstance(lake.storage, Listings)
    lake.storage.listed = 0
    table = PLACES.table(Layer.SILVER, "counts")
    with stage(lake.storage, lake.ledger, THEMES, PLACES, table, YEAR) as staged:
        assert staged.cog == {"target": str(COG.newest), "version": str(COG.newest)}
    assert lake.storage.listed == 1


def test_an_official_passage_table_of_the_next_vintage_has_the_last_word(lake: Lake) -> None:
    lake.drop(f"v_commune_{NEXT}.csv", communes(gone={"01002": "01004"}, parts={"01002": "01004"}))
    rows = "".join(f"{code};{code};{code};{'01005' if code == '01002' else code}\n" for code in VILLAGES)
    lake.drop(
        "passage.csv",
        f"NIVGEO;CODGEO_INI;CODGEO_{COG.newest};CODGEO_{NEXT}\n".replace("NIVGEO;", "")
        + "".join(row.split(";", 1)[1] for row in rows.splitlines(keepends=True)),
    )
    lake.build()
    assert lake.totals() == {"01004": 10.0, "01005": 20.0}
    moved = lake.rows("places/silver/counts", YEAR).row(by_predicate=pl.col("code_commune") == "01002", named=True)
    assert moved["motif"] == Motif.OFFICIAL


def test_a_passage_table_to_communes_that_are_none_is_left_aside(lake: Lake) -> None:
    lake.drop(f"v_commune_{NEXT}.csv", communes(gone={"01002": "01004"}, parts={"01002": "01004"}))
    lake.drop("passage.csv", f"CODGEO_INI;CODGEO_{NEXT}\n01002;01002\n01004;01004\n")
    lake.build()
    assert lake.totals() == {"01004": 20.0, "01005": 10.0}
    assert f"in {NEXT} there is no commune 01002" in lake.why("passage.csv")


@pytest.mark.parametrize("before", ["CODGEO_INI", f"CODGEO_{COG.newest}"], ids=["of any vintage", "of the last one"])
def test_what_a_passage_table_says_against_the_cog_is_left_aside(lake: Lake, before: str) -> None:
    lake.drop(f"v_commune_{NEXT}.csv", communes(gone={"01002": "01004"}, parts={"01002": "01004"}))
    # One leaves the département, one is still a commune, 98 are right.
    right = [code for code in sorted(COG.codes(COG.newest)) if code not in VILLAGES][:98]
    pairs = [("01002", "75056"), ("01005", "01004"), *((code, code) for code in right)]
    header = f"CODGEO_INI,{before},CODGEO_{NEXT}".replace("CODGEO_INI,CODGEO_INI", "CODGEO_INI")
    source = "{0},{1}" if before == "CODGEO_INI" else "{0},{0},{1}"
    lake.drop("passage.csv", "\n".join([header, *(source.format(*pair) for pair in pairs)]) + "\n")
    lake.build()
    assert lake.totals() == {"01004": 20.0, "01005": 10.0}
    told = lake.why("passage.csv")
    assert "Not all of it counts" in told
    assert "it leads from 01002 to 75056, and no event known does" in told
    assert "it leads from 01005 to 01004" in told


def test_a_passage_table_with_little_right_is_left_aside_whole(lake: Lake) -> None:
    lake.drop(f"v_commune_{NEXT}.csv", communes(gone={"01002": "01004"}, parts={"01002": "01004"}))
    lake.drop("passage.csv", f"CODGEO_INI,CODGEO_{NEXT}\n01002,01005\n01004,75056\n")
    lake.build()
    assert lake.totals() == {"01004": 20.0, "01005": 10.0}
    told = lake.why("passage.csv")
    assert "No code is carried by it" in told
    assert "it leads from 01004 to 75056" in told


def test_populations_of_the_lake_are_given_and_make_due_only_what_uses_them(lake: Lake) -> None:
    before = lake.rows("places/gold/totals", YEAR)
    assert set(before["source"]) == {BUILT_IN}
    known = dict(COG.populations.filter(pl.col("annee") == int(YEAR)).select("code_commune", "population").iter_rows())
    assert dict(before.select("code_commune", "population").iter_rows()) == {code: known[code] for code in VILLAGES}
    people = COG.populations.filter(pl.col("annee") == int(YEAR))
    lines = (f"{code};X;{population + 1}\n" for code, _, population in people.iter_rows())
    lake.drop("population_municipale.csv", "codgeo;libgeo;p23_pop\n" + "".join(lines))
    built = lake.build()
    assert [name for name in built if name.startswith("places")] == [f"places/gold/totals/{YEAR}"]
    after = lake.rows("places/gold/totals", YEAR)
    assert set(after["source"]) == {"reference/silver/population"}
    assert dict(after.select("code_commune", "population").iter_rows()) == {c: known[c] + 1 for c in VILLAGES}
    assert lake.build() == []


def test_populations_of_a_few_communes_leave_the_others_as_they_are(lake: Lake) -> None:
    before = dict(lake.rows("places/gold/totals", YEAR).select("code_commune", "population").iter_rows())
    lake.drop("base_pop.csv", "codgeo,libgeo,p23_pop\n01002,A,12\n")
    lake.build()
    after = lake.rows("places/gold/totals", YEAR)
    assert dict(after.select("code_commune", "population").iter_rows()) == before | {"01002": 12}
    assert after.filter(pl.col("source") == BUILT_IN)["code_commune"].sort().to_list() == ["01004", "01005"]
    # Where it went into another commune, its people alone are not those of that one.
    lake.drop(f"v_commune_{NEXT}.csv", communes(gone={"01002": "01004"}, parts={"01002": "01004"}))
    lake.build()
    people = dict(lake.rows("places/gold/totals", YEAR).select("code_commune", "population").iter_rows())
    assert people == {"01004": before["01002"] + before["01004"], "01005": before["01005"]}


def test_a_year_of_few_communes_that_the_edition_lacks_is_left_aside(lake: Lake) -> None:
    lake.drop("base_pop.csv", "codgeo,libgeo,p24_pop\n01002,A,12\n")
    lake.build()
    assert set(populations_of(lake.storage).table["annee"]) == set(COG.populations["annee"])
    assert edition_of(lake.storage).cog is COG
    assert "it has the population of only 1 of the " in lake.why("base_pop.csv")


def test_populations_hold_every_commune_of_the_target_once_and_no_arrondissement(tmp_path: Path) -> None:
    found = populations_of(DirectoryStorage(tmp_path)).table
    assert found.select("code_commune", "annee").is_duplicated().any() is False
    assert set(found["code_commune"]) <= COG.codes(COG.newest)
    for year in (2016, 2023):
        of_year = found.filter(pl.col("annee") == year)
        counted = of_year["population"].sum()
        assert counted == pytest.approx({2016: 66.4e6, 2023: 68.1e6}[year], rel=0.02)
        paris = of_year.filter(pl.col("code_commune") == "75056")["population"].item()
        assert 2.0e6 < paris < 2.3e6
