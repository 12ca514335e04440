"""Rows of an app become the columns a predictor reads."""

from __future__ import annotations

import doctest

import numpy as np
from driftloop.artefacts import predictor
from driftloop.artefacts.predictor import columns_of


def test_missing_is_nan_in_numbers_and_none_in_text() -> None:
    columns = columns_of([{"hour": 7, "carrier": "AA"}, {"hour": None, "carrier": None}], ["carrier"])
    assert columns["hour"].dtype == np.float64
    assert np.array_equal(columns["hour"], [7.0, np.nan], equal_nan=True)
    assert columns["carrier"].tolist() == ["AA", None]
    assert columns_of([]) == {}


def test_the_example_in_the_docstring_holds() -> None:
    assert doctest.testmod(predictor).failed == 0
