"""The judge as a process: its fold on the transport. No arithmetic here."""

from __future__ import annotations

from driftloop.schemas.settings import Settings
from driftloop.streams.judge.service import SERVICE
from driftloop.streams.transport.run import run


def main(settings: Settings) -> int:
    """Run until SIGTERM; the exit code (transport/exits.py)."""
    return run(SERVICE, settings)
