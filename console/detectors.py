"""Can the detectors that a monitor file names be started? Asked before the file is applied, or replayed.

The module of a function is imported here too, and only if it is allowed: whoever writes a monitor file must not make
another process run what they like.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NoReturn

from driftloop.detectors import by_name
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.schemas.monitor.toml_reader import read_toml

EXAMPLE = 'use = "adwin"   (or "river:ADWIN")'
ALLOW = "start this command and the judge with DRIFTLOOP_DETECTORS={}, where both can import it"


def check_detectors(specification: MonitorSpecification, text: str, place: str, allowed: Collection[str]) -> None:
    """ConfigError: which one cannot be, with its line and why."""
    for number, detector in enumerate(specification.detectors):
        try:
            make = by_name.find(detector.use, allowed)
        except ValueError as error:
            module, colon, _ = detector.use.partition(":")
            is_yours = colon and module != "river"
            _refuse(text, place, number, "use", str(error), ALLOW.format(module) if is_yours else EXAMPLE)
        try:
            make(dict(detector.settings))
        except ValueError as error:
            key = "settings" if detector.settings else "use"
            _refuse(text, place, number, key, f"do not suit {detector.use}: {error}", "settings = { delta = 0.002 }")


def _refuse(text: str, place: str, number: int, key: str, why: str, example: str) -> NoReturn:
    table = read_toml(text, place).tables("detector", "")[number]
    table.refuse(key, f"is no detector here: {why}" if key == "use" else why, example)
