"""What needs no Kafka, in a process of its own: scores for the past first, then the comparison, at low priority.

``python -m driftloop.console.demo.offline FOLDER END``: FOLDER/history.npy, P(late) of each flight before the start;
then FOLDER/comparison.json, the log loss of the other policies up to event time END. So neither scikit-learn nor its
fits are in the memory of the app, and the fits take what the loop leaves of the processors.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
from driftloop.console.demo.flight_files import load
from driftloop.console.demo.flights import START
from driftloop.console.demo.history import out_of_fold
from driftloop.console.demo.policies import compare
from driftloop.console.demo.tether import ORPHANED, wait_for_the_end
from driftloop.schemas.monitor.specification import MonitorSpecification, compile_monitor

SPECIFICATION = Path(__file__).with_name("flights.toml")
HISTORY, COMPARISON = "history.npy", "comparison.json"
LOWEST_PRIORITY = 19


def specification() -> MonitorSpecification:
    """The demo's monitor file, compiled."""
    return compile_monitor(SPECIFICATION.read_text(encoding="utf-8"), str(SPECIFICATION))


def main(folder: str, end: str) -> None:
    threading.Thread(target=leave_with_the_demo, daemon=True).start()
    flights, retrain = load(), specification().retrain
    scores = out_of_fold(flights.rows(flights.event_time < START), retrain.seed)
    write(Path(folder) / HISTORY, lambda part: np.save(part, scores))
    os.nice(LOWEST_PRIORITY)
    found = compare(flights, retrain, float(end))
    write(Path(folder) / COMPARISON, lambda part: part.write_text(json.dumps(found)))


def write(file: Path, save: Callable[[Path], object]) -> None:
    """Whole or not at all: somebody waits for it to appear."""
    part = file.with_name(f"part-{file.name}")
    save(part)
    part.replace(file)


def leave_with_the_demo() -> None:
    """Block until stdin ends, then end the process."""
    wait_for_the_end()
    os._exit(ORPHANED)


if __name__ == "__main__":
    main(*sys.argv[1:])
