"""Metrics that are worked out when somebody reads them, and only those.

A window is told five times as its labels come. A service encodes every revision at once; of a replay's, nobody looks
into those that a later one supersedes, and into its last for three of twelve (labels/estimate_trust.py holds
estimates against them). All of them, of every revision, were a fifth of what the judge's folds took.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import NamedTuple

from driftloop.schemas.events import Estimate


class Metric(NamedTuple):
    """Metrics that come of one formula, ``names``; ``work_out`` finds some of them, or none: they cannot be told."""

    names: tuple[str, ...]
    work_out: Callable[[], Mapping[str, Estimate | None]]


def one(name: str, work_out: Callable[[], Estimate | None]) -> Metric:
    """A metric that has a formula to itself."""
    return Metric((name,), lambda: {name: work_out()})


class OnDemand(Mapping[str, Estimate]):
    """By name, names sorted. ``metrics``: of numbers that nothing changes any more; each is asked once at most."""

    def __init__(self, metrics: Callable[[], Iterable[Metric]]) -> None:
        self._metrics: Callable[[], Iterable[Metric]] | None = metrics
        self._known: dict[str, Estimate | None] = {}

    def __getitem__(self, name: str) -> Estimate:
        found = self._ask(name)
        if found is None:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def __repr__(self) -> str:
        return repr(self._all)

    @cached_property
    def _waiting(self) -> dict[str, Metric]:
        assert self._metrics is not None, "it is asked once"
        found, self._metrics = self._metrics(), None
        return {name: metric for metric in found for name in metric.names}

    @cached_property
    def _all(self) -> dict[str, Estimate]:
        of_all = {name: self._ask(name) for name in sorted({*self._waiting, *self._known})}
        return {name: estimate for name, estimate in of_all.items() if estimate is not None}

    def _ask(self, name: str) -> Estimate | None:
        if (metric := self._waiting.get(name)) is not None:
            self._known |= {**dict.fromkeys(metric.names), **metric.work_out()}
            for done in metric.names:
                del self._waiting[done]  # what it is made of may go
        return self._known.get(name)
