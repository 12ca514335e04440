"""The comparison as a process of its own, at low priority: it uses what the loop leaves of the processors.

``python -m driftloop.console.demo.comparison FILE END``: the calendar policies up to event time END, as JSON in FILE.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path

from driftloop.console.demo.flight_files import load
from driftloop.console.demo.policies import compare
from driftloop.console.demo.tether import ORPHANED, wait_for_the_end
from driftloop.schemas.specification import MonitorSpecification, compile_monitor

SPECIFICATION = Path(__file__).with_name("flights.toml")


def specification() -> MonitorSpecification:
    """The demo's monitor file, compiled."""
    return compile_monitor(SPECIFICATION.read_text(encoding="utf-8"), str(SPECIFICATION))


def main(file: str, end: str) -> None:
    threading.Thread(target=leave_with_the_demo, daemon=True).start()
    found = compare(load(), specification().retrain, float(end))
    part = Path(f"{file}.part")
    part.write_text(json.dumps(found))
    part.replace(file)


def leave_with_the_demo() -> None:
    """Block until stdin ends, then end the process."""
    wait_for_the_end()
    os._exit(ORPHANED)


if __name__ == "__main__":
    main(*sys.argv[1:])
