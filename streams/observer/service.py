"""The observer's place in the deployment: names, and its pure functions."""

from __future__ import annotations

from driftloop.streams.fold import Service
from driftloop.streams.observer.fold import LAYOUT, SOURCES, make_fold
from driftloop.streams.observer.recovery.carrying import carried_over
from driftloop.streams.observer.recovery.rewind import rewind

SERVICE = Service(
    name="observer",
    sources=SOURCES,
    state="observer-state",
    writes=("panes", "dead-letter"),
    make_fold=make_fold,
    layout=LAYOUT,
    rewind=rewind,
    carried_over=carried_over,
)
