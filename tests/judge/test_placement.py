"""Who says that two writers disagree about partitions, and when nothing is said."""

from __future__ import annotations

import pytest
from driftloop.streams.judge.quality.placement import alarm


@pytest.mark.parametrize(
    ("predictions", "truths", "topic"),
    [
        (0, 900, "truths"),
        (900, 3, "predictions"),
        (900, 880, None),  # one foreign partitioner for both: pairs meet
        (0, 19, None),
        (0, 0, None),
    ],
)
def test_only_one_topic_with_misplaced_keys_is_an_alarm(predictions: int, truths: int, topic: str | None) -> None:
    totals = {"misplaced_predictions": predictions, "misplaced_truths": truths, "predictions": 1200}
    found = alarm(totals, "loans", "s", 7_200.0, 3_600.0)
    assert (found.feature if found else None) == topic
