"""The command line as a person meets it: quick to help, plain about what is wrong, never a traceback."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

HEAVY = ("faust", "aiokafka", "sklearn", "river", "scipy", "numpy", "confluent_kafka", "fastavro")


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "driftloop.console", *arguments],
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"} | environment,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; from driftloop.console.__main__ import app\n"
        "try: app(['--help'])\n"
        f"except SystemExit: print('HEAVY', [m for m in {HEAVY} if m in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert "HEAVY []" in said
    for command in (
        "broker",
        "topics",
        "monitor",
        "reference",
        "cat",
        "status",
        "doctor",
        "rewind",
        "observer",
        "judge",
        "retrainer",
        "up",
        "demo",
    ):
        assert f"\n  {command} " in said


def test_it_says_which_version_it_is() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"driftloop {version('driftloop')}\n")


def test_where_no_broker_runs_status_says_so_with_its_own_exit_code(tmp_path: Path) -> None:
    done = run("broker", "status", DRIFTLOOP_STATE=str(tmp_path))
    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout == f"no embedded broker runs (state folder {tmp_path})\n"


def test_a_cluster_that_is_given_is_used_and_nothing_is_embedded(tmp_path: Path) -> None:
    given = {"DRIFTLOOP_STATE": str(tmp_path), "DRIFTLOOP_BOOTSTRAP_SERVERS": "kafka.example:9092"}
    done = run("broker", "start", **given)
    assert (done.returncode, done.stdout) == (
        0,
        "nothing is started: DRIFTLOOP_BOOTSTRAP_SERVERS names kafka.example:9092\n",
    )
    assert run("broker", "status", **given).returncode == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "message"),
    [
        (["topics", "show"], {"DRIFTLOOP_PREFIX": "Upper"}, 2, "driftloop: DRIFTLOOP_PREFIX is 'Upper'"),
        (["cat", "panes"], {"DRIFTLOOP_PREFIXX": "a"}, 2, "driftloop: DRIFTLOOP_PREFIXX is no setting of driftloop"),
        (["topics", "apply"], {}, 75, "driftloop: there is no cluster: DRIFTLOOP_BOOTSTRAP_SERVERS is not set"),
        (
            ["topics", "apply", "--wait", "1"],
            {"DRIFTLOOP_BOOTSTRAP_SERVERS": "127.0.0.1:1"},
            75,
            "driftloop: no Kafka cluster answers at 127.0.0.1:1",
        ),
        (
            ["cat", "pains"],
            {"DRIFTLOOP_BOOTSTRAP_SERVERS": "127.0.0.1:1"},
            2,
            "driftloop: pains is no topic of driftloop\n  hint: one of predictions, ground-truth,",
        ),
        (
            ["rewind", "judge", "--to", "2d", "--yes"],
            {"DRIFTLOOP_BOOTSTRAP_SERVERS": "127.0.0.1:1"},
            2,
            "driftloop: the judge cannot be set back: what it has told was acted upon",
        ),
        (["broker", "start"], {"PATH": ""}, 2, "driftloop: the embedded Apache Kafka needs Java 17 or newer"),
    ],
)
def test_what_is_wrong_is_said_with_a_way_out_and_an_exit_code(
    tmp_path: Path, arguments: list[str], environment: dict[str, str], code: int, message: str
) -> None:
    done = run(*arguments, DRIFTLOOP_STATE=str(tmp_path), **environment)
    assert done.returncode == code, done.stderr
    assert done.stderr.startswith(message)
    assert "\n  hint: " in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
