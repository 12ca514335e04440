"""Declared segments: combinations of categories, or intervals of a number, whose panes are told beside the whole's.

At most 64 combinations of a segmentation are known; they come from the reference (the most frequent ones) or from
the monitor file; intervals are cut at the reference's quartiles or as the file says. Every other combination is the
segment "other", so a prediction is in exactly one segment of each segmentation, and the segments of one add up to the
whole.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from driftloop.schemas.monitor.intervals import intervals, quartiles
from numpy.typing import NDArray

SEGMENTATIONS_MOST = 8
"""One more copy of every pane's label sums each, and one more byte for each prediction that waits."""
SEGMENTS_MOST = 64
"""Known combinations of a segmentation."""
FEATURES_MOST = 4
"""Features in a combination: beyond that hardly any combination is frequent."""
OTHER, MISSING = "\\other", "\\missing"
"""A backslash in a value is doubled, so no value reads like these."""
_PART = re.compile(r"(?:[^\\|]|\\.)*", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)

Combination = tuple[str | None, ...]


@dataclass(frozen=True)
class Segmentation:
    """``features``: names of categorical ones, or of a single number (intervals.py). ``values``: the combinations
    that are known, code by code, None for a missing value; None until a reference has been built or the file has told
    them."""

    name: str
    features: tuple[str, ...]
    values: tuple[Combination, ...] | None = None

    @cached_property
    def segments(self) -> tuple[str, ...]:
        """Names of the segments by code: the known combinations, then "other"."""
        known = () if self.values is None else self.values
        return (*(segment_name(self.name, value) for value in known), f"{self.name}={OTHER}")

    @cached_property
    def codes(self) -> dict[Combination, int]:
        """Code by combination; one that is not here is ``other``."""
        return {value: code for code, value in enumerate(self.values or ())}

    @property
    def other(self) -> int:
        """Code of everything that is not known."""
        return len(self.values or ())


def segment_name(segmentation: str, value: Combination) -> str:
    """How a segment is written; ``segment_value`` reads it back.

    >>> print(segment_name("route", ("AA", "J|K", None)), segment_name("route", ("\\\\other",)))
    route=AA|J\\|K|\\missing route=\\\\other
    """
    parts = [MISSING if v is None else v.replace("\\", "\\\\").replace("|", "\\|") for v in value]
    return f"{segmentation}={'|'.join(parts)}"


def segment_value(segment: str) -> tuple[str, Combination | None]:
    """(segmentation, combination); None: other.

    >>> segment_value("route=AA|J\\\\|K|\\\\missing"), segment_value("route=\\\\other")
    (('route', ('AA', 'J|K', None)), ('route', None))
    """
    name, _, text = segment.partition("=")
    if text == OTHER:
        return name, None
    parts, at = list[str](), -1
    while at < len(text):
        parts.append(_PART.match(text, at + 1)[0])  # type: ignore[index]
        at += 1 + len(parts[-1])
    return name, tuple(None if part == MISSING else _ESCAPED.sub(r"\1", part) for part in parts)


def most_frequent(columns: Sequence[NDArray[Any]]) -> tuple[Combination, ...]:
    """The 64 most frequent combinations of some columns (object[n] of str | None each), ties by name."""
    counts = Counter(zip(*(column.tolist() for column in columns), strict=True))
    order = sorted(counts, key=lambda value: (-counts[value], [(v is not None, v or "") for v in value]))
    return tuple(order[:SEGMENTS_MOST])


def learned(segmentations: Sequence[Segmentation], columns: Mapping[str, Any]) -> dict[str, tuple[Combination, ...]]:
    """Combinations by segmentation, for those that know none yet."""
    return {s.name: _learned([columns[f] for f in s.features]) for s in segmentations if s.values is None}


def _learned(columns: Sequence[NDArray[Any]]) -> tuple[Combination, ...]:
    """Numbers are floats, categories objects."""
    return intervals(quartiles(columns[0])) if columns[0].dtype.kind == "f" else most_frequent(columns)
