"""Every kind of storage, for tests that must hold on all of them."""

from pathlib import Path
from secrets import token_hex

import pytest

from elexxion_assets.lake.storage import DirectoryStorage, S3Storage, Storage
from elexxion_assets_tests.services.memory import MemoryStorage
from elexxion_assets_tests.services.s3 import S3Server, minio, moto

__all__ = ["minio", "moto"]


@pytest.fixture(params=["memory", "directory", "moto", "minio"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "memory":
        return MemoryStorage()
    if request.param == "directory":
        return DirectoryStorage(tmp_path / "lake")
    return bucket(request.getfixturevalue(request.param))


@pytest.fixture(params=["moto", "minio"])
def s3(request: pytest.FixtureRequest) -> S3Storage:
    return bucket(request.getfixturevalue(request.param))


@pytest.fixture
def directory(tmp_path: Path) -> DirectoryStorage:
    return DirectoryStorage(tmp_path / "lake")


def bucket(server: S3Server) -> S3Storage:
    """A new bucket, with the smallest parts that S3 allows."""
    storage = S3Storage(f"lake-{token_hex(6)}", server.client, part_size=5 << 20)
    storage.ensure_bucket()
    return storage
