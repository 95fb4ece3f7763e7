"""The same commands on a bucket: an imitation of S3 everywhere, a real MinIO where there is one."""

from __future__ import annotations

import json
from pathlib import Path
from secrets import token_hex

import pytest

from elexxion_assets.themes import all_themes
from elexxion_assets_tests.services.s3 import S3Server, minio, moto
from elexxion_assets_tests.test_cli import Person

__all__ = ["minio", "moto"]


@pytest.mark.parametrize("kind", ["moto", "minio"])
def test_a_file_goes_from_input_to_gold_in_a_bucket(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    server: S3Server = request.getfixturevalue(kind)
    bucket = f"lake-{token_hex(6)}"
    person = Person(
        tmp_path,
        ELEXXION_BUCKET=bucket,
        ELEXXION_S3_ENDPOINT=server.endpoint,
        ELEXXION_S3_ACCESS_KEY=server.access_key,
        ELEXXION_S3_SECRET_KEY=server.secret_key,
    )
    made = json.loads(person.reads("init", "--json"))
    assert made["lake"] == f"s3://{bucket}"
    assert json.loads(person.reads("init", "--json"))["made"] == []
    samples = all_themes()["crime"].samples
    assert samples is not None
    (tmp_path / "samples").mkdir()
    file = next(path for path in samples(tmp_path / "samples", 1) if "dep" in path.name)
    person.types("drop", str(file))
    person.types("run", "--strict")
    rows = json.loads(person.reads("show", "crime/gold/departements", "--json"))
    assert {row["code_departement"] for row in rows} >= {"01", "2A"}
    assert "was read" in person.reads("why", file.name)
    assert "nothing to do" in person.reads("run")
    keys = [item["Key"] for item in server.client.list_objects_v2(Bucket=bucket, Prefix="input/")["Contents"]]
    assert keys == ["input/.keep"]
