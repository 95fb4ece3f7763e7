"""The same tables by Spark, on a cluster of one machine, and what is said where Spark is not to be had."""

from __future__ import annotations

import logging
import os
import shutil
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from pydantic import SecretStr

from elexxion_assets.declare import Layer
from elexxion_assets.engine import engine_of
from elexxion_assets.lake import layout
from elexxion_assets.settings import Settings, SettingsError, settings
from elexxion_assets.themes import all_themes
from elexxion_assets_tests.engine.both import TABLES, chosen, made, small_lake, write_configuration
from elexxion_assets_tests.trial import Lake

ALWAYS = {
    "association/gold/creations",
    "crime/silver/communale",
    "crime/gold/communes",
    "election/silver/resultats",
    "election/gold/communes_candidats",
    "emploi/silver/demandeurs_emploi",
    "emploi/gold/communes",
}
"""Tables that are compared in every run of the tests."""


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One session for all tests here; it starts with the first table that is made."""
    pytest.importorskip("pyspark", reason="pyspark is not installed: pip install '.[spark]'")
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        pytest.skip("no Java, which Spark runs on")
    from elexxion_assets.engine.spark import spark_engine

    folder = tmp_path_factory.mktemp("spark")
    write_configuration(folder)
    with chosen(SPARK_CONF_DIR=str(folder), SPARK_LOCAL_IP="127.0.0.1"):
        yield
        if spark_engine.cache_info().currsize:
            with chosen(ELEXXION_SPARK_MASTER="local[2]"):
                spark_engine().session.stop()
            spark_engine.cache_clear()


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return small_lake(tmp_path_factory.mktemp("both"))


@pytest.mark.parametrize("name", TABLES)
def test_spark_makes_the_same_to_the_last_digit(spark: None, lake: Lake, name: str) -> None:
    if name not in ALWAYS and os.environ.get("ELEXXION_TEST_SPARK") != "all":
        pytest.skip("a table or two of each theme take a minute; ELEXXION_TEST_SPARK=all compares the others too")
    ours, theirs = (made(lake, name, TABLES[name], engine) for engine in ("polars", "spark"))
    assert (ours.staged.engine, theirs.staged.engine) == ("polars", "spark")
    assert ours.rows.height
    assert theirs.rows.schema == ours.rows.schema
    assert theirs.rows.equals(ours.rows)
    assert theirs.results == ours.results
    assert theirs.staged.counts == ours.staged.counts
    assert theirs.staged.inputs == ours.staged.inputs
    assert theirs.quarantine.keys() == ours.quarantine.keys()
    assert all(rows.equals(ours.quarantine[key]) for key, rows in theirs.quarantine.items())
    # Sums of a whole column are taken in another order.
    found, wanted = plain(theirs.staged.profile), plain(ours.staged.profile)
    assert found.keys() == wanted.keys()
    for place, value in wanted.items():
        assert found[place] == (pytest.approx(value, rel=1e-9) if isinstance(value, float) else value), place
    assert not list(lake.storage.list(layout.SCRATCH))


def plain(profile: object, place: str = "") -> dict[str, object]:
    """A profile without its levels, so that its numbers can be compared within a tolerance."""
    if isinstance(profile, dict):
        return {k: v for key, value in profile.items() for k, v in plain(value, f"{place}/{key}").items()}
    if isinstance(profile, list):
        return {k: v for i, value in enumerate(profile) for k, v in plain(value, f"{place}/{i}").items()}
    return {place: profile}


def test_lines_were_wrong_in_every_way_that_was_compared(lake: Lake) -> None:
    said = " ".join(lake.quarantined())
    for words in ("the same as in line", "is not a valid code", "is not a whole number", "no value", "among the known"):
        assert words in said
    rescued = lake.rows("crime/silver/communale", "2023")["_rescued"].drop_nulls()
    assert rescued.to_list() == ['{"note.libre": "dit « \\"vol\\" »\\\\n"}']


def test_every_table_is_compared_or_says_why_not() -> None:
    """Those that are not have the function of one that is, or are made on the driver."""
    alike = {"crime/silver/regionale": "crime/silver/departementale"}
    alike |= dict.fromkeys(
        ("emploi/silver/recensement", "emploi/silver/statistiques_locales"), "emploi/silver/base_cc_emploi_pop_active"
    )
    alike |= dict.fromkeys(
        ("emploi/silver/demandeurs_emploi_epci", "emploi/silver/bdm"), "emploi/silver/demandeurs_emploi"
    )
    for theme in all_themes().values():
        for table in theme.tables:
            name = f"{theme.name}/{table.layer}/{table.name}"
            on_the_driver = table.in_process or table.layer is Layer.PLATINUM
            assert on_the_driver or alike.get(name, name) in TABLES, name


def test_a_broken_file_leaves_the_table_that_was_there(spark: None, lake: Lake) -> None:
    name, period = "crime/silver/departementale", "2022"
    before = lake.rows(name, period)
    [bronze] = lake.storage.list(layout.bronze_prefix("crime", "departementale", period))
    good = lake.storage.read(bronze.key)
    lake.storage.write(bronze.key, b"PAR1 and then nothing PAR1")
    try:
        with pytest.raises(Exception, match=Path(bronze.key).name):
            made(lake, name, period, "spark")
    finally:
        lake.storage.write(bronze.key, good)
    assert lake.rows(name, period).equals(before)
    assert not list(lake.storage.list(layout.SCRATCH))


def test_parts_that_a_killed_driver_left_are_removed(spark: None, lake: Lake, tmp_path: Path) -> None:
    from elexxion_assets.engine.spark import spark_engine

    for name, age in (("old", timedelta(days=2)), ("new", timedelta(hours=1))):
        lake.storage.write(f"{layout.SCRATCH}{name}/part-0", b"rows")
        stamp = (datetime.now(UTC) - age).timestamp()
        os.utime(lake.storage.root / f"{layout.SCRATCH}{name}/part-0", (stamp, stamp))
    with chosen(ELEXXION_SPARK_MASTER="local[2]"):
        engine = spark_engine()
    rows = engine.small(pl.DataFrame({"key": [2, None, 1]}))
    with engine.ordered(rows, ["key"], lake.storage, tmp_path, large=False) as (ordered, _):
        assert ordered.collect()["key"].to_list() == [None, 1, 2]
    assert [entry.key for entry in lake.storage.list(layout.SCRATCH)] == [f"{layout.SCRATCH}new/part-0"]
    lake.storage.delete(f"{layout.SCRATCH}new/part-0")


def test_what_stays_on_the_driver_is_said(lake: Lake, caplog: pytest.LogCaptureFixture) -> None:
    reference = lake.themes["reference"].table(Layer.SILVER, "communes")
    crime = lake.themes["crime"].table(Layer.SILVER, "communale")
    caplog.set_level(logging.WARNING, logger="elexxion_assets.engine")
    with chosen(ELEXXION_ENGINE="spark", ELEXXION_SPARK_FROM_BYTES="64000000"):
        assert engine_of("reference", reference, lambda: 10**12).name == "polars"
        assert engine_of("crime", crime, lambda: 63_999_999).name == "polars"
    here = "is made by Polars on the driver, not by Spark:"
    assert [record.getMessage() for record in caplog.records] == [
        f"reference/silver/communes {here} the communes of France are some 40,000",
        f"crime/silver/communale {here} its inputs have 63,999,999 bytes, fewer than ELEXXION_SPARK_FROM_BYTES",
    ]


def test_an_unknown_engine_is_named() -> None:
    with chosen(ELEXXION_ENGINE="duckdb"), pytest.raises(SettingsError, match=r"ELEXXION_ENGINE.*'polars' or 'spark'"):
        settings()
    with (
        chosen(ELEXXION_SPARK_MASTER="http://host:7077"),
        pytest.raises(SettingsError, match="ELEXXION_SPARK_MASTER"),
    ):
        settings()


def test_without_pyspark_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from elexxion_assets.engine.spark import spark_engine

    for module in ("pyspark", "pyspark.errors", "pyspark.sql"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(SettingsError, match=r"ELEXXION_ENGINE.*elexxion-assets\[spark\]"):
        spark_engine.__wrapped__()


def test_a_cluster_reads_the_bucket_with_the_settings_of_the_lake() -> None:
    from elexxion_assets.engine.spark import configuration

    bucket = Settings(
        s3_endpoint="https://s3.example.org:9000",
        s3_region="fr",
        s3_access_key=SecretStr("key"),
        s3_secret_key=SecretStr("hidden"),
    )
    told = configuration(bucket, ("3.5.0", False))
    s3a = {name.removeprefix("spark.hadoop.fs.s3a."): value for name, value in told.items() if ".s3a." in name}
    assert s3a["endpoint"] == "https://s3.example.org:9000"
    assert (s3a["path.style.access"], s3a["connection.ssl.enabled"], s3a["endpoint.region"]) == ("true", "true", "fr")
    assert (s3a["access.key"], s3a["secret.key"]) == ("key", "hidden")
    assert told["spark.jars.packages"] == "org.apache.hadoop:hadoop-aws:3.5.0"
    assert "spark.jars.packages" not in configuration(bucket, ("3.5.0", True))
    assert not any("s3a" in name for name in configuration(Settings(s3_endpoint=None), ("3.5.0", False)))
