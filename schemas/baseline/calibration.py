"""What a reference has learned of a model's scores: per bin of the score, what labels and decisions went with it.

The numbers are the detector's affair (detectors/binned_cbpe.py); schemas carry them, so that their hash covers them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class CalibrationBaseline:
    """Of the labelled rows of ``version`` alone: another version's scores mean something else. Empty: none named.

    ``rows``: labelled, by bin. ``hits``: share with label 1 (of many classes: whose largest score was right), made
    monotone. ``chosen``, ``caught``: share decided for label 1, and of these right; () where nothing is decided.
    ``loss``, ``squared``: expected log loss, nats, and squared error; () of many classes. ``falls``: of its own
    windows of ``window_seconds``, by how much the estimates of each lie below those of all, in standard deviations;
    ``between``: the variance among them that their rows do not explain. Nothing, for ``reason``; ``hint`` is the way
    out.
    """

    version: str
    rows: tuple[int, ...] = ()
    score: tuple[float, ...] = ()
    hits: tuple[float, ...] = ()
    chosen: tuple[float, ...] = ()
    caught: tuple[float, ...] = ()
    loss: tuple[float, ...] = ()
    squared: tuple[float, ...] = ()
    window_seconds: float = 0.0
    between: tuple[float, ...] = ()
    falls: tuple[tuple[float | None, ...], ...] = ()
    reason: str = ""
    hint: str = ""

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> CalibrationBaseline:
        told: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in found.items()}
        told["falls"] = tuple(tuple(window) for window in told["falls"])
        return cls(**told)
