"""Specifications of a model by hash, each with where its histograms lie. Panes of different ones never add up."""

from __future__ import annotations

from typing import NamedTuple

from driftloop.schemas.errors import BadRecord
from driftloop.schemas.events import Pane
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.streams.judge.metrics.segmented import judged
from driftloop.streams.judge.reference import Lookup
from driftloop.streams.judge.sums import Layout


class Edition(NamedTuple):
    """One specification. ``segments``: those that are judged, in the order in which they are told."""

    specification: MonitorSpecification
    layout: Layout
    segment_layout: Layout
    segments: tuple[str, ...]

    def layout_of(self, pane: Pane) -> Layout:
        return self.segment_layout if pane.segment else self.layout


class Editions:
    """Of one model; found once, kept for ever (a specification never changes under its hash)."""

    def __init__(self, model: str, lookup: Lookup) -> None:
        self.model = model
        self._lookup = lookup
        self._found: dict[str, Edition] = {}

    def __getitem__(self, spec: str) -> Edition:
        """Errors: BadRecord ``unknown-specification``."""
        found = self._found.get(spec)
        if found is None:
            specification = self._lookup.specification(self.model, spec)
            if specification is None:
                raise BadRecord(
                    "unknown-specification",
                    f"no monitor specification {spec} of {self.model} was ever applied",
                    "was the monitors topic emptied? apply the monitor file again",
                )
            found = self._found[spec] = edition_of(specification)
        return found


def edition_of(specification: MonitorSpecification) -> Edition:
    """With its layouts."""
    layouts = Layout(specification), Layout(specification, segment=True)
    return Edition(specification, *layouts, judged(specification))
