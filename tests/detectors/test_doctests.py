"""The examples in the docstrings of detectors and judge are true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import driftloop.detectors
import driftloop.streams.judge
import pytest
from driftloop.detectors import DETECTORS

MODULES = [
    found.name
    for package in (driftloop.detectors, driftloop.streams.judge)
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    if not found.name.endswith(".worker")
]


@pytest.mark.parametrize("name", MODULES)
def test_every_example_prints_what_it_says(name: str) -> None:
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0


def test_every_detector_has_an_example() -> None:
    for name in DETECTORS:
        place = next(module for module in MODULES if module.rsplit(".", 1)[-1] in (name, f"{name}_adapter"))
        found = doctest.testmod(importlib.import_module(place))
        assert found.attempted >= 3, name
