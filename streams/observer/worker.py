"""The observer as a process: its fold on the transport. No arithmetic here."""

from __future__ import annotations

from driftloop.schemas.settings import Settings
from driftloop.streams.fold import Service
from driftloop.streams.observer.fold import LAYOUT, SOURCES, make_fold
from driftloop.streams.transport.run import run

SERVICE = Service(
    name="observer",
    sources=SOURCES,
    state="observer-state",
    writes=("panes", "dead-letter"),
    make_fold=make_fold,
    layout=LAYOUT,
)


def main(settings: Settings) -> int:
    """Run until SIGTERM; the exit code (transport/exits.py)."""
    return run(SERVICE, settings)
