"""Feature columns as one matrix of numbers: first the categorical features as codes, then the numeric ones.

Codes 0..k-1 stand for the categories seen in training, sorted; anything else is NaN, missing to the trees. The same
order and the same codes scikit-learn would give them, so that its own encoder changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

CATEGORIES_MOST = 254
"""A histogram of scikit-learn has 255 bins; one is for what is missing."""


class Encoding:
    """``categories``: name -> the known ones, by code; ``numeric``: the other columns, in their order."""

    def __init__(self, categories: dict[str, tuple[str, ...]], numeric: tuple[str, ...]) -> None:
        self.categories, self.numeric = categories, numeric
        self._code_of = {
            name: {text: float(code) for code, text in enumerate(known)} for name, known in categories.items()
        }

    @classmethod
    def of(cls, columns: Mapping[str, NDArray[Any]]) -> Encoding:
        """The encoding of these training columns: object arrays of str | None are categorical."""
        categories = {
            name: tuple(sorted({x for x in column.tolist() if x is not None})[:CATEGORIES_MOST])
            for name, column in columns.items()
            if column.dtype == object
        }
        return cls(categories, tuple(name for name in columns if name not in categories))

    def matrix(self, columns: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
        """[n, features] for columns of length n."""
        rows = len(next(iter(columns.values())))
        matrix = np.empty((rows, len(self.categories) + len(self.numeric)))
        for i, (name, code_of) in enumerate(self._code_of.items()):
            matrix[:, i] = [code_of.get(text, np.nan) for text in columns[name].tolist()]
        for i, name in enumerate(self.numeric, len(self.categories)):
            matrix[:, i] = columns[name]
        return matrix
