"""What a run does with its rows: held-out rows, gate, final fit, artefact. No broker, no process."""

from __future__ import annotations

import json
import pickle
import platform
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from confluent_kafka import KafkaError, KafkaException
from driftloop.artefacts.store import Store
from driftloop.retrainer import reading
from driftloop.retrainer.dataset import Dataset, Origin
from driftloop.retrainer.run import answer, train_and_prove
from driftloop.retrainer.runs import (
    Plan,
    RunEnded,
    ended_from_json,
    ended_to_json,
    ends_from_bytes,
    ends_to_bytes,
    order_from_json,
    order_to_json,
)
from driftloop.schemas.errors import Unavailable
from driftloop.schemas.events import DecisionRecorded, OffsetRange
from driftloop.schemas.settings import Settings

from .stories import DAY, T0, specification, trained_run

sys.path.insert(0, str(Path(__file__).parent / "toys"))
from toy_trainers import Share


def rows(days=20, per_day=50, versions=("v0", "v1"), v1_from=10.0):
    """Labels half of the time; x tells the label after day 10 only. v1 said .5 for everything from ``v1_from`` on."""
    rng = np.random.default_rng(0)
    n = days * per_day
    event_time = T0 + np.arange(n) * DAY / per_day
    labels = rng.integers(0, 2, n).astype(np.int8)
    dataset = Dataset(
        columns={"x": labels + rng.normal(0, 0.1, n)},
        labels=labels,
        event_time=event_time,
        known_at=event_time + 3600,
        score=np.full(n, 0.5),
        version=(event_time >= T0 + v1_from * DAY).astype(np.int32),
        versions=versions,
    )
    origin = Origin(np.zeros(n, np.int32), np.arange(n), np.arange(n), rng.integers(0, 2**63, n, dtype=np.uint64))
    return dataset, origin


def plan(parent="v1", **retrain):
    spec = specification(trainer="toy_trainers:share", **retrain)
    details = {"parent": parent} if parent else {}
    started = DecisionRecorded("loans", "started", T0 + 20 * DAY, "r1", "volume", True, "", "v2", details=details)
    return Plan(started, spec.to_json(), (), ""), spec.retrain


class Spy:
    """A trainer that says ``says`` for everybody, and remembers what it was given."""

    def __init__(self, says=0.5):
        self.says = says
        self.given: list[Dataset] = []

    def __call__(self, dataset, _seed):
        self.given.append(dataset)
        return Share(self.says)


def test_the_candidate_never_sees_the_held_out_rows_and_the_final_model_sees_all(tmp_path) -> None:
    trainer = Spy()
    dataset, origin = rows()
    ended = train_and_prove(*plan(), trainer, dataset, origin, Store(tmp_path))
    candidate, final = trainer.given
    cut = dataset.event_time.max() - 3 * DAY
    assert candidate.event_time.max() <= cut
    assert (len(candidate), len(final)) == (20 * 50 - 150, 1000)
    assert (ended.figures["held_out_rows"], ended.figures["held_out_days"]) == (150, 3)
    assert ended.accepted
    assert ended.dataset.rows == ended.labelled == 1000
    assert ended.artefact.libraries == {"python": platform.python_version()}  # all that this model is made of
    model = pickle.loads((tmp_path / ended.artefact.uri).read_bytes())
    assert model.share == 0.5


def test_a_worse_candidate_is_rejected_and_nothing_is_stored(tmp_path) -> None:
    trainer = Spy(says=0.9)
    ended = train_and_prove(*plan(), trainer, *rows(), Store(tmp_path))
    assert (ended.accepted, ended.artefact, len(trainer.given)) == (False, None, 1)
    assert ended.reason.startswith("significantly worse than the champion: +")
    assert ended.dataset is not None
    assert list(tmp_path.iterdir()) == []


