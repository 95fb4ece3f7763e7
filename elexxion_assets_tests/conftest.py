"""Fixtures that several rooms share."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent

# What a shell starts in the background ignores interrupts, and so would the services that tests start and end.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Directory of the real official files, which are never part of the project."""
    folder = Path(os.environ.get("ELEXXION_REAL_DATA", PROJECT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("the real official files are not here; ELEXXION_REAL_DATA names their directory")
    return folder
