"""docker-compose.yml against the code: no command, variable or broker setting in it that does not exist."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType
from driftloop.console.__main__ import app
from driftloop.console.broker.classes import java_and_jars
from driftloop.console.broker.embedded import say_to_stderr
from driftloop.console.broker.jars import KAFKA_VERSION
from driftloop.console.broker.launch import prepare, wait_until_ready
from driftloop.console.connection import QUIET
from driftloop.schemas.settings import VARIABLES, Settings

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"].startswith("driftloop:")}


def test_it_starts_every_part_of_the_loop() -> None:
    assert SERVICES.keys() == {"kafka", "topics", "observer", "judge", "retrainer", "demo"}
    assert OURS.keys() == SERVICES.keys() - {"kafka"}
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{KAFKA_VERSION}"


@pytest.mark.parametrize("name", OURS)
def test_every_command_is_one_of_the_command_line(name: str) -> None:
    """Parsed by the command line itself, options included; nothing is run."""
    words = list(OURS[name]["command"])
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands"):
        assert words[0] in command.commands, f"`driftloop {words[0]}` does not exist"
        command = command.commands[words.pop(0)]
    command.make_context(name, words)


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_a_setting_and_has_a_value_that_works(name: str) -> None:
    environment = OURS[name]["environment"]
    assert environment.keys() <= VARIABLES.keys()
    settings = Settings.from_environment(environment)
    host, port = settings.bootstrap_servers.split(":")
    assert host in SERVICES, "the broker is found by its service's name"
    assert f"PLAINTEXT://{host}:{port}" in SERVICES["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]


def test_no_variable_of_ours_is_misspelt_anywhere() -> None:
    for path in (ROOT / "docker-compose.yml", ROOT / "deploy" / "Dockerfile"):
        named = set(re.findall(r"DRIFTLOOP_[A-Z_]+", path.read_text()))
        assert named <= VARIABLES.keys(), f"{path.name}: {named - VARIABLES.keys()}"


def test_nothing_is_published_beyond_this_machine() -> None:
    for name, service in SERVICES.items():
        for port in service.get("ports", ()):
            assert str(port).startswith("127.0.0.1:"), f"{name} publishes {port} to the network"


def test_the_topics_are_a_gate_that_everything_waits_behind() -> None:
    assert SERVICES["topics"]["depends_on"] == {"kafka": {"condition": "service_healthy"}}
    for name in OURS.keys() - {"topics"}:
        assert SERVICES[name]["depends_on"]["topics"] == {"condition": "service_completed_successfully"}


def test_keys_and_models_outlive_the_containers_that_write_them() -> None:
    for name in ("retrainer", "demo"):
        (volume,) = SERVICES[name]["volumes"]
        source, folder = volume.split(":")
        assert source in COMPOSE["volumes"]
        assert folder == SERVICES[name]["environment"]["DRIFTLOOP_STATE"]


def test_the_image_holds_every_package_and_nothing_it_copies_is_ignored() -> None:
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text()
    copied = {word for line in re.findall(r"^COPY (.+) \S+$", dockerfile, re.M) for word in line.split()}
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert {p.name for p in ROOT.iterdir() if (p / "__init__.py").exists()} <= copied
    for word in copied:
        assert (ROOT / word).exists()
        assert f"!{word}" in ignored, f"{word} is copied but .dockerignore keeps it out"


def broker_settings() -> dict[str, str]:
    """As the image reads them: KAFKA_A_B is a.b."""
    return {
        name.removeprefix("KAFKA_").lower().replace("_", "."): value
        for name, value in SERVICES["kafka"]["environment"].items()
        if name.startswith("KAFKA_") and name != "KAFKA_HEAP_OPTS"
    }


def on_this_machine(text: str, port: str, controller_port: str, folder: Path) -> str:
    for theirs, ours in (
        ("1@kafka:29093", f"1@127.0.0.1:{controller_port}"),
        ("CONTROLLER://:29093", f"CONTROLLER://127.0.0.1:{controller_port}"),
        ("PLAINTEXT_HOST://:9092,PLAINTEXT://:19092", f"PLAINTEXT_HOST://127.0.0.1:{port},PLAINTEXT://127.0.0.1:0"),
        ("PLAINTEXT_HOST://localhost:9092", f"PLAINTEXT_HOST://127.0.0.1:{port}"),
        ("PLAINTEXT://kafka:19092", "PLAINTEXT://127.0.0.1:0"),
        ("/var/lib/kafka/data", f"{folder}/data"),
    ):
        assert theirs in text
        text = text.replace(theirs, ours)
    return text


@pytest.mark.kafka
def test_its_broker_settings_start_a_real_broker_that_knows_each_of_them(tmp_path: Path) -> None:
    broker = prepare(tmp_path, *java_and_jars(os.environ, say_to_stderr))
    properties = tmp_path / "server.properties"
    ports = re.findall(r"^listeners=\S+?:(\d+),\S+?:(\d+)$", properties.read_text(), re.M)[0]
    text = "".join(f"{name}={value}\n" for name, value in broker_settings().items())
    properties.write_text(on_this_machine(text, *ports, tmp_path))
    formatting, run = broker.commands
    with broker.log.open("wb") as log:
        subprocess.run(formatting, stdout=log, stderr=log, check=True)
        process = subprocess.Popen(run, stdout=log, stderr=log)
    try:
        wait_until_ready(broker, lambda: process.poll() is None)
        admin = AdminClient({"bootstrap.servers": broker.bootstrap, "logger": QUIET})
        (shown,) = admin.describe_configs([ConfigResource(ResourceType.BROKER, "1")]).values()
        # A setting that the broker does not know is treated as a secret: it has no value to show.
        known = {name for name, entry in shown.result(180).items() if entry.value is not None}
        assert broker_settings().keys() <= known
    finally:
        process.kill()
        process.wait()
