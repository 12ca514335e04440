"""From a monitor file to a live specification, and from predictions on the topic to its bins and baselines."""

from __future__ import annotations

import hashlib
import random
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from driftloop.client.producer import Producer
from driftloop.console.models import read_catalogue
from driftloop.console.monitor import apply_monitor
from driftloop.console.reading import read_messages
from driftloop.console.reference import Asked, RowFile, Selection, build, offset_ranges
from driftloop.console.retrain import order_retrain
from driftloop.schemas import codec
from driftloop.schemas.errors import ConfigError
from driftloop.schemas.events import CommandGiven
from driftloop.schemas.murmur2 import partition_of
from driftloop.schemas.settings import Settings

FILE = Path(__file__).with_name("loans.toml")
HOUR, DAY = 3_600.0, 86_400.0
START = 1_700_006_400.0  # 2023-11-15 00:00 UTC


class Loan(NamedTuple):
    id: str
    event_time: float
    role: str
    features: dict[str, Any]
    score: float
    predicted: str
    label: str | None


def make_loans(count: int = 600) -> list[Loan]:
    """A loan every ten minutes; the first half is history; one in six is never known."""
    rng = random.Random(4)
    loans = []
    for i in range(count):
        features = {
            "amount": rng.lognormvariate(3, 1),
            "income": None if rng.random() < 0.1 else rng.gauss(0, 1),
            "grade": rng.choice(["A", "A", "B", None]),
        }
        score = rng.random()
        label = None if i % 6 == 5 else ("default" if rng.random() < score else "repaid")
        role = "history" if i < count / 2 else "champion"
        predicted = "default" if score >= 0.5 else "repaid"
        loans.append(Loan(f"loan-{i}", START + i * 600.0, role, features, score, predicted, label))
    return loans


def publish(settings: Settings, loans: list[Loan]) -> None:
    with Producer("loans", settings, version="v1") as producer:
        for loan in loans:
            producer.predicted(
                loan.features,
                loan.score,
                event_time=loan.event_time,
                prediction_id=loan.id,
                role=loan.role,
                predicted=loan.predicted,
            )
        for loan in loans:
            if loan.label is not None:
                producer.observed(loan.id, loan.label, event_time=loan.event_time + HOUR)
        assert producer.flush(180) == 0


def count(settings: Settings, short: str) -> int:
    return sum(1 for _ in read_messages(settings, settings.topic(short)))


@pytest.mark.kafka
def test_a_monitor_file_becomes_the_live_specification_once(settings: Settings) -> None:
    first = apply_monitor(settings, FILE)
    assert first.changed
    assert read_catalogue(settings).specification("loans") == first.specification

    assert apply_monitor(settings, FILE) == (first.specification, False, "")
    assert (count(settings, "monitors"), count(settings, "schemas")) == (1, 1)


