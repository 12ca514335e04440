"""The helpers of these tests (toy, driving) are imported by their bare names, by the tests and by the worker."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from driftloop.schemas.settings import Settings

sys.path.insert(0, str(Path(__file__).parent))

from driving import Workers


@pytest.fixture
def workers(settings: Settings, tmp_path: Path) -> Iterator[Workers]:
    """None is started yet; none is left behind."""
    found = Workers(settings, tmp_path)
    yield found
    found.end()
