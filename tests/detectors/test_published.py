"""Figures that others have published, or that river 0.26 gives: our detectors give the same."""

from __future__ import annotations

import csv
import gzip
import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from driftloop.detectors import DETECTORS
from driftloop.detectors.classical import ddm
from river import tree
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def found(name: str, values: Any, **settings: Any) -> tuple[list[int], list[int]]:
    detector = DETECTORS[name]
    chosen = detector.settings(**settings)
    assert detector.scan is not None
    _, told = detector.scan(chosen, detector.start(chosen), values)
    return told.alarms.tolist(), told.warnings.tolist()


def test_the_examples_of_rivers_documentation_of_numeric_detectors() -> None:
    """Random(12345): 1,000 of {0, 1}, then 1,000 of {4 .. 7} (docstrings of ADWIN, PageHinkley, KSWIN)."""
    rng = random.Random(12345)
    values = rng.choices([0, 1], k=1000) + rng.choices(range(4, 8), k=1000)
    assert found("adwin", values)[0] == [1023]
    assert found("page_hinkley", values)[0] == [1006]
    assert found("kswin", values, alpha=0.0001, seed=42)[0] == [1016]


def test_the_examples_of_rivers_documentation_of_error_detectors() -> None:
    """Random(42): Bernoulli .5, from 1,000 on .7 (docstrings of DDM, EDDM, HDDMA, HDDMW)."""
    rng = random.Random(42)
    errors = rng.choices([0, 1], k=1000) + rng.choices([0, 1], k=1000, weights=[0.3, 0.7])
    alarms, warnings = found("ddm", errors)
    assert (warnings[0], alarms) == (1084, [1334])
    assert found("eddm", errors, alpha=0.8, beta=0.75)[0] == [1278]
    alarms, warnings = found("hddm_a", errors)
    assert (warnings[0], alarms) == (451, [1206])
    alarms, warnings = found("hddm_w", errors)
    assert (warnings[0], alarms) == (451, [1077])


def numbers() -> np.ndarray:
    rng = np.random.RandomState(12345)
    return np.concatenate((rng.randint(2, size=1000), rng.randint(8, size=1000)))


def worse() -> np.ndarray:
    rng = np.random.RandomState(12345)
    return np.concatenate([[rng.binomial(1, p) for _ in range(1000)] for p in (0.2, 0.8)])


def up_and_down() -> np.ndarray:
    rng = np.random.RandomState(12345)
    return np.concatenate([rng.normal(mean, 0.1, 500) > 0 for mean in (0.0, 0.25, 0.0, 0.25)]).astype(int)


@pytest.mark.parametrize(
    ("name", "values", "settings", "expected"),
    [
        ("adwin", numbers, {}, [1023]),
        ("ddm", worse, {}, [1049]),
        ("eddm", worse, {}, [663, 828, 1007, 1078]),
        ("hddm_a", worse, {}, [1047]),
        ("hddm_a", up_and_down, {"two_sided_test": True}, [531, 1015, 1545]),
        ("hddm_w", worse, {}, [1018]),
        ("hddm_w", up_and_down, {"two_sided_test": True}, [507, 1032, 1508]),
        ("kswin", numbers, {"alpha": 0.0001, "window_size": 200, "stat_size": 100, "seed": 42}, [1042]),
        ("page_hinkley", numbers, {}, [1020, 1397, 1548, 1988]),
    ],
)
def test_the_streams_of_rivers_own_tests(
    name: str, values: Any, settings: dict[str, Any], expected: list[int]
) -> None:
    """river/drift/test_drift_detectors.py, numpy's seed 12345; positions as river 0.26.1 gives them."""
    assert found(name, values(), **settings)[0] == expected


def capymoa() -> np.ndarray:
    """The stream of CapyMOA's documentation: numpy's seed 0, {0, 1}, from 999 on {4 .. 7}."""
    rng = np.random.RandomState(0)
    values = rng.randint(2, size=2000)
    values[999:] = rng.randint(4, high=8, size=1001)
    return values


@pytest.mark.parametrize(
    ("name", "settings", "expected"),
    [
        ("adwin", {"delta": 0.001}, [1023]),
        ("hddm_a", {"drift_confidence": 1e-10}, [999, 1019, 1330]),
        ("hddm_w", {"lambda_val": 0.001}, [1234]),
    ],
)
def test_the_stream_of_capymoas_documentation(name: str, settings: dict[str, Any], expected: list[int]) -> None:
    """ADWIN, HDDMAverage, HDDMWeighted. (MOA's ADWIN keeps its newer half at an alarm and alarms once more, at 1055;
    MOA's DDM, EDDM and Page-Hinkley are other algorithms than river's, and so than ours.)"""
    assert found(name, capymoa(), **settings)[0] == expected


def test_the_example_of_frouros_readme() -> None:
    """Breast cancer, seed 31, DDM from 25 rows on: no drift and .9766 right; with half of the labels of the last
    fifth turned, drift at 142, .9510 right until then, .8480 in all."""
    rng = np.random.RandomState(31)
    x, y = load_breast_cancer(return_X_y=True)
    x, x_test, y, y_test = train_test_split(x, y, train_size=0.7, random_state=31)
    said = make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y).predict(x_test)
    errors = (said != y_test).astype(float)
    assert found("ddm", errors, warm_start=25)[0] == []
    assert round(1 - errors.mean(), 4) == 0.9766
    last = y_test[-int(len(y_test) * 0.2) :]
    turned = rng.rand(len(last)) <= 0.5
    last[turned] = 1 - last[turned]
    errors = (said != y_test).astype(float)
    assert found("ddm", errors, warm_start=25)[0] == [142]
    assert (round(1 - errors[:143].mean(), 4), round(1 - errors.mean(), 4)) == (0.9510, 0.8480)


def test_the_running_example_of_rivers_retraining_classifier(public_data: Path) -> None:
    """DriftRetrainingClassifier(HoeffdingTreeClassifier, DDM) on the first 3,000 rows of Elec2: 87.06 % right."""
    right = judged = 0
    model, background = tree.HoeffdingTreeClassifier(), tree.HoeffdingTreeClassifier()
    settings = ddm.Settings()
    state = ddm.start(settings)
    for x, y in elec2(public_data / "elec2.csv.gz", 3_000):
        said = model.predict_one(x)
        if said is not None:  # river's metric leaves the first row out
            right, judged = right + (said == y), judged + 1
            state, told = ddm.scan(settings, state, [float(said != y)])
            if len(told.warnings):
                background.learn_one(x, y)
            elif len(told.alarms):
                model, background = background, background.clone()
        model.learn_one(x, y)
    assert round(100 * right / judged, 2) == 87.06


def elec2(path: Path, rows: int) -> Iterator[tuple[dict[str, float], bool]]:
    with gzip.open(path, "rt") as file:
        for row in islice(csv.DictReader(file), rows):
            label = row.pop("class")
            yield {name: float(value) for name, value in row.items()}, label == "UP"
