"""Modules of the library that somebody imports and a command does not use: they are imported when looked into.

confluent_kafka imports asyncio, and with it 40 modules (.02 s of CPU), for clients that we do not have.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class _Later(ModuleType):
    """Stands in for a module until somebody looks into it; who has it by then goes on with it, and finds the same."""

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), name)


def import_when_used(name: str) -> None:
    """Not for a process with threads of Python's own: two could look into it at once."""
    if name not in sys.modules:
        sys.modules[name] = _Later(name)
