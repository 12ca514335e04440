"""What a person does with a flood of dead letters: list them, look at one, put those of one reason back."""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import Any

from ..integration.loop import Loop

COMMAND_SECONDS_MOST = 900.0
"""Each reads the whole topic."""
SHOWN = ("id", "reason", "topic", "partition", "offset")
Counts = Counter[tuple[str, str]]
"""By (reason, topic)."""


def check_list(loop: Loop, counts: Counts, replayed: int = 0) -> tuple[list[dict[str, Any]], float]:
    """`driftloop dlq list` shows the same; its latest letters, and the seconds it took."""
    found, seconds = _timed(loop, "dlq", "list", "--json", "--limit", "3")
    listed = json.loads(found)
    assert {(g["reason"], g["topic"]): g["letters"] for g in listed["groups"]} == counts
    told = listed["letters"], listed["replayed"], len(listed["latest"])
    assert told == (counts.total(), replayed, min(3, counts.total()))
    return listed["latest"], seconds


def show_and_replay(loop: Loop, counts: Counts) -> dict[str, Any]:
    """The latest letters shown; those of the rarest reason put back, and the list says so."""
    reasons = Counter[str]()
    for (reason, _), letters in counts.items():
        reasons[reason] += letters
    shown = []
    for letter in check_list(loop, counts)[0]:
        found, seconds = _timed(loop, "dlq", "show", letter["id"], "--json")
        told = json.loads(found)
        assert [told[name] for name in SHOWN] == [letter[name] for name in SHOWN]
        shown.append(seconds)
    rarest = min(reasons, key=lambda reason: (reasons[reason], reason))
    _, replay_seconds = _timed(loop, "dlq", "replay", "--reason", rarest, "--yes")
    _, list_seconds = check_list(loop, counts, reasons[rarest])
    return {
        "list_seconds": round(list_seconds, 1),
        "show_seconds_most": round(max(shown), 1),
        "replay_seconds": round(replay_seconds, 1),
        "replayed_reason": rarest,
        "replayed": reasons[rarest],
    }


def _timed(loop: Loop, *command: str) -> tuple[str, float]:
    start = time.monotonic()
    return loop.command(*command, seconds=COMMAND_SECONDS_MOST), time.monotonic() - start
