"""The versions whose private behaviour the transport relies on.

Faust has no setting for any of what fetching/consumer.py and fetching/consumer_thread.py override;
tests/transport/test_hooks.py holds every hook to its signature. So another version is refused at start, in plain
words, rather than tried.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version as installed_version

from driftloop.schemas.errors import ConfigError

PINNED = {"faust-streaming": "0.15.3", "aiokafka": "0.14.0"}


def check_versions(version_of: Callable[[str], str] = installed_version) -> None:
    """ConfigError unless exactly the pinned versions are installed."""
    for package, wanted in PINNED.items():
        if (found := version_of(package)) != wanted:
            raise ConfigError(
                f"{package} {found} is installed, the stream workers need exactly {wanted}",
                f"pip install '{package}=={wanted}', or `make setup`",
            )
