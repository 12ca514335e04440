"""A superseded window of a replay is not measured: its metrics are worked out when somebody reads them."""

from __future__ import annotations

from driftloop.schemas.events import Estimate
from driftloop.streams.judge.metrics.on_demand import OnDemand

FOUND = {"auc": Estimate(0.7, 0.6, 0.8, 100), "brier": Estimate(0.2, 0.1, 0.3, 100)}


def test_metrics_are_worked_out_once_when_somebody_reads_them() -> None:
    asked: list[int] = []

    def work_out() -> dict[str, Estimate]:
        asked.append(1)
        return FOUND

    metrics = OnDemand(work_out)
    assert asked == []
    assert metrics["auc"].value == 0.7
    assert (dict(metrics), list(metrics), len(metrics), repr(metrics)) == (FOUND, list(FOUND), 2, repr(FOUND))
    assert metrics == FOUND
    assert metrics.get("recall") is None
    assert asked == [1]
