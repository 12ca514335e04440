"""How a trainer is named and found, and what the default one can do."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from driftloop.artefacts.loader import dump
from driftloop.retrainer import river_trainer
from driftloop.retrainer.dataset import Dataset
from driftloop.retrainer.trainers import load_trainer, prepared_trainer
from driftloop.schemas.bins import log_loss
from driftloop.schemas.errors import ConfigError
from sklearn.linear_model import LogisticRegression


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("driftloop.retrainer.river_trainer", "not of the form module:function"),
        (":train", "not of the form module:function"),
        ("nowhere.at_all:train", "nowhere.at_all cannot be imported"),
        ("driftloop.retrainer.river_trainer:fit", "has no function fit"),
        ("driftloop.retrainer.river_trainer:LEARNING_RATE", "has no function LEARNING_RATE"),
    ],
)
def test_a_name_that_leads_nowhere_says_which_half_is_wrong(name, said) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        load_trainer(name)
    assert "driftloop.retrainer.river_trainer:train" in caught.value.hint
    assert ("PYTHONPATH" in caught.value.hint) == ("imported" in said)


def test_without_a_name_it_is_the_default() -> None:
    assert load_trainer("") is river_trainer.train


def test_a_module_prepares_itself_if_it_can(monkeypatch) -> None:
    prepared = []
    monkeypatch.setattr(river_trainer, "prepare", lambda: prepared.append(True))
    assert prepared_trainer("") is river_trainer.train
    assert prepared == [True]
    monkeypatch.delattr(river_trainer, "prepare")
    assert prepared_trainer("driftloop.retrainer.river_trainer:train") is river_trainer.train


def make_rows(n=3_000, seed=0) -> tuple[Dataset, np.ndarray]:
    rng = np.random.default_rng(seed)
    x, y, town = rng.normal(50, 10, n), rng.normal(size=n), rng.choice(["Ulm", "Bonn"], n).astype(object)
    odds = (x - 50) / 10 - 0.7 * y + np.where(town == "Ulm", 0.8, -0.8)
    labels = (rng.random(n) < 1 / (1 + np.exp(-odds))).astype(np.int8)
    x[rng.random(n) < 0.1] = np.nan
    town[rng.random(n) < 0.1] = None
    columns = {"x": x, "y": y, "town": town}
    time = np.arange(n, dtype=np.float64)
    dataset = Dataset(columns, labels, time, time, np.zeros(n), np.zeros(n, np.int32), ("v1",))
    matrix = np.column_stack(
        [np.where(np.isnan(x), 0.0, (x - 50) / 10), np.isnan(x), y, *(town == name for name in ("Ulm", "Bonn", None))]
    )
    return dataset, matrix


def test_the_default_trainer_comes_close_to_an_exact_fit() -> None:
    (training, matrix), (fresh, fresh_matrix) = make_rows(), make_rows(seed=1)
    model = river_trainer.train(training, seed=1)
    exact = LogisticRegression().fit(matrix, training.labels).predict_proba(fresh_matrix)[:, 1]
    ours = log_loss(model.predict_score(fresh.columns), fresh.labels).mean()
    assert ours < log_loss(exact, fresh.labels).mean() + 0.01


def test_the_default_trainer_is_deterministic_and_its_model_small_and_loadable() -> None:
    training, _ = make_rows(500)
    first, second = (dump(river_trainer.train(training, seed=1)) for _ in range(2))
    assert first == second
    assert len(first) < 10_000
    assert dump(river_trainer.train(training, seed=2)) != first
    model = pickle.loads(first)
    odd = {
        "x": np.array([np.nan, np.inf, -np.inf, 1e300]),
        "y": np.zeros(4),
        "town": np.array([None, "", "unseen", "Ulm"], dtype=object),
    }
    scores = model.predict_score(odd)
    assert np.all((scores >= 0) & (scores <= 1))


def test_columns_of_one_kind_only_are_fine() -> None:
    training, _ = make_rows(300)
    for names in (["x", "y"], ["town"]):
        part = Dataset(
            {name: training.columns[name] for name in names},
            training.labels, training.event_time, training.known_at, training.score, training.version, ("v1",),
        )  # fmt: skip
        assert len(river_trainer.train(part, 1).predict_score(part.columns)) == 300
