"""The configuration of the deployment, as it is written: records in PostgreSQL, what runs print in the bucket."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from secrets import token_hex

from elexxion_assets_tests.conftest import PROJECT
from elexxion_assets_tests.services.postgres import postgres
from elexxion_assets_tests.services.s3 import S3Server, minio
from elexxion_assets_tests.test_cli import Person
from elexxion_assets_tests.toy import csv

__all__ = ["minio", "postgres"]


def test_what_a_run_printed_is_in_the_bucket_and_stays_when_the_lake_is_reset(
    minio: S3Server, postgres: str, tmp_path: Path
) -> None:
    bucket, home = f"lake-{token_hex(6)}", tmp_path / "dagster"
    home.mkdir()
    shutil.copy(PROJECT / "deploy" / "dagster.yaml", home)
    person = Person(
        tmp_path,
        ELEXXION_BUCKET=bucket,
        ELEXXION_S3_ENDPOINT=minio.endpoint,
        ELEXXION_S3_ACCESS_KEY=minio.access_key,
        ELEXXION_S3_SECRET_KEY=minio.secret_key,
        ELEXXION_DAGSTER_DATABASE_URL=postgres,
        ELEXXION_SETTLE_SECONDS="0",
        AWS_ACCESS_KEY_ID=minio.access_key,
        AWS_SECRET_ACCESS_KEY=minio.secret_key,
        DAGSTER_HOME=str(home),
    )
    person.types("init")
    (tmp_path / "unknown.csv").write_bytes(csv("01001;2020;1"))
    person.types("drop", "unknown.csv")
    command = [Path(sys.executable).with_name("dagster"), "job", "execute", "-m", "elexxion_assets.definitions"]
    subprocess.run([*command, "-j", "intake"], cwd=tmp_path, env=person.environment, capture_output=True, check=True)
    logs = minio.client.list_objects_v2(Bucket=bucket, Prefix="dagster/storage/")["Contents"]
    printed = {Path(item["Key"]).suffix: item["Key"] for item in logs if "/compute_logs/" in item["Key"]}
    assert set(printed) == {".err", ".out"}
    said = minio.client.get_object(Bucket=bucket, Key=printed[".err"])["Body"].read()
    assert b"unknown.csv: refused" in said
    assert not list(home.rglob("*.db"))
    person.types("reset", "--yes")
    kept = minio.client.list_objects_v2(Bucket=bucket)["Contents"]
    assert {item["Key"] for item in kept} == {item["Key"] for item in logs}
