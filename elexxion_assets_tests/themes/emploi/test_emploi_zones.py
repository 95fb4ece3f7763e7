"""The zone d'emploi of every commune, and its rate beside that of the census."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from elexxion_assets.declare import Layer
from elexxion_assets.lake.storage import DirectoryStorage
from elexxion_assets.publishing.dictionary import table_page
from elexxion_assets.themes import all_themes
from elexxion_assets.themes.emploi import THEME
from elexxion_assets_tests.small_lake import SmallLake

GOLD = "emploi/gold/communes"
ZONE = ("code_zone_emploi", "zone_emploi_zonage", "zone_emploi_millesime")
RATE = ("taux_chomage_zone_emploi", "taux_chomage_zone_emploi_annee")

CENSUS = "CODGEO;P17_POP1564;P17_ACT1564;P17_ACTOCC1564;P17_CHOM1564\n" + "".join(
    f"{code};100;80;70;10\n" for code in ("01001", "01004", "01165", "69123", "69381", "97411")
)
RATES = (
    "Code de la zone d'emploi 2020;Libellé de la zone d'emploi 2020;1er trimestre 2016;1er trimestre 2017\n"
    "ZE2020;LIBZE2020;2016-T1;2017-T1\n8405;Bourg en Bresse;6,1;5,9\n8421;Lyon;8,2;8,0\n0403;Le Nord;22,5;\n"
)
MEMBERSHIP = "CODGEO;LIBGEO;DEP;REG;EPCI;ZE2020\n" + "".join(
    f"{code};X;{code[:2]};84;200069193;{zone}\n"
    for code, zone in {
        "01001": "8405",
        # Merged into 01165 since, whose own zone is another one.
        "01003": "8401",
        "01165": "8405",
        "69123": "8421",
        "69381": "8421",
        "97411": "0403",
    }.items()
).replace(";97;84;", ";974;04;")


@pytest.fixture
def lake(tmp_path: Path) -> SmallLake:
    themes = all_themes()
    lake = SmallLake(DirectoryStorage(tmp_path / "lake"), {name: themes[name] for name in ("emploi", "reference")})
    lake.drop("base-cc-emploi-pop-active-2017.CSV", CENSUS)
    lake.drop("chomage-zone.csv", RATES)
    lake.build()
    return lake


def test_without_a_file_that_says_it_the_columns_are_empty_and_the_dictionary_says_which_one_does(
    lake: SmallLake,
) -> None:
    rows = lake.rows(GOLD, "2017")
    assert rows.select(*ZONE, *RATE).null_count().row(0) == (rows.height,) * 5
    assert "table-appartenance-geo-communes-YY" in table_page(THEME, THEME.table(Layer.GOLD, "communes"))
    assert lake.rows(GOLD, "2016").is_empty()


def test_a_table_of_memberships_brings_zone_and_rate_to_what_was_built_before(lake: SmallLake) -> None:
    lake.drop("table-appartenance-geo-communes-24.csv", MEMBERSHIP)
    built = lake.build()
    assert {"emploi/gold/communes/2016", "emploi/gold/communes/2017"} <= set(built)
    assert not any(name.startswith("emploi/silver") for name in built)
    rows = {row["code_commune"]: row for row in lake.rows(GOLD, "2017").to_dicts()}
    assert set(rows) == {"01001", "01004", "01165", "69123", "97411"}
    assert [rows["01001"][name] for name in (*ZONE, *RATE)] == ["8405", "2020", 2024, 5.9, 2017]
    assert rows["01001"]["taux_chomage_recensement"] == pytest.approx(12.5)
    assert [rows["01165"][name] for name in (*ZONE, *RATE)] == ["8405", "2020", 2024, 5.9, 2017]
    # Lyon once; a commune that the table lacks has no zone.
    assert [rows["69123"][name] for name in (*ZONE, *RATE)] == ["8421", "2020", 2024, 8.0, 2017]
    assert [rows["01004"][name] for name in (*ZONE, *RATE)] == [None] * 5
    # The last rate known, with its year.
    assert [rows["97411"][name] for name in RATE] == [22.5, 2016]
    # The rate of its zone is no figure of a commune of which nothing else is known.
    assert lake.rows(GOLD, "2016").is_empty()
    assert lake.build() == []


def test_a_new_release_of_the_rates_reaches_the_communes(lake: SmallLake) -> None:
    lake.drop("table-appartenance-geo-communes-24.csv", MEMBERSHIP)
    lake.build()
    lake.drop("chomage-zone-2.csv", RATES.replace("2016", "2018").replace("2017-T1", "2019-T1").replace("2017", "2019"))
    lake.build()
    rows = lake.rows(GOLD, "2019")
    assert rows.filter(pl.col("code_commune") == "01001")["taux_chomage_zone_emploi"].to_list() == [5.9]
