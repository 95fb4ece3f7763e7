"""Insee's real reference files through to gold, against the COG that comes with the package."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from elexxion_assets.declare import Layer
from elexxion_assets.geography import Cog, insee
from elexxion_assets.geography.plm import COMMUNE_OF
from elexxion_assets.lake import layout
from elexxion_assets.lake.build import publish, stage, table_documents
from elexxion_assets.lake.due import due, settle
from elexxion_assets.lake.intake import Taken, drop, take, waiting
from elexxion_assets.lake.ledger import Delivery, Ledger, State
from elexxion_assets.lake.storage import DirectoryStorage
from elexxion_assets.themes import all_themes

THEMES = all_themes()
COG = Cog.builtin()
SAID = {"vintage": "2024"}
WITHOUT_VINTAGE = {
    "019HexaSmal.csv",
    "arrondissements_plm.csv",
    "departements.csv",
    "regions.csv",
}


class Lake:
    """A lake that holds the real reference files, with what a person said of them, all built."""

    def __init__(self, root: Path, real_data: Path, said: dict[str, str]) -> None:
        self.storage = DirectoryStorage(root)
        ledger = Ledger(self.storage)
        taken = Taken()
        for file in sorted((real_data / "reference").glob("*.csv")):
            drop(self.storage, file.name, file, said if file.name in WITHOUT_VINTAGE else {})
        for entry in list(waiting(self.storage, 0)):
            take(self.storage, ledger, THEMES, entry, taken)
        self.deliveries: dict[str, Delivery] = {delivery.name: delivery for delivery in taken.deliveries}
        self.refused: list[str] = []
        for group in due(ledger, THEMES):
            theme = THEMES[group.theme]
            for name in group.tables:
                layer, _, table = name.partition("/")
                for period in group.periods:
                    with stage(self.storage, ledger, THEMES, theme, theme.table(Layer(layer), table), period) as staged:
                        if staged.refused:
                            self.refused.append(f"{name} {period}: {staged.refused}")
                        else:
                            publish(self.storage, staged)
            settle(self.storage, ledger, THEMES, group)

    def rows(self, layer: Layer, name: str, period: str = "2024") -> pl.DataFrame:
        with self.storage.local(layout.table_key("reference", layer, name, period)) as file:
            return pl.read_parquet(file)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory, real_data: Path) -> Lake:
    return Lake(tmp_path_factory.mktemp("reference") / "lake", real_data, SAID)


def test_every_file_is_read_as_what_it_is_and_no_row_is_lost(lake: Lake) -> None:
    found = {name: (delivery.state, delivery.tables[0]["dataset"]) for name, delivery in lake.deliveries.items()}
    assert found == {
        "019HexaSmal.csv": (State.READ, "codes_postaux"),
        "arrondissements_plm.csv": (State.READ, "arrondissements_plm"),
        "departements.csv": (State.READ, "departements"),
        "mouvements-communes.csv": (State.READ, "mouvements"),
        "population_municipale_communes_france.csv": (State.READ, "population"),
        "regions.csv": (State.READ, "regions"),
        "table_passage_com_historique.csv": (State.READ, "passage"),
        "v_commune_2024.csv": (State.READ, "communes"),
    }
    assert lake.refused == []
    for document in table_documents(lake.storage):
        if "/silver/" in document["table"]:
            counts = document["counts"]
            lines = lake.rows(Layer.SILVER, document["table"].split("/")[2], document["period"])
            kept = lines.select("_delivery", "_line").n_unique()
            assert counts["source_rows"] == kept + counts["quarantined"] + counts["older_release"]
            # The files are clean, but for codes of postal places that are no communes.
            assert counts["quarantined"] <= 0.001 * counts["source_rows"], document["table"]


def test_the_communes_of_gold_are_those_of_the_package_s_own_cog(lake: Lake) -> None:
    gold = lake.rows(Layer.GOLD, "communes")
    published = lake.rows(Layer.SILVER, "communes").select(
        pl.col("type").alias("TYPECOM"),
        pl.col("code_commune").alias("COM"),
        pl.col("code_region").alias("REG"),
        pl.col("code_departement").alias("DEP"),
        pl.col("libelle").alias("LIBELLE"),
        pl.col("code_parent").alias("COMPARENT"),
    )
    assert COG.disagreements(published, 2024) == []
    assert set(gold["code_commune"]) == set(insee.read_communes(published)[0]["code_commune"])
    assert gold.height == 34_935
    assert gold["libelle_departement"].null_count() == 0
    assert gold["libelle_region"].null_count() == 0
    paris = gold.row(by_predicate=pl.col("code_commune") == "75056", named=True)
    assert (paris["libelle"], paris["libelle_departement"], paris["libelle_region"]) == (
        "Paris",
        "Paris",
        "Île-de-France",
    )


def test_the_populations_are_of_their_year_and_known_for_nearly_every_commune(lake: Lake) -> None:
    assert (
        lake.rows(Layer.SILVER, "population", "2013").row(by_predicate=pl.col("code_commune") == "45277", named=True)[
            "population"
        ]
        == 447
    )
    gold = lake.rows(Layer.GOLD, "communes")
    known = gold.filter(pl.col("population").is_not_null())
    assert known.height > 0.995 * gold.height
    assert known.filter(pl.col("annee_population") == 2023).height > 0.998 * known.height
    ours = COG.populations.filter(pl.col("annee") == 2023)
    compared = known.join(ours, on="code_commune", suffix="_cog")
    assert compared.height > 34_000
    assert compared.filter(pl.col("population") == pl.col("population_cog")).height > 0.99 * compared.height


def test_the_events_are_of_the_vintage_of_the_latest_one(lake: Lake) -> None:
    assert list(lake.deliveries["mouvements-communes.csv"].tables[0]["periods"]) == ["2024"]
    assert lake.rows(Layer.SILVER, "mouvements")["date_effet"].max().year == 2024  # type: ignore[union-attr]


def test_the_arrondissements_are_those_of_the_package(lake: Lake) -> None:
    rows = lake.rows(Layer.SILVER, "arrondissements_plm")
    assert dict(zip(rows["code_arrondissement"], rows["code_commune"], strict=True)) == COMMUNE_OF


def test_a_file_that_does_not_say_its_vintage_is_refused_with_what_to_do(tmp_path: Path, real_data: Path) -> None:
    lake = Lake(tmp_path / "lake", real_data, {})
    refused = {name: delivery for name, delivery in lake.deliveries.items() if delivery.state is State.REFUSED}
    assert set(refused) == WITHOUT_VINTAGE
    assert all("--vintage 2024" in delivery.reasons[0]["reason"] for delivery in refused.values())
