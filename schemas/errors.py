"""The three errors of driftloop, by whose fault it is.

``BadRecord``   the wire's: counted, sent to the dead-letter topic, never stops a partition.
``ConfigError`` the operator's: the program refuses to start.
``Unavailable`` the world's: may work later, so whoever catches it may try again.

A bug of ours is none of them: it is an assertion, and it ends the worker.
"""

from __future__ import annotations


class DriftloopError(Exception):
    """What could not be done, and the way out.

    ``message`` names the place (file, line, topic[partition]@offset) and the value; ``hint`` says what to do.
    """

    retriable = False

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  hint: {self.hint}" if self.hint else self.message


class BadRecord(DriftloopError):
    """A record that cannot be read. ``reason`` is a short slug, fit for a counter's label."""

    def __init__(self, reason: str, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.reason = reason


class ConfigError(DriftloopError):
    """A setting, a file or an environment that cannot work."""


class Unavailable(DriftloopError):
    """A broker, a store or a process that does not answer now."""

    retriable = True
