"""One registry for the tests of this folder, and the deployment of a test that uses it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from driftloop.schemas.settings import Settings

from .apicurio import Registry


@pytest.fixture(scope="session")
def registry() -> Iterator[Registry]:
    """Of this process of the run."""
    found = Registry()
    yield found
    found.stop()


@pytest.fixture
def registered(settings: Settings, registry: Registry) -> Settings:
    """The test's own topics, with the registry set."""
    return replace(settings, schema_registry_url=registry.url)
