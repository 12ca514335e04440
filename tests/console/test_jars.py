"""The jars of the broker: those that were committed and no others, whatever Maven or the disk holds."""

from __future__ import annotations

import hashlib
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from driftloop.console.broker import jars
from driftloop.console.broker.classes import ensure_archive
from driftloop.console.broker.embedded import say_nothing
from driftloop.console.broker.java import Java
from driftloop.console.broker.launch import archive_of, prepare
from driftloop.schemas.errors import ConfigError, Unavailable

JARS = {"a-1.jar": b"first", "b-2.jar": b"second"}
JAVA = Java(Path("/usr/bin/java"), 17)
MAVEN = """#!/bin/sh
echo x >> {calls}
{before}
while [ "$1" != -f ]; do shift; done
libs=$(dirname "$2")/target/libs
mkdir -p "$libs" && cp {repository}/*.jar "$libs"
"""


class Maven:
    """A stand-in for mvn that copies a small repository and counts its calls."""

    def __init__(self, folder: Path) -> None:
        self.repository = folder / "repository"
        self.repository.mkdir()
        for name, content in JARS.items():
            (self.repository / name).write_bytes(content)
        self.calls_file = folder / "calls"
        self.program = folder / "bin" / "mvn"
        self.program.parent.mkdir()
        self.environment = {"PATH": f"{self.program.parent}:{os.environ['PATH']}"}
        self.says()

    def says(self, before: str = "") -> None:
        self.program.write_text(MAVEN.format(calls=self.calls_file, repository=self.repository, before=before))
        self.program.chmod(0o755)

    @property
    def calls(self) -> int:
        return len(self.calls_file.read_text().split()) if self.calls_file.exists() else 0


@pytest.fixture
def maven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Maven:
    wanted = {name: hashlib.sha256(content).hexdigest() for name, content in JARS.items()}
    monkeypatch.setattr(jars, "read_checksums", lambda: wanted)
    return Maven(tmp_path)


def contents(paths: list[Path]) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in paths}


def test_jars_are_fetched_once(maven: Maven, tmp_path: Path) -> None:
    said: list[str] = []
    for _ in range(2):
        assert contents(jars.ensure_jars(tmp_path / "cache", JAVA, maven.environment, said.append)) == JARS
    assert maven.calls == 1
    assert len(said) == 1
    assert "fetching Apache Kafka 4.3.1" in said[0]


def test_two_at_once_fetch_once(maven: Maven, tmp_path: Path) -> None:
    maven.says(before="sleep 0.3")
    with ThreadPoolExecutor(4) as pool:
        jobs = [
            pool.submit(jars.ensure_jars, tmp_path / "cache", JAVA, maven.environment, say_nothing) for _ in range(4)
        ]
    assert all(contents(job.result()) == JARS for job in jobs)
    assert maven.calls == 1


@pytest.mark.parametrize("damage", [b"first, changed", None], ids=["changed", "removed"])
def test_a_damaged_jar_is_noticed_before_the_start_and_fetched_again(
    maven: Maven, tmp_path: Path, damage: bytes | None
) -> None:
    first, _ = jars.ensure_jars(tmp_path / "cache", JAVA, maven.environment, say_nothing)
    if damage is None:
        first.unlink()
    else:
        first.write_bytes(damage)
    assert contents(jars.ensure_jars(tmp_path / "cache", JAVA, maven.environment, say_nothing)) == JARS
    assert maven.calls == 2


def test_a_jar_that_nobody_committed_is_refused(maven: Maven, tmp_path: Path) -> None:
    (maven.repository / "b-2.jar").write_bytes(b"something else")
    with pytest.raises(ConfigError, match=r"b-2\.jar has another sha256 than the one in jars\.sha256"):
        jars.ensure_jars(tmp_path / "cache", JAVA, maven.environment, say_nothing)
    assert not (tmp_path / "cache" / "jars").exists()


def test_a_jar_beside_the_committed_ones_is_not_on_the_class_path(maven: Maven, tmp_path: Path) -> None:
    jars.ensure_jars(tmp_path / "cache", JAVA, maven.environment, say_nothing)
    (tmp_path / "cache" / "jars" / "evil.jar").write_bytes(b"")
    found = jars.ensure_jars(tmp_path / "cache", JAVA, maven.environment, say_nothing)
    assert [path.name for path in found] == list(JARS)


def test_what_maven_says_is_passed_on(maven: Maven, tmp_path: Path) -> None:
    maven.says(before="echo '[ERROR] Could not transfer artifact'; exit 1")
    with pytest.raises(Unavailable, match="Could not transfer artifact") as told:
        jars.ensure_jars(tmp_path / "cache", JAVA, maven.environment, say_nothing)
    assert "settings.xml" in told.value.hint
    maven.says()
    assert contents(jars.ensure_jars(tmp_path / "cache", JAVA, maven.environment, say_nothing)) == JARS


def test_without_maven_what_is_in_the_cache_does(maven: Maven, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no mvn on PATH"):
        jars.ensure_jars(tmp_path / "cache", JAVA, {"PATH": ""}, say_nothing)
    jars.ensure_jars(tmp_path / "cache", JAVA, maven.environment, say_nothing)
    assert contents(jars.ensure_jars(tmp_path / "cache", JAVA, {"PATH": ""}, say_nothing)) == JARS


def test_a_java_that_makes_no_archive_of_classes_is_asked_once_and_starts_brokers_without(tmp_path: Path) -> None:
    program, jar, calls = tmp_path / "java", tmp_path / "jars" / "a-1.jar", tmp_path / "calls"
    program.write_text(f"#!/bin/sh\necho $1 >> {calls}\nexit 1\n")
    program.chmod(0o755)
    jar.parent.mkdir()
    jar.write_bytes(b"first")
    java = Java(program, 17)
    for _ in range(2):
        ensure_archive(tmp_path, java, [jar], say_nothing)
    assert [call.split("=")[0] for call in calls.read_text().split()][1:] == ["-XX:ArchiveClassesAtExit"]
    prepare(tmp_path, java, [jar])
    assert "SharedArchiveFile" not in (tmp_path / "java.options").read_text()
    archive_of(java, [jar]).write_bytes(b"classes")
    prepare(tmp_path, java, [jar])
    assert f"-XX:SharedArchiveFile={archive_of(java, [jar])}" in (tmp_path / "java.options").read_text()
    jar.write_bytes(b"another")
    prepare(tmp_path, java, [jar])
    assert "SharedArchiveFile" not in (tmp_path / "java.options").read_text(), "of other jars"


def test_the_committed_list_and_the_pom_name_one_release_and_no_host() -> None:
    pom = (jars.HERE / "pom.xml").read_text()
    assert f"<kafka.version>{jars.KAFKA_VERSION}</kafka.version>" in pom
    assert set(re.findall(r"https?://[^\s\"<]+", pom)) == {"http://maven.apache.org/POM/4.0.0"}
    committed = jars.read_checksums()
    assert len(committed) == 47
    assert f"kafka_2.13-{jars.KAFKA_VERSION}.jar" in committed
    assert all(re.fullmatch(r"[0-9a-f]{64}", checksum) for checksum in committed.values())
