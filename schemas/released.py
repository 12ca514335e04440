"""The released schemas, ``<Event>.<n>.avsc`` beside this file, each parsed when it is first asked for.

Released files never change (released.sha256, tests/schemas/test_compatibility.py), nor do their fingerprints: these
stand in released.fingerprints, for to compute them byte by byte in Python took each start of a command .03 s.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import NamedTuple

from driftloop.schemas.wire import Schema, parse, parse_checked

FOLDER = Path(__file__).parent


class Released(NamedTuple):
    """``fingerprint``: as sent."""

    event: str
    number: int
    fingerprint: bytes

    def schema(self) -> Schema:
        return _schema(self)


def listed() -> list[Released]:
    """Every schema beside this file, without a look into it."""
    found = []
    for line in (FOLDER / "released.fingerprints").read_text().splitlines():
        fingerprint, name = line.split()
        event, number, _ = name.split(".")
        found.append(Released(event, int(number), bytes.fromhex(fingerprint)))
    return found


def released() -> dict[str, list[Schema]]:
    """The files themselves, checked and their fingerprints computed: by event name, oldest first."""
    found: dict[str, dict[int, Schema]] = {}
    for path in FOLDER.glob("*.avsc"):
        name, number, _ = path.name.split(".")
        found.setdefault(name, {})[int(number)] = parse(json.loads(path.read_text(encoding="utf-8")))
    return {name: [versions[n] for n in sorted(versions)] for name, versions in sorted(found.items())}


@cache
def _schema(one: Released) -> Schema:
    path = FOLDER / f"{one.event}.{one.number}.avsc"
    return parse_checked(json.loads(path.read_text(encoding="utf-8")), one.fingerprint)
