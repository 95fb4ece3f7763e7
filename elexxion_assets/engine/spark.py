"""Spark: the same tables on an existing cluster, this process being its driver.

The definitions become Spark expressions, so that the workers need neither Python nor this package. They read bronze and
tables where they lie (`s3a://`, or a directory that driver and workers share) and write the ordered rows of a table as
parts under `output/scratch/`; the driver joins the parts to the one file that every reader knows.
"""

from __future__ import annotations

import logging
import re
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache, reduce
from operator import and_
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

import narwhals as nw
import polars as pl

from elexxion_assets.declare import Frame
from elexxion_assets.declare.frames import on_spark
from elexxion_assets.lake import layout
from elexxion_assets.lake.storage import Storage
from elexxion_assets.settings import Settings, SettingsError, settings

_LEFT_OVER = timedelta(days=1)
"""Age of parts that nobody works on any more: what a killed driver left."""


class Spark:
    """See `engine.Engine`."""

    name = "spark"

    def __init__(self, session: Any) -> None:
        self.session = session

    def scan(self, storage: Storage, key: str, stack: ExitStack) -> Frame:
        """See `Engine.scan`."""
        if storage.stat(key) is None:
            raise KeyError(key)
        return self._read(address(storage, key))

    def _read(self, place: str) -> Frame:
        return _frame(self.session.read.parquet(place))

    def small(self, rows: pl.DataFrame) -> Frame:
        """See `Engine.small`."""
        return on_spark(self.session, rows)

    def brought(self, rows: Frame, lines: pl.DataFrame | None = None) -> pl.LazyFrame:
        """See `Engine.brought`."""
        if lines is not None:
            wanted = self.small(lines.select("_line")).to_native()
            rows = _frame(rows.to_native().join(wanted, on="_line", how="left_semi"))
        found: pl.DataFrame = rows.collect(backend="polars").to_native()
        return found.lazy()

    def numbers(self, *frames: Frame) -> list[int]:
        """See `Engine.numbers`."""
        return [int(frame.to_native().first()[0]) for frame in frames]

    def look(self, rows: Frame, lost: nw.Expr, key: Sequence[str]) -> tuple[bool, bool]:
        """See `Engine.look`: a look would be one more job over all rows."""
        return True, True

    def once(self, rows: Frame, file: Path, stack: ExitStack, *, few: bool, again: bool) -> Frame:
        """See `Engine.once`: the workers keep them, in memory or on their disks."""
        kept = rows.to_native().persist()
        stack.callback(kept.unpersist)
        return _frame(kept)

    def join(self, rows: Frame, others: Frame, on: Sequence[str], how: Literal["inner", "anti"]) -> Frame:
        """See `Engine.join`."""
        from pyspark.sql import functions

        left, right = rows.to_native(), others.to_native()
        beside = right.toDF(*(f"_other_{name}" if name in on else name for name in right.columns))
        same = [functions.col(name).eqNullSafe(functions.col(f"_other_{name}")) for name in on]
        joined = left.join(beside, on=reduce(and_, same), how=how)
        return _frame(joined.drop(*(f"_other_{name}" for name in on)))

    @contextmanager
    def ordered(
        self, rows: Frame, key: Sequence[str], storage: Storage, scratch: Path, *, large: bool
    ) -> Iterator[tuple[pl.LazyFrame, Frame]]:
        """See `Engine.ordered`."""
        from pyspark.sql import functions

        prefix = f"{layout.SCRATCH}{secrets.token_hex(8)}/"
        place = address(storage, prefix.rstrip("/"))
        _remove_left_over(storage)
        try:
            native = rows.to_native()
            native.sort(*(functions.asc_nulls_first(name) for name in key)).write.parquet(place)
            parts = [entry.key for entry in storage.list(prefix) if entry.key.startswith(f"{prefix}part-")]
            with ExitStack() as stack:
                files = [stack.enter_context(storage.local(part)) for part in parts]
                yield pl.scan_parquet(files, glob=False), self._read(place)
        finally:
            _remove(storage, prefix)


def _quote_names() -> None:
    """Makes narwhals ask Spark for columns by quoted names.

    Names of official files hold dots (`unité.de.compte`), which Spark takes for fields of a struct. narwhals passes
    names as they are, and has no public way to change it.
    """
    from narwhals._spark_like import dataframe, expr, namespace
    from pyspark.sql import functions

    class Quoting:
        def __getattr__(self, name: str) -> Any:
            return getattr(functions, name)

        def col(self, name: str) -> Any:
            return functions.col("`" + name.replace("`", "``") + "`")

    quoting = Quoting()
    for module in (dataframe, expr, namespace):
        setattr(module, "import_functions", lambda implementation: quoting)  # noqa: B010


