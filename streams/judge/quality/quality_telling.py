"""What is said of broken rules: the alarms, and the sentences a person reads first. Pure."""

from __future__ import annotations

import math

from driftloop.schemas.events import DriftDetected, QualityBroken
from driftloop.schemas.headers import rfc3339
from driftloop.schemas.monitor.quality import LEARNED
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.streams.judge.labels.label_gaps import Stopped
from driftloop.streams.judge.quality.limits import range_of

KIND = "data_quality"
LABELS = "labels"
"""The rule that is about labels, not about the window's rows."""
NAMED_MOST = 5
TIMES_MOST = 1_000.0
"""Of nothing where there should be something any multiple would do."""


def waits(specification: MonitorSpecification, broken: tuple[QualityBroken, ...]) -> str:
    """What a window breaks that calls nobody, for the monitor wants more of them; empty: nothing."""
    needed, most = (specification.quality or LEARNED).confirmed_by
    if needed <= 1 or not broken:
        return ""
    names = ", ".join(f"{b.rule} of {b.feature}" if b.feature else b.rule for b in broken[:NAMED_MOST])
    return f"data quality: {names}, which calls when {needed} of {most} windows break it"


def sentence(
    specification: MonitorSpecification, found: tuple[QualityBroken, ...], start: float, stopped: Stopped | None
) -> str:
    """What a person reads first."""
    parts = [_words(specification, b) if b.rule != LABELS else _stopped(stopped) for b in found[:NAMED_MOST]]
    more = f", and {len(found) - NAMED_MOST} more" if len(found) > NAMED_MOST else ""
    return f"data quality of the window since {rfc3339(start)}: {'; '.join(parts)}{more}"


def _words(specification: MonitorSpecification, b: QualityBroken) -> str:
    about = f" of {b.feature}" if b.feature else ""
    if b.rule == "out_of_range":
        feature = next(f for f in specification.features if f.name == b.feature)
        low, high = range_of(specification.quality or LEARNED, feature) or (-math.inf, math.inf)
        about += f" ({low:g} to {high:g})"
    if b.rule == "schema":
        return f"{b.feature} is missing in every row"
    if b.unit == "share":
        return f"{b.rule}{about} {b.value:.2%} (limit {b.limit:.2%}, usually {b.usual:.2%})"
    return f"{b.rule}{about} {b.value:.0f} {b.unit} (limit {b.limit:.0f}, usually {b.usual:.0f})"


def _stopped(gap: Stopped | None) -> str:
    assert gap is not None, "the rule is broken by a gap"
    return f"since {rfc3339(gap.since)} {gap.came} labels came, {gap.expected:.0f} were expected"


def detected(
    specification: MonitorSpecification,
    version: str,
    start: float,
    b: QualityBroken,
    stopped: Stopped | None,
    paging: bool,
) -> DriftDetected:
    """The alarm of a window; of labels that of their gap. ``statistic``: how many times its limit, or its limit how
    many times what is there."""
    end = start + specification.window_seconds
    since = stopped.since if stopped is not None and b.rule == LABELS else start
    high, low = (b.value, b.limit) if b.value >= b.limit else (b.limit, b.value)
    return DriftDetected(
        model=specification.model,
        version=version,
        spec=specification.spec,
        as_of=end,
        window_start=since,
        window_seconds=end - since,
        detector=f"{KIND}:{b.rule}",
        feature=b.feature,
        statistic=min(high / max(low, 1e-6), TIMES_MOST),
        threshold=1.0,
        effect=b.value - b.usual,
        unit=b.unit,
        paging=paging,
    )
