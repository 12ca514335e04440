"""Specifications of a model by hash, each with where its histograms lie. Panes of different ones never add up."""

from __future__ import annotations

from typing import NamedTuple

from driftloop.schemas.errors import BadRecord
from driftloop.schemas.specification import MonitorSpecification
from driftloop.streams.judge.reference import Lookup
from driftloop.streams.judge.sums import Layout


class Edition(NamedTuple):
    """One specification."""

    specification: MonitorSpecification
    layout: Layout


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
            found = self._found[spec] = Edition(specification, Layout(specification))
        return found
