"""The figures of one demo: as JSON for machines, and the sentences under the table for people."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean

from driftloop.console.demo.memory import MemoryMeter
from driftloop.console.demo.policies import POLICIES as OTHERS
from driftloop.console.demo.results import Results

OURS = "driftloop"
POLICIES = (*OTHERS, OURS)


@dataclass(frozen=True, slots=True)
class Report:
    """``log_loss``: policy -> month -> mean log loss of that month's labelled flights, nats; ``mean_log_loss``: the
    mean of the months. ``retrains`` and ``promotions`` are driftloop's own: the first model, with which every policy
    starts, is not among them. ``peak_rss_mb``: MB (2**20 bytes) by process, ``peak_rss_together_mb`` the largest sum
    seen at one moment.
    """

    log_loss: dict[str, dict[str, float]]
    mean_log_loss: dict[str, float]
    retrains: int
    promotions: int
    versions: list[str]
    predictions: int
    ground_truths: int
    joined: int
    never_labelled: int
    dead_letters: int
    incidents: int
    windows: int
    decisions: int
    event_days: int
    wall_seconds: float
    serving_seconds: float
    peak_rss_mb: dict[str, float]
    peak_rss_together_mb: float
    machine: str

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2) + "\n"

    def write(self, file: Path) -> None:
        """Whole or not at all."""
        part = file.with_name(f"{file.name}.part")
        part.write_text(self.to_json(), encoding="utf-8")
        part.replace(file)

    def lines(self) -> list[str]:
        """What it took, in words."""
        frozen, ours = self.mean_log_loss["frozen"], self.mean_log_loss[OURS]
        everything = self.mean_log_loss["calendar_everything"]
        memory = ", ".join(f"{name} {mb:.0f}" for name, mb in self.peak_rss_mb.items())
        return [
            f"driftloop against frozen {ours - frozen:+.4f}, against calendar everything {ours - everything:+.4f}; "
            f"{self.retrains} retrains, {self.promotions} promoted; the calendar {len(self.log_loss[OURS]) - 1}",
            f"{self.predictions:,} predictions, {self.ground_truths:,} truths, {self.joined:,} joined, "
            f"{self.never_labelled:,} never labelled (cancelled or diverted), {self.dead_letters} dead letters",
            f"{self.windows:,} windows, {self.incidents} incidents, {self.decisions} decisions, "
            f"versions {' '.join(self.versions)}",
            f"{self.wall_seconds:.0f} s in all, {self.serving_seconds:.0f} s for {self.event_days} event days; peak "
            f"memory {self.peak_rss_together_mb:.0f} MB together (each at its peak, MB: {memory})",
        ]


def make_report(
    results: Results,
    others: dict[str, dict[str, float]],
    event_days: int,
    wall_seconds: float,
    serving_seconds: float,
    meter: MemoryMeter,
) -> Report:
    """Put together what was read from the topics, what the others would have had, and what it took."""
    log_loss = {**others, OURS: results.log_loss}
    return Report(
        log_loss=log_loss,
        mean_log_loss={policy: fmean(months.values()) for policy, months in log_loss.items()},
        retrains=results.runs,
        promotions=results.promotions,
        versions=list(results.versions),
        predictions=results.predictions,
        ground_truths=results.ground_truths,
        joined=results.joined,
        never_labelled=results.never_labelled,
        dead_letters=results.dead_letters,
        incidents=results.incidents,
        windows=results.windows,
        decisions=results.evaluations,
        event_days=event_days,
        wall_seconds=round(wall_seconds, 2),
        serving_seconds=round(serving_seconds, 2),
        peak_rss_mb={name: round(mb, 1) for name, mb in sorted(meter.peak_mb.items())},
        peak_rss_together_mb=round(meter.peak_together_mb, 1),
        machine=f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}",
    )
