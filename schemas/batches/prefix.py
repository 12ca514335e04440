"""The first bytes of many records at once: which framing they have, and the doubles behind it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

import numpy as np
from driftloop.schemas.errors import BadRecord
from driftloop.schemas.wire import SINGLE_OBJECT_BYTES, header_of
from numpy.typing import NDArray

Cut = Callable[[Any], bytes]


def first_bytes(count: int) -> Cut:
    """Cuts a value off behind so many bytes. Errors: TypeError for None. ``value[:count]`` in a loop of ours makes a
    slice a value, and takes half as long again."""
    return itemgetter(slice(None, count))


def bytes_behind(count: int) -> Cut:
    """Leaves out so many bytes."""
    return itemgetter(slice(count, None))


def doubles(values: Sequence[bytes | None], header: bytes, width: int) -> NDArray[np.float64] | None:
    """f8[n, width]: the doubles behind ``header``. None unless every value begins with it and is long enough."""
    if not values:
        return np.empty((0, width))
    row_bytes = len(header) + 8 * width
    try:
        joined = b"".join(map(first_bytes(row_bytes), values))
    except TypeError:  # a value is None
        return None
    if len(joined) != len(values) * row_bytes:
        return None
    rows = np.frombuffer(joined, np.uint8).reshape(len(values), row_bytes)
    if not (rows[:, : len(header)] == np.frombuffer(header, np.uint8)).all():
        return None
    return rows[:, len(header) :].copy().view("<f8")


def doubles_behind(values: Sequence[bytes], header_bytes: int, width: int) -> NDArray[np.float64]:
    """f8[n, width]: the doubles behind the framing of values which all have them."""
    row_bytes = header_bytes + 8 * width
    rows = np.frombuffer(b"".join(map(first_bytes(row_bytes), values)), np.uint8).reshape(-1, row_bytes)
    return rows[:, header_bytes:].copy().view("<f8")


def first_header(values: Sequence[bytes | None]) -> bytes:
    """The framing of the first value. Errors: BadRecord, also where there is none."""
    return header_of(values[0] if values else None)


def by_header(values: Sequence[bytes | None]) -> tuple[dict[bytes, list[int]], list[tuple[int, BadRecord]]]:
    """Rows by the framing at their front, ascending, and the rows that have none."""
    by_start: defaultdict[bytes, list[int]] = defaultdict(list)
    for row, value in enumerate(values):
        by_start[value[:SINGLE_OBJECT_BYTES] if value else b""].append(row)
    groups: defaultdict[bytes, list[int]] = defaultdict(list)
    faults = []
    for start, rows in by_start.items():
        try:
            groups[header_of(start)] += rows
        except BadRecord as fault:
            faults += [(row, fault) for row in rows]
    return {header: sorted(rows) for header, rows in groups.items()}, faults
