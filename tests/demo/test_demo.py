"""The demo as a person calls it: a few days of it to the end, and three ways to end it early."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from driftloop.console.demo.flights import DAY_SECONDS, START, Flights
from driftloop.console.demo.offline import specification
from driftloop.console.demo.policies import Fits, by_month
from driftloop.console.topics import delete_topics
from driftloop.schemas.settings import Settings

DAYS = 6
LONG_ENOUGH = ("--days", "25")
"""To be ended early; a year's comparison of policies would be most of the work, for nothing."""
SECONDS_MOST = 600
"""Far from what it takes: only what hangs shall end by it, however busy the machine."""


@contextmanager
def demo(folder: Path, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """The command, with ``folder`` for its temporary files: whoever has that in his environment is the demo's."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("DRIFTLOOP_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "driftloop.console", "demo", *arguments],
        env=clean | {"TMPDIR": str(folder)} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def read_until(process: subprocess.Popen[str], words: str) -> str:
    """What it says up to the line with these words."""
    said = ""
    assert process.stdout
    for line in process.stdout:
        said += line
        if words in line:
            return said
    raise AssertionError(f"it never said {words!r}:\n{said}")


def read_until_all_run(process: subprocess.Popen[str], folder: Path) -> str:
    """What it says until its last service has been started, long before the first model is there."""
    said = read_until(process, "January and February are on the log")
    deadline = time.monotonic() + SECONDS_MOST
    while not of(folder, "tether judge"):
        assert process.poll() is None and time.monotonic() < deadline, said
        time.sleep(0.05)  # between two looks
    return said


def of(folder: Path, words: str = "") -> list[int]:
    """Processes that have this folder in their environment, and these words in their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and entry.name != str(os.getpid()):
            try:
                mine = f"TMPDIR={folder}".encode() in (entry / "environ").read_bytes().split(b"\0")
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if mine and words in command:
                found.append(int(entry.name))
    return found


def wait_until_gone(folder: Path) -> None:
    deadline = time.monotonic() + SECONDS_MOST
    while left := of(folder):
        assert time.monotonic() < deadline, [Path(f"/proc/{pid}/cmdline").read_text() for pid in left]
        time.sleep(0.05)  # between two looks


@pytest.fixture(scope="module")
def first_days(year: Flights) -> tuple[Flights, dict[str, float]]:
    """The flights up to the end of the short demo, and the frozen model's log loss on those it serves."""
    flights = year.rows(year.event_time < START + DAYS * DAY_SECONDS)
    fits = Fits(flights, specification().retrain)
    served = flights.rows(flights.event_time >= START)
    return flights, by_month(served, fits.at(START).predict_score(served.columns()))


@pytest.mark.kafka
@pytest.mark.timeout(SECONDS_MOST)
def test_a_few_days_to_the_end_on_somebodys_cluster(
    settings: Settings, tmp_path: Path, first_days: tuple[Flights, dict[str, float]]
) -> None:
    file = tmp_path / "figures.json"
    given = {"DRIFTLOOP_BOOTSTRAP_SERVERS": settings.bootstrap_servers, "DRIFTLOOP_PREFIX": settings.prefix}
    with demo(tmp_path, "--days", str(DAYS), "--report", str(file), **given) as process:
        said, _ = process.communicate(timeout=SECONDS_MOST)
    found = re.search(r"our topics begin with (\S+)", said)
    assert process.returncode == 0, said
    assert found
    try:
        check_figures(json.loads(file.read_text()), *first_days)
        check_commands(said)
    finally:
        delete_topics(replace(settings, prefix=found[1]))
    assert of(tmp_path) == []
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("driftloop")] == []


def check_figures(figures: dict[str, object], flights: Flights, frozen: dict[str, float]) -> None:
    """Counts are the stream's; while the first model serves, driftloop's row is the frozen one's."""
    labelled = np.count_nonzero(flights.label >= 0)
    assert figures["predictions"] == len(flights)
    assert figures["ground_truths"] == figures["joined"] == labelled
    assert figures["never_labelled"] == len(flights) - labelled
    assert figures["dead_letters"] == figures["retrains"] == figures["promotions"] == 0
    assert figures["versions"] == ["v1"]
    assert figures["event_days"] == DAYS
    losses = figures["log_loss"]
    assert isinstance(losses, dict)
    for policy, months in losses.items():
        assert months == pytest.approx(frozen, abs=1e-12), policy
    processes = figures["peak_rss_mb"]
    assert isinstance(processes, dict)
    assert processes.keys() >= {"app", "observer", "judge", "retrainer", "training", "offline"}


def check_commands(said: str) -> None:
    """What it tells to type works as it stands."""
    commands = [line for line in said.splitlines() if line.startswith("DRIFTLOOP_BOOTSTRAP_SERVERS=")]
    assert len(commands) == 3
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    for command in commands:
        done = subprocess.run(
            command,
            shell=True,
            env=os.environ | {"PATH": path},
            capture_output=True,
            text=True,
            timeout=SECONDS_MOST,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    assert "predictions" in done.stdout


@pytest.mark.kafka
@pytest.mark.timeout(SECONDS_MOST)
def test_ctrl_c_ends_everything_and_cleans_up(tmp_path: Path) -> None:
    with demo(tmp_path, *LONG_ENOUGH) as process:
        read_until(process, "v1 promoted")
        assert of(tmp_path, "tether observer")
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=SECONDS_MOST)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert "was killed" not in said, "the broker was gone before the services had drained"
    wait_until_gone(tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("driftloop")] == []


@pytest.mark.kafka
@pytest.mark.timeout(SECONDS_MOST)
def test_kill_9_leaves_no_process_behind(tmp_path: Path) -> None:
    with demo(tmp_path, *LONG_ENOUGH) as process:
        read_until_all_run(process, tmp_path)
        assert len(of(tmp_path)) >= 6
        process.kill()
        process.wait()
        wait_until_gone(tmp_path)


@pytest.mark.kafka
@pytest.mark.timeout(SECONDS_MOST)
def test_a_service_that_dies_is_named_with_its_log_and_the_rest_is_stopped(tmp_path: Path) -> None:
    with demo(tmp_path, *LONG_ENOUGH) as process:
        read_until_all_run(process, tmp_path)
        (judge,) = of(tmp_path, "tether judge")
        os.kill(judge, signal.SIGKILL)
        said, _ = process.communicate(timeout=SECONDS_MOST)
    assert process.returncode == 75, said
    assert "judge ended by itself (exit code -9)" in said
    assert "judge.log" in said
    assert "Traceback" not in said
    wait_until_gone(tmp_path)
    (kept,) = tmp_path.glob("driftloop-demo-*")
    assert str(kept) in said
