"""All pools of a partition: which of them a model belongs into (pool.py)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from driftloop.streams.observer.join.join import Join
from driftloop.streams.observer.join.pool import MEMBERS, Pool, Shape, Types, listed
from driftloop.streams.observer.model import ModelFold
from driftloop.streams.observer.panes.table import Tables

MEMBERS_MOST = 256
"""A byte a row says whose it is."""
_EVERY_ROW = frozenset({"seats", "labels", MEMBERS})
"""Columns that are in no shape."""


class Pools:
    """None is ever left by its last member."""

    def __init__(self) -> None:
        self.pools: list[Pool] = []
        self.tables = Tables()

    def __iter__(self) -> Iterator[Pool]:
        return iter(self.pools)

    def place(self, model: ModelFold, shape: Shape) -> None:
        """Find a new model its pool."""
        pool = next((p for p in self.pools if p.shape == shape and len(p.models) < MEMBERS_MOST), None)
        if pool is None:
            pool = Pool(max([p.number for p in self.pools], default=-1) + 1, shape)
            self.pools.append(pool)
        model.pool, model.member = pool, pool.enter(model)

    def restore(self, number: int, columns: Sequence[Types], members: Sequence[ModelFold | None]) -> Pool:
        """A pool as its record tells it, without its rows. Errors: ValueError."""
        first, *_ = [model for model in members if model is not None]
        predictions, truths = map(dict, columns)
        kept = [listed({n: k for n, k in c.items() if n not in _EVERY_ROW}) for c in (predictions, truths)]
        pool = Pool(number, first.shape._replace(predictions=kept[0], truths=kept[1]))
        pool.join = Join(pool.shape.terms, predictions, truths)
        pool.members, pool.changed = list(members), False
        for member, model in enumerate(members):
            if model is not None:
                model.pool, model.member = pool, member
        self.pools.append(pool)
        return pool

    def replace(self, model: ModelFold) -> None:
        """A model that may wait otherwise now, or keep more columns: its rows go with it."""
        old, (clock, terms, predictions, truths) = model.pool, model.shape
        both = ({**dict(had), **dict(has)} for had, has in zip(old.shape[2:], (predictions, truths), strict=True))
        shape = Shape.of(clock, terms, *both)
        if shape == old.shape:
            return
        if len(old.models) == 1:
            old.reshape(shape)
            return
        kept = old.leave(model)
        self.place(model, shape)
        for rows, (columns, status) in zip(model.pool.stores(), kept, strict=True):
            rows.take_in({**columns, MEMBERS: np.full(len(status), model.member, np.uint8)}, status)
