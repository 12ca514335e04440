"""The figures as a page of text, and what issue 5 asks of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

ERRORS, SHIFTS = "total: error streams", "total: numeric shifts"
Rows = list[dict[str, Any]]


class Target(NamedTuple):
    """``sign`` +1: at least ``bound``; -1: at most. ``share``: found of drifts is meant."""

    detector: str
    stream: str
    key: str
    sign: int
    bound: float


TARGETS = (
    Target("e_sr", ERRORS, "share", 1, 106 / 120),
    Target("e_sr", ERRORS, "median_delay", -1, 56),
    Target("e_sr", "stationary i.i.d. bits", "false_alarms_per_10k", -1, 0.05),
    Target("e_sr", "stationary Markov bits .3", "false_alarms_per_10k", -1, 0.5),
    Target("csr", "mean +0.25 sd", "share", 1, 1.0),
    Target("csr", "mean +0.25 sd", "median_delay", -1, 260),
    Target("csr", "sd x 2", "share", 1, 1.0),
    Target("csr", "sd x 2", "median_delay", -1, 42),
    Target("csr", "stationary Gauss", "false_alarms_per_10k", -1, 0.3),
    Target("csr", "stationary t3", "false_alarms_per_10k", -1, 0.3),
    Target("windowed csr", "stationary AR(1) .5", "false_alarms_per_10k", -1, 0.2),
)


PASS_TIMES_LEAST = 5.0
"""The fastest peer's pass over ours."""


def show(rows: Rows) -> None:
    """Stream by stream, then what a pass takes, then the targets."""
    passes = [row for row in rows if "times_ours" in row]
    rows = [row for row in rows if "times_ours" not in row]
    for stream in dict.fromkeys(row["stream"] for row in rows):
        print(f"\n{stream:28} {'found':>9} {'delay':>7} {'false/10k':>10} {'± 2 se':>7} {'ns/value':>9}")
        for row in (row for row in rows if row["stream"] == stream):
            print(_line(row))
    for row in passes:
        print(
            f"\n{row['stream']}, {row['detector']}: {1e3 * row['median_seconds']:.1f} ms, "
            f"{row['times_ours']:.1f} times ours, {row['features_flagged']} of 10 features flagged (1 has moved)",
            end="",
        )
    print("\n")
    for line in [*judged(rows), *_pass_judged(passes)]:
        print(line)


def _pass_judged(passes: Rows) -> Iterable[str]:
    others = [row for row in passes if row["times_ours"] != 1.0]
    if others:
        fastest = min(others, key=lambda row: float(row["times_ours"]))
        met = "met" if fastest["times_ours"] >= PASS_TIMES_LEAST else "NOT MET"
        yield (
            f"{met:8}{fastest['stream']}: the fastest peer, {fastest['detector']}, takes "
            f"{fastest['times_ours']:.1f} times as long as ours (>= {PASS_TIMES_LEAST:g})"
        )


def _line(row: dict[str, Any]) -> str:
    found = f"{row['found']}/{row['drifts']}" if row["drifts"] else "-"
    delay = "-" if row["median_delay"] is None else f"{row['median_delay']:.0f}"
    false, error = row["false_alarms_per_10k"], 2 * row["false_alarms_error"]
    return f"  {row['detector']:26} {found:>9} {delay:>7} {false:>10.2f} {error:>7.2f} {row['ns_per_value']:>9.0f}"


def judged(rows: Rows) -> Iterable[str]:
    """A line a target whose row was run."""
    by_name = {(row["detector"], row["stream"]): row for row in rows}
    for target in TARGETS:
        row = by_name.get((target.detector, target.stream))
        if row is None:
            continue
        value = row["found"] / max(row["drifts"], 1) if target.key == "share" else row[target.key]
        met = value is not None and target.sign * (value - target.bound) >= 0
        sign = ">=" if target.sign > 0 else "<="
        shown = "none" if value is None else f"{value:.3g}"
        yield (
            f"{'met' if met else 'NOT MET':8}{target.detector}: {target.key} on {target.stream} "
            f"{shown} ({sign} {target.bound:.3g})"
        )
