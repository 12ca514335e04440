"""What the judge has found, as it is found: for pagers, chat rooms and the app itself."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Iterator

from driftloop.client.cluster import settings_of
from driftloop.client.reader import Record, TopicReader
from driftloop.schemas.codec import decode
from driftloop.schemas.errors import BadRecord
from driftloop.schemas.events import DriftDetected, IncidentChanged, SilenceChanged
from driftloop.schemas.settings import Settings

log = logging.getLogger("driftloop.client")
Alert = DriftDetected | IncidentChanged
_REMEMBERED_MOST = 10_000
"""Ids of that many past alerts are kept to drop a repeat."""


def alerts(
    settings: Settings | str | None = None,
    model: str | None = None,
    *,
    from_start: bool = False,
    quiet_seconds_most: float | None = None,
) -> Iterator[Alert]:
    """DriftDetected and IncidentChanged of one model or of all, from this call on (``from_start``: all on the topic).

    Waits for ever, or until nothing has come for ``quiet_seconds_most``. A repeat of an alert is left out, and so is
    what cannot be read (logged, with its place): a pager must outlive a bad record. What a person has silenced comes
    too, as not ``paging``, or with ``silenced`` set: call nobody for it. Errors: ConfigError, Unavailable.
    """
    reader = TopicReader(settings_of(settings), ("drift",), from_end=not from_start)
    return _read(reader, model, quiet_seconds_most)


def _read(reader: TopicReader, model: str | None, quiet_seconds_most: float | None) -> Iterator[Alert]:
    seen: OrderedDict[bytes, None] = OrderedDict()
    with reader:
        heard_at = time.monotonic()
        while quiet_seconds_most is None or time.monotonic() - heard_at < quiet_seconds_most:
            for record in reader.poll(0.1):
                heard_at = time.monotonic()
                alert = _alert(record)
                if alert is not None and model in (None, alert.model) and not _repeated(record, seen):
                    yield alert


def _alert(record: Record) -> Alert | None:
    try:
        event = decode(record.value)
    except BadRecord as error:
        log.warning("%s[%d]@%d is left out: %s", record.short, record.partition, record.offset, error.message)
        return None
    if isinstance(event, DriftDetected | IncidentChanged):
        return event
    if isinstance(event, SilenceChanged):
        return None
    log.warning("%s[%d]@%d is left out: no alert", record.short, record.partition, record.offset)
    return None


def _repeated(record: Record, seen: OrderedDict[bytes, None]) -> bool:
    """Has an alert of the same ce_id been seen? (A judge that restarts may say again what it had said.)"""
    identity = dict(record.headers or []).get("ce_id")
    if identity is None:
        return False
    if identity in seen:
        return True
    seen[identity] = None
    if len(seen) > _REMEMBERED_MOST:
        seen.popitem(last=False)
    return False
