"""Where the public streams are, that some tests read. Where they are missing these tests are left out, which one line
of the summary says, or they fail, if the environment says that the streams are required (.ci/run)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data"
ABSENT = "there are no public streams in "


def public_folder(environment: Mapping[str, str]) -> Path:
    """The folder; Skipped or Failed without one."""
    folder = Path(environment.get("PUBLIC_STREAMS", BESIDE))
    if not folder.is_dir():
        said = f"{ABSENT}{folder} (PUBLIC_STREAMS names the folder)"
        (pytest.fail if environment.get("PUBLIC_STREAMS_REQUIRED") else pytest.skip)(said)
    return folder


def left_out(skipped: Sequence[str]) -> Iterator[str]:
    """The line for the summary; ``skipped``: why each test was skipped, in pytest's words."""
    for_want = [reason for reason in skipped if ABSENT in reason]
    if for_want:
        folder = for_want[0].split(ABSENT)[1].split(" (")[0]
        yield f"tests left out: {len(for_want)}; {ABSENT}{folder} (PUBLIC_STREAMS names the folder)"
