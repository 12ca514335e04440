"""Reading a TOML file so that every mistake is told with its line, its reason and a correct example.

A ``Table`` hands out values by key and type; ``done`` refuses what nobody has asked for.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Sequence
from typing import Any, NoReturn

from driftloop.schemas.errors import ConfigError

_UNITS = {"s": 1.0, "min": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}
_WORDS = {"second": "s", "minute": "min", "hour": "h", "day": "d", "week": "w"}
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*")
_KEY = re.compile(r"""\"[^"]*\"|'[^']*'|[A-Za-z0-9_-]+""")
_LINE_OF_SYNTAX = re.compile(r"\(at line (\d+), column \d+\)|\(at end of document\)")


def read_toml(text: str, place: str) -> Table:
    """The file as a table. Errors: ConfigError with the line of the syntax error."""
    try:
        return Table(tomllib.loads(text), text, place)
    except tomllib.TOMLDecodeError as error:
        found = _LINE_OF_SYNTAX.search(str(error))
        line = int(found[1]) if found and found[1] else text.count("\n") + 1
        raise ConfigError(
            f"{place}:{line}: this is no TOML: {error}", 'a line of it reads: model = "loans"'
        ) from None


class Table:
    """One table of the file; ``path`` is where it stands, () for the file itself."""

    def __init__(self, values: dict[str, Any], text: str, place: str, path: tuple[str, ...] = ()) -> None:
        self._values = values
        self._text = text
        self._place = place
        self._path = path
        self._asked: set[str] = set()

    def keys(self) -> list[str]:
        """Keys in the order of the file."""
        return list(self._values)

    def refuse(self, key: str, reason: str, example: str) -> NoReturn:
        """Raise the ConfigError for ``key``: place and line, what is wrong, a correct line."""
        line = line_of(self._text, (*self._path, key))
        name = ".".join((*self._path, key))
        raise ConfigError(f"{self._place}:{line}: {name} {reason}", f"for example  {example}")

    def get(self, key: str, default: Any, example: str) -> Any:
        """The plain value; ``default`` where there is none. A default of ``...``: it must be there."""
        self._asked.add(key)
        if key not in self._values and default is ...:
            self.refuse(key, "is missing", example)
        return self._values.get(key, default)

    def text(self, key: str, default: Any, example: str) -> str:
        """A string that is not empty."""
        value = self.get(key, default, example)
        if not isinstance(value, str) or (not value and key in self._values):
            self.refuse(key, f"is {value!r}, not a text", example)
        return value

    def one_of(self, key: str, default: Any, allowed: Sequence[str], example: str) -> str:
        """One of ``allowed``."""
        value = self.text(key, default, example)
        if value not in allowed:
            self.refuse(key, f"is {value!r}, not one of {', '.join(allowed)}", example)
        return value

    def number(self, key: str, default: Any, low: float, high: float, example: str) -> float:
        """A number in [low, high]."""
        value = self.get(key, default, example)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            self.refuse(key, f"is {value!r}, not a number from {low:g} to {high:g}", example)
        return float(value)

    def whole(self, key: str, default: Any, low: int, high: int, example: str) -> int:
        """A whole number in [low, high]."""
        value = self.get(key, default, example)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self.refuse(key, f"is {value!r}, not a whole number from {low} to {high}", example)
        return value

    def seconds(self, key: str, default: Any, example: str, low: float = 0.001) -> float:
        """A duration such as "30 d"; at least ``low`` seconds."""
        value = self.get(key, default, example)
        found = duration(value) if isinstance(value, str) else None
        if found is None or not low <= found <= 3_660 * 86_400:
            self.refuse(key, f"is {value!r}, not a duration with its unit: s, min, h, d or w", example)
        return found

    def strings(self, key: str, default: Any, example: str) -> tuple[str, ...]:
        """A list of different texts."""
        value = self.get(key, default, example)
        if not isinstance(value, list | tuple) or not all(isinstance(v, str) for v in value):
            self.refuse(key, f"is {value!r}, not a list of texts", example)
        if len(set(value)) < len(value):
            self.refuse(key, "names the same thing twice", example)
        return tuple(value)

    def table(self, key: str, example: str, required: bool = False) -> Table:
        """A sub-table; an empty one where there is none and it is not required."""
        value = self.get(key, ... if required else {}, example)
        if not isinstance(value, dict):
            self.refuse(key, f"is {value!r}, not a table", example)
        return Table(value, self._text, self._place, (*self._path, key))

    def tables(self, key: str, example: str) -> list[Table]:
        """Every ``[[key]]``, its path ending in its number, from 1; none where there is none."""
        value = self.get(key, [], example)
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            self.refuse(key, f"is {value!r:.60}, not [[{key}]] tables", example)
        whole = self._text, self._place
        return [Table(one, *whole, (*self._path, key, str(number))) for number, one in enumerate(value, start=1)]

    def done(self) -> None:
        """Refuse every key that was not asked for: a typing error must not be a silent default."""
        for key in self._values:
            if key not in self._asked:
                near = difflib.get_close_matches(key, self._asked, n=1)
                meant = near[0] if near else ", ".join(sorted(self._asked))
                self.refuse(key, "is not known here", f"{meant} = ...")


def duration(text: str) -> float | None:
    """Seconds of "90 s", "10 min", "1 h", "30 d", "2 weeks"; None for anything else.

    >>> duration("1.5 h"), duration("2 weeks"), duration("soon")
    (5400.0, 1209600.0, None)
    """
    found = _DURATION.fullmatch(text)
    if not found:
        return None
    unit = found[2]
    unit = _WORDS.get(unit.removesuffix("s"), unit)
    return float(found[1]) * _UNITS[unit] if unit in _UNITS else None


def line_of(text: str, path: tuple[str, ...]) -> int:
    """The line (from 1) where the value at ``path`` is written; else where its table begins; else 1.

    Good for the forms people write: ``[a.b]`` and ``[[a]]`` headers, ``key =`` lines, quoted keys, inline tables on
    their line.
    """
    best, depth_best = 1, 0
    above: tuple[str, ...] = ()
    counted: dict[tuple[str, ...], int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if stripped.startswith("["):
            above = _keys(stripped.strip("[]").split("]")[0])
            if stripped.startswith("[["):
                counted[above] = counted.get(above, 0) + 1
            above = here = _numbered(above, counted)
        elif "=" in stripped and not stripped.startswith("#"):
            here = above + _keys(stripped.split("=", 1)[0])
        else:
            continue
        depth = len(here)
        if depth > depth_best and path[:depth] == here:
            best, depth_best = number, depth
    return best


def _numbered(keys: tuple[str, ...], counted: dict[tuple[str, ...], int]) -> tuple[str, ...]:
    """The path below an ``[[a]]`` of which so many have begun: a.x is a.2.x in the second."""
    for depth in range(1, len(keys) + 1):
        if keys[:depth] in counted:
            return (*keys[:depth], str(counted[keys[:depth]]), *keys[depth:])
    return keys


def _keys(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in _KEY.findall(dotted))
