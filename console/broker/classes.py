"""The broker's classes as the JVM keeps them in memory, in a file beside the jars: a start maps them.

Without it every start finds, checks and links some 10,000 classes in the jars, which is half of what a start costs:
2.3 to 2.5 s of processor time instead of 4.2 to 4.6, and 1.0 instead of 1.5 for formatting (Java 17, two cores). Made
once a Java and set of jars, in about 8 s, by a broker that is started for it and ended; the file has 50 MB. A JVM
that finds it unfit (another build, other jars) goes on without; where none can be made, an empty one says so.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from driftloop.console.background import only_one
from driftloop.console.broker.jars import cache_folder, ensure_jars
from driftloop.console.broker.java import Java, find_java
from driftloop.console.broker.launch import archive_of, prepare, wait_until_ready
from driftloop.schemas.errors import Unavailable

SECONDS_MOST = 120.0
TETHERED = 'exec 3<&0; "$@" & java=$!; { cat <&3; kill $java; } & wait $java'
"""The JVM writes the file when it is told to end: when our end of its pipe is closed, as by our own kill -9 too."""


def java_and_jars(environment: Mapping[str, str], say: Callable[[str], None]) -> tuple[Java, list[Path]]:
    """What a broker is started with; what is missing is fetched or made, once. ConfigError; Unavailable."""
    java, folder = find_java(environment), cache_folder(environment)
    jars = ensure_jars(folder, java, environment, say)
    ensure_archive(folder, java, jars, say)
    return java, jars


def ensure_archive(folder: Path, java: Java, jars: list[Path], say: Callable[[str], None]) -> None:
    """Make it where there is none yet, and room for it. Two processes at once: one makes it, one waits."""
    archive = archive_of(java, jars)
    if not archive.exists() and os.access(folder, os.W_OK):
        with only_one(folder / "classes.lock"):
            if not archive.exists():  # another process may have made it while we waited
                say("preparing quicker starts of the embedded broker (once, some seconds)")
                _make(java, jars, archive)


def _make(java: Java, jars: list[Path], archive: Path) -> None:
    part = archive.with_suffix(".part")
    with tempfile.TemporaryDirectory(prefix="driftloop-classes-") as folder:
        broker = prepare(Path(folder), java, jars)
        formatting, (program, *run) = broker.commands
        with broker.log.open("ab") as log:
            subprocess.run(formatting, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False)
            process = subprocess.Popen(
                ["sh", "-c", TETHERED, "sh", program, f"-XX:ArchiveClassesAtExit={part}", *run],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us
            )
        with suppress(Unavailable):  # whoever wants the broker will hear why
            wait_until_ready(broker, lambda: process.poll() is None)
        assert process.stdin
        process.stdin.close()
        try:
            process.wait(SECONDS_MOST)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
    for old in archive.parent.glob("classes-*.jsa"):
        old.unlink()  # of another Java or other jars; who has it mapped keeps it
    part.touch()
    part.replace(archive)
