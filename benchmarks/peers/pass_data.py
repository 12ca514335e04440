"""Reference and current rows of the drift pass, the same for everybody: 8 normal and 2 categorical columns. numpy."""

from __future__ import annotations

import numpy as np

ROWS, NUMERIC, CATEGORICAL = 100_000, 8, 2
CATEGORIES = np.array([f"category {i}" for i in range(8)], dtype=object)
SHARES = 0.5 ** np.arange(1, 9) / (1 - 0.5**8)


def columns(seed: int, part: int) -> dict[str, np.ndarray]:
    """``part`` 0: the reference; 1: the current rows, of which one column has moved by .2 sd."""
    rng = np.random.default_rng([seed, part])
    found = {f"n{i}": rng.normal(0.2 * (part and i == 0), 1, ROWS) for i in range(NUMERIC)}
    return found | {f"c{i}": rng.choice(CATEGORIES, ROWS, p=SHARES) for i in range(CATEGORICAL)}
