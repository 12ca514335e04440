"""The judge's place in the deployment: names, and its pure functions."""

from __future__ import annotations

from driftloop.streams.fold import Service
from driftloop.streams.judge.fold import make_fold
from driftloop.streams.judge.state import LAYOUT

SERVICE = Service(
    name="judge",
    sources=("panes",),
    state="judge-state",
    writes=("windows", "drift", "dead-letter"),
    make_fold=make_fold,
    layout=LAYOUT,
    hears=("commands",),
    instead_of_rewind="what it would tell of the time from T on, with today's monitor or another one: `driftloop "
    "replay MODEL --from T --spec FILE`, which changes nothing; numbers told anew: `driftloop rewind observer "
    "--to T`, whose panes correct the windows that the judge remembers",
)
