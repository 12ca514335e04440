"""Who may import whom (docs/architecture.md), and how large a file may grow: said in plain words when broken."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("schemas", "detectors", "streams", "artefacts", "retrainer", "client", "console")

ALLOWED = {
    "schemas": set(),
    "detectors": set(),
    "artefacts": {"schemas"},
    "streams": {"schemas", "detectors", "artefacts"},
    "retrainer": {"schemas", "detectors", "artefacts", "streams"},
    "client": {"schemas", "artefacts"},
    "console": {"schemas", "detectors", "artefacts", "streams", "retrainer", "client"},
}
KAFKA = {"faust", "aiokafka", "confluent_kafka", "mode"}
"""These know Kafka; everything else is pure and can be called from a list."""
MAY_KNOW_KAFKA = ("streams/transport/", "client/", "console/", "retrainer/reading.py")
FAUST_ONLY = "streams/transport/"
FILE_LINES_MOST = 400
FUNCTION_LINES_MOST = 70


def sources() -> list[Path]:
    return sorted(p for folder in FOLDERS for p in (ROOT / folder).rglob("*.py"))


def imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.lineno, node.module
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def broken_rules(path: Path) -> Iterator[str]:
    place = path.relative_to(ROOT).as_posix()
    folder = place.split("/")[0]
    edge = place.startswith(MAY_KNOW_KAFKA) or path.name in {"worker.py", "service.py"}
    for line, name in imports(ast.parse(path.read_text())):
        parts = name.split(".")
        if parts[0] == "driftloop" and len(parts) > 1 and parts[1] != folder and parts[1] not in ALLOWED[folder]:
            yield f"{place}:{line}: {folder} may not import driftloop.{parts[1]}"
        if folder == "retrainer" and parts[:2] == ["driftloop", "streams"] and parts[-1] == "worker":
            yield f"{place}:{line}: the retrainer uses the pure modules of streams, never a worker"
        if parts[0] in KAFKA and not edge:
            yield f"{place}:{line}: only {', '.join(MAY_KNOW_KAFKA)}, worker.py and service.py may import {parts[0]}"
        if parts[0] in {"faust", "aiokafka", "mode"} and not place.startswith(FAUST_ONLY):
            yield f"{place}:{line}: only {FAUST_ONLY} may import {parts[0]}"
        if folder == "detectors" and parts[0] == "river" and path.name != "river_adapter.py":
            yield f"{place}:{line}: only detectors/river_adapter.py may import river"


def test_every_import_follows_the_flow() -> None:
    broken = [rule for path in sources() for rule in broken_rules(path)]
    assert not broken, "\n".join(broken)


def test_a_forbidden_import_is_named_in_plain_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    bad = tmp_path / "detectors" / "bad.py"
    bad.parent.mkdir()
    bad.write_text("import faust\nfrom driftloop.streams import observer\n")
    found = list(broken_rules(bad))
    assert found[0].startswith("detectors/bad.py:1: only streams/transport/")
    assert "detectors/bad.py:2: detectors may not import driftloop.streams" in found


def test_no_file_and_no_function_outgrows_a_glance() -> None:
    large = []
    for path in [*sources(), *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "benchmarks").rglob("*.py"))]:
        text = path.read_text()
        place = path.relative_to(ROOT)
        if (lines := text.count("\n")) > FILE_LINES_MOST:
            large.append(f"{place}: {lines} lines, more than {FILE_LINES_MOST}: split it by concept")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > FUNCTION_LINES_MOST:
                    large.append(f"{place}:{node.lineno}: {node.name} has {length} lines")
    assert not large, "\n".join(large)


def test_every_folder_with_code_is_packaged() -> None:
    import tomllib

    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    found = {"driftloop." + ".".join(p.parent.relative_to(ROOT).parts) for p in sources()}
    assert found == listed, f"not the same: {found ^ listed}; fix packages in pyproject.toml, then `make setup`"
