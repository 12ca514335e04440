"""What the judge needs of a model's baselines, and where it finds specifications and baselines."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, Protocol

import numpy as np
from driftloop.schemas.baseline.calibration import CalibrationBaseline
from driftloop.schemas.baseline.reference import Baselines
from driftloop.schemas.bins import loss_floor
from driftloop.schemas.catalogue import Catalogue
from driftloop.schemas.monitor.season import SeasonBaseline
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.schemas.silences import Order

_DAY_SECONDS = 86_400.0
LEAST_LOSS = 1e-6
"""A baseline of no loss at all would make any loss infinitely bad."""


class Reference(NamedTuple):
    """``name``: its hash. ``features``: counts on the specification's bins. ``loss``: None where nothing was
    labelled. ``season``, ``calibration``: what was learned of them; None: nothing was looked for. ``sums``: of
    embeddings, by name. ``score_by_label``, ``losses_given``, ``residuals``: as of the baselines.
    """

    name: str
    features: Mapping[str, tuple[int, ...]]
    loss: LossBaseline | None
    season: SeasonBaseline | None = None
    score_by_label: tuple[tuple[int, ...], ...] = ()
    calibration: CalibrationBaseline | None = None
    sums: Mapping[str, float] = MappingProxyType({})
    losses_given: tuple[tuple[float, ...], ...] = ()
    residuals: tuple[float, ...] = ()


class LossBaseline(NamedTuple):
    """Log loss in nats: its mean, and the upper confidence bound of that, which the loss test takes for "all is
    well".

    ``design_effect``: so many rows of a day are worth one independent row; at least 1.
    """

    mean: float
    upper: float
    design_effect: float


class Lookup(Protocol):
    """What is published about models. None: not known (yet)."""

    def specification(self, model: str, spec: str) -> MonitorSpecification | None: ...

    def reference(self, model: str, spec: str) -> Reference | None: ...

    def orders(self, model: str) -> Sequence[Order]: ...


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
            self._known[name] = Reference(
                name,
                baselines.features,
                loss_baseline(baselines),
                baselines.season,
                score_by_label=baselines.score_by_label,
                calibration=baselines.calibration,
                sums=baselines.sums,
                losses_given=baselines.losses_given,
                residuals=baselines.residuals,
            )
        return self._known[name]

    def orders(self, model: str) -> Sequence[Order]:
        """All of silences that are on the topic; nobody asks the cluster for more (transport/run.py reads on)."""
        return self._catalogue.orders(model)

    def _read_on(self) -> bool:
        if self._fresh:
            return False
        self._fresh = True
        self._refresh()
        return True


def loss_baseline(baselines: Baselines) -> LossBaseline | None:
    """None where nothing was labelled."""
    mean, upper = baselines.loss_mean, baselines.loss_upper
    if mean is None or upper is None or not (math.isfinite(mean) and math.isfinite(upper)):
        return None
    return LossBaseline(mean, max(mean, upper, LEAST_LOSS), _design_effect(baselines, upper - mean))


def _design_effect(baselines: Baselines, margin: float) -> float:
    """(standard error with days as units / standard error with rows as units)**2, at least 1.

    The reference tells the first in its bound, ``margin`` = t(.9; days - 1) * error; the second follows from the
    histogram of the loss. t by its expansion (Abramowitz & Stegun 26.7.5), 1 % off from five days on.
    """
    rows = sum(baselines.loss)
    days = math.ceil((baselines.to_time - baselines.from_time) / _DAY_SECONDS)
    if rows < 2 or days < 2:
        return 1.0
    losses, counts = loss_floor(), np.asarray(baselines.loss)
    mean = float(counts @ losses) / rows
    variance = float(counts @ (losses - mean) ** 2) / rows
    z = 1.2815515655446004
    t = z + (z**3 + z) / (4 * (days - 1)) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * (days - 1) ** 2)
    return max(1.0, (margin / t) ** 2 * rows / variance) if variance > 0 else 1.0
