"""What tests of the orchestration share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from elexxion_assets.defs import headless, resources
from elexxion_assets.defs.instance import prepare_home
from elexxion_assets.settings import settings
from elexxion_assets_tests.lake.test_intake_to_gold import Lake
from elexxion_assets_tests.toy import THEMES


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    """The lake that the settings name, of the toy theme alone, where every file counts as settled."""
    monkeypatch.setenv("ELEXXION_HOME", str(tmp_path))
    monkeypatch.setenv("ELEXXION_SETTLE_SECONDS", "0")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    monkeypatch.setattr(resources, "all_themes", lambda: THEMES)
    monkeypatch.setattr(headless, "all_themes", lambda: THEMES)
    settings.cache_clear()
    prepare_home()
    yield Lake(settings().lake_directory)
    settings.cache_clear()
