"""Which champion serves: told by the log, in whatever order its two topics are read."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from driftloop.client.succession import RETRY_SECONDS, Problem, Succession
from driftloop.schemas.codec import encode
from driftloop.schemas.errors import BadRecord, ConfigError, Unavailable
from driftloop.schemas.events import DeploymentChanged, ModelPublished


def manifest(version: str, model: str = "flights", sha256: str = "") -> bytes:
    return encode(ModelPublished(model, version, "uri", sha256 or version, 1, 0.0, "t", "r", "p"))


def deployment(champion: str, model: str = "flights", as_of: float = 0.0) -> bytes:
    return encode(DeploymentChanged(model, champion, 0.0, "", "", as_of, "run", "why"))


class Named:
    """A predictor that knows its version."""

    def __init__(self, version: str) -> None:
        self.version = version

    def predict_score(self, columns: Any) -> Any:
        return np.zeros(len(columns))


class Stage:
    """A succession, a loader that refuses what it is told to, and what was told."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.loads: list[str] = []
        self.refuse: dict[str, Exception] = {}
        self.succession = Succession("flights", self.load, self.problems.append)

    def load(self, found: ModelPublished) -> Named:
        self.loads.append(found.version)
        if error := self.refuse.get(found.version):
            raise error
        return Named(found.version)

    def read(self, *values: bytes | None) -> None:
        for value in values:
            self.succession.absorb(value, "models[0]@7")

    @property
    def serving(self) -> str | None:
        return self.succession.current.version if self.succession.current else None


def test_nothing_deployed_nothing_served() -> None:
    stage = Stage()
    stage.read(manifest("v1"), manifest("v9", model="other"), deployment("v9", model="other"))
    assert not stage.succession.settle(0.0)
    assert (stage.serving, stage.loads, stage.problems) == (None, [], [])


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_manifest_and_deployment_may_be_read_in_any_order(order: tuple[int, ...]) -> None:
    values = [manifest("v1"), manifest("v2"), deployment("v2")]
    stage = Stage()
    for i in order:
        stage.read(values[i])
        stage.succession.settle(100.0)
        stage.succession.settle(100.4)
    assert not stage.succession.settle(100.5) or order[-1] == 1
    assert stage.serving == "v2"
    assert (stage.loads, stage.problems) == (["v2"], [])


def test_a_new_deployment_swaps_once_and_a_repeat_of_it_does_not() -> None:
    stage = Stage()
    stage.read(manifest("v1"), deployment("v1"))
    assert stage.succession.settle(0.0)
    first = stage.succession.current
    stage.read(manifest("v2"), deployment("v2", as_of=1.0))
    assert stage.succession.settle(1.0)
    assert stage.serving == "v2" and first is not None and first.version == "v1"
    stage.read(manifest("v2"), deployment("v2", as_of=1.0), None)
    assert not stage.succession.settle(2.0)
    assert stage.loads == ["v1", "v2"]


def test_a_roll_back_and_an_empty_deployment_are_followed() -> None:
    stage = Stage()
    stage.read(manifest("v1"), manifest("v2"), deployment("v2"))
    stage.succession.settle(0.0)
    stage.read(deployment("v1"))
    assert stage.succession.settle(1.0) and stage.serving == "v1"
    stage.read(deployment(""))
    assert stage.succession.settle(2.0) and stage.serving is None
    assert not stage.succession.settle(3.0)


def test_the_same_version_with_other_bytes_is_loaded_anew() -> None:
    stage = Stage()
    stage.read(manifest("v1"), deployment("v1"))
    stage.succession.settle(0.0)
    stage.read(manifest("v1", sha256="other"))
    assert stage.succession.settle(1.0)
    assert stage.loads == ["v1", "v1"]


@pytest.mark.parametrize("error", [BadRecord("bad-signature", "not ours"), ConfigError("os is not allowed")])
def test_a_bad_successor_is_told_once_and_the_old_champion_serves_on(error: Exception) -> None:
    stage = Stage()
    stage.read(manifest("v1"), deployment("v1"))
    stage.succession.settle(0.0)
    stage.refuse["v2"] = error
    stage.read(manifest("v2"), deployment("v2"))
    for now in (1.0, 2.0, 1e9):
        assert not stage.succession.settle(now)
    assert stage.serving == "v1"
    assert stage.loads == ["v1", "v2"], "a bad artefact does not become good by trying again"
    reason = error.reason if isinstance(error, BadRecord) else "settings"
    assert stage.problems == [Problem("v2", reason, str(error))]


@pytest.mark.parametrize("news", [manifest("v2", sha256="whole"), deployment("v2", as_of=9.0)])
def test_a_bad_successor_is_tried_again_when_the_log_says_something_new(news: bytes) -> None:
    stage = Stage()
    stage.refuse["v2"] = BadRecord("artefact-hash", "tampered")
    stage.read(manifest("v2"), deployment("v2"))
    stage.succession.settle(0.0)
    stage.refuse.clear()
    stage.read(news)
    assert stage.succession.settle(1.0) and stage.serving == "v2"


def test_a_file_that_is_not_there_yet_is_tried_again_ever_more_rarely_and_told_once() -> None:
    stage = Stage()
    stage.refuse["v1"] = Unavailable("there is no artefact")
    stage.read(manifest("v1"), deployment("v1"))
    attempts = []
    for tenth in range(400):
        before = len(stage.loads)
        stage.succession.settle(tenth / 10)
        attempts += [tenth / 10] if len(stage.loads) > before else []
    waits = [round(b - a, 1) for a, b in itertools.pairwise(attempts)]
    assert waits == list(RETRY_SECONDS[: len(waits)]) and len(waits) >= 5
    assert stage.problems == [Problem("v1", "not-there-yet", "there is no artefact")]
    stage.refuse.clear()
    assert stage.succession.settle(1000.0) and stage.serving == "v1"


def test_a_manifest_a_moment_late_is_no_problem_and_one_that_never_comes_is() -> None:
    stage = Stage()
    stage.read(deployment("v1"))
    stage.succession.settle(0.0)
    assert stage.problems == []
    stage.succession.settle(RETRY_SECONDS[0])
    assert [p.message for p in stage.problems] == ["there is no manifest of v1 on the models topic"]


def test_a_record_that_cannot_be_read_is_told_with_its_place_and_changes_nothing() -> None:
    stage = Stage()
    stage.read(manifest("v1"), deployment("v1"), b"\x00garbage", deployment("v2")[:-3])
    assert stage.succession.settle(0.0) and stage.serving == "v1"
    assert [p.reason for p in stage.problems] == ["unknown-schema", "truncated"]
    assert all(p.message.startswith("models[0]@7: ") for p in stage.problems)
