"""A real schema registry for tests: Apicurio, fetched once with Maven, in memory, gone with its run."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from driftloop.console.background import only_one
from driftloop.console.broker.embedded import SUPERVISOR, Lifeline
from driftloop.console.broker.java import find_java, find_maven

from ..freezing import freeze

VERSION = "2.6.13.Final"
"""The last series whose application runs on Java 17."""
ARCHIVE = f"apicurio-registry-app-{VERSION}-all.tar.gz"
ARCHIVE_SHA256 = "3cda1b34aa020fb4ac4dd6a66018d757e81e437f97e20a1f92d366b70091c6ba"
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
READY_SECONDS_MOST = 180


def ensure_archive(environment: Mapping[str, str]) -> Path:
    """The unpacked application: 142 MB from Maven Central once, some 20 s. One process fetches, others wait."""
    base = environment.get("XDG_CACHE_HOME")
    folder = (Path(base) if base else Path.home() / ".cache") / "driftloop" / f"apicurio-{VERSION}"
    application = folder / "application"
    if not application.is_dir():
        with only_one(folder / "lock"):
            if not application.is_dir():
                _fetch(folder, application, environment)
    return application


def _fetch(folder: Path, application: Path, environment: Mapping[str, str]) -> None:
    """Unpacked beside and renamed: what has this name is complete, and its archive had the sha256 above."""
    fetching = folder / "fetching"
    shutil.rmtree(fetching, ignore_errors=True)
    fetching.mkdir(parents=True)
    what = f"-Dartifact=io.apicurio:apicurio-registry-app:{VERSION}:tar.gz:all"
    command = [str(find_maven(environment)), "-B", "-q", COPY, what, f"-DoutputDirectory={fetching}"]
    subprocess.run(command, cwd=fetching, check=True, timeout=900)
    archive = fetching / ARCHIVE
    with archive.open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == ARCHIVE_SHA256, f"{archive} is another one"
    with tarfile.open(archive) as packed:
        packed.extractall(fetching / "application", filter="data")
    archive.unlink()
    (fetching / "application").rename(application)
    shutil.rmtree(fetching)


class Registry:
    """``url`` of the Confluent API. Ready in 3 to 9 s, 230 MB; what is registered is gone when it stops."""

    def __init__(self) -> None:
        application = ensure_archive(os.environ)
        self.folder = Path(tempfile.mkdtemp(prefix="driftloop-registry-"))
        self._lifeline = Lifeline(self.folder / "lifeline")
        port, management = _free_ports(2)
        command = [
            str(find_java(os.environ).path),
            "-Xmx256m",
            "-XX:TieredStopAtLevel=1",
            "-Dquarkus.http.host=127.0.0.1",
            f"-Dquarkus.http.port={port}",
            "-Dquarkus.management.host=127.0.0.1",
            f"-Dquarkus.management.port={management}",
            f"-Djava.io.tmpdir={self.folder}",
            "-jar",
            str(application / f"apicurio-registry-app-{VERSION}-runner.jar"),
        ]
        (self.folder / "commands.json").write_text(json.dumps([command]))
        self._supervisor = subprocess.Popen(
            [sys.executable, "-I", "-S", str(SUPERVISOR), str(self.folder), str(self._lifeline.path)],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.url = f"http://127.0.0.1:{port}/apis/ccompat/v7"
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def subjects(self) -> set[str]:
        """Everything under which a schema is registered."""
        with urllib.request.urlopen(f"{self.url}/subjects", timeout=60) as answer:
            return set(json.load(answer))

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Frozen: it takes connections and answers nothing."""
        pid = int(subprocess.check_output(["pgrep", "-P", str(self._supervisor.pid)]))
        freeze(pid)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def stop(self) -> None:
        """End it; its supervisor removes the folder."""
        self._lifeline.let_go()
        self._supervisor.wait(180)

    def _wait(self) -> None:
        deadline = time.monotonic() + READY_SECONDS_MOST
        while True:
            try:
                self.subjects()
                return
            except OSError:
                log = self.folder / "broker.log"
                said = log.read_text(errors="replace")[-3000:] if log.exists() else ""
                assert self._supervisor.poll() is None, f"the registry has ended:\n{said}"
                assert time.monotonic() < deadline, f"not ready within {READY_SECONDS_MOST} s:\n{said}"
                time.sleep(0.1)


def _free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports: list[int] = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports
