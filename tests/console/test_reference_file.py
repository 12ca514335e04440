"""A reference from a file: what the same rows on the topic give; every cell that cannot be used is named."""

from __future__ import annotations

import csv
import json
import random
import re
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from driftloop.console.reference import count_rows
from driftloop.console.reference_rows import ReferenceColumns, ReferenceRows, Selection, offset_ranges
from driftloop.console.rows import csv_source, gather
from driftloop.console.rows.gather import read_file
from driftloop.console.rows.naming import Asked, parse_columns
from driftloop.console.rows.source import digest_of
from driftloop.retrainer.joining import Records
from driftloop.schemas.batches.prediction import encode_prediction, layout
from driftloop.schemas.catalogue import Catalogue
from driftloop.schemas.codec import encode
from driftloop.schemas.errors import ConfigError
from driftloop.schemas.events import GroundTruth, MonitorApplied
from driftloop.schemas.monitor.specification import MonitorSpecification, compile_monitor
from fastavro import writer
from pyarrow import parquet

HOUR = 3_600.0
START = 1_700_006_400.0  # 2023-11-15 00:00 UTC
LOANS = """
model = "loans"
classes = ["repaid", "default"]
[features]
amount = "numeric"
income = "numeric"
grade = "categorical"
text = { kind = "embedding", width = 3 }
[time]
horizon = "5 d"
[segments]
grade = ["grade"]
"""
PETS = """
model = "pets"
task = "multiclass"
classes = ["cat", "big dog", "bird"]
[features]
x = "numeric"
[time]
horizon = "1 d"
"""
Row = dict[str, Any]


def loans(text: str = LOANS) -> MonitorSpecification:
    return compile_monitor(text, "loans.toml")


def rows(count: int = 600) -> list[Row]:
    """A loan every ten minutes, not in order; what is missing is None; half-known labels and decisions."""
    rng, found = random.Random(7), []
    for i in range(count):
        score = rng.random()
        found.append(
            {
                "event_time": START + i * 600.0,
                "score": score,
                "version": "v1",
                "predicted": rng.choice(["repaid", "default", None]),
                "label": rng.choice(["repaid", "default", None]),
                "amount": rng.lognormvariate(3, 1),
                "income": None if rng.random() < 0.1 else rng.gauss(0, 1),
                "grade": rng.choice(["A", "A, or B", "ü", None]),
                "text": None if rng.random() < 0.1 else [float(np.float32(rng.gauss(0, 1))) for _ in range(3)],
            }
        )
    rng.shuffle(found)
    return found


def on_the_topic(specification: MonitorSpecification, found: list[Row], selection: Selection) -> ReferenceRows:
    """The same rows as records of both topics, one partition, read as `reference build` reads them."""
    catalogue = Catalogue()
    event = MonitorApplied(specification.model, specification.spec, specification.to_json())
    catalogue.absorb("monitors", 0, b"", encode(event))
    names = [f.name for f in specification.features]
    predictions, truths = [], []
    for i, row in enumerate(found):
        features = {name: row[name] for name in names}
        when, predicted = row["event_time"], row["predicted"]
        value = encode_prediction(layout(specification), when, row["score"], features, "v1", predicted=predicted)
        predictions.append((f"loan-{i}".encode(), value))
        if row["label"] is not None:
            truths.append((f"loan-{i}".encode(), encode(GroundTruth(when + HOUR, "loans", row["label"]))))
    columns = ReferenceColumns(specification, catalogue.layouts)
    for topic, records in (("predictions", predictions), ("ground-truth", truths)):
        keys, values = [key for key, _ in records], [value for _, value in records]
        late_ms = [int((START + 1e7) * 1000)] * len(records)
        columns.absorb(Records(topic, 0, np.arange(len(records)), list(keys), list(values), late_ms))
    return columns.select(selection)


