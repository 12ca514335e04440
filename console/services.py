"""`driftloop up` and `down`: broker, topics, and the three services in the background of this machine."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from driftloop.console.background import Background, log_tail
from driftloop.console.broker.daemon import start_broker, stop_broker
from driftloop.console.connection import admin_client
from driftloop.console.topics import apply_topics
from driftloop.schemas.errors import Unavailable
from driftloop.schemas.settings import Settings
from driftloop.streams.transport.answers import answer_of

SERVICES = ("observer", "judge", "retrainer")
GROUPS = ("observer", "judge")
"""These are at work once they are members of their consumer group."""
START_SECONDS_MOST = 60.0
STOP_SECONDS_MOST = 45.0

Say = Callable[[str], None]


def up(settings: Settings, say: Say) -> None:
    """Start what does not run yet. Unavailable, with the end of its log: a service ended while it started."""
    if settings.bootstrap_servers:
        say(f"broker     {settings.bootstrap_servers} (DRIFTLOOP_BOOTSTRAP_SERVERS)")
    else:
        broker = start_broker(settings.state_folder, say)
        say(f"broker     {broker.bootstrap}, process {broker.pid}")
        settings = replace(settings, bootstrap_servers=broker.bootstrap)
    applied = apply_topics(settings)
    say(f"topics     {len(applied.created)} created" + (f", {len(applied.left)} differ" if applied.left else ""))
    for difference in applied.left:
        say(f"           {difference}")
    started = {name: _start(settings, name, say) for name in SERVICES}
    _wait_until_at_work(settings, started)
    say(f"all is at work; clients: DRIFTLOOP_BOOTSTRAP_SERVERS={settings.bootstrap_servers}; stop: `driftloop down`")


def down(settings: Settings, say: Say) -> None:
    """Stop what runs: the services drain and leave their groups, then the embedded broker stops; all data stays."""
    services = {name: background(settings, name) for name in SERVICES}
    ran = {name: service.terminate() is not None for name, service in services.items()}
    for name, service in services.items():
        service.stop(STOP_SECONDS_MOST)
        say(f"{name:<10} {'stopped' if ran[name] else 'did not run'}")
    say(f"{'broker':<10} {'stopped' if stop_broker(settings.state_folder) else 'no embedded one ran'}")


def background(settings: Settings, name: str) -> Background:
    """The background process of a service; two deployments with different prefixes do not meet."""
    return Background(settings.state_folder / "services", settings.group(name))


def _start(settings: Settings, name: str, say: Say) -> Background:
    service = background(settings, name)
    if pid := service.pid():
        say(f"{name:<10} runs already, process {pid}")
        return service
    pid = service.start([sys.executable, "-m", "driftloop.console", name], settings.environment(os.environ))
    say(f"{name:<10} started, process {pid}, log {service.log}")
    return service


def _wait_until_at_work(settings: Settings, services: dict[str, Background]) -> None:
    admin = admin_client(settings)
    deadline = time.monotonic() + START_SECONDS_MOST
    while True:
        for name, service in services.items():
            if service.pid() is None:
                raise Unavailable(f"{name} ended while it started; {log_tail(service.log)}")
        missing = [name for name in GROUPS if not _has_members(admin, settings.group(name))]
        if not missing:
            return
        if time.monotonic() > deadline:
            raise Unavailable(
                f"{', '.join(missing)} did not join a consumer group within {START_SECONDS_MOST:.0f} s",
                f"see {', '.join(str(services[name].log) for name in missing)}; `driftloop down` stops everything",
            )
        time.sleep(0.2)


def _has_members(admin: Any, group: str) -> bool:
    from confluent_kafka import KafkaException

    try:
        described = answer_of(admin.describe_consumer_groups([group], request_timeout=10)[group], 10)
    except KafkaException:
        return False
    return bool(described.members)
