"""One model against a hundred on the same stream: the pairs go round the models, everything else is equal.

600 events a second of event time over an hour, so that each of the hundred has the density of the one model in the
other parts, and its panes of an hour hold the same 900 pairs of a partition (a shorter stream would end within the
first pane). The hundred tell a hundred times as many panes; that is part of their price.
"""

from __future__ import annotations

from typing import Any

from bench import Bench
from runs import Run
from stream import EVENTS_PER_SECOND, make_stream, model_names, records

MODELS = 100
DELAY_SECONDS = 300.0
PER_SECOND = EVENTS_PER_SECOND * MODELS
PAIRS = int(PER_SECOND / 2 * 3_600)
"""An hour of them."""


def run(bench: Bench) -> dict[str, Any]:
    stream = make_stream(bench.pairs if bench.quick else PAIRS, per_second=PER_SECOND, delay_seconds=DELAY_SECONDS)
    found: dict[int, dict[str, Any]] = {}
    for count in (1, MODELS):
        names = model_names(count)
        every = list(records(stream, names))
        found[count] = Run(bench, f"models-{count}", stream, every, names).found
        bench.say_cost(f"{count} models", found[count])
        bench.say(f"{'':24} {found[count]['panes']:,} panes told")
    return {
        "cost_of_100_models": found[MODELS]["cpu_us_per_event"] / found[1]["cpu_us_per_event"],
        "by_models": {str(count): one for count, one in found.items()},
    }
