"""The examples in the docstrings of detectors and judge are true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import driftloop.detectors
import driftloop.detectors.seasonal
import driftloop.streams.judge
import pytest

MODULES = [
    f"{package.__name__}.{found.name}"
    for package in (driftloop.detectors, driftloop.detectors.seasonal, driftloop.streams.judge)
    for found in pkgutil.iter_modules(package.__path__)
    if found.name != "worker"
]


@pytest.mark.parametrize("name", MODULES)
def test_every_example_prints_what_it_says(name: str) -> None:
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0


def test_every_detector_has_an_example() -> None:
    for name in ("e_detector", "window_csr", "chi2_sr", "river_adapter", "seasonal"):
        found = doctest.testmod(importlib.import_module(f"driftloop.detectors.{name}"))
        assert found.attempted >= 3
