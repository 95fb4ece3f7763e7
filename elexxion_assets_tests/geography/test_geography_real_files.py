"""The built-in COG against INSEE's real files, and real tables carried by it."""

from __future__ import annotations

from pathlib import Path

import narwhals as nw
import polars as pl
import pytest

from elexxion_assets.geography import Cog, Motif, insee, without_double_count
from elexxion_assets.geography.plm import COMMUNE_OF

COG = Cog.builtin()

OVERSEAS = {"ZA": "97", "ZB": "97", "ZC": "97", "ZD": "97", "ZS": "97", "ZX": "97", "ZZ": "ZZ"}
TWO_DIGITS = {"ZM": "976", "ZN": "988", "ZP": "987", "ZW": "986"}


def insee_code(departement: str, commune: str) -> str:
    """The ministry's two codes as one of the COG, by the mapping of the real files' README."""
    if departement in TWO_DIGITS:
        return TWO_DIGITS[departement] + commune.zfill(3)[1:]
    return OVERSEAS.get(departement, departement.zfill(2)) + commune.zfill(3)


def read(path: Path, **options: object) -> pl.DataFrame:
    return pl.read_csv(path, infer_schema=False, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def elections(real_data: Path) -> dict[int, pl.DataFrame]:
    """`code_commune, inscrits` of three presidential elections, one row per unit of the ministry's files."""
    files = {
        2012: "Presidentielle_2012_Resultats_Communes_Tour_1.csv",
        2017: "Presidentielle_2017_Resultats_Communes_Tour_1.csv",
        2022: "resultats-par-niveau-subcom-t1-france-entiere.txt",
    }
    tables = {}
    for year, name in files.items():
        encoding = "latin-1" if name.endswith(".txt") else "utf-8"
        header, *lines = (real_data / "election" / name).read_text(encoding=encoding).splitlines()
        names = header.split(";")
        at = [names.index(one) for one in ("Code du département", "Code de la commune", "Inscrits")]
        rows = []
        for fields in (line.split(";") for line in lines):
            departement, commune, registered = (fields[position] for position in at)
            rows.append((insee_code(departement, commune), int(registered)))
        tables[year] = pl.DataFrame(rows, schema=["code_commune", "inscrits"], orient="row")
    return tables


def test_the_communes_of_2024_are_those_of_insee(real_data: Path) -> None:
    assert COG.disagreements(read(real_data / "reference/v_commune_2024.csv"), 2024) == []


def test_the_arrondissements_are_those_of_insee(real_data: Path) -> None:
    table = read(real_data / "reference/arrondissements_plm.csv")
    assert dict(table.iter_rows()) == COMMUNE_OF


def test_the_movements_are_those_of_insee(real_data: Path) -> None:
    """But for events of one commune alone, and the day of those of 2019, which the yearly lists do not say."""
    real = insee.read_movements(read(real_data / "reference/mouvements-communes.csv"))
    ours = COG.movements.filter(pl.col("date_effet") <= real["date_effet"].max())
    key = ["date_effet", "code_avant", "code_apres"]
    only_real = real.join(ours, on=key, how="anti", nulls_equal=True)
    moved = only_real.filter(pl.col("code_avant") != pl.col("code_apres"))
    assert set(moved["date_effet"].dt.year()) == {2019}
    assert moved.height == 4
    only_ours = ours.join(real, on=key, how="anti", nulls_equal=True)
    moved = only_ours.filter(pl.col("code_avant") != pl.col("code_apres"))
    assert sorted(moved.select("code_avant", "code_apres").iter_rows()) == [
        ("14712", "14666"),
        ("21213", "21452"),
        ("21507", "21183"),
        ("45287", "45307"),
        ("97123", "97701"),
        ("97127", "97801"),
    ]


def test_the_real_events_give_the_same_passages(real_data: Path) -> None:
    real = COG.extended(movements=read(real_data / "reference/mouvements-communes.csv"))
    assert real.inconsistencies == []
    for vintage in (None, 1943, 1999, 2012, 2017, 2019, 2022):
        assert real.passage(vintage).equals(COG.passage(vintage))


def test_the_historical_passage_table_agrees(real_data: Path) -> None:
    """Where it names one heir of a commune whose land was divided later, the movements share: the rest is equal."""
    file = read(real_data / "reference/table_passage_com_historique.csv")
    assert COG.likely_vintage(file["DEPCOM"]) == (2026, 0)
    table = insee.read_passage(file, 2026)
    assert table.height == 39116
    joined = table.join(COG.passage(None), on="code_source", how="left", suffix="_ici")
    assert joined["code_cible_ici"].null_count() == 0
    other = joined.filter(pl.col("code_cible") != pl.col("code_cible_ici"))
    assert sorted(other.select("code_source", "code_cible_ici").iter_rows()) == [
        ("27443", "27701"),  # Portejoie: its commune gave land to Val-de-Reuil in 1981
        ("78122", "91692"),  # Bures-sur-Yvette gave land to Les Ulis in 1977
        ("78471", "91692"),  # Orsay too
        ("97355", "97361"),  # Mana gave land to Awala-Yalimapo in 1989
    ]
    assert set(other["motif"]) == {Motif.SPLIT_BY_POPULATION.value}


def test_the_official_table_can_have_the_last_word(real_data: Path) -> None:
    official = COG.extended(table=read(real_data / "reference/table_passage_com_historique.csv"))
    assert official.passage(None).filter(pl.col("code_source") == "27443")["code_cible"].to_list() == ["27528"]


@pytest.mark.parametrize(("year", "units"), [(2012, 36791), (2017, 35719), (2022, 35245)])
def test_all_units_and_all_voters_of_an_election_are_placed(
    elections: dict[int, pl.DataFrame], year: int, units: int
) -> None:
    table = elections[year]
    assert table.height == units
    for vintage in (year, None):
        carried = COG.carry(nw.from_native(table.lazy()), vintage=vintage).collect().to_native()
        placed = carried.drop_nulls("code_commune_cible")
        assert placed["code_commune"].n_unique() / table["code_commune"].n_unique() >= 0.999
        assert (placed["inscrits"] * placed["part"]).sum() == pytest.approx(table["inscrits"].sum(), abs=1e-6)


def test_the_vintage_of_an_election_is_recognised(elections: dict[int, pl.DataFrame]) -> None:
    for year, table in elections.items():
        found, unknown = COG.likely_vintage(table["code_commune"])
        abroad = table.filter(pl.col("code_commune").str.starts_with("ZZ")).height
        assert (found, unknown) == (year, abroad + 1)  # Wallis-et-Futuna is one unit


def test_1287_codes_are_gone_between_2012_and_2017(elections: dict[int, pl.DataFrame]) -> None:
    gone = set(elections[2012]["code_commune"]) - set(elections[2017]["code_commune"])
    assert len({code for code in gone if not code.startswith("ZZ")}) == 1287
    carried = COG.carry(
        nw.from_native(pl.LazyFrame({"code_commune": sorted(code for code in gone if not code.startswith("ZZ"))})),
        vintage=2012,
        target=2017,
    )
    assert set(carried.collect().to_native()["motif"]) == {Motif.MERGED.value}


def test_2017_and_2022_share_the_communes_that_the_official_table_says(
    elections: dict[int, pl.DataFrame], real_data: Path
) -> None:
    """35,174 codes are the same as the ministry writes them; 65 more with one numbering of Mayotte and Polynesia."""
    published = {year: set(table["code_commune"]) for year, table in elections.items()}
    assert len(published[2017] & published[2022]) == 35174 + 65
    heirs = dict(read(real_data / "reference/table_passage_com_historique.csv").iter_rows())
    by_table = [{heirs.get(code, code) for code in published[year]} for year in (2017, 2022)]
    carried = [
        set(COG.carry(nw.from_native(elections[year].lazy()), vintage=year).collect()["code_commune_cible"].to_list())
        for year in (2017, 2022)
    ]
    ours, official = carried[0] & carried[1], by_table[0] & by_table[1]
    # Communes restored since, which the table's single heir leaves empty, and the three parts of Wallis-et-Futuna.
    restored = {"14666", "15031", "15035", "15047", "15171", "60694", "85165", "85212"}
    assert ours - official == restored | {"98611", "98612", "98613"}
    assert official - ours == {"98601"}
    # 34,882 of the README: without the French abroad, Mayotte and Polynesia under the different numbers of each year.
    assert len([code for code in official if not code.startswith("ZZ")]) - 65 == 34882
    assert len([code for code in ours if not code.startswith(("ZZ", "975", "977", "978", "98"))]) == 34869


def test_the_communes_of_the_crime_base_are_all_placed(real_data: Path) -> None:
    file = real_data / "crime/donnee-data.gouv-2023-geographie2024_extrait-3498-communes-2016-2018.csv.gz"
    codes = read(file, separator=";")["CODGEO_2024"].unique().to_list()
    assert len(codes) == 3350
    carried = COG.carry(nw.from_native(pl.LazyFrame({"code_commune": codes})), vintage=2024, target=2024).collect()
    assert carried["code_commune_cible"].null_count() == 0
    assert set(carried["motif"].to_list()) <= {Motif.UNCHANGED.value, Motif.ARRONDISSEMENT.value}


def test_the_communes_of_filosofi_are_all_placed_and_counted_once(real_data: Path) -> None:
    table = read(real_data / "emploi/cc_filosofi_2020_COM.csv", separator=";")
    once = without_double_count(nw.from_native(table.lazy()), "CODGEO").collect().to_native()
    both = set(table["CODGEO"]) & set(COMMUNE_OF)
    assert table.height - once.height == len(both) > 0
    carried = COG.carry(nw.from_native(once.lazy()), "CODGEO").collect()
    assert carried["code_commune_cible"].null_count() == 0