@pytest.mark.kafka
def test_a_mistake_in_the_file_is_named_by_its_line_and_nothing_is_written(
    settings: Settings, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(FILE.read_text().replace('amount = "numeric"', 'amount = "number"'))
    with pytest.raises(ConfigError, match=r"wrong\.toml:5: features\.amount"):
        apply_monitor(settings, wrong)
    with pytest.raises(ConfigError, match="cannot be read"):
        apply_monitor(settings, tmp_path / "nothing.toml")
    assert count(settings, "monitors") == 0


@pytest.mark.kafka
def test_a_reference_counts_the_history_and_brings_bins(settings: Settings, tmp_path: Path) -> None:
    apply_monitor(settings, FILE)
    loans = make_loans()
    publish(settings, [*loans, *loans[:50]])  # repeats change nothing
    said = list(build(settings, "loans", Selection(role="history")))

    history = [loan for loan in loans if loan.role == "history"]
    labelled = [loan for loan in history if loan.label is not None]
    catalogue = read_catalogue(settings)
    live = catalogue.specification("loans")
    assert live is not None
    assert live.has_bins
    known = catalogue.baselines("loans")
    assert known is not None
    reference, found = known
    assert (found.rows, found.labelled) == (len(history), len(labelled))
    assert (found.from_time, found.to_time) == (history[0].event_time, history[-1].event_time)
    edges = next(f.edges for f in live.features if f.name == "amount")
    amounts = np.array([loan.features["amount"] for loan in history])
    expected = np.bincount(np.searchsorted(edges, amounts, side="right"), minlength=len(edges or ()) + 2)
    assert list(found.features["amount"]) == expected.tolist()
    missing = sum(loan.features["income"] is None for loan in history)
    assert found.features["income"][-1] == missing
    losses = [-np.log(loan.score if loan.label == "default" else 1 - loan.score) for loan in labelled]
    assert found.loss_mean == pytest.approx(np.mean(losses))
    wrong = [loan.predicted != loan.label for loan in labelled]
    assert found.error_rate == pytest.approx(np.mean(wrong))
    ranges = {(r.topic, r.partition) for r in found.offsets}
    assert ranges == {(topic, q) for topic in ("predictions", "ground-truth") for q in range(settings.partitions)}
    assert said[0].startswith(f"loans: reference {reference} of 300 predictions, 250 labelled, 2023-11-15 00:00:00")

    # Another horizon in the file: a new specification, but the bins stay and the baselines still fit.
    longer = tmp_path / "longer.toml"
    longer.write_text(FILE.read_text().replace('horizon = "5 d"', 'horizon = "6 d"'))
    again = apply_monitor(settings, longer)
    assert again.changed
    assert again.specification.spec != live.spec
    assert again.specification.features == live.features
    assert (again.unfit_reference, read_catalogue(settings).baselines("loans")) == ("", known)

    # Numbers watched together as well: the reference has not counted them.
    together = tmp_path / "together.toml"
    together.write_text(longer.read_text() + "\n[multivariate]\n")
    assert apply_monitor(settings, together).unfit_reference == reference
    list(build(settings, "loans", Selection(role="history")))
    assert apply_monitor(settings, together).unfit_reference == ""
    again = apply_monitor(settings, longer)
    assert again.unfit_reference, "nor is that one the first file's any more"
    list(build(settings, "loans", Selection(role="history")))

    # And with a season: the reference that stands is too short for one.
    seasonal = tmp_path / "seasonal.toml"
    seasonal.write_text(FILE.read_text() + '\n[season]\nzone = "Europe/Berlin"\n')
    with pytest.raises(ConfigError, match=r"seasonal\.toml:18: season compares .* covers 2\.1 days, not 14") as told:
        apply_monitor(settings, seasonal)
    assert "reference build loans --from" in told.value.hint
    assert read_catalogue(settings).specification("loans") == again.specification


@pytest.mark.kafka
def test_three_days_are_too_few_for_a_season_and_only_who_says_so_gets_a_reference_without(
    settings: Settings, tmp_path: Path
) -> None:
    seasonal = tmp_path / "seasonal.toml"
    seasonal.write_text(FILE.read_text() + '\n[season]\nzone = "Europe/Berlin"\n')
    apply_monitor(settings, seasonal)
    publish(settings, make_loans())
    short = "the reference covers 3 days; a weekly season needs 14"
    with pytest.raises(ConfigError, match=f"the season of loans cannot be learned: {short}") as told:
        list(build(settings, "loans", Selection(role="history")))
    assert "--season-unknown" in told.value.hint
    assert (count(settings, "references"), count(settings, "monitors")) == (0, 1)
    said = list(build(settings, "loans", Selection(role="history"), season_unknown=True))
    last = read_catalogue(settings).baselines("loans")
    assert last is not None
    assert last[1].season is not None
    assert (last[1].season.zone, last[1].season.window_seconds, last[1].season.fitted) == ("Europe/Berlin", DAY, "")
    assert last[1].season.reason == short
    assert f"loans: its season is UNKNOWN, features are not watched: {last[1].season.reason}" in "\n".join(said)
    assert last[1].rows == 300


@pytest.mark.kafka
def test_rows_of_a_reference_are_selected_by_event_time_and_number(settings: Settings) -> None:
    apply_monitor(settings, FILE)
    loans = make_loans()
    publish(settings, loans)

    def build_and_read(selection: Selection) -> tuple[int, float, float]:
        list(build(settings, "loans", selection))
        known = read_catalogue(settings).baselines("loans")
        assert known is not None
        return known[1].rows, known[1].from_time, known[1].to_time

    assert build_and_read(Selection()) == (600, START, START + 599 * 600.0)
    assert build_and_read(Selection(first=7)) == (7, START, START + 6 * 600.0)
    day = Selection(START + DAY, START + 2 * DAY)
    assert build_and_read(day) == (144, START + DAY, START + 2 * DAY - 600.0)
    with pytest.raises(ConfigError, match=r"no prediction of loans .* is among those selected"):
        list(build(settings, "loans", Selection(to_time=START)))
    in_partition_1 = [loan for loan in loans if partition_of(loan.id.encode(), settings.partitions) == 1]
    some = build_and_read(Selection(offsets=offset_ranges("1:2-6")))
    assert some == (5, in_partition_1[2].event_time, in_partition_1[6].event_time)
    with pytest.raises(ConfigError, match="--offsets names partition 4, and predictions has 4, 0 to 3"):
        list(build(settings, "loans", Selection(offsets=offset_ranges("4:0-"))))


@pytest.mark.kafka
def test_a_reference_from_a_file_is_published_as_the_same_rows_of_the_topic_would_be(
    settings: Settings, tmp_path: Path
) -> None:
    apply_monitor(settings, FILE)
    loans, file = make_loans(), tmp_path / "loans.csv"
    publish(settings, loans)
    list(build(settings, "loans", Selection()))
    known = read_catalogue(settings).baselines("loans")
    assert known is not None
    lines = ["when,version,score,predicted,label,amount,income,grade"]
    for loan in loans:
        cells = [loan.event_time, "v1", loan.score, loan.predicted, loan.label, *loan.features.values()]
        lines.append(",".join("" if cell is None else str(cell) for cell in cells))
    file.write_text("\n".join(lines))
    said = list(build(settings, "loans", Selection(), RowFile(file, Asked(event_time="when"))))
    assert "600 predictions, 500 labelled" in said[0]
    again = read_catalogue(settings).baselines("loans")
    assert again is not None
    assert again[1].file == hashlib.sha256(file.read_bytes()).hexdigest()
    assert replace(again[1], file="", offsets=known[1].offsets) == known[1]


@pytest.mark.kafka
def test_what_is_not_there_is_named(settings: Settings) -> None:
    with pytest.raises(ConfigError, match="loans has no monitor; there is none"):
        list(build(settings, "loans", Selection()))
    with pytest.raises(ConfigError, match="loans has no monitor"):
        order_retrain(settings, "loans", "ada", "why not")
    apply_monitor(settings, FILE)
    with pytest.raises(ConfigError, match="there is no ground truth of loans") as told:
        order_retrain(settings, "loans", "ada", "why not")
    assert "--as-of" in told.value.hint


@pytest.mark.kafka
def test_an_order_to_retrain_carries_the_time_of_the_models_own_clock(settings: Settings) -> None:
    apply_monitor(settings, FILE)
    loans = make_loans(60)
    publish(settings, loans)
    order_retrain(settings, "loans", "ada", "new data", force=True)
    order_retrain(settings, "loans", "ada", "as it was", as_of=START)
    given = [codec.decode(message.value()) for message in read_messages(settings, settings.topic("commands"))]
    last_truth = max(loan.event_time for loan in loans if loan.label is not None) + HOUR
    assert given == [
        CommandGiven("loans", "retrain", "ada", "new data", last_truth, {"force": "yes"}),
        CommandGiven("loans", "retrain", "ada", "as it was", START),
    ]
