"""Which libraries a model was made with, and whether this installation can be trusted to read it the same way.

A pickle holds the inside of a library's objects, and insides change. Decision: a library of another release series
(major version; major and minor below 1.0, as river is) or an absent one is refused; any other difference is a
warning, because refusing a patch release would stop every app that was upgraded before the next training. driftloop
itself is only ever a warning: its model classes stay readable across its releases.
"""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Iterable, Mapping

from driftloop.schemas.errors import BadRecord

_DISTRIBUTIONS = {"sklearn": "scikit-learn"}
"""Where the name one imports is not the name one installs."""


def versions_of(modules: Iterable[str]) -> dict[str, str]:
    """Installed versions of the libraries these modules belong to, and Python's; others are left out."""
    found = {"python": platform.python_version()}
    for root in sorted({module.partition(".")[0] for module in modules}):
        name = _DISTRIBUTIONS.get(root, root)
        if version := _installed(name):
            found[name] = version
    return found


def check_libraries(recorded: Mapping[str, str]) -> list[str]:
    """Differences worth a warning, as sentences. BadRecord (library-mismatch) where reading would be guesswork."""
    warnings = []
    for name, version in sorted(recorded.items()):
        here = platform.python_version() if name == "python" else _installed(name)
        if here is None:
            raise BadRecord(
                "library-mismatch",
                f"the model was made with {name} {version}, which is not installed here",
                f"pip install '{name}=={version}'",
            )
        if _series(here) != _series(version) and name != "driftloop":
            raise BadRecord(
                "library-mismatch",
                f"the model was made with {name} {version}, here is {here}: another release series",
                f"pip install '{name}=={version}', or train the model again with {name} {here}",
            )
        if here != version and name != "python":
            warnings.append(f"the model was made with {name} {version}, here is {here}")
    return warnings


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _series(version: str) -> tuple[str, ...]:
    parts = version.split(".")
    return tuple(parts[:2]) if parts[0] == "0" else (parts[0],)
