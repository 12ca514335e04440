"""What a published model can do: turn columns of features into scores. The same form trains, gates and serves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

Columns = Mapping[str, npt.NDArray[Any]]
"""Feature name -> array of n: numeric features float64 with NaN = missing, categorical ones object of str | None."""


@runtime_checkable
class Predictor(Protocol):
    """A model of one version."""

    def predict_score(self, columns: Columns) -> npt.NDArray[np.float64]:
        """P(classes[1]) of each row, float64[n] within 0..1."""
        ...


def columns_of(rows: Sequence[Mapping[str, float | int | str | None]], categorical: Sequence[str] = ()) -> Columns:
    """Rows as an app holds them -> columns as a predictor reads them; the names are those of the first row.

    ``categorical`` names the features that stay text. A feature absent from a row is missing (NaN or None).

    >>> columns_of([{"hour": 7, "carrier": "AA"}, {"hour": None}], categorical=["carrier"])
    {'hour': array([ 7., nan]), 'carrier': array(['AA', None], dtype=object)}
    """
    found: dict[str, npt.NDArray[Any]] = {}
    for name in rows[0] if rows else ():
        values = [row.get(name) for row in rows]
        if name in categorical:
            found[name] = np.array(values, dtype=object)
        else:
            found[name] = np.array([np.nan if v is None else v for v in values], dtype=np.float64)
    return found
