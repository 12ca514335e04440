"""Embeddings of records reach the training set and the reference, row by row, over partitions and batches."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from driftloop.console.reference_rows import ReferenceColumns, Selection
from driftloop.retrainer.dataset import sha256_of
from driftloop.retrainer.joining import Columns, Records
from driftloop.schemas.baseline.reference import build_reference
from driftloop.schemas.batches.layouts import Layouts
from driftloop.schemas.batches.prediction import encode_prediction, layout
from driftloop.schemas.codec import encode
from driftloop.schemas.events import GroundTruth
from driftloop.schemas.monitor.specification import Feature

from .stories import DAY, T0, specification

WIDTH = 4
SPEC = specification()
SPEC = replace(SPEC, features=(Feature("text", "f_text_4", "embedding", width=WIDTH), *SPEC.features))
ROWS = 60


def vector(i: int) -> list[float] | None:
    return None if i % 7 == 3 else [i + k / 8 for k in range(WIDTH)]


def filled(kind: type[Columns], batch: int) -> Any:
    """Row i was predicted at T0 + i hours, in partition i % 2; every other one is labelled."""
    columns = kind(SPEC, Layouts({"loans": SPEC}))
    logs: dict[tuple[str, int], list[tuple[bytes, bytes]]] = {}
    for i in range(ROWS):
        features = {"income": float(i), "debt": 1.0, "region": "north", "text": vector(i)}
        value = encode_prediction(layout(SPEC), T0 + 3_600 * i, 0.5, features, "v1")
        logs.setdefault(("predictions", i % 2), []).append((b"%d" % i, value))
        if i % 2 == 0 or i % 3 == 0:
            truth = encode(GroundTruth(T0 + 3_600 * i + 60, "loans", "repaid"))
            logs.setdefault(("ground-truth", i % 2), []).append((b"%d" % i, truth))
    for (topic, partition), records in logs.items():
        for at in range(0, len(records), batch):
            keys, values = zip(*records[at : at + batch], strict=True)
            offsets = np.arange(at, at + len(keys))
            stamps = [int((T0 + 99 * DAY) * 1000)] * len(keys)
            columns.absorb(Records(topic, partition, offsets, list(keys), list(values), stamps))
    return columns


def expected(rows: list[int]) -> np.ndarray:
    return np.array([vector(i) or [np.nan] * WIDTH for i in rows], np.float32)


def test_a_trainer_finds_the_vectors_of_the_labelled_rows() -> None:
    dataset, _ = filled(Columns, 7).rows(T0 + 90 * DAY)
    rows = [int(x) for x in dataset.columns["income"]]
    assert rows == [i for i in range(ROWS) if i % 2 == 0 or i % 3 == 0]
    assert list(dataset.columns) == [f.name for f in SPEC.features]
    np.testing.assert_array_equal(dataset.columns["text"], expected(rows))
    again, _ = filled(Columns, 1_000).rows(T0 + 90 * DAY)
    assert sha256_of(again) == sha256_of(dataset)
    other = replace(dataset, columns=dict(dataset.columns) | {"text": expected(rows) + np.float32(0.5)})
    assert sha256_of(other) != sha256_of(dataset)
    assert dataset.take(np.array([1, 3])).columns["text"].shape == (2, WIDTH)


def test_no_labelled_row_gives_an_empty_column_of_the_right_width() -> None:
    dataset, _ = Columns(SPEC, Layouts({"loans": SPEC})).rows(T0)
    assert dataset.columns["text"].shape == (0, WIDTH)


def test_a_reference_is_built_from_the_vectors_of_all_selected_rows() -> None:
    found = filled(ReferenceColumns, 9).select(Selection(first=40))
    np.testing.assert_array_equal(found.columns["text"], expected(list(range(40))))
    after, baselines = build_reference(
        SPEC, found.columns, found.labels, score=found.score, event_time=found.event_time, predicted=found.predicted
    )
    (text,) = after.embeddings
    assert text.basis is not None
    missing = sum(vector(i) is None for i in range(40))
    assert baselines.features["text"][-1] == missing
    assert sum(baselines.features["text"]) == 40
    there = expected([i for i in range(40) if vector(i) is not None]).astype(float)
    assert text.basis.scale == float(np.sqrt((there**2).mean()))
