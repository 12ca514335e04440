"""A throw-away broker for a demo or a test run: a real Apache Kafka that ends with the process that asked for it."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from json import dumps
from pathlib import Path
from types import TracebackType

from driftloop.console.broker.classes import java_and_jars
from driftloop.console.broker.launch import Broker, prepare, wait_until_ready
from driftloop.schemas.errors import Unavailable
from driftloop.schemas.settings import Settings

SUPERVISOR = Path(__file__).with_name("supervisor.py")
STARTS_MOST = 3
"""A port that was free may be taken before the broker binds it; then the next ports are tried."""


def say_nothing(_: str) -> None:
    """For callers that want no progress."""


def say_to_stderr(text: str) -> None:
    """For people: progress apart from results."""
    print(text, file=sys.stderr, flush=True)


class Lifeline:
    """A file that this process holds a lock on for as long as it lives."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._handle, fcntl.LOCK_SH)

    def let_go(self) -> None:
        os.close(self._handle)


class EmbeddedBroker:
    """``with EmbeddedBroker() as broker:`` a client can use ``broker.bootstrap``. Ready in about 3 s, 160 MB.

    It is gone, with its data, when the block or the process ends, by kill -9 too. ConfigError: no Java, no Maven.
    ``lifeline``: the broker shall live as long as another process holds this file locked, instead of this one; the
    folder of that file is removed with the broker's own.
    """

    def __init__(self, say: Callable[[str], None] = say_to_stderr, lifeline: Path | None = None) -> None:
        self._say = say
        self._lifeline = lifeline
        self._own: Lifeline | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self.bootstrap = ""
        self.folder = Path()

    @property
    def supervisor_pid(self) -> int:
        """Leader of the process group of supervisor and broker."""
        return self._process.pid if self._process else 0

    @property
    def ended(self) -> bool:
        """It was started and runs no more; ``folder`` still has its log."""
        return self._process is not None and self._process.poll() is not None

    def start(self) -> EmbeddedBroker:
        java, jars = java_and_jars(os.environ, self._say)
        for attempt in range(1, STARTS_MOST + 1):
            self.folder = Path(tempfile.mkdtemp(prefix="driftloop-broker-"))
            broker = prepare(self.folder, java, jars)
            try:
                self._launch(broker)
                break
            except Unavailable as error:
                self.stop()
                if attempt == STARTS_MOST or "Address already in use" not in error.message:
                    raise
            except BaseException:
                self.stop()
                raise
        self.bootstrap = broker.bootstrap
        return self

    def _launch(self, broker: Broker) -> None:
        if self._lifeline is None:
            self._own = Lifeline(self.folder / "lifeline")
        lifeline = self._lifeline or self.folder / "lifeline"
        (self.folder / "commands.json").write_text(dumps(broker.commands))
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(SUPERVISOR), str(self.folder), str(lifeline)],
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for us; we end the broker when we are done with it
        )
        self._process = process
        wait_until_ready(broker, lambda: process.poll() is None)

    def stop(self) -> None:
        """End the broker now; its data goes with it. Does nothing where a foreign lifeline holds it."""
        if self._own is not None:
            self._own.let_go()
            self._own = None
            if self._process is not None:
                self._process.wait(30)
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> EmbeddedBroker:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


@contextmanager
def some_broker(settings: Settings, say: Callable[[str], None] = say_to_stderr) -> Iterator[str]:
    """Bootstrap servers: those of the settings where there are any, otherwise a throw-away broker's."""
    if settings.bootstrap_servers:
        yield settings.bootstrap_servers
    else:
        with EmbeddedBroker(say) as broker:
            yield broker.bootstrap
