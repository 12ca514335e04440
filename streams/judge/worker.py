"""The judge as a process: its fold on the transport. No arithmetic here."""

from __future__ import annotations

from driftloop.schemas.settings import Settings
from driftloop.streams.fold import Service
from driftloop.streams.judge.fold import make_fold
from driftloop.streams.judge.state import LAYOUT
from driftloop.streams.transport.run import run

SERVICE = Service(
    name="judge",
    sources=("panes",),
    state="judge-state",
    writes=("windows", "drift", "dead-letter"),
    make_fold=make_fold,
    layout=LAYOUT,
)


def main(settings: Settings) -> int:
    """Run until SIGTERM; the exit code (transport/exits.py)."""
    return run(SERVICE, settings)
