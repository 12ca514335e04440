"""Intervals of a number as segments: what lies between cuts, in words, and back from the words to the cuts.

    cuts 100, 500        "below 100", "100 to 500" (500 is not in it), "500 and above", missing
    none                 "any", missing

A segmentation knows its combinations as texts, whatever they are of; so those of a number travel, are kept and are
judged as those of categories are, and only who codes rows asks where the cuts are.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

CUTS_MOST = 62
"""With as many intervals and one, and missing, 64 segments."""
_DIGITS_LEARNED, _DIGITS = 6, 12

Texts = tuple[tuple[str | None], ...]


def intervals(cuts: Sequence[float]) -> Texts:
    """The combinations of a segmentation by a number, in the order of their codes.

    >>> intervals((100.0, 0.5e6))
    (('below 100',), ('100 to 500000',), ('500000 and above',), (None,))
    """
    told = [_text(cut) for cut in cuts]
    if not told:
        return (("any",), (None,))
    between = [f"{low} to {high}" for low, high in pairwise(told)]
    return ((f"below {told[0]}",), *((text,) for text in between), (f"{told[-1]} and above",), (None,))


def cuts_of(values: Sequence[Sequence[str | None]]) -> tuple[float, ...]:
    """Back from ``intervals``: each but the last two ends at a cut.

    >>> cuts_of(intervals((-1.5, 100.0)))
    (-1.5, 100.0)
    """
    return tuple(float(str(value[0]).split()[-1]) for value in values[:-2])


def interval_codes(cuts: Sequence[float], numbers: NDArray[np.float64]) -> NDArray[np.int64]:
    """Code of every number: its interval; NaN is missing.

    >>> interval_codes((100.0, 500.0), np.array([-np.inf, 100.0, 500.0, np.nan])).tolist()
    [0, 1, 2, 3]
    """
    found = np.searchsorted(np.asarray(cuts, np.float64), numbers, side="right")
    return np.where(np.isnan(numbers), len(cuts) + 1, found)


def quartiles(values: NDArray[Any]) -> tuple[float, ...]:
    """Cuts at the quartiles of the finite values, to six digits; few distinct values are cut halfway.

    >>> quartiles(np.arange(101.0)), quartiles(np.array([0.0, 1.0, 1.0, np.nan])), quartiles(np.zeros(9))
    ((25.0, 50.0, 75.0), (0.5,), ())
    """
    finite = values[np.isfinite(values)]
    distinct = np.unique(finite)
    if len(distinct) <= 4:
        found = distinct[:-1] / 2 + distinct[1:] / 2
    else:
        found = np.quantile(finite, [0.25, 0.5, 0.75])
    rounded = {float(f"{cut:.{_DIGITS_LEARNED}g}") for cut in found.tolist()}
    return tuple(sorted(cut for cut in rounded if np.isfinite(cut) and cut > distinct[0]))


def as_told(cut: float) -> float:
    """The number that stands in the words."""
    return float(_text(cut))


def _text(cut: float) -> str:
    return f"{cut + 0.0:.{_DIGITS}g}"
