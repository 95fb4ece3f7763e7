"""Dagster's own records in PostgreSQL instead of SQLite, by one variable."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy

from elexxion_assets.themes import all_themes
from elexxion_assets_tests.services.postgres import postgres
from elexxion_assets_tests.test_cli import Person

__all__ = ["postgres"]


def test_runs_and_events_are_in_postgresql(postgres: str, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"ELEXXION_DAGSTER_DATABASE_URL={postgres}\n", encoding="utf-8")
    person = Person(tmp_path)
    person.types("init")
    samples = all_themes()["crime"].samples
    assert samples is not None
    (tmp_path / "samples").mkdir()
    file = next(path for path in samples(tmp_path / "samples", 1) if "dep" in path.name)
    person.types("drop", str(file))
    person.types("run", "--strict")
    engine = sqlalchemy.create_engine(postgres)
    with engine.connect() as connection:
        jobs = {row[0] for row in connection.execute(sqlalchemy.text("select pipeline_name from runs"))}
        assets = {row[0] for row in connection.execute(sqlalchemy.text("select asset_key from asset_keys"))}
    engine.dispose()
    assert {"intake", "crime"} <= jobs
    assert '["crime", "gold", "departements"]' in assets
    assert not list((tmp_path / ".elexxion" / "dagster").rglob("*.db"))
