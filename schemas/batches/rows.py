"""One batch while it is being read: its rows by framing, the checks every row must pass, and what was put aside."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from driftloop.schemas.batches.batch import RECORD_BYTES_MOST, Marker, Rejected, event_time_fault, suspects
from driftloop.schemas.codec import decode
from driftloop.schemas.errors import BadRecord
from driftloop.schemas.events import GroundTruth, TimeMarker
from driftloop.schemas.wire import Framing
from numpy.typing import NDArray

Values = Sequence[bytes | None]


def row_numbers(rows: Sequence[int]) -> NDArray[np.int64]:
    """The rows as an array; a range is not walked through."""
    return np.arange(len(rows)) if isinstance(rows, range) else np.array(rows, dtype=np.int64)


class Reading:
    """The batch, and the ledger of its markers and refused rows."""

    def __init__(
        self, values: Values, keys: Values | None, timestamps_ms: Sequence[int] | None, framing: Framing
    ) -> None:
        self.values = values
        self._timestamps_ms = timestamps_ms
        self._framing = framing
        # Of the whole batch, once: it may be read in a hundred parts, one a model.
        self._keyless = None if keys is None or all(keys) else ~np.fromiter(map(bool, keys), bool, len(keys))
        self._least_timestamp_ms = min(timestamps_ms) if timestamps_ms else None
        self._markers: list[Marker] = []
        self._rejected: list[Rejected] = []

    def ledger(self) -> tuple[list[Marker], list[Rejected]]:
        """Markers and refused rows, each in the order of the batch."""
        return sorted(self._markers), sorted(self._rejected)

    def refuse(self, row: int, fault: BadRecord) -> None:
        """Put a row aside."""
        self._rejected.append(Rejected(row, fault.reason, str(fault)))

    def value(self, row: int) -> bytes:
        """The row's value. Errors: BadRecord ``too-large``."""
        value = self.values[row] or b""
        if len(value) > RECORD_BYTES_MOST:
            hint = f"a record of this topic has at most {RECORD_BYTES_MOST} bytes"
            raise BadRecord("too-large", f"the value has {len(value)} bytes", hint)
        return value

    def refuse_all(self, rows: Sequence[int], fault: BadRecord) -> None:
        """Put rows aside that nobody has looked into; one that is too large is told so first."""
        for row in rows:
            try:
                self.value(row)
            except BadRecord as larger:
                self.refuse(row, larger)
            else:
                self.refuse(row, fault)

    def long_enough(self, rows: Sequence[int], least: int, name: str) -> tuple[Sequence[int], list[bytes]]:
        """The rows of at least ``least`` bytes, and their values; the others are refused as truncated."""
        values = [self.values[row] or b"" for row in rows]
        if min(map(len, values)) >= least:
            return rows, values
        short = [row for row, value in zip(rows, values, strict=True) if len(value) < least]
        self.refuse_all(short, BadRecord("truncated", f"the value is not all of a {name}"))
        kept = [row for row, value in zip(rows, values, strict=True) if len(value) >= least]
        return kept, [value for value in values if len(value) >= least]

    def event(self, row: int) -> GroundTruth | None:
        """The truth in this row; None if it was a marker, which goes into the ledger. Errors: BadRecord."""
        event = decode(self.value(row), self._framing)
        if isinstance(event, GroundTruth):
            return event
        if not isinstance(event, TimeMarker):
            raise BadRecord("unknown-schema", f"a {type(event).__name__} does not belong into this topic")
        fault = event_time_fault(event.event_time, self._timestamp_ms(row))
        if fault:
            raise BadRecord(*fault)
        self._markers.append(Marker(row, event.event_time))
        return None

    def check_keys(self, rows: NDArray[np.int64], keep: NDArray[np.bool_]) -> None:
        """Clear ``keep`` where the record has no key: nothing can be joined with it."""
        if self._keyless is None:
            return
        for i in np.flatnonzero(keep & self._keyless[rows]).tolist():
            message = "the record has no key"
            self.refuse(int(rows[i]), BadRecord("key-missing", message, "the key is the prediction id"))
            keep[i] = False

    def check_event_times(
        self, rows: NDArray[np.int64], event_time: NDArray[np.float64], keep: NDArray[np.bool_]
    ) -> None:
        """Clear ``keep`` where nothing can have happened then."""
        suspect = suspects(event_time, self._least_timestamp_ms)
        if not suspect.any():
            return
        for i in np.flatnonzero(suspect & keep).tolist():
            row = int(rows[i])
            fault = event_time_fault(float(event_time[i]), self._timestamp_ms(row))
            if fault:
                self.refuse(row, BadRecord(*fault))
                keep[i] = False

    def _timestamp_ms(self, row: int) -> int | None:
        return None if self._timestamps_ms is None else self._timestamps_ms[row]
