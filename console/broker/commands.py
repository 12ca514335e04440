"""`driftloop broker start | stop | status`: the embedded broker, for where there is no cluster."""

from __future__ import annotations

import os

import typer
from driftloop.console.progress import say

NOT_RUNNING = 3

app = typer.Typer(help="The embedded Apache Kafka, for where there is no cluster.", no_args_is_help=True)


@app.command("start")
def broker_start() -> None:
    """Start the embedded broker in the background; its data stays in the state folder."""
    from driftloop.console.broker.daemon import start_broker
    from driftloop.schemas.settings import Settings

    settings = Settings.from_environment(os.environ)
    if settings.bootstrap_servers:
        print(f"nothing is started: DRIFTLOOP_BOOTSTRAP_SERVERS names {settings.bootstrap_servers}")
        return
    found = start_broker(settings.state_folder, say)
    print(f"Apache Kafka runs at {found.bootstrap}, process {found.pid}, data and log in {found.folder}")


@app.command("stop")
def broker_stop() -> None:
    """Stop the embedded broker; its data stays."""
    from driftloop.console.broker.daemon import stop_broker
    from driftloop.schemas.settings import Settings

    print("stopped" if stop_broker(Settings.from_environment(os.environ).state_folder) else "no embedded broker runs")


@app.command("status")
def broker_status() -> None:
    """Say whether the embedded broker runs, and where. Exit code 3: it does not."""
    from driftloop.console.broker.daemon import running_broker
    from driftloop.schemas.settings import Settings

    settings = Settings.from_environment(os.environ)
    found = running_broker(settings.state_folder)
    if settings.bootstrap_servers:
        print(f"DRIFTLOOP_BOOTSTRAP_SERVERS names {settings.bootstrap_servers}: that cluster is used")
    if found is None:
        print(f"no embedded broker runs (state folder {settings.state_folder})")
        raise typer.Exit(0 if settings.bootstrap_servers else NOT_RUNNING)
    print(f"Apache Kafka runs at {found.bootstrap}, process {found.pid}, data and log in {found.folder}")
