"""Vectors as apps may have them."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

coordinates = st.floats(width=32, allow_nan=False, allow_infinity=False)


def a_vector(width: int) -> st.SearchStrategy[Any]:
    """As an app may have it."""
    some = st.lists(coordinates, min_size=width, max_size=width)
    return st.none() | some | some.map(tuple) | some.map(np.array) | some.map(lambda x: np.array(x, np.float32))
