"""Records that are read a second time, after an operator has set a partition back: what of them counts anew.

A rewind leaves a *layer*: panes that begin at its ``floor`` or later are rebuilt from nothing, under higher
revisions; those before it stay as they were told, because only a part of their records is read again. Of the records
that the state had absorbed already (offsets up to ``held``)

    a prediction, a pair     counts again in panes from the floor on, not in those before it
    a repeat, an amendment   was counted
    a row without its half   was counted if the watermark of then had passed its time
    a pane told              was counted if it was due by the watermark of then

so that counters go on as if each record had been read once. A rewind during a rebuild adds a layer. A layer is
dropped when everything it held has been read again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from driftloop.schemas.deadletter import offset_of
from driftloop.streams.fold import Output
from numpy.typing import NDArray

PREDICTIONS, TRUTHS = 0, 1
REVISIONS_A_REWIND = 1_000_000
"""A rebuilt pane begins with the revision generation * this: above whatever was told of it before."""
Mask = NDArray[np.bool_]
Times = NDArray[np.float64]
Offsets = NDArray[np.int64]


class Layer(NamedTuple):
    """One rewind. ``held``: last offsets of predictions and truths that were absorbed before it; ``greatest``: event
    times of the two topics then."""

    floor: float
    held: tuple[int, int]
    greatest: tuple[float, float]


class Replay(NamedTuple):
    """``generation``: how often the partition was set back. ``layers``: the rewinds still in progress.
    ``lettered``: last offsets up to which dead letters lie on their topic, when all else began anew."""

    generation: int = 0
    layers: tuple[Layer, ...] = ()
    lettered: tuple[int, int] = (-1, -1)

    @property
    def first_revision(self) -> int:
        """Of panes that are opened from now on."""
        return self.generation * REVISIONS_A_REWIND

    @property
    def counted_until(self) -> float:
        """Event time up to which counters have been told, before the disorder of a model."""
        return max((min(layer.greatest) for layer in self.layers), default=-math.inf)

    def rewound(self, layer: Layer) -> Replay:
        """Set back once more: what that rebuilds is rebuilt whatever was in progress."""
        before = [one._replace(floor=min(one.floor, layer.floor)) for one in self.layers]
        return Replay(self.generation + 1, (*before, layer), self.lettered)

    def begun_anew(self, held: tuple[int, int]) -> Replay:
        """Everything comes again and counts again, but for the dead letters up to ``held``."""
        held_before = [self.lettered, *(layer.held for layer in self.layers)]
        predictions, truths = (max(offsets) for offsets in zip(held, *held_before, strict=True))
        return Replay(self.generation + 1, lettered=(predictions, truths))

    def passed(self, offsets: Sequence[int], greatest: Sequence[float]) -> Replay:
        """Without the layers behind which both topics have come again."""
        left = [
            layer
            for layer in self.layers
            if any(offsets[i] < layer.held[i] or greatest[i] < layer.greatest[i] for i in (PREDICTIONS, TRUTHS))
        ]
        return self._replace(layers=tuple(left)) if len(left) < len(self.layers) else self

    def new_predictions(self, starts: Times, offsets: Offsets) -> Mask:
        """Which predictions count, by the start of their pane: bool[n]."""
        new = np.ones(len(starts), bool)
        for layer in self.layers:
            new &= (starts >= layer.floor) | (offsets > layer.held[PREDICTIONS])
        return new

    def new_pairs(self, starts: Times, predictions: Offsets, truths: Offsets) -> Mask:
        """Which pairs count, by the start of the prediction's pane: bool[n]."""
        new = np.ones(len(starts), bool)
        for layer in self.layers:
            held = (predictions <= layer.held[PREDICTIONS]) & (truths <= layer.held[TRUTHS])
            new &= (starts >= layer.floor) | ~held
        return new

    def unread(self, source: int, offsets: Offsets) -> Mask:
        """Which records were never absorbed before: bool[n]."""
        return np.asarray(offsets > max((layer.held[source] for layer in self.layers), default=-1))

    def unread_letters(self, source: int, letters: list[Output]) -> list[Output]:
        """Dead letters of records that were never absorbed before: the others are on their topic already."""
        held = max([self.lettered[source], *(layer.held[source] for layer in self.layers)])
        return [one for one in letters if offset_of(one.headers) > held] if held >= 0 else letters

    def unsettled(self, source: int, moments: Times, offsets: Offsets, disorder_seconds: float) -> Mask:
        """Which rows were still waiting for their half; ``moments``: from when on they could find none: bool[n]."""
        new = np.ones(len(moments), bool)
        for layer in self.layers:
            over = moments < min(layer.greatest) - disorder_seconds
            new &= ~(over & (offsets <= layer.held[source]))
        return new

    def was_told(self, start: float, due: float, sources: Sequence[int], disorder_seconds: float) -> bool:
        """Had a pane that begins at ``start`` been told what it tells at ``due``? ``sources``: its kind waits for."""
        return any(
            start >= layer.floor and due <= min(layer.greatest[i] for i in sources) - disorder_seconds
            for layer in self.layers
        )

    def to_json(self) -> list[Any]:
        layers = [[layer.floor, layer.held, layer.greatest] for layer in self.layers]
        return [self.generation, layers, *([self.lettered] if max(self.lettered) >= 0 else [])]

    @classmethod
    def from_json(cls, found: Sequence[Any]) -> Replay:
        """Errors: ValueError, TypeError."""
        generation, layers, *lettered = found
        told = [Layer(floor, tuple(held), tuple(times)) for floor, held, times in layers]
        return cls(generation, tuple(told), *map(tuple, lettered))


NOTHING = Replay()
