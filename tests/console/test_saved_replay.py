"""A past in a file, no broker: what it replays to is what the topics replayed to; one that is not whole is none."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from driftloop.console.replay.command import replay as command
from driftloop.console.replay.pipeline import Told
from driftloop.console.replay.report import lines
from driftloop.console.replay.run import ALWAYS, replay
from driftloop.console.replay.saved import SavedPast
from driftloop.console.replay.saving import saving
from driftloop.schemas.batches.prediction import layout
from driftloop.schemas.codec import encode, schema_of
from driftloop.schemas.containers import write_container
from driftloop.schemas.errors import ConfigError
from driftloop.schemas.events import GroundTruth, MonitorApplied
from driftloop.schemas.headers import rfc3339
from driftloop.streams.fold import SourceRecords

from .test_replay import HOURS, LOANS, PARTITIONS, START, logs, replayed, windows

HOUR = 3_600.0
SPEC = """model = "loans"
classes = ["repaid", "default"]
[features]
income = "numeric"
[time]
horizon = "8 h"
pane = "1 h"
window = "6 h"
"""
WHOSE = ("t", "loans", PARTITIONS, 900)


def batches(most: int = 60) -> Iterator[SourceRecords]:
    """The logs of two days in step, some records at a time."""
    done = dict.fromkeys(found := logs(1), 0)
    while any(done[place] < len(log) for place, log in found.items()):
        for place, log in found.items():
            some = log[done[place] : done[place] + most]
            first = done[place]
            done[place] += len(some)
            keys, values = [key for key, _ in some], [value for _, value in some]
            late = [int((START + 99 * HOUR) * 1000)] * len(some)
            if some:
                offsets = range(first, first + len(some))
                yield SourceRecords(place[0], place[1], offsets, keys, values, late, [()] * len(some), 0)


def save(file: Path, told: list[Told], schema_of_id: Any = None, change: Any = lambda value: value) -> Path:
    ends = {place: len(log) for place, log in logs(1).items()}
    with saving(file, *WHOSE, ends, schema_of_id) as saver:
        event = MonitorApplied("loans", LOANS.spec, LOANS.to_json())
        saver.message("monitors", 0, 0, b"loans", encode(event))
        for one in told:
            saver.message("windows", 0, 0, b"loans", one.value)
        for some in batches():
            saver.records(some.topic, replace(some, values=[change(value) for value in some.values]))
    return file


@pytest.fixture(scope="module")
def told() -> list[Told]:
    return replayed(logs(1), seed=1, most=10_000)


def test_a_saved_past_replays_to_the_same_bytes_and_compares_with_what_was_told_live(
    told: list[Told], tmp_path: Path
) -> None:
    shown = []
    with SavedPast(save(tmp_path / "past.avro", told), "loans") as past:
        found = replay(past, "loans", None, None, ALWAYS, lambda done, of: shown.append((done, of)))
    assert [one.value for one in found.told] == [one.value for one in told]
    assert found.verdict is not None
    assert (found.verdict.difference, found.verdict.windows) == ("", len(windows(told)))
    assert shown[-1] == (found.records, 900)
    assert found.records == sum(len(log) for log in logs(1).values())
    assert list(tmp_path.iterdir()) == [tmp_path / "past.avro"]

    fewer = save(tmp_path / "past.avro", told[:-1])
    with SavedPast(fewer, "loans") as past:
        other = replay(past, "loans", None, None, ALWAYS, lambda _done, _of: None)
    assert other.verdict is not None
    assert other.verdict.windows + other.verdict.ahead >= len(windows(told))


def test_another_reference_and_specification_are_tried_on_it_and_refused_with_line_and_way_out(
    told: list[Told], tmp_path: Path
) -> None:
    file, spec, rows = save(tmp_path / "past.avro", told), tmp_path / "new.toml", tmp_path / "rows.csv"
    spec.write_text(SPEC)
    rng = random.Random(3)
    lines = [f"{START - 30 * 24 * HOUR + i * 600},{rng.random()},{rng.gauss(1, 1)}" for i in range(4_000)]
    rows.write_text("\n".join(["event_time,score,income", *lines]))

    def tried(model: str, spec: Path | None, reference: Path | None) -> Any:
        with SavedPast(file, model) as past:
            return replay(past, model, spec, reference, ALWAYS, lambda _done, _of: None)

    found = tried("loans", spec, rows)
    assert (found.is_live, found.verdict) == (False, None)
    own = [w for w in windows(list(found.told)) if w.window_start < START + HOURS * HOUR]
    assert len({w.reference for w in own}) == 1
    assert own[0].reference
    assert {f.feature for w in own for f in w.features} == {"income"}
    assert max(f.effect for w in own for f in w.features) < -0.5, "a mean of 0 against a reference of 1"
    assert [one.value for one in found.live] == [one.value for one in told]

    with pytest.raises(ConfigError, match="is about loans, not pets"):
        tried("pets", spec, None)
    with pytest.raises(ConfigError, match="pets has no monitor; there is loans"):
        tried("pets", None, None)
    spec.write_text(f"{SPEC}[season]\n")
    rows.write_text("\n".join(["event_time,score,income", *lines[-500:]]))
    with pytest.raises(ConfigError, match=r"new\.toml:9: season is not known: the reference covers 4 days; .* 14"):
        tried("loans", spec, rows)
    spec.write_text(spec.read_text().replace('income = "numeric"', 'income = "numeric"\nage = "numeric"'))
    with pytest.raises(ConfigError, match="nobody has found the bins of age yet") as told_so:
        tried("loans", spec, None)
    assert "--reference rows.csv" in told_so.value.hint


def test_schemas_of_a_registry_are_in_the_file(told: list[Told], tmp_path: Path) -> None:
    """The same records with a registry's ids in place of fingerprints: five bytes of framing for ten."""
    schemas = {7: layout(LOANS).record.definition, 9: schema_of(GroundTruth).definition}
    ids = {encode(GroundTruth(START, "loans", "repaid"))[:10]: 9}

    def framed(value: bytes) -> bytes:
        if value[:10] == layout(LOANS).record.fingerprint or value[2:10] == layout(LOANS).fingerprint:
            return b"\x00" + (7).to_bytes(4, "big") + value[10:]
        return b"\x00" + ids[value[:10]].to_bytes(4, "big") + value[10:] if value[:10] in ids else value

    file = save(tmp_path / "past.avro", told, schemas.get, framed)
    with SavedPast(file, "loans") as past:
        found = replay(past, "loans", None, None, ALWAYS, lambda _done, _of: None)
    assert found.dead_letters == 0
    assert [one.value for one in found.told] == [one.value for one in told]


