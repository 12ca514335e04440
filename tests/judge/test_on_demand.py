"""A superseded window of a replay is not measured: each of its metrics is worked out when somebody reads it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from driftloop.schemas.events import Estimate
from driftloop.streams.judge.metrics.on_demand import Metric, OnDemand, one

AUC, BRIER = Estimate(0.7, 0.6, 0.8, 100), Estimate(0.2, 0.1, 0.3, 100)


def made(asked: list[str]) -> OnDemand:
    def asking(name: str, found: Estimate | None) -> Callable[[], Estimate | None]:
        return lambda: asked.append(name) or found

    def decisions() -> dict[str, Estimate]:
        asked.append("decisions")
        return {"recall": AUC}

    metrics = [
        one("brier", asking("brier", BRIER)),
        one("value", asking("value", None)),
        Metric(("recall", "precision"), decisions),
        one("auc", asking("auc", AUC)),
    ]
    return OnDemand(lambda: metrics)


def test_a_metric_is_worked_out_once_when_somebody_reads_it() -> None:
    asked: list[str] = []
    metrics = made(asked)
    assert asked == []
    assert metrics["auc"] == metrics["auc"] == AUC
    assert metrics.get("recall") == AUC
    assert asked == ["auc", "decisions"]
    assert metrics.get("precision") is None, "it came of the same formula, and could not be told"
    assert metrics.get("f1") is None
    assert asked == ["auc", "decisions"]


def test_all_together_they_are_a_map_with_its_names_sorted() -> None:
    asked: list[str] = []
    metrics, found = made(asked), {"auc": AUC, "brier": BRIER, "recall": AUC}
    assert metrics["recall"] == AUC
    assert (dict(metrics), list(metrics), len(metrics), repr(metrics)) == (found, list(found), 3, repr(found))
    assert metrics == found
    assert sorted(asked) == ["auc", "brier", "decisions", "value"], "each once"
    with pytest.raises(KeyError):
        metrics["value"]
