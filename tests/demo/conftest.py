"""The year of flights, read once for the tests of this folder."""

from __future__ import annotations

import os

import pytest
from driftloop.console.demo.flight_files import load
from driftloop.console.demo.flights import Flights

os.environ.setdefault("OMP_NUM_THREADS", "1")
"""As in the demo, and before scikit-learn is imported: threads that spin make a busy machine slow."""


@pytest.fixture(scope="session")
def year() -> Flights:
    return load()
