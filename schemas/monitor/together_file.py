"""The [multivariate] of a monitor file: numeric features that are watched as one vector too (together.py).

[multivariate]
features = ["amount", "age", "income"]   # all numeric ones where nothing is said
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from driftloop.schemas.monitor.together import MEMBERS_MOST, NAME, Together
from driftloop.schemas.monitor.toml_reader import Table

if TYPE_CHECKING:
    from driftloop.schemas.monitor.specification import Feature

_EXAMPLE = '[multivariate]\n              features = ["amount", "age"]'
_FEATURES = 'features = ["amount", "age"]'


def read_together(root: Table, features: Sequence[Feature]) -> Together | None:
    """None: the file has no such table. Errors: ConfigError, the first mistake."""
    if root.get("multivariate", None, _EXAMPLE) is None:
        return None
    table = root.table("multivariate", _EXAMPLE)
    kinds = {f.name: f.kind for f in features}
    numeric = [name for name, kind in kinds.items() if kind == "numeric"]
    example = f"features = {json.dumps(numeric[:2])}" if len(numeric) > 1 else _FEATURES
    names = table.strings("features", tuple(numeric), example)
    for name in names:
        if name not in kinds:
            table.refuse("features", f"names {name!r}, which is no feature of this monitor", example)
        if kinds[name] != "numeric":
            said = f"names {name!r}, which is {kinds[name]}: numeric ones vary together"
            table.refuse("features", said, example)
    if not 2 <= len(names) <= MEMBERS_MOST:
        said = f"are {len(names)} numeric features, not 2 to {MEMBERS_MOST} that could vary together"
        table.refuse("features", said, example)
    if NAME in kinds:
        root.refuse("features", f"has {NAME!r}, by which [multivariate] is told", "another name for the feature")
    table.done()
    return Together(names)
