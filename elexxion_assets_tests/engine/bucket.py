"""Tables made by Spark in the bucket of a real MinIO, through S3A: `python -m elexxion_assets_tests.engine.bucket`.

`ELEXXION_MINIO` names the binary. The first time Spark fetches its S3 client from Maven Central, some 600 MB.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from elexxion_assets.lake import layout
from elexxion_assets.lake.storage import open_storage
from elexxion_assets.settings import settings
from elexxion_assets_tests.engine.both import chosen, made, write_configuration
from elexxion_assets_tests.services.s3 import minio_binary, minio_server
from elexxion_assets_tests.small_lake import SmallLake
from elexxion_assets_tests.toy import THEMES, csv


def main() -> None:
    """Makes silver and gold of a small theme with both engines; fails where they differ."""
    binary = minio_binary()
    if binary is None:
        sys.exit("no MinIO: set ELEXXION_MINIO to its binary")
    with tempfile.TemporaryDirectory() as folder, minio_server(binary) as server:
        write_configuration(Path(folder))
        keys = {"ELEXXION_S3_ACCESS_KEY": server.access_key, "ELEXXION_S3_SECRET_KEY": server.secret_key}
        with chosen(ELEXXION_S3_ENDPOINT=server.endpoint, SPARK_CONF_DIR=folder, SPARK_LOCAL_IP="127.0.0.1", **keys):
            storage = open_storage(settings())
            storage.ensure_bucket()  # type: ignore[attr-defined]
            lake = SmallLake(storage, THEMES)
            lake.drop("a.csv", csv("01001;2020;3", "01002;2020;x", "01004;2020;5", "01004;2020;6", "01001;2021;7"))
            lake.build()
            for name in ("toy/silver/facts", "toy/gold/sums"):
                for period in ("2020", "2021"):
                    ours, theirs = (made(lake, name, period, engine) for engine in ("polars", "spark"))
                    same = ours.rows.equals(theirs.rows) and ours.results == theirs.results
                    print(name, period, f"{theirs.rows.height} rows", "equal" if same else "DIFFER", flush=True)
                    if not same or list(storage.list(layout.SCRATCH)):
                        sys.exit(1)
    os._exit(0)  # Spark's own threads would keep the process for a while


if __name__ == "__main__":
    main()
