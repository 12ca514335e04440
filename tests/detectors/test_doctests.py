"""The examples in the docstrings of detectors and judge are true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import driftloop.detectors
import driftloop.detectors.classical
import driftloop.detectors.seasonal
import driftloop.streams.judge
import pytest
from driftloop.detectors import DETECTORS

MODULES = [
    f"{package.__name__}.{found.name}"
    for package in (
        driftloop.detectors,
        driftloop.detectors.classical,
        driftloop.detectors.seasonal,
        driftloop.streams.judge,
    )
    for found in pkgutil.iter_modules(package.__path__)
    if found.name != "worker"
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