def _frame(native: Any) -> Frame:
    frame: Frame = nw.from_native(native)
    return frame


def address(storage: Storage, key: str) -> str:
    """Where Spark finds an object of the lake."""
    url = urlsplit(storage.url)
    if url.scheme == "s3":
        return f"s3a://{url.netloc}/{key}"
    return f"file://{unquote(url.path)}/{key}"


def _remove(storage: Storage, prefix: str) -> None:
    url = urlsplit(storage.url)
    for entry in list(storage.list(prefix)):
        storage.delete(entry.key)
    if url.scheme == "file":
        shutil.rmtree(Path(unquote(url.path)) / prefix, ignore_errors=True)


def _remove_left_over(storage: Storage) -> None:
    limit = datetime.now(UTC) - _LEFT_OVER
    old = (entry.key for entry in storage.list(layout.SCRATCH) if entry.modified < limit)
    for name in {key.removeprefix(layout.SCRATCH).split("/")[0] for key in old}:
        _remove(storage, f"{layout.SCRATCH}{name}/")


@cache
def spark_engine() -> Spark:
    """The engine on the cluster of `ELEXXION_SPARK_MASTER`; one session for the process.

    Raises:
        SettingsError: pyspark or Java is not there, or the cluster does not answer.
    """
    try:
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise SettingsError(
            "ELEXXION_ENGINE: spark needs pyspark, the extra elexxion-assets[spark]: in the project's folder, "
            "pip install -c constraints.txt '.[spark]'; or leave ELEXXION_ENGINE out for Polars"
        ) from error
    chosen = settings()
    builder = SparkSession.builder.master(chosen.spark_master).appName("elexxion")
    for name, value in configuration(chosen, _hadoop()).items():
        builder = builder.config(name, value)
    try:
        session = builder.getOrCreate()
    except (PySparkException, OSError) as error:
        raise SettingsError(f"ELEXXION_ENGINE: no Spark on {chosen.spark_master}, is Java 17 there? {error}") from error
    except Exception as error:  # py4j's own, which has the driver's words
        if type(error).__module__.startswith("py4j"):
            words = str(error).strip().splitlines()[:2]
            raise SettingsError(f"ELEXXION_SPARK_MASTER: {chosen.spark_master}: {' '.join(words)}") from error
        raise
    _quote_names()
    logging.getLogger(__name__).info("Spark %s on %s", session.version, chosen.spark_master)
    return Spark(session)


def _hadoop() -> tuple[str, bool]:
    """Version of the Hadoop that pyspark brings, and whether its S3 client lies beside it."""
    from pyspark.find_spark_home import _find_spark_home

    jars = Path(_find_spark_home()) / "jars"
    found = (re.fullmatch(r"hadoop-client-api-(.+)\.jar", jar.name) for jar in jars.glob("hadoop-client-api-*.jar"))
    version = next((match[1] for match in found if match), "")
    return version, any(jars.glob("hadoop-aws-*.jar"))


def configuration(chosen: Settings, hadoop: tuple[str, bool]) -> dict[str, str]:
    """What a Spark session is told; all else comes from `spark-defaults.conf`, as on any cluster.

    Args:
        chosen: The settings.
        hadoop: Version of Hadoop, and whether `hadoop-aws` is installed beside it; it is fetched where it is not.
    """
    told = {
        # Headers that differ by case only are two columns, as everywhere else in the lake.
        "spark.sql.caseSensitive": "true",
        "spark.sql.ansi.enabled": "true",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.parquet.compression.codec": "zstd",
        "spark.ui.showConsoleProgress": "false",
        # Where in Python an expression was made is asked for at every one of thousands.
        "spark.python.sql.dataFrameDebugging.enabled": "false",
    }
    if chosen.s3_endpoint is None or chosen.s3_access_key is None or chosen.s3_secret_key is None:
        return told
    version, installed = hadoop
    if version and not installed:
        told["spark.jars.packages"] = f"org.apache.hadoop:hadoop-aws:{version}"
    s3a = {
        "endpoint": chosen.s3_endpoint,
        "endpoint.region": chosen.s3_region,
        "path.style.access": "true",
        "connection.ssl.enabled": str(chosen.s3_endpoint.startswith("https://")).lower(),
        "aws.credentials.provider": "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider",
        "access.key": chosen.s3_access_key.get_secret_value(),
        "secret.key": chosen.s3_secret_key.get_secret_value(),
    }
    told |= {f"spark.hadoop.fs.s3a.{name}": value for name, value in s3a.items()}
    # Parts are read only after the whole job has succeeded, so that tasks may put them in place one by one.
    told["spark.hadoop.mapreduce.fileoutputcommitter.algorithm.version"] = "2"
    return told
