"""What a command says while it works: on stderr, so that its output stays clean."""

from __future__ import annotations

import sys


def say(text: str) -> None:
    """One line."""
    print(text, file=sys.stderr, flush=True)


class Bar:
    """A progress bar on a terminal; elsewhere nothing."""

    def __init__(self) -> None:
        self._shown = -1

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown >= 0:
            print(file=sys.stderr)

    def show(self, done: int, of: int) -> None:
        """So many of so many; written when the percentage changes."""
        percent = 100 * done // max(of, 1)
        if percent != self._shown and sys.stderr.isatty():
            self._shown = percent
            print(f"\r[{'#' * (percent // 4):<25}] {percent} %", end="", file=sys.stderr, flush=True)
