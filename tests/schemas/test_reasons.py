"""The table of reasons in docs/dead-letters.md against what the code can say."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
READERS = ("wire", "codec", "layouts", "rows", "batch", "columns", "truths", "prefix", "outcome", "vectors")
NEVER_A_LETTER = {"no-prediction", "vector-not-finite"}
"""A reader's word to itself, and what only a writer of ours refuses."""


def said() -> set[str]:
    """Reasons in BadRecord("...") and in what ``event_time_fault`` returns, in the files that read records."""
    found = set[str]()
    for name in READERS:
        for node in ast.walk(ast.parse(next((ROOT / "schemas").rglob(f"{name}.py")).read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "BadRecord":
                first = node.args[0]
            elif isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
                first = node.value.elts[0]
            else:
                continue
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                found.add(first.value)
    return found


def test_every_reason_is_explained_and_none_is_made_up() -> None:
    text = (ROOT / "docs" / "dead-letters.md").read_text()
    explained = re.findall(r"^\| `([a-z0-9-]+)` \|", text, re.M)
    assert len(explained) == len(set(explained))
    assert set(explained) == said() - NEVER_A_LETTER
    assert len(explained) > 12
