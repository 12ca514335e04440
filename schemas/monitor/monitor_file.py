"""Compiling a monitor file: TOML in, a MonitorSpecification or a ConfigError with line, reason and example out.

model = "loans"
classes = ["repaid", "default"]      # the score is the probability of the second

[features]
amount = "numeric"
grade = { kind = "categorical", categories = ["A", "B", "C"] }
region = "categorical"
text = { kind = "embedding", width = 384 }

[segments]                           # also told apart: the most frequent 64 combinations, quarters of a number
region = ["region"]
amount = ["amount"]
region_grade = ["region", "grade"]

[time]
horizon = "30 d"

[alarms]
budget = "1 per week"
hold = 2                             # windows without an alarm until an incident is over

[season]                             # may be left out: features that differ by hour and weekday (season_file.py)
zone = "Europe/Berlin"
holidays = ["2026-12-25"]

[retrain]
mode = "automatic"
trainer = "loans.training:train"

Other tasks than binary, and values of outcomes: monitor_task.py. Data quality: quality_file.py.
Detectors of your choice: detectors_file.py. Numeric features together: together_file.py.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace
from itertools import pairwise
from typing import Any, Literal, cast

from driftloop.schemas.baseline.ranges import with_ends
from driftloop.schemas.batches.vectors import EMBEDDINGS_MOST, WIDTH_MOST
from driftloop.schemas.monitor.detectors_file import read_detectors
from driftloop.schemas.monitor.monitor_task import (
    check_retraining,
    read_quantiles,
    read_scales,
    read_task,
    read_value_most,
)
from driftloop.schemas.monitor.quality import LEARNED, QualityRules
from driftloop.schemas.monitor.quality_file import read_quality
from driftloop.schemas.monitor.season_file import read_season
from driftloop.schemas.monitor.segments_file import compile_segments
from driftloop.schemas.monitor.specification import (
    QUIET_WINDOWS,
    Feature,
    MonitorSpecification,
    RetrainPolicy,
)
from driftloop.schemas.monitor.together_file import read_together
from driftloop.schemas.monitor.toml_reader import Table, read_toml

_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_TRAINER = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
_BUDGET = re.compile(r"\s*(\d+(?:\.\d+)?) per (hour|day|week|month|year)\s*")
_PERIODS = {"hour": 3_600.0, "day": 86_400.0, "week": 604_800.0, "month": 2_629_746.0, "year": 31_556_952.0}
"""A month and a year are means of the Gregorian calendar."""
FEATURES_MOST = 1_000
HOLD_MOST = 1_000
EMBEDDING_NAME_MOST = 50
"""It stands 280 times in every pane."""


def compile_monitor(text: str, place: str) -> MonitorSpecification:
    """The specification written in ``text``; ``place`` names the file. Errors: ConfigError, the first mistake."""
    root = read_toml(text, place)
    model = root.text("model", ..., 'model = "loans"')
    if not _MODEL.fullmatch(model):
        root.refuse("model", f"is {model!r}, not up to 100 letters, digits, dots, dashes", 'model = "loans"')
    task, classes = read_task(root)
    features = _features(root.table("features", '[features]\n              amount = "numeric"', required=True))
    segments = compile_segments(root.table("segments", '[segments]\n              region = ["region"]'), features)
    time = _time(root.table("time", '[time]\n              horizon = "30 d"', required=True))
    alarms = _alarms(root.table("alarms", '[alarms]\n              budget = "1 per week"'))
    season = read_season(root, time, alarms)
    retrain = _retrain(root.table("retrain", '[retrain]\n              mode = "observe"'))
    check_retraining(root, task, retrain.mode, retrain.trainer)
    scales, value_most = read_scales(root, task), read_value_most(root)
    quantiles, quality = read_quantiles(root), read_quality(root, features)
    detectors, together = read_detectors(root, task, features), read_together(root, features)
    root.done()
    return MonitorSpecification(
        model,
        task,
        classes,
        _with_ranges(features, quality),
        retrain=retrain,
        segments=segments,
        scales=scales,
        value_most=value_most,
        quantiles=quantiles,
        quality=quality,
        season=season,
        detectors=detectors,
        together=together,
        **time,
        **alarms,
    )


def _with_ranges(features: tuple[Feature, ...], quality: QualityRules | None) -> tuple[Feature, ...]:
    """Edges that the file has told, with the limits of ranges among them; others are learned, and get them then."""
    rules = quality or LEARNED
    told = {f.name: with_ends(f.edges, rules.of(f.name).range) for f in features if f.edges is not None}
    return tuple(replace(f, edges=told[f.name]) if f.name in told else f for f in features)


def _features(table: Table) -> tuple[Feature, ...]:
    found: dict[str, Feature] = {}
    for name in table.keys():  # noqa: SIM118 (a Table is no mapping)
        feature = _feature(table, name)
        other = next((f for f in found.values() if f.field == feature.field), None)
        if other is not None:
            table.refuse(name, f"would be {feature.field} on the wire, as {other.name} is", "rename one of the two")
        found[name] = feature
    if not 0 < len(found) <= FEATURES_MOST:
        example = f'amount = "numeric"   (1 to {FEATURES_MOST} features)'
        table.refuse("", f"has {len(found)} features", example)
    if sum(f.kind == "embedding" for f in found.values()) > EMBEDDINGS_MOST:
        table.refuse("", f"has more than {EMBEDDINGS_MOST} embeddings", 'text = { kind = "embedding", width = 384 }')
    return tuple(found.values())


def _feature(table: Table, name: str) -> Feature:
    if not name or len(name) > 200:
        table.refuse(name, "is no name for a feature: 1 to 200 characters", 'amount = "numeric"')
    field = "f_" + re.sub(r"[^A-Za-z0-9_]", "_", name)
    if isinstance(table.get(name, ..., ""), str):
        if table.get(name, ..., "") == "embedding":
            table.refuse(name, "is an embedding without a width", f'{name} = {{ kind = "embedding", width = 384 }}')
        kind = table.one_of(name, ..., ("numeric", "categorical"), f'{name} = "numeric"')
        return Feature(name, field, cast(Literal["numeric", "categorical"], kind))
    own = table.table(name, f'{name} = "numeric"')
    kind = own.one_of("kind", ..., ("numeric", "categorical", "embedding"), 'kind = "numeric"')
    if kind == "embedding":
        width = own.whole("width", ..., 2, WIDTH_MOST, "width = 384")
        if len(name) > EMBEDDING_NAME_MOST:
            table.refuse(
                name, f"is an embedding: its name has at most {EMBEDDING_NAME_MOST} characters", "text = ..."
            )
        feature = Feature(name, f"{field}_{width}", "embedding", width=width)
    elif kind == "numeric":
        feature = Feature(name, field, "numeric", edges=_edges(own))
    else:
        told = own.get("categories", None, "")
        categories = None if told is None else own.strings("categories", ..., 'categories = ["A", "B"]')
        feature = Feature(name, field, "categorical", categories=categories)
    own.done()
    return feature


def _edges(table: Table) -> tuple[float, ...] | None:
    example = "edges = [10, 20, 50]"
    told = table.get("edges", None, example)
    if told is None:
        return None
    if not isinstance(told, list) or not all(isinstance(e, int | float) and not isinstance(e, bool) for e in told):
        table.refuse("edges", f"is {told!r}, not a list of numbers", example)
    edges = tuple(float(e) for e in told)
    if not all(math.isfinite(e) for e in edges) or any(a >= b for a, b in pairwise(edges)):
        table.refuse("edges", "must be finite and ascend", example)
    if len(edges) > 255:
        table.refuse("edges", f"has {len(edges)} edges, more than 255", example)
    return edges


def _time(table: Table) -> dict[str, Any]:
    pane = table.seconds("pane", "1 h", 'pane = "1 h"', low=1.0)
    window = table.seconds("window", "1 d", 'window = "1 d"', low=1.0)
    if window % pane or window < pane:
        table.refuse("window", "is not a whole number of panes", 'pane = "1 h" and window = "1 d"')
    offset = table.seconds("offset", "0 s", 'offset = "5 h"', low=0.0)
    if offset >= window:
        table.refuse("offset", "is not shorter than the window", 'offset = "5 h"')
    found = {
        "horizon_seconds": table.seconds("horizon", ..., 'horizon = "30 d"', low=1.0),
        "disorder_seconds": table.seconds("disorder", "10 min", 'disorder = "10 min"', low=0.0),
        "dedup_seconds": table.seconds("dedup", "1 d", 'dedup = "1 d"', low=0.0),
        "pane_seconds": pane,
        "window_seconds": window,
        "offset_seconds": offset,
        "idle_after_seconds": table.seconds("idle_after", "1 h", 'idle_after = "1 h"'),
    }
    table.done()
    return found


def _alarms(table: Table) -> dict[str, Any]:
    example = 'budget = "1 per week"'
    told = table.text("budget", "1 per week", example)
    budget = _BUDGET.fullmatch(told)
    if not budget or float(budget[1]) <= 0:
        table.refuse(
            "budget", f"is {told!r}, not a number of false alarms per hour, day, week, month or year", example
        )
    found = {
        "budget_seconds": _PERIODS[budget[2]] / float(budget[1]),
        "minimum_rows": table.whole("minimum_rows", 200, 1, 10**9, "minimum_rows = 200"),
        "effect_psi": table.number("effect_psi", 0.02, 0.0, 10.0, "effect_psi = 0.02"),
        "effect_sd": table.number("effect_sd", 0.05, 0.0, 10.0, "effect_sd = 0.05"),
        "effect_error": table.number("effect_error", 0.01, 0.0, 1.0, "effect_error = 0.01"),
        "hold": _hold(table),
    }
    table.done()
    return found


def _hold(table: Table) -> int | None:
    """Windows; None: as many as if nothing were said, and it is the same specification."""
    told = table.whole("hold", QUIET_WINDOWS, 1, HOLD_MOST, f"hold = {QUIET_WINDOWS}")
    return None if told == QUIET_WINDOWS else told


def _retrain(table: Table) -> RetrainPolicy:
    usual = RetrainPolicy()
    mode = table.one_of("mode", "observe", ("observe", "propose", "automatic"), 'mode = "automatic"')
    example = 'trainer = "loans.training:train"'
    trainer = table.text("trainer", "" if mode == "observe" else ..., example)
    if trainer and not _TRAINER.fullmatch(trainer):
        table.refuse("trainer", f"is {trainer!r}, not module:function", example)
    gate = table.one_of("gate", usual.gate, ("no_harm", "gain"), 'gate = "no_harm"')
    policy = RetrainPolicy(
        mode=cast(Any, mode),
        trainer=trainer,
        label_growth=table.number("label_growth", usual.label_growth, 1.01, 1_000.0, "label_growth = 1.35"),
        minimum_labels=table.whole("minimum_labels", usual.minimum_labels, 1, 10**9, "minimum_labels = 1000"),
        cooldown_seconds=table.seconds("cooldown", "1 d", 'cooldown = "1 d"', low=0.0),
        runs_per_day=table.whole("runs_per_day", usual.runs_per_day, 1, 1_000, "runs_per_day = 2"),
        rows_most=table.whole("rows_most", usual.rows_most, 10, 10**8, "rows_most = 50000"),
        gate=cast(Any, gate),
        holdout_seconds=table.seconds("holdout", "14 d", 'holdout = "14 d"', low=1.0),
        seed=table.whole("seed", usual.seed, 0, 2**31 - 1, "seed = 1"),
        time_limit_seconds=table.seconds("time_limit", "10 min", 'time_limit = "10 min"', low=1.0),
        memory_limit_mb=table.whole("memory_limit_mb", usual.memory_limit_mb, 64, 10**7, "memory_limit_mb = 1024"),
    )
    table.done()
    return policy
