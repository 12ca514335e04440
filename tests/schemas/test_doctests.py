"""The examples in the docstrings of schemas are true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import driftloop.schemas
import pytest

MODULES = [m.name for m in pkgutil.walk_packages(driftloop.schemas.__path__, "driftloop.schemas.")]


@pytest.mark.parametrize("name", MODULES)
def test_docstrings(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0
