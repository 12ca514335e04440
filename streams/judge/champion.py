"""Who is champion, as the panes of predictions tell it: the judge hears of a deployment by what it serves.

Of the versions that served in the newest pane: the one that is champion stays, unless a version serves that never did
before (the newest of them takes over). If the champion is not among them, the last of them takes over. So an app that
picks the new version up some minutes later does not bring the old one back; a roll-back does, from the first pane
that the former version has to itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

REMEMBERED_MOST = 64
VERSIONS_KEPT_MOST = 1_024
"""Every step sorts its windows by them."""


@dataclass(frozen=True, slots=True)
class Champion:
    """``since``: start of the first pane it served in this time; ``newest``: of the newest pane of any champion."""

    version: str
    spec: str
    since: float
    newest: float
    served: tuple[str, ...]


def next_champion(champion: Champion | None, pane_start: float, served: Iterable[tuple[str, str]]) -> Champion:
    """The champion after a pane in which these (version, specification) served. Only a newer pane can change it."""
    serving = sorted(set(served), key=lambda pair: (natural(pair[0]), pair[1]))
    if champion is None:
        version, spec = serving[-1]
        return Champion(version, spec, pane_start, pane_start, (version,))
    if pane_start <= champion.newest:
        return champion
    champion = replace(champion, newest=pane_start)
    fresh = [pair for pair in serving if pair[0] not in champion.served]
    if not fresh and (champion.version, champion.spec) in serving:
        return champion
    version, spec = (fresh or serving)[-1]
    known = (*(v for v in champion.served if v != version), version)[-REMEMBERED_MOST:]
    return Champion(version, spec, pane_start, pane_start, known)


@lru_cache(VERSIONS_KEPT_MOST)
def natural(version: str) -> tuple[tuple[int, int, str], ...]:
    """Orders v9 before v10.

    >>> sorted(["v10", "v9", "v9b"], key=natural)
    ['v9', 'v9b', 'v10']
    """
    parts = re.findall(r"[0-9]{1,18}|[^0-9]+", version)  # int() refuses "²", and 5,000 digits
    return tuple((0, int(p), "") if p[0] in "0123456789" else (1, 0, p) for p in parts)