def as_csv(file: Path, found: list[Row]) -> Path:
    with file.open("w", newline="", encoding="utf-8") as opened:
        out = csv.DictWriter(opened, found[0])
        out.writeheader()
        for row in found:
            text = "" if row["text"] is None else json.dumps(row["text"])
            out.writerow(
                row | {"event_time": datetime.fromtimestamp(row["event_time"], UTC).isoformat(), "text": text}
            )
    return file


def as_parquet(file: Path, found: list[Row]) -> Path:
    table = pyarrow.Table.from_pylist(found)
    moments = [datetime.fromtimestamp(row["event_time"], UTC) for row in found]
    parquet.write_table(table.set_column(0, "event_time", pyarrow.array(moments)), file)
    return file


def as_avro(file: Path, found: list[Row]) -> Path:
    kinds = {"event_time": "double", "score": "double", "amount": "double", "income": ["null", "double"]}
    kinds |= {"text": ["null", {"type": "array", "items": "float"}]}
    fields = [{"name": name, "type": kinds.get(name, ["null", "string"])} for name in found[0]]
    with file.open("wb") as opened:
        writer(opened, {"type": "record", "name": "row", "fields": fields}, found, codec="deflate")
    return file


@pytest.mark.parametrize("write", [as_csv, as_parquet, as_avro])
@pytest.mark.parametrize(
    "selection", [Selection(), Selection(START + 9 * HOUR, START + 60 * HOUR), Selection(first=77)]
)
def test_rows_of_a_file_give_the_baselines_of_the_same_rows_on_the_topic(
    tmp_path: Path, write: Any, selection: Selection
) -> None:
    found = rows()
    file = write(tmp_path / f"rows.{write.__name__.removeprefix('as_')}", found)
    theirs = count_rows(loans(), on_the_topic(loans(), found, selection))
    ours = count_rows(loans(), read_file(loans(), file, Asked(), selection), digest_of(file))
    assert ours[0] == theirs[0]
    assert ours[0].has_bins
    assert len(theirs[1].offsets) == 2
    assert len(ours[1].file) == 64
    assert ours[1].calibration is not None
    assert ours[1].calibration.version == "v1"
    named = replace(ours[1], file="")
    assert named.to_json() == replace(theirs[1], offsets=()).to_json()
    assert ours[1].rows == len([1 for r in found if START + 9 * HOUR <= r["event_time"] < START + 60 * HOUR]) or (
        ours[1].rows == (selection.first or len(found))
    )


def test_columns_of_other_names_are_named_by_options(tmp_path: Path) -> None:
    found = rows(40)
    names = {"event_time": "when", "score": "p", "label": "outcome", "predicted": "said", "amount": "total = sum"}
    other = tmp_path / "other.csv"
    usual = as_csv(tmp_path / "usual.csv", found).read_text()
    header, _, body = usual.partition("\n")
    other.write_text(",".join(names.get(name, name) for name in header.strip().split(",")) + "\n" + body)
    with pytest.raises(ConfigError, match=r"other\.csv:1: there is no column amount") as told:
        read_file(loans(), other, Asked(), Selection())
    assert "--column amount=" in told.value.hint
    asked = Asked("when", "p", "said", "outcome", parse_columns(["amount=total = sum"]))
    same = [
        count_rows(loans(), read_file(loans(), file, a, Selection()))
        for file, a in ((other, asked), (tmp_path / "usual.csv", Asked()))
    ]
    assert same[0] == same[1]


