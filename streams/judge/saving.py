"""A model's books as state records, and back: what no pane or window record says (state.py)."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from driftloop.detectors import e_detector
from driftloop.schemas.events import DriftDetected
from driftloop.streams.judge.champion import Champion
from driftloop.streams.judge.incidents.past import Past
from driftloop.streams.judge.incidents.performance import Performance
from driftloop.streams.judge.incidents.silencing import Silencing
from driftloop.streams.judge.inputs import input_watch
from driftloop.streams.judge.labels.estimate_watch import EstimateWatch
from driftloop.streams.judge.quality.counter_alarms import CounterAlarms
from driftloop.streams.judge.quality.quality_watch import QualityWatch
from driftloop.streams.judge.state import Records, key

if TYPE_CHECKING:
    from driftloop.streams.judge.model import ModelJudge


def save(judge: ModelJudge) -> None:
    """Put what no pane or window record says into the store."""
    if judge.performance.test:
        judge.store.put(key("loss", judge.model), e_detector.to_bytes(judge.performance.test))
    else:
        judge.store.drop(key("loss", judge.model))
    judge.feature_records.save(judge.store, judge.model, judge.inputs.features)
    judge.estimates.save(judge.store, judge.model)
    if (named := judge.named.to_bytes()) is not None:
        judge.store.put(key("named", judge.model), named)
    if judge.silences.heard >= 0:
        judge.store.put(key("silences", judge.model), judge.silences.to_bytes())
    judge.store.put_json(
        key("model", judge.model),
        lambda: (
            {
                "ledger": judge.ledger.to_json(),
                "champion": judge.champion and asdict(judge.champion),
                "clock": asdict(judge.clock),
                "performance": judge.performance.to_json(),
                "features": judge.inputs.to_json(),
                "alarms": [asdict(alarm) for alarm in judge.alarms],
                "reference": judge.reference_name,
            }
            | judge.counters.to_json()
        ),
    )


def restore(judge: ModelJudge, records: Records) -> None:
    """Back from the state records of this model."""
    for record in records.get("model", []):
        found = json.loads(record.value)
        loss = records["loss"][0].value if "loss" in records else None
        champion = found["champion"]
        judge.champion = champion and Champion(**champion | {"served": tuple(champion["served"])})
        judge.clock = type(judge.clock)(**found["clock"])
        judge.performance = Performance.from_json(found["performance"], loss)
        judge.inputs = input_watch.restored(found["features"], judge.feature_records.restore(records))
        judge.alarms = tuple(DriftDetected(**alarm) for alarm in found["alarms"])
        judge.reference_name = found["reference"]
        judge.counters = CounterAlarms.from_json(found)
        judge.ledger.restore(found["ledger"], records)
    judge.estimates = EstimateWatch.restored(records)
    for record in records.get("named", []):
        judge.named.restore(record.value)
    for record in records.get("quality", []):
        judge.quality = QualityWatch.from_bytes(record.value)
    for record in records.get("past", []):
        judge.evidence.past = Past.from_bytes(record.value)
    for record in records.get("silences", []):
        judge.silences = Silencing.from_bytes(record.value)
    judge.waiting.restore(records.get("pending", []))
