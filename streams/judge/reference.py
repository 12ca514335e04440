"""What the judge needs of a model's baselines, and where it finds specifications and baselines."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from driftloop.schemas.catalogue import Catalogue
from driftloop.schemas.specification import MonitorSpecification

LEAST_LOSS = 1e-6
"""A baseline of no loss at all would make any loss infinitely bad."""


class Reference(NamedTuple):
    """``name``: its hash. ``features``: counts on the specification's bins. ``loss``: None where nothing was
    labelled.
    """

    name: str
    features: Mapping[str, tuple[int, ...]]
    loss: LossBaseline | None


class LossBaseline(NamedTuple):
    """Log loss in nats: its mean, and the upper confidence bound of that, which the loss test takes for "all is
    well"."""

    mean: float
    upper: float


class Lookup(Protocol):
    """What is published about models. None: not known (yet)."""

    def specification(self, model: str, spec: str) -> MonitorSpecification | None: ...

    def reference(self, model: str, spec: str) -> Reference | None: ...


class CatalogueLookup:
    """The catalogue's answers. ``refresh`` reads on in it: once a batch at most, when something is missing."""

    def __init__(self, catalogue: Catalogue, refresh: Callable[[], None]) -> None:
        self._catalogue = catalogue
        self._refresh = refresh
        self._fresh = False
        self._known: dict[str, Reference] = {}

    def new_batch(self) -> None:
        """What was missing may have been published meanwhile."""
        self._fresh = False

    def specification(self, model: str, spec: str) -> MonitorSpecification | None:
        found = self._catalogue.specification(model, spec)
        if found is None and self._read_on():
            found = self._catalogue.specification(model, spec)
        return found

    def reference(self, model: str, spec: str) -> Reference | None:
        """The model's baselines, if they were counted on the bins of this specification."""
        found = self._catalogue.baselines(model)
        if found is None and self._read_on():
            found = self._catalogue.baselines(model)
        specification = self._catalogue.specification(model, spec)
        if found is None or specification is None or not found[1].bins_fit(specification):
            return None
        name, baselines = found
        if name not in self._known:
            self._known[name] = Reference(name, baselines.features, _loss(baselines.loss_mean, baselines.loss_upper))
        return self._known[name]

    def _read_on(self) -> bool:
        if self._fresh:
            return False
        self._fresh = True
        self._refresh()
        return True


def _loss(mean: float | None, upper: float | None) -> LossBaseline | None:
    if mean is None or upper is None or not (math.isfinite(mean) and math.isfinite(upper)):
        return None
    return LossBaseline(mean, max(mean, upper, LEAST_LOSS))
