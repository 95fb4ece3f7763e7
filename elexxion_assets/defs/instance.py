"""Dagster's home in embedded use: a directory of its own, with its configuration."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path

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
