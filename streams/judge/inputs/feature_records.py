"""The feature test's part of the state log: one record, or many of which only those that changed are written.

features [model]          all of it (conformal_watch.py; of a season, as an older judge wrote it)
features [model, name]    a part of a season's: now, day/07, week/031 (detectors/seasonal/state.py)
"""

from __future__ import annotations

import hashlib

from driftloop.streams.judge.inputs.feature_watch import FeatureWatch
from driftloop.streams.judge.state import Key, Records, Store, key

WHOLE = ""
"""Name of a record that is all there is."""


class FeatureRecords:
    """Knows by their digests which records the log has: 16 bytes each."""

    def __init__(self) -> None:
        self._written: dict[str, bytes] = {}

    def save(self, store: Store, model: str, watch: FeatureWatch) -> None:
        """Put what has changed, drop what is no more."""
        now = watch.to_records()
        digests = {name: hashlib.blake2b(value, digest_size=16).digest() for name, value in now.items()}
        for name, value in now.items():
            if self._written.get(name) != digests[name]:
                store.put(_key(model, name), value)
        for name in self._written.keys() - now.keys():
            store.drop(_key(model, name))
        self._written = digests

    def restore(self, records: Records) -> dict[str, bytes]:
        """What the log has, by name."""
        found = {
            str(record.parts[0]) if record.parts else WHOLE: record.value for record in records.get("features", [])
        }
        self._written = {name: hashlib.blake2b(value, digest_size=16).digest() for name, value in found.items()}
        return found


def _key(model: str, name: str) -> Key:
    return key("features", model, name) if name else key("features", model)
