"""What every part of the benchmark is given, and how repeated runs become one figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from driftloop.schemas.settings import Settings

PARTITIONS = 12


@dataclass(frozen=True, slots=True)
class Bench:
    """One broker for all parts, its data below ``broker_folder``. ``pairs`` of the backlog; ``quick``: all of it
    smaller."""

    bootstrap: str
    broker_folder: Path
    folder: Path
    pairs: int = 250_000
    repeats: int = 3
    quick: bool = False

    def settings(self, prefix: str, **more: Any) -> Settings:
        """A deployment of its own on the broker."""
        return Settings(bootstrap_servers=self.bootstrap, prefix=prefix, partitions=PARTITIONS, **more)

    def say(self, text: str) -> None:
        print(f"  {text}", flush=True)

    def say_cost(self, name: str, found: dict[str, Any]) -> None:
        memory = f", {found['peak_rss_mb']:.0f} MB" if "peak_rss_mb" in found else ""
        spread = f" ({found['spread']})" if "spread" in found else ""
        rate = f"{found['events_per_second_per_core']:,.0f} events/s per core"
        self.say(f"{name:24} {found['cpu_us_per_event']:8.2f} µs CPU an event{spread}, {rate}{memory}")


def median_of(runs: Sequence[dict[str, Any]], by: str = "cpu_us_per_event") -> dict[str, Any]:
    """The middle one of the runs (of two, the slower), with what the others gave beside it."""
    ordered = sorted(runs, key=lambda found: float(found[by]))
    values = [found[by] for found in ordered]
    spread = f"{values[0]:.3g} to {values[-1]:.3g} in {len(runs)} runs"
    return ordered[len(ordered) // 2] | {"spread": spread, f"{by}_of_all": [found[by] for found in runs]}
