"""Dagster's home in embedded use: a directory of its own, with its configuration."""

from __future__ import annotations

import os
import sqlite3
from collections import OrderedDict
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from elexxion_assets.settings import settings

_SQLITE = """
storage:
  custom:
    module: elexxion_assets.defs.records
    class: Records
    config:
      base_dir:
        env: DAGSTER_HOME
"""

_POSTGRES = """
storage:
  postgres:
    postgres_url:
      env: ELEXXION_DAGSTER_DATABASE_URL
"""

_KEPT_OPEN = 8

_FOLDERS = ("history", "schedules", "storage")
"""Where Dagster keeps its SQLite files under its home, which may be the home of other things too."""


@cache
def spare_disk() -> None:
    """Lets Dagster's SQLite files under DAGSTER_HOME be written without waiting for the disk at every event.

    A killed process loses nothing by it. A power failure may take Dagster's records, never data: `elexxion resync`
    tells them again from the lake.
    """
    import sqlalchemy  # paid by who opens a database, not by the definitions

    kept: OrderedDict[str, sqlite3.Connection] = OrderedDict()

    def hurry(connection: Any, _: Any) -> None:
        home = os.environ.get("DAGSTER_HOME")
        if home is None or not isinstance(connection, sqlite3.Connection):
            return
        file = connection.execute("PRAGMA database_list").fetchone()[2]
        if not any(Path(file).is_relative_to(Path(home, folder).resolve()) for folder in _FOLDERS):
            return
        connection.execute("PRAGMA synchronous = OFF")
        if file not in kept:
            # Dagster opens a file for every event, and the last connection to be closed copies its journal.
            kept[file] = sqlite3.connect(file, check_same_thread=False)
            kept[file].execute("SELECT count(*) FROM sqlite_master").fetchall()
            while len(kept) > _KEPT_OPEN:
                kept.popitem(last=False)[1].close()

    sqlalchemy.event.listen(sqlalchemy.Engine, "connect", hurry)


def prepare_home() -> Path:
    """Makes DAGSTER_HOME and its `dagster.yaml`; a home that the environment names keeps the file it has.

    Returns:
        The directory, which is also put into the environment for the processes started from here.
    """
    home = Path(os.environ.get("DAGSTER_HOME") or settings().dagster_home)
    home.mkdir(parents=True, exist_ok=True)
    os.environ["DAGSTER_HOME"] = str(home)
    if (database := settings().dagster_database_url) is not None:
        # Dagster reads the environment, which a `.env` file is not part of.
        os.environ.setdefault("ELEXXION_DAGSTER_DATABASE_URL", database.get_secret_value())
    configuration = home / "dagster.yaml"
    ours = home == settings().dagster_home
    if ours or not configuration.exists():
        text = files("elexxion_assets.defs").joinpath("dagster.yaml").read_text(encoding="utf-8")
        text += _SQLITE if settings().dagster_database_url is None else _POSTGRES
        if not configuration.exists() or configuration.read_text(encoding="utf-8") != text:
            configuration.write_text(text, encoding="utf-8")
    return home
