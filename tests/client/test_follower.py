"""The follower on the real broker: a deployment swaps the champion, and only for a model that is proved."""

from __future__ import annotations

import dataclasses
import importlib.util
import itertools
import sys
import threading
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from driftloop.artefacts.keys import ensure_signing_key
from driftloop.artefacts.loader import dump
from driftloop.artefacts.signature import sign
from driftloop.artefacts.store import Store
from driftloop.client import Follower, Problem, follow
from driftloop.schemas.errors import ConfigError, Unavailable
from driftloop.schemas.events import DeploymentChanged, ModelPublished
from driftloop.schemas.settings import Settings

from ..patience import GUARD_SECONDS

pytestmark = pytest.mark.kafka
MINE = "models_of_the_follower"
ROW = {"hour": np.zeros(1)}


class Publisher:
    """Does what the retrainer does: artefact first, manifest second, deployment last."""

    def __init__(self, log: Any, models: ModuleType) -> None:
        self.log = log
        self.models = models
        self.key = ensure_signing_key(log.settings)
        self.store = Store(log.settings.artefacts)

    def manifest(self, version: str, score: float) -> ModelPublished:
        stored = self.store.put(dump(self.models.Constant(score), [MINE]))
        found = ModelPublished("flights", version, stored.uri, stored.sha256, stored.size_bytes, 1.0, "t", "r", "")
        return sign(found, self.key)

    def deploy(self, version: str) -> None:
        event = DeploymentChanged("flights", version, 1.0, "", "", 1.0, f"run-{time.monotonic()}", "why")
        self.log.write("deployments", event, key=b"flights")

    def publish(self, version: str, score: float) -> ModelPublished:
        manifest = self.manifest(version, score)
        self.tell(manifest)
        self.deploy(version)
        return manifest

    def tell(self, manifest: ModelPublished) -> None:
        self.log.write("models", manifest, key=f"flights/{manifest.version}".encode())


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    place = Path(__file__).parent.parent / "artefacts" / "models.py"
    spec = importlib.util.spec_from_file_location(MINE, place)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, MINE, module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def publisher(log: Any, models: ModuleType) -> Publisher:
    return Publisher(log, models)


class Watch:
    """Collects problems, and lets a test wait for one."""

    def __init__(self) -> None:
        self.told: list[Problem] = []
        self._news = threading.Condition()

    def __call__(self, problem: Problem) -> None:
        with self._news:
            self.told.append(problem)
            self._news.notify_all()

    def wait_for(self, reason: str) -> Problem:
        with self._news:
            assert self._news.wait_for(lambda: any(p.reason == reason for p in self.told), GUARD_SECONDS), self.told
        return next(p for p in self.told if p.reason == reason)


def serving(follower: Follower, version: str) -> float:
    """Wait until this version serves; its score."""
    found = next(c for c in follower.changes() if c.version == version)
    return float(found.predictor.predict_score(ROW)[0])


def test_the_champion_that_is_deployed_serves_and_its_successor_replaces_it(publisher: Publisher) -> None:
    publisher.publish("v1", 0.1)
    with follow("flights", publisher.log.settings, modules=[MINE]) as follower:
        first = follower.wait(GUARD_SECONDS)
        assert (first.version, first.predictor.predict_score(ROW).tolist()) == ("v1", [0.1])
        publisher.publish("v2", 0.2)
        assert serving(follower, "v2") == 0.2
        assert first.predictor.predict_score(ROW).tolist() == [0.1], "who holds the old one can finish with it"
        publisher.deploy("v1")
        assert serving(follower, "v1") == 0.1
        assert follower.problems == ()


