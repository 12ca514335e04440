"""Two writers with different partitioners: a prediction whose truth lies in another partition can never be labelled.

The observer counts, a topic, the keys that murmur2 would put elsewhere. Where both topics have them, both may be
written by one foreign partitioner, and pairs meet: nothing is said. Where only one has, one writer is wrong.
Two different foreign partitioners are not told from one here; `driftloop doctor` names them from the keys.
"""

from __future__ import annotations

from collections.abc import Mapping

from driftloop.schemas.events import DriftDetected

DETECTOR = "misplaced_keys"
ROWS_LEAST = 20
"""A handful are one mistake by hand; this is a writer."""
SHARE_MOST = 0.01
"""The other topic has at most this share of them."""


def alarm(totals: Mapping[str, int], model: str, spec: str, now: float, pane_seconds: float) -> DriftDetected | None:
    """The alarm for a model with these running totals, as of ``now``; None: nothing is wrong."""
    counts = {topic: totals.get(f"misplaced_{topic}", 0) for topic in ("predictions", "truths")}
    worse, other = sorted(counts, key=lambda topic: -counts[topic])
    if counts[worse] < ROWS_LEAST or counts[other] > SHARE_MOST * counts[worse]:
        return None
    return DriftDetected(
        model=model,
        version="",
        spec=spec,
        as_of=now,
        window_start=now - pane_seconds,
        window_seconds=pane_seconds,
        detector=DETECTOR,
        feature=worse,
        statistic=float(counts[worse]),
        threshold=float(ROWS_LEAST),
        effect=float(counts[worse]),
        unit="records",
        paging=True,
    )
