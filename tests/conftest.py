"""One real broker for the whole test run, started by the first test that asks, and a namespace for each test."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from driftloop.console.background import only_one
from driftloop.console.broker.embedded import EmbeddedBroker, Lifeline
from driftloop.schemas.settings import Settings

from .public_data import left_out, public_folder

RUN_FOLDER = pytest.StashKey[Path]()
LIFELINE = pytest.StashKey[Lifeline]()
PARTITIONS = 4
SESSION_SECONDS = 60.0
"""A busy machine may not let a healthy worker speak for many seconds: only a test of just that has shorter ones.
The successor of a killed worker takes over at once under the same instance id."""


def pytest_configure(config: pytest.Config) -> None:
    """The run's folder is the controller's (the only process without xdist); the broker lives as long as that."""
    if hasattr(config, "workerinput"):
        config.stash[RUN_FOLDER] = Path(config.workerinput["run_folder"])
        return
    folder = Path(tempfile.mkdtemp(prefix="driftloop-run-"))
    config.stash[RUN_FOLDER] = folder
    config.stash[LIFELINE] = Lifeline(folder / "lifeline")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What waits for Kafka and for processes first: what is left fills the gaps, and no worker ends long before."""
    items.sort(key=lambda item: item.get_closest_marker("kafka") is None)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node) -> None:  # type: ignore[no-untyped-def]
    """xdist: tell each worker which run it belongs to."""
    node.workerinput["run_folder"] = str(node.config.stash[RUN_FOLDER])


def pytest_unconfigure(config: pytest.Config) -> None:
    """Let the broker go and wait until it is gone: a run leaves no process, port or file behind."""
    lifeline = config.stash.get(LIFELINE, None)
    if lifeline is None:
        return
    lifeline.let_go()
    folder = config.stash[RUN_FOLDER]
    deadline = time.monotonic() + 120
    while (folder / "bootstrap").exists() and time.monotonic() < deadline:
        time.sleep(0.01)  # the broker's supervisor removes this folder last
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def public_data() -> Path:
    """The folder of public streams (public_data.py)."""
    return public_folder(os.environ)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line for all tests that the public streams were missing for."""
    for line in left_out([str(report.longrepr) for report in terminalreporter.stats.get("skipped", [])]):
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def broker(pytestconfig: pytest.Config) -> str:
    """Bootstrap servers of the run's broker; of DRIFTLOOP_BOOTSTRAP_SERVERS where that is set."""
    if given := os.environ.get("DRIFTLOOP_BOOTSTRAP_SERVERS"):
        return given
    folder = pytestconfig.stash[RUN_FOLDER]
    with only_one(folder / "start"):
        told = folder / "bootstrap"
        if not told.exists():
            told.write_text(EmbeddedBroker(lifeline=folder / "lifeline").start().bootstrap)
        return told.read_text()


@pytest.fixture
def settings(broker: str, tmp_path: Path) -> Iterator[Settings]:
    """A deployment of its own for one test: unique prefix, topics applied, 4 partitions, its own state folder."""
    from driftloop.console.topics import apply_topics, delete_topics

    found = Settings(
        bootstrap_servers=broker,
        prefix=f"t-{uuid.uuid4().hex[:10]}",
        partitions=PARTITIONS,
        state_folder=tmp_path / "state",
        session_seconds=SESSION_SECONDS,
    )
    apply_topics(found)
    yield found
    delete_topics(found)