def test_a_file_that_ends_early_or_is_another_is_refused(told: list[Told], tmp_path: Path) -> None:
    file = save(tmp_path / "past.avro", told)
    whole = file.read_bytes()
    sync = whole[-16:]
    file.write_bytes(whole[: whole.rindex(sync, 0, -16) + 16])  # at the end of a block: Avro itself sees nothing
    with pytest.raises(ConfigError, match="ends early, after"), SavedPast(file, "loans") as past:
        replay(past, "loans", None, None, ALWAYS, lambda _done, _of: None)
    file.write_bytes(whole[:-40])
    with pytest.raises(ConfigError, match="no whole Avro object container"), SavedPast(file, "loans") as past:
        replay(past, "loans", None, None, ALWAYS, lambda _done, _of: None)
    with write_container(file, schema_of(GroundTruth).definition, {}):
        pass
    with pytest.raises(ConfigError, match="is no past that this driftloop reads") as told_so, SavedPast(file, "x"):
        pass
    assert "--save FILE" in told_so.value.hint
    with pytest.raises(RuntimeError, match="stop"), saving(tmp_path / "n.avro", *WHOSE, {}, None):
        raise RuntimeError("stop")
    assert not list(tmp_path.glob("n.avro*"))


def test_a_span_that_no_window_lies_in_is_told_with_the_time_that_has_some(told: list[Told], tmp_path: Path) -> None:
    file, day = save(tmp_path / "past.avro", told), 24 * HOUR
    with SavedPast(file, "loans") as past:
        found = replay(past, "loans", None, None, (START + 900 * day, START + 901 * day), lambda _done, _of: None)
    starts = [window.window_start for window in windows(told) if window.role == "champion"]
    assert found.reach == (min(starts), max(starts) + LOANS.window_seconds)
    _, said = lines(found)
    between = f"from {rfc3339(min(starts))} to {rfc3339(max(starts) + LOANS.window_seconds)}"
    assert said == f"no window of a champion begins between --from and --to: there are windows {between}"


def test_a_wish_that_cannot_come_true_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    file = tmp_path / "none.avro"
    with pytest.raises(ConfigError, match="no time lies between --from and --to"):
        command("loans", from_=datetime(2026, 5, 1), to=datetime(2026, 5, 1), records=file)
    with pytest.raises(ConfigError, match=r"there is no folder .*nowhere") as error:
        command("loans", records=file, plot=tmp_path / "nowhere" / "page.html")
    assert error.value.hint == "name a file in a folder that is there"
    with pytest.raises(ConfigError, match="it is a folder"):
        command("loans", records=file, plot=tmp_path)


def test_bytes_that_have_changed_on_the_way_are_refused_in_words(told: list[Told], tmp_path: Path) -> None:
    """One bit each, all of which ended with a trace."""
    file = save(tmp_path / "past.avro", told)
    whole = file.read_bytes()
    for word, changed, why in (
        (b"driftloop.prefix", b"driftloop.prefiy", r"its header cannot be read \(KeyError\('prefix'\)\)"),
        (b"driftloop.ends", b"driftloop.endt", r"its header cannot be read \(KeyError\('ends'\)\)"),
        (b'"type":', b'"tyqe":', "no whole Avro object container: its header cannot be read"),
    ):
        assert word in whole or word.replace(b":", b": ") in whole
        file.write_bytes(
            whole.replace(word, changed).replace(word.replace(b":", b": "), changed.replace(b":", b": "))
        )
        with pytest.raises(ConfigError, match=why), SavedPast(file, "loans"):
            pass
    with saving(file, *WHOSE, {}, None) as saver:
        saver._batch("predictions", 0, [1, 2], [5, 5], [b"k", b"k"], [b"v"])
    with pytest.raises(ConfigError, match="batch 0 is broken"), SavedPast(file, "loans"):
        pass
