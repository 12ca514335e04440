"""The twenty lines of docs/client.md, run as they stand there."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from driftloop.artefacts.keys import ensure_signing_key
from driftloop.artefacts.loader import dump, libraries_of
from driftloop.artefacts.signature import sign
from driftloop.artefacts.store import Store
from driftloop.schemas.codec import decode
from driftloop.schemas.events import DeploymentChanged, GroundTruth, ModelPublished
from driftloop.schemas.monitor.specification import compile_monitor

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "client.md"
MY_MODEL = """
import numpy as np

class EarlyIsLate:
    def predict_score(self, columns):
        return np.where((columns["hour"] < 8) & (columns["carrier"] == "AA"), 0.75, 0.25)
"""


def example() -> str:
    (found,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)
    return str(found)


def test_it_fits_on_a_card() -> None:
    assert len(example().splitlines()) <= 22


def test_the_monitor_file_compiles() -> None:
    first, *_ = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.S)
    assert compile_monitor(first, str(PAGE)).retrain.mode == "automatic"


def test_the_parts_about_other_tasks_compile_in_its_place() -> None:
    first, *parts = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.S)
    model, classes, rest = first.split("[retrain]")[0].split("\n", 2)
    tasks = []
    for part in parts:
        lines = part.splitlines()
        tables = next((i for i, line in enumerate(lines) if line.startswith("[")), len(lines))
        top = lines[:tables] or [classes]
        tasks.append(compile_monitor("\n".join([model, *top, rest, *lines[tables:]]), str(PAGE)).task)
    assert tasks == ["multiclass", "regression", "binary"]


@pytest.mark.kafka
def test_the_example_runs(log: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    module = ModuleType("my_model")
    exec(MY_MODEL, module.__dict__)
    monkeypatch.setitem(sys.modules, "my_model", module)
    for name, value in log.settings.environment().items():
        monkeypatch.setenv(name, value)

    data = dump(module.EarlyIsLate(), ["my_model"])
    uri, sha256, size = Store(log.settings.artefacts).put(data)
    libraries = libraries_of(data, ["my_model"])
    manifest = ModelPublished("flights", "v3", uri, sha256, size, 1.0, "t", "r", "v2", libraries)
    log.write("models", sign(manifest, ensure_signing_key(log.settings)))
    log.write("deployments", DeploymentChanged("flights", "v3", 1.0, "v2", "", 1.0, "r", "promoted"))

    exec(compile(example(), str(PAGE), "exec"), {})
    assert capsys.readouterr().out.split() == ["v3", "0.75", "2", "0", "0"]
    prediction, truth = sorted(log.read("predictions", "ground-truth"), key=lambda r: r.short, reverse=True)
    assert (prediction.key, prediction.partition) == (truth.key, truth.partition)
    told = decode(truth.value)
    assert isinstance(told, GroundTruth) and told.label == "late"
