"""Predictors of these tests: a module of the user's, as the loader sees it."""

from __future__ import annotations

from typing import Any

import numpy as np


class Constant:
    """The same score for every row."""

    def __init__(self, score: float, part: Any = None) -> None:
        self.score = score
        self.part = part

    def predict_score(self, columns: Any) -> Any:
        """One score a row."""
        return np.full(len(next(iter(columns.values()))), self.score)
