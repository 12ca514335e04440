"""From what the judge has found to records: topic, key, headers. A repeat has the same id."""

from __future__ import annotations

from collections.abc import Callable

from driftloop.schemas.codec import encode
from driftloop.schemas.events import DriftDetected, IncidentChanged, SilenceChanged, WindowMeasured
from driftloop.schemas.headers import cloud_event_headers, event_id
from driftloop.streams.fold import Output

SERVICE = "judge"
Event = WindowMeasured | DriftDetected | IncidentChanged | SilenceChanged


def output(topic: Callable[[str], str], event: Event) -> Output:
    """The record of an event, keyed by its model."""
    kind = type(event).__name__
    short = "windows" if isinstance(event, WindowMeasured) else "drift"
    headers = cloud_event_headers(kind, identity(event), SERVICE, event.as_of)
    return Output(topic(short), event.model.encode(), encode(event), None, tuple(headers))


def identity(event: Event) -> str:
    """A hash of what caused it."""
    if isinstance(event, WindowMeasured):
        return event_id(
            "window", event.model, event.version, event.role, event.spec, event.window_start, event.revision
        )
    if isinstance(event, DriftDetected):
        return event_id("drift", event.model, event.version, event.spec, event.detector, event.feature, event.as_of)
    if isinstance(event, SilenceChanged):
        return event_id("silence", event.model, event.silence, event.change, event.as_of)
    return event_id("incident", event.incident, event.change, event.as_of)
