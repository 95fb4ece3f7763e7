"""The main job on the real official files: the figures are the published ones, and every row is somewhere."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from elexxion_assets.declare import Layer
from elexxion_assets.lake import layout
from elexxion_assets.lake.build import publish, stage, table_documents
from elexxion_assets.lake.coverage import Coverage, coverage
from elexxion_assets.lake.due import due, settle
from elexxion_assets.lake.explain import explain
from elexxion_assets.lake.intake import Taken, drop, take, waiting
from elexxion_assets.lake.ledger import Ledger, State
from elexxion_assets.lake.storage import DirectoryStorage
from elexxion_assets.themes import all_themes

THEMES = all_themes()


class Lake:
    """A lake that holds every real file of the two themes and every damaged one."""

    def __init__(self, root: Path, real_data: Path) -> None:
        self.storage = DirectoryStorage(root)
        self.ledger = Ledger(self.storage)
        taken = Taken()
        for folder in ("crime", "election", "damaged"):
            for file in sorted((real_data / folder).iterdir()):
                drop(self.storage, file.name, file, {})
        for entry in list(waiting(self.storage, 0)):
            take(self.storage, self.ledger, THEMES, entry, taken)
        self.deliveries = {delivery.name: delivery for delivery in taken.deliveries}
        self.refused: dict[str, list[str]] = {}
        for group in due(self.ledger, THEMES):
            for name in group.tables:
                layer, _, table = name.partition("/")
                for period in group.periods:
                    declared = THEMES[group.theme].table(Layer(layer), table)
                    with stage(self.storage, self.ledger, THEMES, THEMES[group.theme], declared, period) as staged:
                        if staged.refused:
                            self.refused[f"{group.theme}/{name}/{period}"] = [r.name for r in staged.refused]
                        else:
                            publish(self.storage, staged)
            settle(self.storage, self.ledger, THEMES, group)

    def rows(self, name: str, period: str) -> pl.DataFrame:
        theme, layer, table = name.split("/")
        with self.storage.local(layout.table_key(theme, Layer(layer), table, period)) as file:
            return pl.read_parquet(file)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory, real_data: Path) -> Lake:
    return Lake(tmp_path_factory.mktemp("real") / "lake", real_data)


def test_no_clean_official_file_makes_a_blocking_check_fail(lake: Lake) -> None:
    assert lake.refused == {}


@pytest.mark.parametrize(
    ("period", "units", "inscrits", "votes"),
    [
        ("2012-presidentielle-t1", 36_791, None, {}),
        ("2017-presidentielle-t1", 35_719, 47_582_183, {"MACRON": 8_656_346}),
        ("2022-presidentielle-t1", 35_245, 48_747_876, {"MACRON": 9_783_058, "LE PEN": 8_133_828}),
    ],
)
def test_the_national_totals_are_the_official_ones(
    lake: Lake, period: str, units: int, inscrits: int | None, votes: dict[str, int]
) -> None:
    silver = lake.rows("election/silver/participation", period).filter(pl.col("niveau") == "commune")
    silver = silver.unique("code_territoire")  # a commune that was split since has a row per part
    assert silver.height == units
    results = lake.rows("election/gold/communes_candidats", period)
    gold = lake.rows("election/gold/communes", period)
    if inscrits is not None:
        assert silver["inscrits"].sum() == inscrits
        assert gold["inscrits"].sum() == pytest.approx(inscrits, abs=1e-6)
    for name, count in votes.items():
        found = results.filter(pl.col("candidat").str.starts_with(name))
        assert found["candidat"].n_unique() == 1
        assert found["voix"].sum() == pytest.approx(count, abs=1e-6)
    assert results["voix"].sum() == pytest.approx(gold["exprimes"].sum(), abs=1e-6)


def test_the_departements_of_2023_add_up_to_the_file_s_own_totals(lake: Lake, real_data: Path) -> None:
    file = real_data / "crime" / "donnee-dep-data.gouv-2023-geographie2024-produit-le2024-07-05.csv"
    published: Counter[str] = Counter()
    rows = 0
    with file.open(encoding="utf-8-sig", newline="") as source:
        for row in csv.DictReader(source, delimiter=";"):
            if row["annee"] == "23":
                published[row["classe"]] += int(row["faits"])
                rows += 1
    silver = lake.rows("crime/silver/departementale", "2023")
    found = silver.group_by("indicateur").agg(pl.col("nombre").sum())
    assert sorted(found["nombre"].to_list()) == sorted(published.values())
    assert silver.height == rows


def test_every_row_of_every_file_is_in_silver_or_in_quarantine_or_of_an_older_release(lake: Lake) -> None:
    silver_lines: Counter[tuple[str, str]] = Counter()
    older: Counter[tuple[str, str]] = Counter()
    for document in table_documents(lake.storage):
        theme, layer, table = document["table"].split("/")
        if layer != "silver" or table == "resultats":
            continue
        rows = lake.rows(document["table"], document["period"])
        kept = rows.select("_delivery", "_line").unique().height
        counts = document["counts"]
        assert counts["source_rows"] == kept + counts["quarantined"] + counts["older_release"], document["key"]
        silver_lines[theme, document["period"]] += kept
        older[theme, document["period"]] += counts["older_release"]
    assert sum(silver_lines.values()) > 300_000
    for delivery in lake.deliveries.values():
        for facts in delivery.tables:
            assert facts["rows"] == sum(facts["periods"].values()) + facts["quarantined"]


@pytest.fixture(scope="module")
def covered(lake: Lake) -> list[Coverage]:
    return list(coverage(lake.storage, lake.ledger, THEMES, lake.deliveries.values()))


def test_coverage_finds_every_row_and_every_vote_of_every_file(covered: list[Coverage]) -> None:
    assert [(one.file, one.problems) for one in covered if one.problems] == []
    read = [one for one in covered if one.dataset]
    assert len(read) >= 20
    for one in read:
        explained = one.silver + one.older + one.told_elsewhere + sum(one.quarantined.values())
        assert one.rows == explained > 0, one.file
        if one.counts is not None:
            assert one.counts.read > 0, one.file
            assert one.counts.missing == pytest.approx(0, abs=1e-6), one.file


@pytest.mark.parametrize(
    ("file", "units", "votes"),
    [
        ("Presidentielle_2012_Resultats_Communes_Tour_1.csv", 36_791, 35_883_209),
        ("Presidentielle_2017_Resultats_Communes_Tour_1.csv", 35_719, 36_054_394),
        ("Presidentielle_2017_Resultats_Communes_Tour_2.csv", 35_496, None),
        ("2017-presidentielle-1_par_bureau_large.csv.gz", 35_719, 36_054_394),
        ("resultats-par-niveau-subcom-t1-france-entiere.txt", 35_245, 35_132_947),
    ],
)
def test_the_units_and_votes_of_elections_are_in_the_target_cog(
    covered: list[Coverage], file: str, units: int, votes: int | None
) -> None:
    [found] = [one for one in covered if one.file == file]
    assert found.communes == units
    assert found.communes_placed is not None
    assert found.communes_placed >= 0.999 * units
    assert sum(found.motifs.values()) == units
    assert found.counts is not None
    assert votes in (None, found.counts.read)
    # Every vote is placed, or in quarantine with a reason: none is only missing.
    assert found.counts.placed + found.counts.quarantined == pytest.approx(found.counts.read, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "state", "word"),
    [
        ("donnee-securité.csv", State.READ, ""),
        ("Presidentielle-2017-T1.xlsx", State.READ, ""),
        ("PR17_BVot_T1_FE2.xlsx", State.REFUSED, "65,536"),
        ("info-complements-data.gouv-2023-geographie2024-produit-le2024-07-05.xlsx", State.READ, "appartenance"),
        ("train_fraud_labels.json", State.REFUSED, "not JSON"),
        ("candidatures-legislatives2024-t1.csv", State.REFUSED, "without results"),
    ],
)
def test_every_damaged_file_ends_with_its_reason(lake: Lake, name: str, state: State, word: str) -> None:
    delivery = lake.deliveries[name]
    assert delivery.state is state
    [story] = explain(lake.storage, lake.ledger, THEMES, name)
    assert word in " ".join(story["story"])


def test_codes_that_lost_their_zeros_get_them_back_and_lose_to_the_official_file(lake: Lake) -> None:
    delivery = lake.deliveries["donnee-securité.csv"]
    official = lake.deliveries["donnee-dep-data.gouv-2022-geographie2022-produit-le2023-02-09.csv"]
    assert delivery.tables[0]["release"] < official.tables[0]["release"]
    codes = lake.rows("crime/silver/departementale", "2016")["code_departement"]
    assert {"01", "2A", "974"} <= set(codes)
    assert codes.str.len_chars().min() == 2


def test_the_documents_of_deliveries_and_tables_are_json_for_people(lake: Lake) -> None:
    delivery = lake.deliveries["resultats-par-niveau-subcom-t1-france-entiere.txt"]
    document: dict[str, Any] = json.loads(lake.storage.read(delivery.document))
    [facts] = document["tables"]
    assert (facts["encoding"], facts["separator"], facts["header_line"]) == ("latin-1", ";", 1)
    assert facts["periods"] == {"2022-presidentielle-t1": 35_245}
