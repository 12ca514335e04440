"""The command line as a person meets it: quick to help, plain about what is wrong, never a traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import typer
from driftloop.console.__main__ import app
from driftloop.console.quick_start import with_what_is_named

HEAVY = (
    "pydantic",
    "asyncio",
    "faust",
    "aiokafka",
    "sklearn",
    "river",
    "scipy",
    "numpy",
    "confluent_kafka",
    "fastavro",
)


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "driftloop.console", *arguments],
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"} | environment,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


PARSED = """
import json, sys, typer
from driftloop.console.__main__ import app

line = sys.argv[1:]
context = typer.main.get_command(app).make_context("driftloop", list(line))
while hasattr(context.command, "commands"):
    inner = context.command.commands[line.pop(0)]
    context = inner.make_context(inner.name, list(line), parent=context)
print(json.dumps([context.params, "pydantic" in sys.modules], default=str))
"""


def inner_of(command: Any) -> list[str]:
    return list(getattr(command, "commands", {}))


def help_of(command: Any, line: Sequence[str]) -> str:
    context = command.make_context("driftloop", ["nothing"])
    for name in line:
        command = command.commands[name]
        context = command.make_context(name, [], parent=context, resilient_parsing=True)
    return str(command.get_help(context))


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


ALL = typer.main.get_command(app)
LINES = [(name, *inner) for name, one in ALL.commands.items() for inner in [(), *((i,) for i in inner_of(one))]]


@pytest.mark.parametrize("line", LINES, ids=" ".join)
def test_a_command_built_alone_is_the_one_among_all(line: tuple[str, ...]) -> None:
    alone = typer.main.get_command(with_what_is_named(app, line))
    assert list(alone.commands) == [line[0]]
    assert help_of(alone, line) == help_of(ALL, line)


@pytest.mark.parametrize("line", [(), ("--help",), ("--version", "cat"), ("relpay", "flights")], ids=" ".join)
def test_where_no_command_is_named_all_are_there(line: tuple[str, ...]) -> None:
    assert with_what_is_named(app, line) is app


@pytest.mark.parametrize(
    ("line", "values"),
    [
        (["replay", "flüge", "--json"], {"model": "flüge", "as_json": True, "save": None}),
        (["topics", "apply"], {"fix": False, "wait": 5.0}),
        (["dlq", "list", "--reason", "too-late"], {"reason": "too-late", "limit": 10}),
        (["reference", "build", "m"], {"model": "m", "column": (), "first": None}),
        (["cat", "panes", "-n", "7"], {"topic": "panes", "limit": 7}),
        (["replay", "m", "--plot", "a.html", "--to", "2013-02-01"], {"plot": "a.html", "to": "2013-02-01 00:00:00"}),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, list) else "",
)
def test_words_and_defaults_are_taken_as_they_are_and_all_else_is_checked(
    line: list[str], values: dict[str, object]
) -> None:
    done = subprocess.run([sys.executable, "-c", PARSED, *line], capture_output=True, text=True, check=True)
    found, checked = json.loads(done.stdout)
    assert {name: found[name] for name in values} == json.loads(json.dumps(values))
    assert checked == (line[0] == "cat" or "--plot" in line)


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


def modules_of(program: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\nimport sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_a_replay_imports_no_test_that_nobody_has_named() -> None:
    program = "import sys; sys.argv[1:] = ['replay', '--help']\nfrom driftloop.console.__main__ import main\n"
    program += "try: main()\nexcept SystemExit: pass\n"
    program += "import driftloop.console.replay.run, driftloop.console.replay.past"
    needless = ["importlib.metadata", "scipy", "river", "driftloop.detectors.classical.adwin"]
    assert not modules_of(program) & set(needless)