GOOD = "event_time,score,amount,income,grade,text\n2023-11-15T00:00Z,.5,1,,A,\n"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("2023-11-15,.5,1 000,2,A,", r"rows\.csv:3: amount is '1 000', not a number"),
        ("yesterday,.5,1,2,A,", r"rows\.csv:3: event_time is 'yesterday', no event time: event-time-not-a-number"),
        (",.5,1,2,A,", r"rows\.csv:3: event_time is None, no event time"),
        ("1700006400000,.5,1,2,A,", r"rows\.csv:3: event_time is '1700006400000', .*\n.*are these milliseconds\?"),
        ("2023-11-15,1.5,1,2,A,", r"rows\.csv:3: score is '1\.5', score is 1\.5, not a probability from 0 to 1"),
        ("2023-11-15,,1,2,A,", r"rows\.csv:3: score is None, score is nan"),
        ('2023-11-15,.5,1,2,A,"[1, 2]"', r"rows\.csv:3: text is '\[1, 2\]', no embedding: text has shape \(2,\)"),
        ('2023-11-15,.5,1,2,A,"[1, x]"', r"rows\.csv:3: text is '\[1, x\]', no embedding"),
        ("2023-11-15,.5,1,2,A", r"rows\.csv:3: has 5 cells, the header 6"),
        ('2023-11-15,.5,1,2,"A"B,', r"rows\.csv:3: this is no CSV"),
    ],
)
def test_a_cell_that_cannot_be_used_is_named_by_line_column_and_reason(tmp_path: Path, line: str, said: str) -> None:
    file = tmp_path / "rows.csv"
    file.write_text(GOOD + line + "\n")
    with pytest.raises(ConfigError) as told:
        read_file(loans(), file, Asked(), Selection())
    assert re.search(said, str(told.value), re.DOTALL), str(told.value)
    assert told.value.hint
    file.write_text(GOOD.replace(",", ";") + "\n")  # what stands above it can be read, other separators too
    assert read_file(loans(), file, Asked(), Selection()).columns["grade"].tolist() == ["A"]


