"""Metrics that are worked out when somebody reads them.

A window is told five times as its labels come. A service encodes every revision at once; of a replay's, nobody looks
into those that a later one supersedes, and they were a tenth of what its folds took.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property

from driftloop.schemas.events import Estimate


class OnDemand(Mapping[str, Estimate]):
    """``work_out``: of numbers that nothing changes any more. Called once, at the first question."""

    def __init__(self, work_out: Callable[[], Mapping[str, Estimate]]) -> None:
        self._work_out: Callable[[], Mapping[str, Estimate]] | None = work_out

    def __getitem__(self, name: str) -> Estimate:
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def __repr__(self) -> str:
        return repr(dict(self))

    @cached_property
    def _found(self) -> Mapping[str, Estimate]:
        assert self._work_out is not None, "it is asked once"
        found, self._work_out = self._work_out(), None  # what they are made of may go
        return found
