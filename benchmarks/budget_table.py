"""What issue 5 asks of the alarm budget, beside what was measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

LONG_RUN_MOST, FIRST_WEEKS_MOST = 1.0, 1.5
SEEDS_LEAST = 20
POWER_LEAST = {
    **{(s, 500.0): {"mean_one": 0.96, "sd_one": 0.99, "mix": 0.99, "missing": 0.99} for s in ("a", "b", "c")},
    ("b", 50.0): {"mean_one": 0.94, "sd_one": 0.90, "mix": 0.381},
}
"""(stream, rows an hour) -> share found within 24 hours, by kind of shift."""


def missed(row: dict[str, Any]) -> Iterator[str]:
    """Targets that this row misses, in words; of streams that were not tuned on there are none."""
    if not row["tuned"]:
        return
    if row["seeds"] < SEEDS_LEAST:
        yield f"only {row['seeds']} seeds"
    for key, most in (("ratio_upper", LONG_RUN_MOST), ("ratio_first_8_weeks_upper", FIRST_WEEKS_MOST)):
        if not row[key] <= most:
            yield f"{key} {row[key]:.2f} > {most}"
    for kind, least in POWER_LEAST.get((row["scenario"], row["traffic_per_hour"]), {}).items():
        if row["power"].get(kind, 0.0) < least:
            yield f"{kind} {row['power'].get(kind, 0.0):.3f} < {least:.2f}"


def print_row(row: dict[str, Any]) -> None:
    """A line: false incidents per allowed one (upper bound), the first eight weeks, power (median hours)."""
    powers = []
    for kind, power in row["power"].items():
        hours = row["hours_to_detect"][kind]
        powers.append(f"{kind} {power:.2f} ({'>72' if hours is None else format(hours, '.0f')})")
    print(
        f"{row['scenario']:11} {row['traffic_per_hour']:5.0f}/h {row['reference_weeks']:2} w  "
        f"{row['ratio']:.2f} (≤ {row['ratio_upper']:.2f})  first {row['ratio_first_8_weeks']:.2f} "
        f"(≤ {row['ratio_first_8_weeks_upper']:.2f})  {'  '.join(powers)}  {'; '.join(missed(row))}",
        flush=True,
    )


def print_table(found: Sequence[dict[str, Any]]) -> None:
    """What was missed, by row; nothing: all that was run is met."""
    wrong = [(row, list(missed(row))) for row in found]
    lines = [
        f"  {row['scenario']} at {row['traffic_per_hour']:.0f}/h, {row['reference_weeks']} weeks: {'; '.join(what)}"
        for row, what in wrong
        if what
    ]
    print("\n".join(["", f"{len(lines)} rows miss a target:", *lines] if lines else ["", "every target is met"]))