def test_labels_are_what_the_task_says_or_refused(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    head, row = GOOD.splitlines()
    labels = ["repaid", "default", "1", "0.0", "True", ""]
    file.write_text("\n".join([f"{head},label", *(f"{row},{label}" for label in labels)]))
    assert read_file(loans(), file, Asked(), Selection()).labels.tolist() == [0, 1, 1, 0, 1, -1]
    assert read_file(loans(), file, Asked(label=""), Selection()).labels.tolist() == [-1] * 6
    file.write_text(f"{head},label\n{row},repaid\n{row},late\n")
    with pytest.raises(ConfigError, match=r"rows\.csv:3: label is 'late', none of the classes repaid, default"):
        read_file(loans(), file, Asked(), Selection())

    delays = compile_monitor(
        'model = "d"\ntask = "regression"\n[features]\nscore = "numeric"\n[time]\nhorizon = "1 d"', ""
    )
    file.write_text("event_time,score,p,label\n2023-11-15,7,12.5,11\n2023-11-15T01:00,,-3,\n")
    with pytest.raises(ConfigError, match="score is a feature of d: which column is the score is not clear"):
        read_file(delays, file, Asked(), Selection())
    got = read_file(delays, file, Asked(score="p"), Selection())
    np.testing.assert_array_equal(got.labels, [11.0, np.nan])
    np.testing.assert_array_equal(got.columns["score"], [7.0, np.nan])
    assert got.score.tolist() == [12.5, -3.0]

    pets = compile_monitor(PETS, "")
    file.write_text("event_time,score_cat,score_big dog,score_bird,x,label\n2023-11-15,.5,.25,.25,1,big dog\n")
    got = read_file(pets, file, Asked(), Selection())
    assert (got.score.tolist(), got.labels.tolist()) == ([[0.5, 0.25, 0.25]], [1])


def test_a_file_without_times_has_one_for_all_or_is_refused_where_there_is_a_season(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("score,amount,income,grade,text\n.5,1,,A,\n")
    with pytest.raises(ConfigError, match=r"rows\.csv:1: there is no column event_time, the time of") as told:
        read_file(loans(), file, Asked(), Selection())
    assert "--at 2026-01-31" in told.value.hint
    assert read_file(loans(), file, Asked(), Selection(), START).event_time.tolist() == [START]
    seasonal = loans(LOANS + "[season]\n")
    with pytest.raises(ConfigError, match="there is no column event_time, and the season of loans compares") as told:
        read_file(seasonal, file, Asked(), Selection())
    assert "--event-time" in told.value.hint
    assert "--at" not in told.value.hint
    with pytest.raises(ConfigError, match="--at gives all one time"):
        read_file(seasonal, file, Asked(), Selection(), START)


def test_a_whole_number_is_a_category_in_parquet_and_other_things_are_none(tmp_path: Path) -> None:
    file, found = tmp_path / "rows.parquet", rows(3)
    as_parquet(file, [row | {"grade": grade} for row, grade in zip(found, (1, None, 2), strict=True)])
    assert set(read_file(loans(), file, Asked(), Selection()).columns["grade"].tolist()) == {"1", None, "2"}
    as_parquet(file, [row | {"grade": grade} for row, grade in zip(found, (1.5, 2.5, None), strict=True)])
    with pytest.raises(ConfigError, match=r"rows\.parquet, row 1: grade is 1\.5, not a category"):
        read_file(loans(), file, Asked(), Selection())


def test_what_is_no_file_of_rows_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = as_avro(tmp_path / "rows.avro", rows(2_000)).read_bytes()
    (tmp_path / "cut.avro").write_bytes(whole[: len(whole) // 2])
    for name, content, said in [
        ("none.avro", b"nothing", "its header cannot be read"),
        ("none.parquet", b"nothing", "cannot be read as Parquet"),
        ("none.csv", b"a,\xff\n", "cannot be read: .*utf-8"),
        ("empty.csv", b"", "there is no header"),
        ("rows.xlsx", b"", "does not say which format"),
        ("cut.avro", whole[: len(whole) // 2], "cut.avro is no whole Avro object container: what follows row"),
    ]:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ConfigError, match=said):
            read_file(loans(), tmp_path / name, Asked(), Selection())
    with pytest.raises(ConfigError, match=r"gone\.csv is no file"):
        read_file(loans(), tmp_path / "gone.csv", Asked(), Selection())
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigError, match="needs pyarrow") as told:
        read_file(loans(), tmp_path / "none.parquet", Asked(), Selection())
    assert "pip install 'driftloop[parquet]'" in told.value.hint


def test_the_first_rows_of_a_large_file_take_no_more_memory_than_they_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gather, "CHUNK_ROWS", 64)
    monkeypatch.setattr(csv_source, "CHUNK_ROWS", 64)
    monkeypatch.setattr(gather, "VALUES_MOST", 10 * 64 * 10)
    file, count = tmp_path / "rows.csv", 12 * 64
    with file.open("w") as opened:
        opened.write("event_time,score,amount,income,grade,text\n")
        opened.writelines(f"{START + i * 7919 % count},.5,{i},1,A,\n" for i in range(count))
    with pytest.raises(ConfigError, match="more than 704 rows to keep, 7,040 values") as told:
        read_file(loans(), file, Asked(), Selection())
    assert "--first N" in told.value.hint
    got = read_file(loans(), file, Asked(), Selection(first=3))
    assert got.event_time.tolist() == [START, START + 1, START + 2]
    assert [int(amount) * 7919 % count for amount in got.columns["amount"].tolist()] == [0, 1, 2]


def test_ranges_of_offsets_select_predictions_by_partition() -> None:
    found = rows(50)
    got = on_the_topic(loans(), found, Selection(offsets=offset_ranges("0:3-5,0:40-")))
    assert sorted(got.event_time.tolist()) == sorted(row["event_time"] for row in [*found[3:6], *found[40:]])
    assert [(o.first, o.last) for o in got.offsets if o.topic == "predictions"] == [(3, 49)]
    assert not len(on_the_topic(loans(), found, Selection(offsets=offset_ranges("1:0-"))).event_time)
    for wrong in ("0", "0:5", "0:5-4", "a:1-2", ""):
        with pytest.raises(ConfigError, match="is not PARTITION:FIRST-LAST"):
            offset_ranges(wrong)
