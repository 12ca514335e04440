"""The model of the demo: its tables give scikit-learn's scores, whatever the row, and survive publication."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from driftloop.artefacts.loader import dump, libraries_of
from driftloop.artefacts.unpickler import ListedUnpickler
from driftloop.console.demo.encoding import Encoding
from driftloop.console.demo.forest import ROWS_AT_ONCE
from driftloop.console.demo.trainer import SETTINGS, FlightModel, fit
from numpy.typing import NDArray

ROWS = 6_000


def made(seed: int, rows: int = ROWS) -> tuple[dict[str, NDArray[Any]], NDArray[np.int8]]:
    """Columns with missing values of both kinds, and labels that depend on all of them, absence included."""
    random = np.random.default_rng(seed)
    wind, rain = random.normal(size=rows), np.round(random.exponential(size=rows), 1)
    wind[random.random(rows) < 0.1] = np.nan
    carrier = np.array([f"c{i}" for i in random.integers(0, 40, rows)], object)
    carrier[random.random(rows) < 0.05] = None
    number = np.array([7 if c is None else int(c[1:]) for c in carrier])
    odds = np.where(np.isnan(wind), 1.0, wind) + rain - 1 + np.sin(number)
    labels = (random.random(rows) < 1 / (1 + np.exp(-odds))).astype(np.int8)
    day = np.array(["Mon", "Tue", "Wed"], object)[random.integers(0, 3, rows)]
    return {"wind": wind, "carrier": carrier, "rain": rain, "day": day}, labels


@pytest.mark.parametrize("seed", range(5))
def test_the_tables_give_the_scores_of_scikit_learn(seed: int) -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier

    columns, labels = made(seed)
    model = fit(columns, labels, seed)
    theirs = HistGradientBoostingClassifier(**SETTINGS, categorical_features=[0, 1], random_state=seed)
    theirs.fit(model.encoding.matrix(columns), labels)

    strange, _ = made(seed + 100, 2 * ROWS_AT_ONCE + 3)
    strange["wind"][:4] = [np.inf, -np.inf, 1e300, 0.0]
    strange["carrier"][4:6] = ["never seen", ""]
    for rows in (columns, strange):
        expected = theirs.predict_proba(model.encoding.matrix(rows))[:, 1]
        np.testing.assert_allclose(model.predict_score(rows), expected, rtol=0, atol=1e-12)


def test_a_threshold_itself_goes_left_as_in_training() -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier

    columns, labels = made(1)
    model = fit(columns, labels, 1)
    theirs = HistGradientBoostingClassifier(**SETTINGS, categorical_features=[0, 1], random_state=1)
    theirs.fit(model.encoding.matrix(columns), labels)
    edges = model.forest.tables[2].edges
    matrix = np.tile(model.encoding.matrix(columns)[:1], (len(edges), 1))
    matrix[:, 2] = edges
    np.testing.assert_allclose(model.forest.probability(matrix), theirs.predict_proba(matrix)[:, 1], atol=1e-12)


def test_the_same_rows_and_seed_give_the_same_bytes_and_another_seed_does_not() -> None:
    columns, labels = made(3)
    assert dump(fit(columns, labels, 3)) == dump(fit(columns, labels, 3))
    assert dump(fit(columns, labels, 3)) != dump(fit(columns, labels, 4))


def test_a_published_model_is_read_through_the_list_and_needs_no_scikit_learn() -> None:
    columns, labels = made(2)
    model = fit(columns, labels, 2)
    data = dump(model)
    unpickler = ListedUnpickler(data)
    again = unpickler.load()
    assert isinstance(again, FlightModel)
    assert np.array_equal(again.predict_score(columns), model.predict_score(columns))
    assert "scikit-learn" not in libraries_of(data)
    assert not any(name.startswith("sklearn") for name in unpickler.named)


def test_columns_become_codes_and_what_training_did_not_know_is_missing() -> None:
    encoding = Encoding.of({"x": np.array([1.0]), "c": np.array(["b", "a", None], object)})
    assert encoding.categories == {"c": ("a", "b")}
    matrix = encoding.matrix({"x": np.array([5.0, np.nan, 6.0]), "c": np.array(["b", None, "z"], object)})
    assert np.array_equal(matrix, [[1.0, 5.0], [np.nan, np.nan], [np.nan, 6.0]], equal_nan=True)