def test_a_late_start_loads_the_last_champion_only(publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(1, 6):
        publisher.publish(f"v{i}", i / 10)
    loads = []
    from driftloop.artefacts import loader

    monkeypatch.setattr(
        "driftloop.client.follower.load", lambda *args: (loads.append(args[0].version), loader.load(*args))[1]
    )
    with follow("flights", publisher.log.settings, modules=[MINE]) as follower:
        assert follower.wait(GUARD_SECONDS).version == "v5"
    assert loads == ["v5"]


def test_bad_successors_are_told_and_the_old_champion_serves_on(publisher: Publisher, tmp_path: Path) -> None:
    publisher.publish("v1", 0.1)
    watch = Watch()
    with follow("flights", publisher.log.settings, modules=[MINE], on_problem=watch) as follower:
        follower.wait(GUARD_SECONDS)

        changed = dataclasses.replace(publisher.manifest("v2", 0.2), version="v3")
        publisher.tell(changed)
        publisher.deploy("v3")
        assert watch.wait_for("bad-signature").version == "v3"

        stranger = ensure_signing_key(Settings(state_folder=tmp_path / "stranger"))
        publisher.tell(sign(publisher.manifest("v4", 0.4), stranger))
        publisher.deploy("v4")
        assert watch.wait_for("untrusted-key").version == "v4"

        tampered = publisher.manifest("v5", 0.5)
        path = publisher.store.folder / tampered.uri
        path.write_bytes(path.read_bytes()[:-1] + b"x")
        publisher.tell(tampered)
        publisher.deploy("v5")
        assert watch.wait_for("artefact-hash").version == "v5"

        publisher.deploy("v6")
        assert watch.wait_for("not-there-yet").version == "v6"
        publisher.log.write("deployments", b"\xc3\x01garbage", key=b"flights")
        watch.wait_for("truncated")

        assert follower.wait(0).version == "v1"
        assert list(follower.problems) == watch.told
        publisher.publish("v7", 0.7)
        assert serving(follower, "v7") == 0.7


def test_a_file_that_arrives_late_is_found(publisher: Publisher) -> None:
    manifest = publisher.manifest("v1", 0.1)
    path = publisher.store.folder / manifest.uri
    data = path.read_bytes()
    path.unlink()
    watch = Watch()
    with follow("flights", publisher.log.settings, modules=[MINE], on_problem=watch) as follower:
        publisher.tell(manifest)
        publisher.deploy("v1")
        assert "there is no artefact" in watch.wait_for("not-there-yet").message
        with pytest.raises(Unavailable, match=r"no champion of flights after 0 s: there is no artefact"):
            follower.wait(0)
        path.write_bytes(data)
        assert follower.wait(GUARD_SECONDS).version == "v1"


def test_an_app_that_did_not_allow_its_own_module_is_told_how(publisher: Publisher) -> None:
    publisher.publish("v1", 0.1)
    watch = Watch()
    with follow("flights", publisher.log.settings, on_problem=watch):
        assert "modules=" in watch.wait_for("forbidden-global").message


def test_an_empty_deployment_leaves_no_champion(publisher: Publisher) -> None:
    publisher.publish("v1", 0.1)
    with follow("flights", publisher.log.settings, modules=[MINE]) as follower:
        follower.wait(GUARD_SECONDS)
        publisher.deploy("")
        publisher.publish("v2", 0.2)
        assert serving(follower, "v2") == 0.2
        publisher.deploy("")
        with follower._changed:
            assert follower._changed.wait_for(lambda: follower.current is None, GUARD_SECONDS)


def test_waiting_where_nothing_is_deployed_ends_with_a_plain_word(log: Any) -> None:
    with (
        follow("flights", log.settings) as follower,
        pytest.raises(Unavailable, match=r"no champion of flights after 0.01 s: no deployment has been seen"),
    ):
        follower.wait(0.01)


def test_changes_end_when_the_follower_is_closed(publisher: Publisher) -> None:
    publisher.publish("v1", 0.1)
    seen: list[str] = []
    with follow("flights", publisher.log.settings, modules=[MINE]) as follower:
        thread = threading.Thread(target=lambda: seen.extend(c.version for c in follower.changes()))
        thread.start()
        follower.wait(GUARD_SECONDS)
    thread.join(GUARD_SECONDS)
    assert not thread.is_alive()
    assert seen in ([], ["v1"])
    assert follower.current is not None, "what serves does not vanish with the follower"


def test_a_cluster_that_is_not_there_is_told_once_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("driftloop.client.cluster.ANSWER_SECONDS", 0.2)
    monkeypatch.setattr("driftloop.client.follower._AGAIN_SECONDS", 0.01)
    attempts = itertools.count()
    enough = threading.Event()
    from driftloop.client import reader

    def counted(*args: Any) -> Any:
        if next(attempts) == 2:
            enough.set()
        return partitions_of(*args)

    partitions_of = reader.partitions_of
    monkeypatch.setattr(reader, "partitions_of", counted)
    watch = Watch()
    nobody = Settings(bootstrap_servers="127.0.0.1:1", state_folder=tmp_path)
    with follow("flights", nobody, on_problem=watch):
        assert "127.0.0.1:1 does not answer" in watch.wait_for("unreadable").message
        assert enough.wait(GUARD_SECONDS)
    assert len(watch.told) == 1


def test_settings_that_cannot_work_are_refused_before_anything_starts(log: Any) -> None:
    bad = dataclasses.replace(log.settings, trusted_keys=("not-a-key",))
    with pytest.raises(ConfigError, match="is no ed25519 public key"):
        follow("flights", bad)
