"""Which SQLite files are written in haste: those of Dagster, and nobody else's."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy

from elexxion_assets.defs.instance import spare_disk

FULL, OFF = 2, 0


@pytest.mark.parametrize(
    ("file", "wanted"),
    [
        ("dagster/history/runs.db", OFF),
        ("dagster/schedules/schedules.db", OFF),
        ("dagster/studies.db", FULL),
        ("dagster/history-of-art/ledger.db", FULL),
        ("dagster-accounts/history/ledger.db", FULL),
    ],
)
def test_only_the_files_of_dagster_are_written_in_haste(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, wanted: int
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    spare_disk()
    (tmp_path / file).parent.mkdir(parents=True)
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path / file}")
    with engine.connect() as connection:
        assert connection.execute(sqlalchemy.text("PRAGMA synchronous")).scalar() == wanted
    engine.dispose()
