"""What commands share: the deployment they talk to, times on the command line, an exit code."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from driftloop.schemas.settings import Settings

SOMETHING_WRONG = 1
"""Exit code of a command that has looked and found something wrong."""


def connect() -> Settings:
    """The deployment of the environment. Errors: ConfigError, Unavailable."""
    from driftloop.console import connection  # Kafka's library takes its time: `--help` does without

    return connection.connect()


def utc(moment: datetime | None) -> float | None:
    """Seconds since the epoch of a time given on the command line, which has no zone and means UTC."""
    return None if moment is None else moment.replace(tzinfo=UTC).timestamp()