def test_the_champion_is_judged_by_what_it_said_while_it_served(tmp_path) -> None:
    """It became champion a day ago: the rows before are its predecessor's, and one day proves nothing."""
    dataset, origin = rows(v1_from=19.0)
    ended = train_and_prove(*plan(), Spy(says=0.9), dataset, origin, Store(tmp_path))
    assert ended.accepted
    assert ended.reason.startswith("only 1 held-out days with the champion's scores")
    strict = train_and_prove(*plan(gate="gain"), Spy(says=0.9), dataset, origin, Store(tmp_path))
    assert not strict.accepted
    unheard = train_and_prove(*plan(parent="v7"), Spy(), dataset, origin, Store(tmp_path))
    assert unheard.reason.startswith("only 0 held-out days")


def test_the_first_model_passes_with_its_loss_told(tmp_path) -> None:
    ended = train_and_prove(*plan(parent=""), Spy(), *rows(), Store(tmp_path))
    assert (ended.accepted, ended.reason) == (True, "first model")
    assert ended.figures["candidate_log_loss"] == pytest.approx(np.log(2))


def test_a_history_shorter_than_the_held_out_span_is_said(tmp_path) -> None:
    trainer = Spy()
    settings = plan(parent="", holdout_seconds=30 * DAY)
    ended = train_and_prove(*settings, trainer, *rows(), Store(tmp_path))
    assert (ended.accepted, len(trainer.given)) == (True, 1)
    assert ended.reason.startswith("first model; before the held-out rows only 0 labelled rows")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"days": 1}, "only 50 labelled rows, 100 are needed"),
        ({"one class": True}, "all 1000 labels are of one class"),
    ],
)
def test_too_little_to_train_on_is_said_and_nothing_is_trained(tmp_path, change, reason) -> None:
    dataset, origin = rows(days=change.get("days", 20))
    if "one class" in change:
        dataset = replace(dataset, labels=np.zeros(1000, np.int8))
    trainer = Spy()
    ended = train_and_prove(*plan(), trainer, dataset, origin, Store(tmp_path))
    assert (ended.reason, ended.accepted, ended.dataset, trainer.given) == (reason, False, None, [])


def test_a_cap_on_rows_samples_every_fit_and_keeps_the_held_out_rows_whole(tmp_path) -> None:
    trainer = Spy()
    ended = train_and_prove(*plan(rows_most=200), trainer, *rows(), Store(tmp_path))
    assert [len(d) for d in trainer.given] == [200, 200]
    assert ended.dataset.rows == 200
    assert ended.figures["held_out_rows"] == 150


def test_a_cluster_that_is_away_for_a_moment_costs_no_run(monkeypatch) -> None:
    answers = [Unavailable("the catalogue cannot be read"), KafkaException(KafkaError(KafkaError._ALL_BROKERS_DOWN))]

    def read() -> str:
        if answers:
            raise answers.pop(0)
        return "rows"

    monkeypatch.setattr(reading, "AGAIN_SECONDS", 0.0)
    assert reading.patiently(read) == "rows"
    answers.append(Unavailable("away"))
    monkeypatch.setattr(reading, "OUTAGE_SECONDS_MOST", -1.0)
    with pytest.raises(Unavailable):
        reading.patiently(read)


def test_an_answer_is_there_whole(tmp_path) -> None:
    ended = trained_run("r1", 3)
    answer(tmp_path, ended)
    assert ended_from_json((tmp_path / "result.json").read_text()) == ended
    assert [p.name for p in tmp_path.iterdir()] == ["result.json"]


def test_orders_answers_and_ends_survive_their_journey() -> None:
    ends = (OffsetRange("predictions", 0, 0, 99), OffsetRange("ground-truth", 1, 5, 4))
    told, _ = plan()
    told = replace(told, ends=ends, started=replace(told.started, dataset=trained_run("r", 1).dataset))
    settings = Settings(
        bootstrap_servers="h:1", state_folder=Path("/s"), trusted_keys=("ab",), sasl_password="secret"
    )
    assert order_from_json(order_to_json(told, settings)) == (told, settings)
    assert "\n" not in order_to_json(told, settings)
    assert ends_from_bytes(ends_to_bytes(ends)) == ends
    for ended in (trained_run("r1", 3), RunEnded("loans", "r1", failure="x", log="a\nb")):
        assert ended_from_json(ended_to_json(ended)) == ended
        json.loads(ended_to_json(ended))
